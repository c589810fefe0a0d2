"""The objects of a run as pictures: which parts of which pictures they are, what each is called, and who reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ingest import changes
from ingest.errors import SourceError
from ingest.open_picture import read_part
from ingest.report import Report
from ingest.sources.listing import Listing, list_tasks
from ingest.sources.request import Request
from ingest.sources.source import StoredCollection
from ingest.task import Task
from ingest.vision.paths import PixelBox, box_name, named_box, raw_name
from store import objects, read
from store.connection import reading, writing
from store.counts import counted
from store.objects import ObjectRunRecord
from store.records import StoredImage

Again = Callable[[StoredCollection], list[Task]]


def list_objects(db: Path, request: Request, report: Report, again: Again) -> Listing:
    """The objects of the run that `objects:RUN` names. SourceError for a run that is not there or has none, or one over
    pictures on the web; a collection that holds the objects of another run is not gone on with."""
    run, rows, source, known = _stored(db, request.address)
    tasks = _tasks(run, rows, source, known, again)[: request.limit]
    if not tasks:
        raise SourceError(
            f"run {run.run_id} has no objects that can be cut out: it found none, or its pictures lie on the web; "
            "download these first"
        )
    name = request.collection or f"{run.collection} objects"
    _refuse_other(db, name, run.run_id)
    _follow_moves(db, name, tasks, report)
    listing = list_tasks(db, replace(request, collection=name), report, tasks, name, Path(source))
    current = {task.name for task in tasks}
    past = [each for each in listing.known if each not in current]
    if past and not request.limit:
        report.log(f"no longer proposed by run {run.run_id}: {counted(len(past), 'object')}, which stay as they are")
    return listing


def parts_again(stored: StoredCollection, again: Again) -> list[Task]:
    """Of stored pictures those named as parts of others, made to read from these."""
    boxes: dict[str, tuple[str, PixelBox]] = {}
    for name in stored.known:
        part = named_box(name) if "://" not in name else None
        if part is not None and not os.path.lexists(Path(stored.source) / raw_name(name)):
            boxes[name] = part
    if not boxes:
        return []
    parents = {parent: stored.known[name] for name, (parent, _) in boxes.items()}
    whole = {task.name: task for task in again(replace(stored, known=parents))}
    return [
        replace(
            whole[parent],
            name=name,
            read=partial(read_part, whole[parent], box),
            metadata=stored.known[name].metadata,
        )
        for name, (parent, box) in boxes.items()
        if parent in whole
    ]


def _stored(
    db: Path, address: str
) -> tuple[ObjectRunRecord, list[dict[str, Any]], str, dict[int, tuple[str, StoredImage]]]:
    """The run, its objects, the source of its collection, and that collection's pictures by id, with their names."""
    number, runs = address.removeprefix("objects:"), []
    if db.exists():
        with reading(db) as con:
            runs = objects.runs(con)
    run = next((run for run in runs if str(run.run_id) == number), None)
    if run is None:
        others = ", ".join(f"objects:{each.run_id}" for each in runs)
        raise SourceError(
            f"there is no run {number!r} of objects in {db}; "
            + (f"there is {others}" if others else "make one with: python -m ingest objects FOLDER")
        )
    with reading(db) as con:
        rows = objects.objects(con, run.run_id).to_pylist()
        row = next(each for each in read.collections(con).to_pylist() if each["name"] == run.collection)
        known = read.known(con, row["collection_id"])
    return run, rows, row["source"] or "", {held.image_id: (name, held) for name, held in known.items()}


def _tasks(
    run: ObjectRunRecord,
    rows: list[dict[str, Any]],
    source: str,
    known: dict[int, tuple[str, StoredImage]],
    again: Again,
) -> list[Task]:
    """A task for each object of a picture that lies in the folder `source`. Of objects with the same box the first
    found stands for all."""
    if not source or "://" in source:
        return []
    parts: dict[str, StoredImage] = {}
    for row in rows:
        if row["image_id"] in known:
            name, held = known[row["image_id"]]
            part = box_name(name, (row["x0"], row["y0"], row["x1"], row["y1"]))
            metadata = {**held.metadata, **_described(run, row, name, held.metadata)}
            parts.setdefault(part, held._replace(metadata=metadata))
    return parts_again(StoredCollection(source, parts), again)


def _described(run: ObjectRunRecord, row: dict[str, Any], name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    title = metadata.get("title") or name.rpartition("/")[2]
    x0, y0, x1, y1 = (row[edge] for edge in ("x0", "y0", "x1", "y1"))
    return {
        "title": f"{title}, object {row['rank']}",
        "parent": row["image_id"],
        "parent_file": name,
        "parent_xywh": f"{x0},{y0},{x1 - x0},{y1 - y0}",
        "object": row["rank"],
        "object_run": run.run_id,
        "object_method": run.method,
        "object_score": round(row["score"], 4),
    }


def _follow_moves(db: Path, name: str, tasks: list[Task], report: Report) -> None:
    """Stored objects whose picture has another name now take the name that goes with it: they are the same part of the
    same picture."""
    with reading(db) as con:
        row = next((each for each in read.collections(con).to_pylist() if each["name"] == name), None)
        known = read.known(con, row["collection_id"]) if row else {}
    listed = {task.name for task in tasks}
    lost = {_identity(held.metadata): path for path, held in known.items() if path not in listed}
    moved = {
        lost[part]: task.name for task in tasks if task.name not in known and (part := _identity(task.metadata)) in lost
    }
    if row and moved:
        with writing(db) as con:
            changes.apply(con, row["collection_id"], changes.Moves(moved), tasks)
        report.log(f"moved with their pictures: {counted(len(moved), 'object')}")


def _identity(metadata: Mapping[str, Any]) -> tuple[Any, Any]:
    """What stays of an object when its picture is called otherwise: the picture's id, and the box."""
    return metadata.get("parent"), metadata.get("parent_xywh")


def _refuse_other(db: Path, name: str, run_id: int) -> None:
    """SourceError where the collection of this name holds other pictures than this run's objects."""
    with reading(db) as con:
        row = next((each for each in read.collections(con).to_pylist() if each["name"] == name), None)
        known = read.known(con, row["collection_id"]) if row else {}
    strange = [path for path, held in known.items() if held.metadata.get("object_run") != run_id]
    if strange:
        raise SourceError(
            f"the collection {name!r} holds other pictures than the objects of run {run_id} (such as {strange[0]}); "
            "give these another name"
        )
