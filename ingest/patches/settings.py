"""How patches are selected, and the scorer and the run that this means."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.patches import trained
from ingest.patches.trained import TrainedNetwork
from ingest.report import Report
from ingest.runs import Settings, open_backbone, versions
from ingest.vision.backbones import Backbone
from ingest.vision.patches import Masking, SelectionSettings, visiting_order
from ingest.vision.patches.low_resolution import LowResolutionAttention
from ingest.vision.patches.rarity import PatchSample, Rarity
from ingest.vision.patches.scorer import PatchScorer
from ingest.vision.training.ips import TrainedSelection
from store import patches
from store.connection import reading
from store.patches import PatchRun, PatchRunRecord

SCORERS = (LowResolutionAttention.key, Rarity.key, trained.KEY)

Scoring = Backbone | TrainedNetwork  # what scores patches, or what a scorer asks


@dataclass(frozen=True)
class PatchSettings:
    """The options of `patches` that its outcome follows from: sides in pixels, `top` is M, `iteration` I. `masking` of
    the highest scores (how many, with which probability) is for experiments; (0, 0) is none."""

    scorer: str = "attention"
    model: str = "auto"
    weights: str | None = None
    layer: int | None = None
    patch_size: int = 224
    stride: int | None = None
    top: int = 20
    iteration: int = 32
    how: str = "exact"
    shuffle: str = "none"
    seed: int = 0
    masking: tuple[int, float] = (0, 0.0)

    def selection(self) -> SelectionSettings:
        """ValueError, with a sentence, for what cannot be."""
        visiting_order(1, 1, self.shuffle)
        masking = Masking(*self.masking) if tuple(self.masking) != (0, 0.0) else None
        return SelectionSettings(self.top, self.iteration, self.how, masking)


def check(settings: PatchSettings) -> None:
    """ValueError for settings that cannot be, before anything is opened."""
    if settings.scorer not in SCORERS:
        raise ValueError(f"patches are scored by one of {', '.join(SCORERS)}, not {settings.scorer!r}")
    if settings.patch_size < 1:
        raise ValueError(f"patches have sides of 1 pixel or more, not {settings.patch_size}")
    stride = settings.stride
    if stride is not None and not 1 <= stride <= settings.patch_size:
        raise ValueError(
            f"--stride is between 1 and the side of a patch, {settings.patch_size} pixels, so that no pixel is left "
            f"out; {stride} is not"
        )
    settings.selection()


def open_network(
    db: Path, settings: PatchSettings, device: str, report: Report, stored: dict[str, Any] | None
) -> tuple[Scoring, PatchSettings]:
    """The network of a scorer, and the settings with its name and file in place of `auto`. `stored` is what a run that
    is continued keeps of it."""
    if settings.scorer == trained.KEY:
        if settings.model not in ("auto", trained.KEY):
            raise ValueError("--scorer trained has its network in the file of --weights: leave --model out")
        own = trained.open_trained(settings.weights, device)
        return own, replace(settings, model=own.key, weights=own.weights)
    network = Settings(settings.model, settings.weights, settings.layer, methods=(), device=device, stored=stored)
    backbone, _, _ = open_backbone(db, network, report)
    return backbone, replace(settings, model=backbone.key, weights=backbone.weights, layer=backbone.layer)


def make_scorer(key: str, backbone: Scoring, batch_size: int, sample: PatchSample | None = None) -> PatchScorer:
    """The scorer with this key; `sample` is for one that compares patches with others."""
    if isinstance(backbone, TrainedNetwork):
        return TrainedSelection(backbone.network, backbone.title)
    if key == LowResolutionAttention.key:
        return LowResolutionAttention(backbone, batch_size)
    if sample is None:
        raise ValueError(f"the scorer {key} needs patches to compare with")
    return Rarity(backbone, sample, batch_size)


def run_of(settings: PatchSettings, backbone: Scoring, scorer: PatchScorer) -> PatchRun:
    """What a database keeps of the run that these settings mean."""
    network = {name: value for name, value in backbone.settings().items() if name != "measured"}
    return PatchRun(
        scorer=scorer.key,
        title=f"{scorer.title} · {backbone.title}",
        model=backbone.key,
        weights_sha256=backbone.weights_sha256,
        settings={
            "options": asdict(settings),
            "scorer": {**scorer.settings(), "score": "share" if scorer.is_share else "value"},
            "network": {**network, "precision": str(backbone.precision).removeprefix("torch.")},
        },
        versions=versions(),
    )


def stored_run(db: Path, run_id: int) -> PatchRunRecord:
    """The run of patches with this number. SourceError, which names those that there are, if there is none."""
    found: list[PatchRunRecord] = []
    if db.exists():
        with reading(db) as con:
            found = patches.patch_runs(con)
    for run in found:
        if run.run_id == run_id:
            return run
    numbers = ", ".join(str(run.run_id) for run in found)
    raise SourceError(
        f"there is no run {run_id} of patches in {db}; "
        + (f"it has {numbers}" if found else "it has none: leave --run out to begin one")
    )


def settings_of(run: PatchRunRecord) -> PatchSettings:
    """The settings that continue a stored run."""
    options = dict(run.settings["options"])
    top, probability = options.pop("masking")
    return PatchSettings(**options, masking=(top, probability))
