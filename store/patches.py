"""Selected patches of large pictures: the runs that selected them, their boxes, features and thumbnails.

What changes them is for a connection that writes, and can be repeated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows
from store.errors import StoreError

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class PatchRun:
    """One way of selecting patches, before it has a number. `model` and `weights_sha256` are of the network that the
    scorer runs; `settings` are all that tells it from other ways."""

    scorer: str
    title: str
    model: str
    weights_sha256: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PatchRunRecord(PatchRun):
    """The same as a database holds it, with how many `images` have patches."""

    run_id: int = 0
    collection: str = ""
    images: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True)
class SelectedPatches:
    """The patches selected of an image, the best first: `boxes` (m, 4) int, x0, y0, x1, y1 in pixels of the upright
    original; `scores` (m,); `vectors` (m, dim) float32, L2-normalised; `thumbnails` (JPEG, width, height) each. `grid`
    (rows, cols) is what the image was cut into, `size` (height, width) that of a patch in pixels."""

    image_id: int
    grid: tuple[int, int]
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    vectors: np.ndarray
    thumbnails: list[tuple[bytes, int, int]]


def next_run_id(con: Connection) -> int:
    """One more than the largest number of any run, of whichever kind."""
    query = """
        SELECT coalesce(max(run_id), 0) + 1 FROM (
            SELECT run_id FROM run UNION ALL SELECT run_id FROM patch_run UNION ALL SELECT run_id FROM object_run
        )
    """
    return rows.one(con, query)[0]


def find_patch_run(con: Connection, collection_id: int, run: PatchRun) -> int | None:
    """The id of the run over the collection with this scorer, weights and settings; None if there is none."""
    settings = json.loads(rows.to_json(run.settings))
    query = """
        SELECT run_id, settings::VARCHAR FROM patch_run
        WHERE collection_id = ? AND scorer = ? AND weights_sha256 = ? ORDER BY run_id
    """
    found = rows.fetch(con, query, [collection_id, run.scorer, run.weights_sha256])
    return next((run_id for run_id, stored in found if json.loads(stored) == settings), None)


def add_patch_run(con: Connection, collection_id: int, run: PatchRun) -> int:
    """The id of the run as `find_patch_run` finds it; made if new."""
    if (found := find_patch_run(con, collection_id, run)) is not None:
        return found
    number = next_run_id(con)
    row = vars(run) | {
        "run_id": number,
        "collection_id": collection_id,
        "settings": rows.to_json(run.settings, sort_keys=True),
        "versions": rows.to_json(run.versions),
        "created_at": rows.now(),
    }
    rows.insert(con, "patch_run", {name: [value] for name, value in row.items()})
    return number


def patch_runs(con: Connection, collection: str | None = None) -> list[PatchRunRecord]:
    """The runs that selected patches, the oldest first; `collection` is a name, None all of them."""
    query = """
        SELECT scorer, title, model, weights_sha256, settings::VARCHAR, versions::VARCHAR, run_id, collection,
            (SELECT count(*) FROM patch_grids g WHERE g.run_id = p.run_id), created_at
        FROM patch_runs p WHERE $name IS NULL OR collection = $name ORDER BY run_id
    """
    return [
        PatchRunRecord(
            scorer, title, model, sha256, json.loads(settings), json.loads(versions), run_id, name, images, created_at
        )
        for scorer, title, model, sha256, settings, versions, run_id, name, images, created_at in rows.fetch(
            con, query, {"name": collection}
        )
    ]


def add_patches(con: Connection, run_id: int, found: SelectedPatches) -> None:
    """Store an image's selected patches in place of those that the run had selected before. StoreError for a run that
    is not there, or parts that do not fit each other."""
    if rows.first(con, "SELECT 1 FROM patch_run WHERE run_id = ?", [run_id]) is None:
        raise StoreError(f"There is no run {run_id} of patches in this database; add it with add_patch_run first.")
    count = len(found.boxes)
    if {len(found.scores), len(found.vectors), len(found.thumbnails)} != {count}:
        raise StoreError(
            f"{count} patches need as many scores, vectors and thumbnails; these are {len(found.scores)}, "
            f"{len(found.vectors)} and {len(found.thumbnails)}."
        )
    if not (np.isfinite(found.scores).all() and np.isfinite(found.vectors).all()):
        raise StoreError("Scores and features of patches must be finite; one of these is infinite or NaN.")
    for table in ("patch_grid", "selected_patch", "selected_patch_vector", "selected_patch_thumbnail"):
        rows.delete(con, table, [found.image_id], run_id=run_id)
    names = ("run_id", "image_id", "rows", "cols", "patch_height", "patch_width")
    shape = (run_id, found.image_id, *found.grid, *found.size)
    rows.insert(con, "patch_grid", {name: [value] for name, value in zip(names, shape, strict=True)})
    each = {
        "run_id": np.full(count, run_id),
        "image_id": np.full(count, found.image_id),
        "rank": np.arange(1, count + 1),
    }
    boxes = np.asarray(found.boxes, dtype=np.int64).reshape(count, 4)
    sides = {name: boxes[:, place] for place, name in enumerate(("x0", "y0", "x1", "y1"))}
    rows.insert(con, "selected_patch", {**each, **sides, "score": np.asarray(found.scores, dtype=np.float32)})
    vectors = np.asarray(found.vectors, dtype=np.float32)
    rows.insert(con, "selected_patch_vector", {**each, "vector": rows.lists(vectors)})
    data, widths, heights = zip(*found.thumbnails, strict=True) if count else ((), (), ())
    small = {"width": list(widths), "height": list(heights), "data": pa.array(data, pa.binary())}
    rows.insert(con, "selected_patch_thumbnail", {**each, **small})


def done(con: Connection, run_id: int) -> set[int]:
    """The ids of the images whose patches this run has selected."""
    return {image_id for (image_id,) in rows.fetch(con, "SELECT image_id FROM patch_grid WHERE run_id = ?", [run_id])}


def patches(con: Connection, run_id: int, image_id: int) -> pa.Table:
    """rank, x0, y0, x1, y1, score, width, height and data (a JPEG) of its thumbnail: of an image, the best first."""
    query = """
        SELECT rank, x0, y0, x1, y1, score, width, height, data
        FROM selected_patch JOIN selected_patch_thumbnail USING (run_id, image_id, rank)
        WHERE run_id = $run AND image_id = $image ORDER BY rank
    """
    return con.sql(query, params=rows.plain({"run": run_id, "image": image_id})).to_arrow_table()


def boxes(con: Connection, run_id: int) -> pa.Table:
    """image_id, rank, x0, y0, x1, y1, score of all that a run has selected, image by image, the best first."""
    query = """
        SELECT image_id, rank, x0, y0, x1, y1, score FROM patches WHERE run_id = $run ORDER BY image_id, rank
    """
    return con.sql(query, params={"run": run_id}).to_arrow_table()


def leaders(con: Connection, run_id: int) -> pa.Table:
    """image_id, patches (how many), score (the best): of each image that has patches, the highest score first."""
    query = """
        SELECT image_id, count(*) AS patches, max(score) AS score FROM patches WHERE run_id = $run
        GROUP BY image_id ORDER BY score DESC, image_id
    """
    return con.sql(query, params={"run": run_id}).to_arrow_table()


def grid(con: Connection, run_id: int, image_id: int) -> tuple[int, int, int, int] | None:
    """(rows, cols, patch height, patch width in pixels) of an image; None where the run has not cut it."""
    query = "SELECT rows, cols, patch_height, patch_width FROM patch_grid WHERE run_id = ? AND image_id = ?"
    found = rows.first(con, query, [run_id, image_id])
    return None if found is None else (found[0], found[1], found[2], found[3])


def add_sample(con: Connection, run_id: int, image_id: int, places: np.ndarray, vectors: np.ndarray) -> None:
    """Store patches (m,) of an image with their vectors (m, dim), for others to be compared with, in place of those of
    before."""
    rows.delete(con, "patch_sample", [image_id], run_id=run_id)
    columns = {"run_id": np.full(len(places), run_id), "image_id": np.full(len(places), image_id)}
    vectors = rows.lists(np.asarray(vectors, dtype=np.float32))
    rows.insert(con, "patch_sample", {**columns, "place": np.asarray(places, dtype=np.int64), "vector": vectors})


def sample(con: Connection, run_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `add_sample` has stored of all images: image ids (m,), places (m,), vectors (m, dim) float32."""
    query = "SELECT image_id, place, vector FROM patch_sample WHERE run_id = $run ORDER BY image_id, place"
    found = con.sql(query, params={"run": run_id}).to_arrow_table()
    vectors = found["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    width = len(vectors) // max(1, found.num_rows)
    ids, places = (found[name].to_numpy() for name in ("image_id", "place"))
    return ids, places, vectors.reshape(found.num_rows, width).astype(np.float32, copy=False)
