"""Evaluations: how well the maps of a run show what is known to be in some pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import companding, rows
from store.maps import FUSED, AttentionMaps
from store.rows import fetch, first, insert, now, to_json

PREDICTED = "class:predicted"  # the target of maps that explain for each picture the class predicted for it
METRICS = ("relevance_mass", "pointing_game", "relevance_rank", "auprc", "best_iou", "sparseness")  # of single pictures
_TABLES = ("evaluation_result", "evaluation_image", "evaluation_truth")
_IMAGES = 20  # whose maps of all heads are decoded at a time

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class StoredTruth:
    """What is known of a picture: in which split it is, the share of what the network saw that the truth covers,
    `boxes` (b, 4) in pixels, and the `coverage` (rows, cols) of each patch from 0 to 1."""

    image_id: int
    split: str
    area: float
    boxes: np.ndarray
    coverage: np.ndarray


@dataclass(frozen=True)
class EvaluationRecord:
    """An evaluation as it is stored: `results` are columns of equal length, by the names of the table
    `evaluation_result` without the evaluation; so are `images` of `evaluation_image`. `left_out` are (image_id,
    reason)."""

    run_id: int
    truth: str
    condition: str
    results: Mapping[str, Any]
    images: Mapping[str, Any]
    truths: Sequence[StoredTruth]
    left_out: Sequence[tuple[int, str]]
    settings: Mapping[str, Any] = field(default_factory=dict)


def add(con: Connection, record: EvaluationRecord) -> int:
    """Store an evaluation in place of the one of the same run, truth and condition, whose number it keeps."""
    query = "SELECT evaluation_id FROM evaluation WHERE run_id = ? AND truth = ? AND condition = ?"
    found = first(con, query, [record.run_id, record.truth, record.condition])
    number = found[0] if found else rows.next_id(con, "evaluation")
    for table in (*_TABLES, "evaluation"):
        fetch(con, f"DELETE FROM {table} WHERE evaluation_id = ?", [number])
    left_out = json.dumps([{"image_id": int(image_id), "reason": reason} for image_id, reason in record.left_out])
    columns = {
        "evaluation_id": number,
        "run_id": record.run_id,
        "truth": record.truth,
        "condition": record.condition,
        "images": len(record.truths),
        "left_out": left_out,
        "settings": to_json(record.settings),
        "created_at": now(),
    }
    insert(con, "evaluation", {name: [value] for name, value in columns.items()})
    insert(con, "evaluation_result", _of_evaluation(number, record.results))
    insert(con, "evaluation_image", _of_evaluation(number, record.images))
    insert(con, "evaluation_truth", _truth_columns(number, record.truths))
    return number


def _of_evaluation(number: int, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a table, NaN and the head FUSED as NULL."""
    count = len(next(iter(columns.values())))
    found: dict[str, Any] = {"evaluation_id": np.full(count, number)}
    for name, values in columns.items():
        if name == "head":
            heads = np.asarray(values, np.int16)
            found[name] = pa.array(heads, mask=heads == FUSED)
        elif isinstance(values, np.ndarray) and values.dtype.kind == "f":
            found[name] = pa.array(values, from_pandas=True)
        else:
            found[name] = values
    return found


def _truth_columns(number: int, truths: Sequence[StoredTruth]) -> dict[str, Any]:
    codes = [np.rint(255 * each.coverage).astype(np.uint8).ravel() for each in truths]
    return {
        "evaluation_id": np.full(len(truths), number),
        "image_id": [each.image_id for each in truths],
        "split": [each.split for each in truths],
        "area": [each.area for each in truths],
        "boxes": [json.dumps(each.boxes.round(2).tolist()) for each in truths],
        "rows": [each.coverage.shape[0] for each in truths],
        "cols": [each.coverage.shape[1] for each in truths],
        "coverage": pa.array(codes, pa.list_(pa.uint8())),
    }


def evaluations(con: Connection, run_id: int) -> list[dict[str, Any]]:
    """evaluation_id, truth, condition, images, left_out (list of {image_id, reason}), settings (dict), created_at of a
    run's evaluations, the newest first."""
    query = """
        SELECT evaluation_id, truth, condition, images, left_out, settings, created_at FROM evaluation
        WHERE run_id = ? ORDER BY created_at DESC, evaluation_id DESC
    """
    found = con.sql(query, params=[int(run_id)]).to_arrow_table().to_pylist()
    return [{**each, **{name: json.loads(each[name]) for name in ("left_out", "settings")}} for each in found]


def results(con: Connection, evaluation_id: int) -> pa.Table:
    """The rows of the view `evaluations` of one evaluation, heads of maps that belong to none as FUSED."""
    query = f"""
        SELECT * REPLACE (coalesce(head, {FUSED})::SMALLINT AS head) FROM evaluations WHERE evaluation_id = ?
        ORDER BY method, target, layer, head, metric, size, split
    """
    return con.sql(query, params=[int(evaluation_id)]).to_arrow_table()


def examples(
    con: Connection, evaluation_id: int, method: str, target: str, layer: int, head: int, metric: str
) -> pa.Table:
    """image_id, split, value of the pictures behind one map's `metric` (of METRICS), the highest first."""
    if metric not in METRICS:
        raise ValueError(f"single pictures have {', '.join(METRICS)}; there is no {metric!r}")
    query = f"""
        SELECT image_id, split, {metric} AS value FROM evaluation_images
        WHERE evaluation_id = $id AND method = $method AND target = $target AND layer = $layer
            AND coalesce(head, {FUSED}) = $head AND {metric} IS NOT NULL
        ORDER BY value DESC, image_id
    """
    params = {"id": evaluation_id, "method": method, "target": target, "layer": int(layer), "head": int(head)}
    return con.sql(query, params=params).to_arrow_table()


def truths(con: Connection, evaluation_id: int, image_ids: Iterable[int]) -> dict[int, StoredTruth]:
    """{image_id: what is known of it} of these pictures of an evaluation."""
    query = """
        SELECT image_id, split, area, boxes, rows, cols, coverage FROM evaluation_truth
        WHERE evaluation_id = $id AND image_id IN (SELECT unnest($ids::BIGINT[]))
    """
    params = {"id": int(evaluation_id), "ids": [int(each) for each in image_ids]}
    found = {}
    for image_id, split, area, boxes, rows_, cols, coverage in fetch(con, query, params):
        shares = np.array(coverage, np.float32).reshape(rows_, cols) / 255
        found[image_id] = StoredTruth(image_id, split, area, np.array(json.loads(boxes)).reshape(-1, 4), shares)
    return found


def run_maps(con: Connection, run_id: int, image_ids: Iterable[int]) -> Iterator[AttentionMaps]:
    """All maps that a run has of these images: for each image, method and target one AttentionMaps, ordered by layer
    and head. A map of the class that was predicted for its image has the target PREDICTED."""
    wanted = sorted({int(each) for each in image_ids})
    query = f"""
        SELECT m.image_id, m.method, m.layer,
            CASE WHEN m.target = 'class:' || p.class THEN '{PREDICTED}' ELSE m.target END AS target,
            coalesce(m.head, {FUSED})::SMALLINT AS head, m.rows, m.cols, {companding.COLUMNS}
        FROM stored_map m LEFT JOIN prediction p ON p.run_id = m.run_id AND p.image_id = m.image_id
        WHERE m.run_id = $run AND m.image_id BETWEEN $low AND $high AND list_contains($ids::BIGINT[], m.image_id)
        ORDER BY m.image_id, m.method, target, m.layer, head
    """
    for start in range(0, len(wanted), _IMAGES):
        ids = wanted[start : start + _IMAGES]
        params = {"run": int(run_id), "low": ids[0], "high": ids[-1], "ids": ids}
        yield from _decoded(con.sql(query, params=params).to_arrow_table())


def _decoded(table: pa.Table) -> Iterator[AttentionMaps]:
    names = ("image_id", "method", "target")
    keys = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    starts = [place for place, key in enumerate(keys) if not place or key != keys[place - 1]]
    for first_, last in zip(starts, [*starts[1:], len(keys)], strict=True):
        part = table.slice(first_, last - first_).combine_chunks()
        rows_, cols = part["rows"][0].as_py(), part["cols"][0].as_py()
        layer, head, image_id = (part[name].to_numpy() for name in ("layer", "head", "image_id"))
        weights = companding.weights_of(part, rows_ * cols).reshape(-1, rows_, cols)
        _, method, target = keys[first_]
        yield AttentionMaps(weights, layer, head, image_id, method, target)
