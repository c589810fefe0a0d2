"""What many images together say about the heads of a run: numbers, maps, similarity, and the names that people gave.

`ids` are image ids, None all images of the run. A number that is not finite counts as missing: the layers of class
attention, for one, have no distance. The maps of 10,000 images and more are read in pieces, never all at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import companding, grids, rows
from store.errors import StoreError
from store.maps import AttentionMaps
from store.present import PRESENT
from store.results import head_statistics

IMPORTANCE = "importance"  # the one statistic that comes from the view `head_importances`
PREDICTED = "class:predicted"  # of each image the class that is predicted for it
SAMPLE = 200  # images that heads are compared on: the mean of so many cosines is off by 0.01 or so

_BATCH = 2048  # maps decoded at a time: 11 MB of weights where a map has 37 × 37 patches
_IMAGES = 20  # whose maps of all heads are decoded at a time: 105 MB for 960 heads and 37 × 37 patches

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Head:
    """One head of a run, as the maps of a stored method and target show it."""

    run_id: int
    layer: int
    head: int
    method: str
    target: str = ""


@dataclass(frozen=True)
class HeadSimilarity:
    """How alike n heads look: of each its layer (n,) and head (n,), `cosines` (n, n) float32, the mean over `images`
    images of the cosine between two heads' maps (NaN where no image has both), and their mean maps (n, rows, cols),
    those of several grids brought onto a common one."""

    layers: np.ndarray
    heads: np.ndarray
    cosines: np.ndarray
    means: np.ndarray
    images: int


def statistics(con: Connection, run_id: int) -> list[str]:
    """The statistics that say something in this run, `importance` among them: finite and not 0 for some image."""
    stored = head_statistics(con)
    some = "EXISTS (FROM head_stats WHERE run_id = $1 AND isfinite({name}) AND {name} <> 0)"
    found = rows.one(con, f"SELECT {', '.join(some.format(name=name) for name in stored)}", [run_id])
    names = [name for name, speaks in zip(stored, found, strict=True) if speaks]
    return [*names, IMPORTANCE] if targets(con, run_id) else names


def targets(con: Connection, run_id: int) -> list[str]:
    """What the importances of this run are importances for, as the view `head_importances` names it, and PREDICTED
    before all where that is, for some image, the class predicted for it."""
    query = "SELECT DISTINCT target FROM head_importances WHERE run_id = ? ORDER BY target"
    found = [target for (target,) in rows.fetch(con, query, [run_id])]
    query = f"SELECT count(*) FROM head_importances WHERE run_id = $run {_OF_PREDICTED}"
    return [PREDICTED, *found] if rows.one(con, query, {"run": run_id})[0] else found


def means(con: Connection, run_id: int, statistic: str, target: str = "", ids: Iterable[int] | None = None) -> pa.Table:
    """layer, head, mean, spread (standard deviation over the images, null for a single one), images (how many have a
    number). `target`, one of `targets`, chooses among importances. Raises StoreError for an unknown statistic."""
    stored = head_statistics(con)
    if statistic not in (*stored, IMPORTANCE):
        raise StoreError(f"Heads have {', '.join(stored)} and {IMPORTANCE}; there is no statistic {statistic!r}.")
    view = "head_importances" if statistic == IMPORTANCE else "head_stats"
    chosen = (_OF_PREDICTED if target == PREDICTED else "AND target = $target") if statistic == IMPORTANCE else ""
    return _table(
        con,
        f"""
        SELECT layer, head, avg({statistic}::DOUBLE) AS mean, stddev_samp({statistic}::DOUBLE) AS spread,
            count(*) AS images
        FROM {view} WHERE run_id = $run AND isfinite({statistic}) {chosen} {_among(ids)}
        GROUP BY layer, head ORDER BY layer, head
        """,
        run=run_id,
        target=target,
        ids=ids,
    )


def peaks(
    con: Connection, run_id: int, layer: int, head: int, k: int = 12, ids: Iterable[int] | None = None
) -> pa.Table:
    """The k images in which a head gives one patch most, highest first: image_id, peak, and their frames as x0, y0, x1,
    y1, rows, cols."""
    return _table(
        con,
        f"""
        SELECT image_id, peak, x0, y0, x1, y1, rows, cols FROM head_stats JOIN frames USING (run_id, image_id)
        WHERE run_id = $run AND layer = $layer AND head = $head AND isfinite(peak) {_among(ids)}
        ORDER BY peak DESC, image_id LIMIT $k
        """,
        run=run_id,
        layer=layer,
        head=head,
        k=k,
        ids=ids,
    )


def methods(con: Connection, run_id: int) -> pa.Table:
    """The stored maps that belong to single heads: method, target, images (how many have them)."""
    return _table(
        con,
        f"""
        SELECT method, target, count(DISTINCT image_id) AS images FROM stored_map
        WHERE run_id = $run AND head IS NOT NULL AND {PRESENT} GROUP BY ALL ORDER BY ALL
        """,
        run=run_id,
    )


def maps(con: Connection, head: Head, ids: Iterable[int]) -> dict[int, np.ndarray]:
    """One head's maps of these images: {image_id: weights (rows, cols) float32}; images without one are left out."""
    query = f"SELECT image_id, rows, cols, {companding.COLUMNS} FROM stored_map WHERE {_SAME_HEAD} {_among(ids)}"
    table, found = _table(con, query, **vars(head), ids=ids), {}
    for place in range(table.num_rows):
        row = table.slice(place, 1)
        image_id, height, width = (row[name][0].as_py() for name in ("image_id", "rows", "cols"))
        found[image_id] = companding.weights_of(row, height * width).reshape(height, width)
    return found


def mean_map(con: Connection, head: Head, ids: Iterable[int] | None = None) -> AttentionMaps | None:
    """The mean of one head's maps over all images, on their common grid: one map; None if there are none."""
    same = f"FROM stored_map WHERE {_SAME_HEAD} AND {PRESENT} {_among(ids)}"
    counted = f"SELECT rows, cols, count(*) AS images {same} GROUP BY ALL ORDER BY ALL"
    found = _table(con, counted, **vars(head), ids=ids).to_pylist()
    if not found:
        return None
    query = f"SELECT {companding.COLUMNS} {same} AND rows = $height AND cols = $width"
    totals = {}
    for height, width in ((grid["rows"], grid["cols"]) for grid in found):
        total = np.zeros(height * width)
        params = _used(query, {**vars(head), "height": height, "width": width, "ids": ids})
        for batch in con.sql(query, params=params).to_arrow_reader(_BATCH):
            weights = companding.weights_of(batch, len(total))
            total += weights.sum(axis=0, dtype=np.float64)
        totals[height, width] = total[None]
    images = sum(grid["images"] for grid in found)
    mean = (_together(totals) / images).astype(np.float32)
    which = {"method": head.method, "target": head.target, "images": images, "grids": len(found)}
    return AttentionMaps(mean, np.array([head.layer]), np.array([head.head]), **which)


def similarity(
    con: Connection,
    run_id: int,
    method: str,
    ids: Iterable[int] | None = None,
    target: str = "",
    sample: int = SAMPLE,
) -> HeadSimilarity | None:
    """Every head compared with every other, by the mean cosine of their maps of the same image; None without maps.

    At most `sample` images are read, spread evenly over those that have maps, so that they are the same every time.
    """
    which = "run_id = $run AND method = $method AND target = $target AND head IS NOT NULL"
    among = f"FROM stored_map WHERE {which} AND {PRESENT}"
    known = {"run": run_id, "method": method, "target": target}
    found = _table(con, f"SELECT DISTINCT image_id {among} {_among(ids)} ORDER BY image_id", **known, ids=ids)
    if not found.num_rows:
        return None
    every = _table(con, f"SELECT DISTINCT layer, head {among} ORDER BY layer, head", **known)
    comparison = _Comparison(every["layer"].to_numpy(), every["head"].to_numpy())
    images = _spread(found["image_id"].to_numpy(), sample)
    for start in range(0, len(images), _IMAGES):
        part = images[start : start + _IMAGES]
        # The range lets DuckDB skip whole row groups.
        query = f"""
            SELECT image_id, layer, head, rows, cols, {companding.COLUMNS} {among}
                AND image_id BETWEEN $low AND $high {_among(part)} ORDER BY image_id, layer, head
        """
        table = _table(con, query, **known, ids=part, low=part[0], high=part[-1])
        edges = np.flatnonzero(np.diff(table["image_id"].to_numpy())) + 1
        for first, last in zip([0, *edges], [*edges, table.num_rows], strict=True):
            comparison.add(table.slice(first, last - first))
    return comparison.done(len(images))


def names(con: Connection, run_id: int) -> pa.Table:
    """The rows of the view `head_names` of one run: layer, head, name, note, created_at (UTC)."""
    query = "SELECT layer, head, name, note, created_at FROM head_names WHERE run_id = $run ORDER BY layer, head"
    return _table(con, query, run=run_id)


def set_name(con: Connection, run_id: int, layer: int, head: int, name: str, note: str = "") -> None:
    """Give a head a name and a note in place of those it had; without either it is forgotten. For a connection that
    writes. Raises StoreError if the run has no such head."""
    run = rows.first(con, "SELECT layers, heads FROM run WHERE run_id = ?", [run_id])
    if run is None:
        raise StoreError(f"There is no run {run_id} in this database; choose another run.")
    if not (0 <= layer < run[0] and 0 <= head < run[1]):
        raise StoreError(
            f"Run {run_id} has the layers 0 to {run[0] - 1} with the heads 0 to {run[1] - 1}; "
            f"there is no layer {layer}, head {head}."
        )
    query = "DELETE FROM head_name WHERE run_id = ? AND layer = ? AND head = ?"
    rows.fetch(con, query, [run_id, layer, head])
    name, note = " ".join(name.split()), note.strip()
    if name or note:
        row = {"run_id": run_id, "layer": layer, "head": head, "name": name, "note": note, "created_at": rows.now()}
        rows.insert(con, "head_name", {key: [value] for key, value in row.items()})


class _Comparison:
    """Adds up cosines and maps, image by image."""

    def __init__(self, layers: np.ndarray, heads: np.ndarray):
        self.layers, self.heads = layers, heads
        self.place = {pair: place for place, pair in enumerate(zip(layers, heads, strict=True))}
        self.sums = np.zeros((len(layers), len(layers)), dtype=np.float32)
        self.counts = np.zeros_like(self.sums)
        self.totals: dict[tuple[int, int], list[np.ndarray]] = {}  # of each grid: maps added up, and how many of each

    def add(self, table: pa.Table) -> None:
        """The maps of one image."""
        height, width = table["rows"][0].as_py(), table["cols"][0].as_py()
        weights = companding.weights_of(table, height * width)
        owners = zip(table["layer"].to_numpy(), table["head"].to_numpy(), strict=True)
        at = np.array([self.place[owner] for owner in owners])
        length = np.linalg.norm(weights, axis=1, keepdims=True)
        directions = weights / np.where(length > 0, length, 1)
        pairs = np.ix_(at, at)
        self.sums[pairs] += directions @ directions.T
        self.counts[pairs] += 1
        fresh = [np.zeros((len(self.layers), height * width), np.float32), np.zeros(len(self.layers), np.float32)]
        total, count = self.totals.setdefault((height, width), fresh)
        total[at] += weights
        count[at] += 1

    def done(self, images: int) -> HeadSimilarity:
        total = _together({grid: total for grid, (total, _) in self.totals.items()})
        count = reduce(np.add, (count for _, count in self.totals.values()))
        with np.errstate(invalid="ignore"):
            cosines, means = self.sums / self.counts, total / count[:, None, None]
        return HeadSimilarity(self.layers, self.heads, cosines, means, images)


def _together(totals: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Sums of maps (n, rows * cols) of each grid, added up on their common grid (n, rows, cols)."""
    height, width = grids.common(totals)
    return reduce(np.add, (grids.onto(total.reshape(-1, *grid), height, width) for grid, total in totals.items()))


_OF_PREDICTED = """AND (image_id, target) IN (
    SELECT (image_id, 'class:' || class) FROM predictions WHERE run_id = $run)"""
_SAME_HEAD = "run_id = $run_id AND method = $method AND target = $target AND layer = $layer AND head = $head"


def _spread(ids: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the ids, evenly from the first to the last."""
    if len(ids) <= count:
        return ids
    return ids[np.linspace(0, len(ids) - 1, count).round().astype(int)]


def _table(con: Connection, query: str, **params: Any) -> pa.Table:
    return con.sql(query, params=_used(query, params)).to_arrow_table()


def _used(query: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the query names, in the numbers that DuckDB takes."""
    if params.get("ids") is not None:
        params = params | {"ids": [int(i) for i in params["ids"]]}
    return rows.plain({name: value for name, value in params.items() if f"${name}" in query})


def _among(ids: Iterable[int] | None) -> str:
    return "" if ids is None else "AND image_id IN (SELECT unnest($ids::BIGINT[]))"
