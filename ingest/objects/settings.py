"""How objects are found, and the run that this means."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.report import Report
from ingest.runs import Settings, open_backbone, versions
from ingest.vision.backbones import Backbone
from ingest.vision.objects import METHODS, object_settings, refuse_without_keys
from store import objects
from store.connection import reading
from store.objects import ObjectRun, ObjectRunRecord


@dataclass(frozen=True)
class ObjectSettings:
    """The options of `objects` that its outcome follows from. `objects` is how many of a picture at most, `centre`
    whether the mean key is taken from all keys, `options` are the method's own."""

    method: str = "tokencut"
    model: str = "auto"
    weights: str | None = None
    layer: int | None = None
    fit: str = "auto"
    size: int | None = None
    objects: int = 1
    centre: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def checked(settings: ObjectSettings) -> ObjectSettings:
    """The settings with all options of the method. ValueError for what cannot be, before anything is opened."""
    if settings.objects < 1:
        raise ValueError(f"--objects is 1 or more, not {settings.objects}")
    return replace(settings, options=object_settings(settings.method, **settings.options))


def open_network(
    db: Path, settings: ObjectSettings, device: str, report: Report, stored: dict[str, Any] | None
) -> tuple[Backbone, ObjectSettings]:
    """The network whose keys are read, and the settings with its name, file, fit and size in place of what was left
    open. `stored` is what a run that is continued keeps of it. BackboneError for a network without keys of patches."""
    network = Settings(
        settings.model, settings.weights, settings.layer, settings.fit, settings.size, (), device, stored=stored
    )
    backbone, _, size = open_backbone(db, network, report)
    refuse_without_keys(backbone)
    fit = whole_fit(backbone) if settings.fit == "auto" else settings.fit
    chosen = {"model": backbone.key, "weights": backbone.weights, "layer": backbone.layer, "fit": fit, "size": size}
    return backbone, replace(settings, **chosen)


def whole_fit(backbone: Backbone) -> str:
    """The fit that shows a network the whole picture, in its own shape where the network takes any; else as the
    network's own processor does, where that is no square."""
    if backbone.any_grid:
        return "aspect"
    height, width = backbone.rule.shape
    return "stretch" if height == width else "model"


def run_of(settings: ObjectSettings, backbone: Backbone) -> ObjectRun:
    """What a database keeps of the run that these settings mean."""
    network = {name: value for name, value in backbone.settings().items() if name != "measured"}
    return ObjectRun(
        method=settings.method,
        title=f"{METHODS[settings.method].title} · {backbone.title}",
        model=backbone.key,
        weights_sha256=backbone.weights_sha256,
        settings={
            "options": asdict(settings),
            "network": {**network, "precision": str(backbone.precision).removeprefix("torch.")},
        },
        versions=versions(),
    )


def stored_run(db: Path, run_id: int) -> ObjectRunRecord:
    """The run of objects with this number. SourceError, which names those that there are, if there is none."""
    found: list[ObjectRunRecord] = []
    if db.exists():
        with reading(db) as con:
            found = objects.runs(con)
    for run in found:
        if run.run_id == run_id:
            return run
    numbers = ", ".join(str(run.run_id) for run in found)
    raise SourceError(
        f"there is no run {run_id} of objects in {db}; "
        + (f"it has {numbers}" if found else "it has none: leave --run out to begin one")
    )


def settings_of(run: ObjectRunRecord) -> ObjectSettings:
    """The settings that continue a stored run."""
    return ObjectSettings(**run.settings["options"])
