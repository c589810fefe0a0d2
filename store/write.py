"""Everything that goes into the database. Each function takes the connection of `store.connection.writing` and can be
repeated: what is there already is found or replaced, never doubled."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import numpy as np

from store import catalogue, clusters, patches, read, rows, tables
from store.errors import StoreError
from store.records import ImageRecord, Run, StoredImage, image_columns
from store.results import add_results

__all__ = [
    "add_collection",
    "add_failures",
    "add_images",
    "add_projection",
    "add_results",
    "add_run",
    "clear_failures",
    "delete_images",
    "drop_projection",
    "extend_projection",
    "mark_images",
    "move_collection",
    "rename_images",
    "set_counted",
    "set_metadata",
    "touch_images",
]

Connection = duckdb.DuckDBPyConnection

# What was found out about a picture, and goes when another picture takes its place.
FOUND_OUT = (
    "feature", "frame", "stored_map", "head_stat", "head_importance", "token_stat", "prediction", "point",
    "cluster_point", "term_score", "term_mark", "patch_feature", "thumbnail",
    "patch_grid", "selected_patch", "selected_patch_vector", "selected_patch_thumbnail", "patch_sample",
    "object_frame", "proposed_object", "proposed_object_thumbnail",
    "recurring_searched", "recurring_end", "recurring_place",
    "evaluation_image", "evaluation_truth",
)  # fmt: skip


def add_collection(con: Connection, name: str, source: str | None) -> int:
    """The id of the collection of this name, which is made if it is new."""
    found = rows.first(con, "SELECT collection_id FROM collection WHERE name = ?", [name])
    if found:
        return found[0]
    number = rows.next_id(con, "collection")
    rows.fetch(con, "INSERT INTO collection VALUES (?, ?, ?, ?)", [number, name, source, rows.now()])
    return number


def move_collection(con: Connection, collection_id: int, source: str) -> None:
    """Note where a collection's pictures lie now."""
    query = "UPDATE collection SET source = $source WHERE collection_id = $id AND source IS DISTINCT FROM $source"
    rows.fetch(con, query, {"source": source, "id": collection_id})


def add_images(con: Connection, collection_id: int, records: Iterable[ImageRecord]) -> dict[str, int]:
    """{path: image_id} of the records. A known path keeps its id: with another sha256 it is another picture, and all
    that runs found out about the old one goes; with the same one only file facts and metadata are brought up to date.
    A record without metadata never wipes what is stored."""
    latest = {record.path: record for record in records}
    stored = read.known(con, collection_id, latest)
    fresh = [record for path, record in latest.items() if path not in stored]
    kept = [record for path, record in latest.items() if path in stored and not _same(record, stored[path])]
    replaced = [record for record in kept if record.sha256 != stored[record.path].sha256]

    first = rows.next_id(con, "image")
    ids = {path: held.image_id for path, held in stored.items()}
    ids |= {record.path: first + place for place, record in enumerate(fresh)}
    for table in FOUND_OUT:
        rows.delete(con, table, [ids[record.path] for record in replaced])

    rows.insert(con, "image", _added(collection_id, fresh) | _facts(fresh, ids, stored))
    rows.update(con, "image", "image_id", _facts(kept, ids, stored))
    rows.insert(con, "thumbnail", _thumbnails(fresh + replaced, ids))
    if any(record.metadata for record in fresh + kept):
        catalogue.rebuild(con, since=None if kept else first)
    return {path: ids[path] for path in latest}


def next_image_id(con: Connection) -> int:
    """The id that the next new image gets."""
    return rows.next_id(con, "image")


def set_metadata(con: Connection, collection_id: int, metadata: Mapping[str, Mapping[str, Any]]) -> int:
    """Give images, named by path, new metadata in place of the old; returns how many this changed. Paths that the
    collection does not hold are passed over."""
    stored = read.known(con, collection_id, metadata)
    texts = {path: rows.to_json(metadata[path]) for path in stored}
    changed = [path for path, text in texts.items() if json.loads(text) != stored[path].metadata]
    if changed:
        columns = {
            "image_id": [stored[path].image_id for path in changed],
            "metadata": [texts[path] for path in changed],
        }
        rows.update(con, "image", "image_id", columns)
        catalogue.rebuild(con)
    return len(changed)


def rename_images(con: Connection, collection_id: int, names: Mapping[str, str]) -> None:
    """Note that pictures, {old path: new path}, now go by another; their ids and all that hangs on them stay."""
    tables.rename_table_rows(con, collection_id, names)
    _note(con, collection_id, "path", names)


def touch_images(con: Connection, collection_id: int, modified: Mapping[str, float]) -> None:
    """Note new time stamps, {path: seconds since 1970}, of files whose content is the same."""
    _note(con, collection_id, "modified", modified)


def mark_images(con: Connection, collection_id: int, marks: Mapping[str, str]) -> None:
    """Note what pictures are known by from now on, {path: sha256}, though they are the same."""
    _note(con, collection_id, "sha256", marks)


def set_counted(con: Connection, collection_id: int, paths: Iterable[str]) -> None:
    """Note that the pages of these files have been counted (`StoredImage.counted`)."""
    if not rows.first(con, "SELECT 1 FROM uncounted LIMIT 1"):
        return
    query = """
        DELETE FROM uncounted WHERE image_id IN (
            SELECT image_id FROM image WHERE collection_id = ? AND path IN (SELECT unnest(?::VARCHAR[]))
        )
    """
    rows.fetch(con, query, [collection_id, list(paths)])


def delete_images(con: Connection, image_ids: Iterable[int]) -> None:
    """Forget images with all that hangs on them: thumbnails, features, maps, points, tags, whatever names an image."""
    ids = [int(image_id) for image_id in image_ids]
    named = rows.fetch(
        con,
        """
        SELECT c.table_name FROM duckdb_columns() c JOIN duckdb_tables() t USING (table_oid)
        WHERE c.column_name = 'image_id' AND NOT t.internal AND t.database_name = current_database()
        """,
    )
    tables.delete_table_rows(con, ids)
    for (table,) in sorted(named, key=lambda row: row[0] == "image"):  # the image itself last
        rows.delete(con, table, ids)
    if ids:
        catalogue.rebuild(con)


def add_run(con: Connection, collection_id: int, record: Run) -> int:
    """The id of the run with this backbone, these weights, fit, size and settings over the collection; made if new.

    What was measured of the network follows from its weights, and does not tell runs apart: those of before it was
    stored go on.
    """
    settings = rows.to_json(record.settings, sort_keys=True)
    query = """
        SELECT run_id, settings::VARCHAR FROM run
        WHERE collection_id = ? AND backbone = ? AND weights_sha256 = ? AND fit = ? AND size = ? ORDER BY run_id
    """
    same = [collection_id, record.backbone, record.weights_sha256, record.fit, record.size]
    for run_id, stored in rows.fetch(con, query, same):
        if _chosen(stored) == _chosen(settings):
            return run_id
    number = patches.next_run_id(con)
    row = vars(record) | {
        "run_id": number,
        "collection_id": collection_id,
        "settings": settings,
        "versions": rows.to_json(record.versions),
        "created_at": rows.now(),
    }
    rows.insert(con, "run", {name: [value] for name, value in row.items()})
    return number


def _chosen(settings: str) -> dict[str, Any]:
    """The settings of a run, as JSON text, without what was measured."""
    return {key: value for key, value in json.loads(settings).items() if key != "measured"}


def add_projection(
    con: Connection, run_id: int, method: str, settings: Mapping[str, Any], image_ids: np.ndarray, xy: np.ndarray
) -> int:
    """Store a layout, xy (n, 2), and return its id; one of the same run, method and settings keeps its id and gets
    these points in place of its own."""
    ids, xy = np.asarray(image_ids, dtype=np.int64), np.asarray(xy, dtype=np.float64)
    if xy.shape != (len(ids), 2):
        raise StoreError(f"A layout of {len(ids)} images needs points of shape ({len(ids)}, 2); these have {xy.shape}.")
    text = rows.to_json(settings, sort_keys=True)
    query = "SELECT projection_id FROM projection WHERE run_id = ? AND method = ? AND settings::VARCHAR = ?"
    found = rows.first(con, query, [run_id, method, text])
    number = found[0] if found else rows.next_id(con, "projection")
    rows.fetch(con, "DELETE FROM point WHERE projection_id = ?", [number])
    clusters.delete(con, number)
    rows.fetch(
        con, "INSERT OR REPLACE INTO projection VALUES (?, ?, ?, ?, ?)", [number, run_id, method, text, rows.now()]
    )
    columns = {"projection_id": np.full(len(ids), number), "image_id": ids, "x": xy[:, 0], "y": xy[:, 1]}
    rows.insert(con, "point", columns)
    return number


def extend_projection(
    con: Connection, projection_id: int, settings: Mapping[str, Any], image_ids: np.ndarray, xy: np.ndarray
) -> None:
    """Add points, xy (n, 2), of images that a layout lacks, and note its new settings; the other points stay."""
    ids, xy = np.asarray(image_ids, dtype=np.int64), np.asarray(xy, dtype=np.float64)
    if xy.shape != (len(ids), 2) or not np.isfinite(xy).all():
        raise StoreError(f"{len(ids)} more images of a layout need as many points of two finite numbers.")
    text = rows.to_json(settings, sort_keys=True)
    rows.fetch(con, "UPDATE projection SET settings = ? WHERE projection_id = ?", [text, projection_id])
    columns = {"projection_id": np.full(len(ids), projection_id), "image_id": ids, "x": xy[:, 0], "y": xy[:, 1]}
    rows.insert(con, "point", columns)


def drop_projection(con: Connection, projection_id: int) -> None:
    """Forget a layout, its points and their clusters."""
    clusters.delete(con, projection_id)
    rows.fetch(con, "DELETE FROM point WHERE projection_id = ?", [projection_id])
    rows.fetch(con, "DELETE FROM projection WHERE projection_id = ?", [projection_id])


def add_failures(con: Connection, collection_id: int, failures: Iterable[tuple[str, str, str]]) -> None:
    """Note what went wrong, as (path, stage, error); a later error at the same path and stage replaces the earlier."""
    latest = {(path, stage): error for path, stage, error in failures}
    for path, stage in latest:
        query = "DELETE FROM failure WHERE collection_id = ? AND path = ? AND stage = ?"
        rows.fetch(con, query, [collection_id, path, stage])
    columns = {
        "collection_id": [collection_id] * len(latest),
        "path": [path for path, _ in latest],
        "stage": [stage for _, stage in latest],
        "error": list(latest.values()),
        "at": [rows.now()] * len(latest),
    }
    rows.insert(con, "failure", columns)


def clear_failures(con: Connection, collection_id: int, paths: Iterable[str], stage: str | None = None) -> None:
    """Forget the failures of these paths, at one stage or at all."""
    query = """
        DELETE FROM failure
        WHERE collection_id = $collection AND list_contains($paths::VARCHAR[], path)
            AND ($stage IS NULL OR stage = $stage)
    """
    rows.fetch(con, query, {"collection": collection_id, "paths": list(paths), "stage": stage})


def _note(con: Connection, collection_id: int, column: str, values: Mapping[str, Any]) -> None:
    """Write into a column of those images, named by path, that the collection holds."""
    stored = read.known(con, collection_id, values)
    if stored:
        ids = [held.image_id for held in stored.values()]
        rows.update(con, "image", "image_id", {"image_id": ids, column: [values[path] for path in stored]})


def _same(record: ImageRecord, held: StoredImage) -> bool:
    """Whether nothing has changed since the image was stored."""
    file = (record.sha256, record.bytes, float(record.modified))
    return file == (held.sha256, held.bytes, held.modified) and record.metadata in ({}, held.metadata)


def _added(collection_id: int, records: list[ImageRecord]) -> dict:
    return {"collection_id": [collection_id] * len(records), "added_at": [rows.now()] * len(records)}


def _facts(records: list[ImageRecord], ids: dict[str, int], stored: dict) -> dict:
    """The columns of `image` that a file can change."""
    metadata = [r.metadata or (stored[r.path].metadata if r.path in stored else {}) for r in records]
    return {
        "image_id": [ids[r.path] for r in records],
        **{name: [getattr(r, name) for r in records] for name in image_columns()},
        "metadata": [rows.to_json(values) for values in metadata],
    }


def _thumbnails(records: list[ImageRecord], ids: dict[str, int]) -> dict:
    records = [record for record in records if record.thumbnail]
    return {
        "image_id": [ids[r.path] for r in records],
        "width": [r.thumbnail_width for r in records],
        "height": [r.thumbnail_height for r in records],
        "jpeg": [r.thumbnail for r in records],
    }
