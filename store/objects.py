"""Objects that were proposed in pictures: the runs that found them, their boxes, patches and thumbnails.

What changes them is for a connection that writes, and can be repeated.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows
from store.errors import StoreError
from store.patches import next_run_id
from store.records import FrameRecord

Connection = duckdb.DuckDBPyConnection
TABLES = ("object_frame", "proposed_object", "proposed_object_thumbnail")


@dataclass(frozen=True)
class ObjectRun:
    """One way of finding objects, before it has a number. `model` and `weights_sha256` are of the network whose keys
    are read; `settings` are all that tells it from other ways."""

    method: str
    title: str
    model: str
    weights_sha256: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectRunRecord(ObjectRun):
    """The same as a database holds it, with how many `images` were searched, and how many `objects` found."""

    run_id: int = 0
    collection: str = ""
    images: int = 0
    objects: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True)
class ProposedObjects:
    """The objects of an image, in the order in which they were found: `boxes` (m, 4) int, x0, y0, x1, y1 in pixels of
    the upright original; `scores` and `areas` (m,); `cells`, the patches of each, and `seeds` (m,), the patch that each
    began with, counted in reading order in the grid of the `frame`; `thumbnails` (JPEG, width, height) each."""

    frame: FrameRecord
    boxes: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    seeds: np.ndarray
    cells: Sequence[np.ndarray]
    thumbnails: Sequence[tuple[bytes, int, int]]


def find_run(con: Connection, collection_id: int, run: ObjectRun) -> int | None:
    """The id of the run over the collection with this method, weights and settings; None if there is none."""
    settings = json.loads(rows.to_json(run.settings))
    query = """
        SELECT run_id, settings::VARCHAR FROM object_run
        WHERE collection_id = ? AND method = ? AND weights_sha256 = ? ORDER BY run_id
    """
    found = rows.fetch(con, query, [collection_id, run.method, run.weights_sha256])
    return next((run_id for run_id, stored in found if json.loads(stored) == settings), None)


def add_run(con: Connection, collection_id: int, run: ObjectRun) -> int:
    """The id of the run as `find_run` finds it; made if new."""
    if (found := find_run(con, collection_id, run)) is not None:
        return found
    number = next_run_id(con)
    row = vars(run) | {
        "run_id": number,
        "collection_id": collection_id,
        "settings": rows.to_json(run.settings, sort_keys=True),
        "versions": rows.to_json(run.versions),
        "created_at": rows.now(),
    }
    rows.insert(con, "object_run", {name: [value] for name, value in row.items()})
    return number


def runs(con: Connection, collection: str | None = None) -> list[ObjectRunRecord]:
    """The runs that found objects, the oldest first; `collection` is a name, None all of them."""
    query = """
        SELECT method, title, model, weights_sha256, settings::VARCHAR, versions::VARCHAR, run_id, collection,
            (SELECT count(*) FROM object_frames f WHERE f.run_id = r.run_id),
            (SELECT count(*) FROM objects o WHERE o.run_id = r.run_id), created_at
        FROM object_runs r WHERE $name IS NULL OR collection = $name ORDER BY run_id
    """
    return [
        ObjectRunRecord(
            method, title, model, sha256, json.loads(settings), json.loads(versions), run_id, name, images, found, at
        )
        for method, title, model, sha256, settings, versions, run_id, name, images, found, at in rows.fetch(
            con, query, {"name": collection}
        )
    ]


def add(con: Connection, run_id: int, found: ProposedObjects) -> None:
    """Store an image's objects in place of those that the run had found before. StoreError for a run that is not there,
    or parts that do not fit each other."""
    if rows.first(con, "SELECT 1 FROM object_run WHERE run_id = ?", [run_id]) is None:
        raise StoreError(f"There is no run {run_id} of objects in this database; add it with add_run first.")
    count, image_id = len(found.boxes), found.frame.image_id
    if {len(part) for part in (found.scores, found.areas, found.seeds, found.cells, found.thumbnails)} != {count}:
        raise StoreError(f"{count} objects need as many scores, areas, seeds, patches and thumbnails.")
    if not (np.isfinite(found.scores).all() and np.isfinite(found.areas).all()):
        raise StoreError("Scores and areas of objects must be finite; one of these is infinite or NaN.")
    for table in TABLES:
        rows.delete(con, table, [image_id], run_id=run_id)
    rows.insert(
        con, "object_frame", {"run_id": [run_id]} | {name: [value] for name, value in vars(found.frame).items()}
    )
    each = {
        "run_id": np.full(count, run_id),
        "image_id": np.full(count, image_id),
        "rank": np.arange(1, count + 1),
    }
    boxes = np.asarray(found.boxes, dtype=np.int64).reshape(count, 4)
    sides = {name: boxes[:, place] for place, name in enumerate(("x0", "y0", "x1", "y1"))}
    numbers = {
        "score": np.asarray(found.scores, dtype=np.float32),
        "area": np.asarray(found.areas, dtype=np.float32),
        "seed": np.asarray(found.seeds, dtype=np.int64),
        "cells": pa.array([np.asarray(cells).tolist() for cells in found.cells], pa.list_(pa.int32())),
    }
    rows.insert(con, "proposed_object", {**each, **sides, **numbers})
    data, widths, heights = zip(*found.thumbnails, strict=True) if count else ((), (), ())
    small = {"width": list(widths), "height": list(heights), "data": pa.array(data, pa.binary())}
    rows.insert(con, "proposed_object_thumbnail", {**each, **small})


def done(con: Connection, run_id: int) -> set[int]:
    """The ids of the images that this run has searched."""
    return {image_id for (image_id,) in rows.fetch(con, "SELECT image_id FROM object_frame WHERE run_id = ?", [run_id])}


def objects(con: Connection, run_id: int) -> pa.Table:
    """image_id, rank, x0, y0, x1, y1, score, area: the objects of a run, by image and rank."""
    query = """
        SELECT image_id, rank, x0, y0, x1, y1, score, area FROM objects WHERE run_id = $run
        ORDER BY image_id, rank
    """
    return con.sql(query, params={"run": run_id}).to_arrow_table()


def of_image(con: Connection, image_id: int) -> pa.Table:
    """run_id, title (of the run), rank, x0, y0, x1, y1, score, area: the objects of an image, by run and rank."""
    query = """
        SELECT run_id, title, rank, x0, y0, x1, y1, score, area
        FROM proposed_object JOIN object_run USING (run_id) WHERE image_id = $image ORDER BY run_id, rank
    """
    return con.sql(query, params={"image": image_id}).to_arrow_table()


def thumbnails(con: Connection, run_id: int, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """{(image_id, rank): JPEG} of these objects of a run; what is not there is left out."""
    query = """
        SELECT image_id, rank, data FROM proposed_object_thumbnail
        WHERE run_id = $run AND list_contains($ids::BIGINT[], image_id)
    """
    wanted = {(int(image_id), int(rank)) for image_id, rank in places}
    found = rows.fetch(con, query, {"run": run_id, "ids": sorted({image_id for image_id, _ in wanted})})
    return {(image_id, rank): data for image_id, rank, data in found if (image_id, rank) in wanted}
