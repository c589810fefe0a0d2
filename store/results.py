"""What a run found out about images, on its way into the database."""

import duckdb
import numpy as np
import pyarrow as pa

from store import companding, rows
from store.errors import StoreError
from store.maps import FUSED, AttentionMaps, CodedMaps
from store.records import HeadImportance, HeadStats, Results


def head_statistics(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The statistics that the view `head_stats` has a column for."""
    columns = con.execute("SELECT * FROM head_stats LIMIT 0").description or ()
    return [name for name, *_ in columns if name not in ("run_id", "image_id", "layer", "head")]


def add_results(con: duckdb.DuckDBPyConnection, run_id: int, results: Results, fresh: bool = False) -> None:
    """Store results in place of what the run had found out before: vectors, frames, statistics and predictions of the
    same images, maps of the same images, method and target. Of `fresh` images nothing has been found out yet, and
    nothing is looked for. Raises StoreError where shapes do not fit each other."""
    _check(con, run_id, results)
    if not fresh:
        _delete(con, run_id, results)
    if results.vectors is not None:
        _insert_vectors(con, run_id, results)
    if results.frames:
        rows.insert(con, "frame", _frame_columns(run_id, results))
    for maps in results.maps:
        rows.insert(con, "stored_map", _map_columns(run_id, maps))
    for stats in results.head_stats:
        rows.insert(con, "head_stat", _stat_columns(run_id, stats))
    if results.token_stats:
        ids = np.asarray(results.image_ids, dtype=np.int64)
        rows.insert(con, "token_stat", {"run_id": np.full(len(ids), run_id), "image_id": ids, **results.token_stats})
    for important in results.importance:
        _insert_importance(con, run_id, important)
    if results.predictions:
        _insert_predictions(con, run_id, results)


def _delete(con: duckdb.DuckDBPyConnection, run_id: int, results: Results) -> None:
    """Remove the rows that results replace. All go before any new ones come: images of several grids make several
    blocks of one method."""
    if results.vectors is not None:
        rows.delete(con, "feature", results.image_ids, run_id=run_id)
    if results.frames:
        rows.delete(con, "frame", [frame.image_id for frame in results.frames], run_id=run_id)
    for maps in results.maps:
        rows.delete(con, "stored_map", maps.image_ids, run_id=run_id, method=maps.method, target=maps.target)
    for stats in results.head_stats:
        rows.delete(con, "head_stat", stats.image_ids, run_id=run_id)
    if results.token_stats:
        rows.delete(con, "token_stat", results.image_ids, run_id=run_id)
    for important in results.importance:
        targets, ids = np.asarray(important.targets, dtype=object), np.asarray(important.image_ids, dtype=np.int64)
        for target in dict.fromkeys(important.targets):
            rows.delete(con, "head_importance", ids[targets == target], run_id=run_id, target=target)
    if results.predictions:
        rows.delete(con, "prediction", [each.image_id for each in results.predictions], run_id=run_id)


def _check(con: duckdb.DuckDBPyConnection, run_id: int, results: Results) -> None:
    run = rows.first(con, "SELECT dim FROM run WHERE run_id = ?", [run_id])
    if run is None:
        raise StoreError(f"There is no run {run_id} in this database; add it with add_run before its results.")
    if results.vectors is not None:
        expected = (len(results.image_ids), run[0])
        if np.shape(results.vectors) != expected:
            raise StoreError(
                f"Run {run_id} expects vectors of shape {expected}; these have {np.shape(results.vectors)}."
            )
        if not np.isfinite(results.vectors).all():
            raise StoreError("A feature vector must be finite; one of these holds infinite or NaN numbers.")
        if results.norms is not None and np.shape(results.norms) != expected[:1]:
            raise StoreError(f"{expected[0]} vectors need as many lengths; there are {np.shape(results.norms)}.")
    for maps in results.maps:
        _check_maps(maps)
    stored = head_statistics(con) if results.head_stats else []
    for stats in results.head_stats:
        unknown = sorted(set(stats.values) - set(stored))
        if unknown:
            raise StoreError(f"Head statistics are {', '.join(stored)}; there is no column for {', '.join(unknown)}.")


def _check_maps(maps: AttentionMaps | CodedMaps) -> None:
    weights = maps.codes if isinstance(maps, CodedMaps) else maps.weights
    counts = {len(values) for values in (weights, maps.layers, maps.heads, maps.image_ids)}
    if weights.ndim != 3 or len(counts) != 1:
        raise StoreError(
            f"Weights of maps have the shape (maps, rows, columns), and each map a layer, a head and an image; "
            f"these of {maps.method!r} have {np.shape(weights)}, {np.shape(maps.layers)}, "
            f"{np.shape(maps.heads)} and {np.shape(maps.image_ids)}."
        )
    if isinstance(maps, CodedMaps):
        _check_codes(maps)


def _check_codes(maps: CodedMaps) -> None:
    scaling = (maps.scales, maps.minima)
    if maps.codes.dtype != np.uint8 or any(np.shape(values) != (len(maps),) for values in scaling):
        raise StoreError(
            f"Coded maps are bytes, and each has a scale and a minimum; these of {maps.method!r} are "
            f"{maps.codes.dtype} {np.shape(maps.codes)}, {np.shape(maps.scales)} and {np.shape(maps.minima)}."
        )
    if not all(np.isfinite(values).all() and (values >= 0).all() for values in scaling):
        raise StoreError(
            "Scales and minima of coded maps are finite and 0 or more; one here is negative, infinite or NaN."
        )


def _insert_vectors(con: duckdb.DuckDBPyConnection, run_id: int, results: Results) -> None:
    ids = np.asarray(results.image_ids, dtype=np.int64)
    vectors = rows.lists(np.asarray(results.vectors, dtype=np.float32))
    columns = {"run_id": np.full(len(ids), run_id), "image_id": ids, "vector": vectors}
    if results.norms is not None:
        columns["norm"] = np.asarray(results.norms, dtype=np.float32)
    rows.insert(con, "feature", columns)


def _insert_importance(con: duckdb.DuckDBPyConnection, run_id: int, found: HeadImportance) -> None:
    ids = np.asarray(found.image_ids, dtype=np.int64)
    columns = {
        "run_id": np.full(len(ids), run_id),
        "image_id": ids,
        "target": list(found.targets),
        "layer": np.asarray(found.layers, dtype=np.int16),
        "head": np.asarray(found.heads, dtype=np.int16),
        "importance": np.asarray(found.importance, dtype=np.float32),
    }
    rows.insert(con, "head_importance", columns)


def _insert_predictions(con: duckdb.DuckDBPyConnection, run_id: int, results: Results) -> None:
    found = results.predictions
    columns = {
        "run_id": np.full(len(found), run_id),
        "image_id": [each.image_id for each in found],
        "class": [each.number for each in found],
        "name": [each.name for each in found],
        "probability": pa.array([each.probability for each in found], pa.float32()),
        "value": pa.array([each.value for each in found], pa.float32()),
        "kind": [each.kind for each in found],
    }
    rows.insert(con, "prediction", columns)


def _frame_columns(run_id: int, results: Results) -> dict:
    names = ("image_id", "x0", "y0", "x1", "y1", "rows", "cols")
    columns = {name: [getattr(frame, name) for frame in results.frames] for name in names}
    return {"run_id": np.full(len(results.frames), run_id), **columns}


def _map_columns(run_id: int, maps: AttentionMaps | CodedMaps) -> dict:
    rows_, cols = maps.grid
    count, heads = len(maps), np.asarray(maps.heads, dtype=np.int16)
    if isinstance(maps, CodedMaps):
        codes, scales, minima = maps.codes.reshape(count, rows_ * cols), maps.scales, maps.minima
    else:
        codes, scales, minima = companding.encode(maps.weights.reshape(count, rows_ * cols))
    return {
        "run_id": np.full(count, run_id),
        "image_id": np.asarray(maps.image_ids, dtype=np.int64),
        "method": pa.repeat(maps.method, count),
        "target": pa.repeat(maps.target, count),
        "layer": np.asarray(maps.layers, dtype=np.int16),
        "head": pa.array(heads, mask=heads == FUSED),
        "rows": np.full(count, rows_),
        "cols": np.full(count, cols),
        "scale": scales,
        "minimum": minima,
        "words": rows.lists(companding.to_words(codes)),
    }


def _stat_columns(run_id: int, stats: HeadStats) -> dict:
    return {
        "run_id": np.full(len(stats.image_ids), run_id),
        "image_id": np.asarray(stats.image_ids, dtype=np.int64),
        "layer": np.asarray(stats.layers, dtype=np.int16),
        "head": np.asarray(stats.heads, dtype=np.int16),
        **{name: np.asarray(values, dtype=np.float32) for name, values in stats.values.items()},
    }
