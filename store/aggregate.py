"""The maps of many images at once, one for each image, on one grid: what groups of pictures are compared by."""

from collections.abc import Iterable
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa

from store import companding, grids
from store.maps import AttentionMaps, no_heads
from store.present import PRESENT
from store.rows import fetch, plain

Head = int | None | Literal["mean", "max"]

BATCH = 2048  # maps decoded at a time: DuckDB's own vector


def group_maps(
    con: duckdb.DuckDBPyConnection,
    run_id: int,
    image_ids: Iterable[int],
    method: str,
    target: str | None,
    layer: int,
    head: Head = None,
    accumulate: bool = False,
) -> AttentionMaps:
    """One map of each of these images that has it, in one layer, by ascending image id, on one grid: their own where
    all have the same, else the common one (`grids.common`, `grids.onto`).

    `head` is a number, "mean" or "max" over the layer's heads, or None for maps that belong to no head. With the target
    None, whatever is explained counts: the mean, or maximum, over all targets of an image. With `accumulate` a map is
    the sum of those of all layers up to this one. Memory holds the n maps and BATCH more, whatever the number of heads.
    """
    wanted = np.unique(np.fromiter(image_ids, dtype=np.int64))
    which, params = _chosen(wanted, head, run_id=run_id, method=method, target=target, layer=layer)
    found = _grids(con, which, params)
    if accumulate:
        which = which.replace("layer = $layer", "layer <= $layer")
    if not found:
        return AttentionMaps(np.empty((0, 0, 0), np.float32), no_heads(0), no_heads(0), wanted[:0], method, grids=0)
    rows, cols = grids.common(found)
    ids = np.concatenate(list(found.values()))
    weights = np.empty((len(ids), rows, cols), np.float32)
    start = 0
    for grid, members in found.items():
        own = _on_grid(con, which, params, grid, members, head)
        weights[start : start + len(members)] = grids.onto(own, rows, cols)
        start += len(members)
    ids, first = np.unique(ids, return_index=True)
    heads = np.full(len(ids), head) if isinstance(head, int) else no_heads(len(ids))
    layers = np.full(len(ids), layer)
    return AttentionMaps(weights[first], layers, heads, ids, method, target or "", grids=len(found))


def _on_grid(
    con: duckdb.DuckDBPyConnection, which: str, params: dict, grid: tuple[int, int], ids: np.ndarray, head: Head
) -> np.ndarray:
    """The maps (n, rows, cols) of the images `ids` (n,), ascending, that have this grid."""
    rows, cols = grid
    weights = np.zeros((len(ids), rows * cols), np.float32)
    maps = np.zeros(len(ids), np.int64)
    which = f"{which} AND rows = $rows AND cols = $cols"
    query = f"SELECT image_id, layer = $layer AS last, {companding.COLUMNS} FROM stored_map {which}"
    params = params | {"rows": rows, "cols": cols, "ids": ids.tolist()}
    for batch in con.sql(query, params=params).to_arrow_reader(BATCH):
        place = np.searchsorted(ids, batch["image_id"].to_numpy())
        decoded = companding.weights_of(batch, rows * cols)
        (np.maximum if head == "max" else np.add).at(weights, place, decoded)
        maps += np.bincount(place[batch["last"].to_numpy(zero_copy_only=False)], minlength=len(ids))
    if head != "max":
        weights /= maps[:, None].astype(np.float32)
    return weights.reshape(-1, rows, cols)


def levels(con: duckdb.DuckDBPyConnection, run_id: int, method: str) -> tuple[list[int], list[int]]:
    """The layers that have maps of this method, and the heads; no heads where its maps belong to none."""
    query = f"SELECT DISTINCT layer, head FROM stored_map WHERE run_id = ? AND method = ? AND {PRESENT}"
    found = fetch(con, query, [run_id, method])
    return sorted({layer for layer, _ in found}), sorted({head for _, head in found if head is not None})


def frames(con: duckdb.DuckDBPyConnection, run_id: int) -> pa.Table:
    """image_id, x0, y0, x1, y1, rows, cols of each image that the run has seen, and the width and height of its
    original, by image_id."""
    query = """
        SELECT f.image_id, f.x0, f.y0, f.x1, f.y1, f.rows, f.cols, i.width, i.height
        FROM frames f JOIN image i USING (image_id) WHERE f.run_id = ? ORDER BY f.image_id
    """
    return con.sql(query, params=plain([run_id])).to_arrow_table()


def _chosen(ids: np.ndarray, head: Head, **same: Any) -> tuple[str, dict[str, Any]]:
    """The WHERE of some images' maps, and its parameters."""
    params = plain({name: value for name, value in same.items() if value is not None})
    tests = [f"{name} = ${name}" for name in params]
    params["ids"] = ids.tolist()
    if head is None:
        tests.append("head IS NULL")
    elif head not in ("mean", "max"):
        tests.append("head = $head")
        params["head"] = int(head)
    return f"WHERE {' AND '.join(tests)} AND image_id IN (SELECT unnest($ids::BIGINT[]))", params


def _grids(con: duckdb.DuckDBPyConnection, which: str, params: dict) -> dict[tuple[int, int], np.ndarray]:
    """The image ids of each grid, ascending."""
    rows = fetch(con, f"SELECT rows, cols, list(DISTINCT image_id) FROM stored_map {which} GROUP BY ALL", params)
    return {(rows, cols): np.sort(np.array(ids, np.int64)) for rows, cols, ids in sorted(rows, key=lambda r: r[:2])}
