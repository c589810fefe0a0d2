"""Other places for the pictures of a projection: a grid without overlaps, a block for each value, a time line.

Pure functions of the points (n, 2) and of the values of a column. A picture has a square cell of side 1 to itself; y
grows upwards. Among pictures that could change places, neighbours of the projection come to lie near each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

ASPECT = 1.3  # width by height of what an arrangement should fill, as the map's window has it
EXACT = 1000  # pictures up to which every cell is tried for every picture
BLOCK_EXACT = 250  # the same for each of many blocks
BLOCKS = 100  # values with a block of their own
GAP = 0.4  # between blocks, in cells, at least


@dataclass(frozen=True)
class Block:
    """A part of the plane, x0..x1 by y0..y1, with what it holds: shown as `text` and how many pictures, above it, where
    there is room for that."""

    text: str
    count: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Axis:
    """x0 lies at the value `low` and x1 at `high`, evenly in between; dates (`kind` 'date') are days since
    1970-01-01."""

    kind: str
    low: float
    high: float
    x0: float
    x1: float


class Dated(NamedTuple):
    """Where a picture lies on a time line: `at`, None for nowhere. `open` is -1 where it may be any earlier (before
    1750), 1 where it may be any later (after 1600), else 0."""

    at: float | None
    open: int = 0


@dataclass(frozen=True)
class Arrangement:
    """xy (n, 2) float32, and what helps to read it: `open` (n,) -1, 0 or 1 as `Dated` has it, None for no such."""

    xy: np.ndarray
    blocks: Sequence[Block] = ()
    axis: Axis | None = None
    open: np.ndarray | None = None


def grid(xy: np.ndarray) -> Arrangement:
    """Every picture in a cell of its own, as near as can be to where the projection has it."""
    n = len(xy)
    columns = max(1, int(np.ceil(np.sqrt(n * ASPECT))))
    return Arrangement(_upwards(cells(xy, columns)))


def groups(xy: np.ndarray, values: Sequence[Any], none: str = "no value") -> Arrangement:
    """A block of pictures for each value, the largest first; the rarest of more than BLOCKS values share one, and what
    has no value comes last, as `none`. Inside a block neighbours of the projection are neighbours. A picture can lie in
    one place alone: one with a tuple of values lies with the first of them, and the names of blocks tell how many have
    the value in all."""
    xy = np.asarray(xy, dtype=np.float64)
    codes, names = _coded(values, none)
    counts = np.bincount(codes, minlength=len(names))
    shapes = np.array([_shape(count) for count in counts], dtype=float).reshape(-1, 2)
    head = 0.03 * np.sqrt((np.prod(shapes + GAP, axis=1)).sum() * ASPECT)  # room for the name, whatever the scale
    gap = max(GAP, head)
    corners = _shelves(shapes + np.array([gap, gap + head]))
    placed = np.empty((len(xy), 2))
    blocks = []
    for code, name in enumerate(names):
        members = np.flatnonzero(codes == code)
        (left, top), (columns, rows) = corners[code], shapes[code]
        placed[members] = cells(xy[members], int(columns), BLOCK_EXACT) + np.array([left, top + head])
        x0, y1 = left - 0.5, 0.5 - top - head
        blocks.append(Block(name, len(members), x0, y1 - rows, x0 + columns, y1))
    return Arrangement(_upwards(placed), blocks)


def timeline(xy: np.ndarray, values: Sequence[Any], kind: str = "number", none: str = "no value") -> Arrangement:
    """x is the value, to scale; pictures at about the same x are stacked about a middle line without overlap. Where
    many have one value they lie side by side, within half of the smallest step between values. Pictures without a value
    stand apart on the right, as `none`. Values can be `Dated`."""
    dated = [value if isinstance(value, Dated) else Dated(value) for value in values]
    xy, numbers = np.asarray(xy, dtype=np.float64), as_numbers([value.at for value in dated], kind)
    ends = np.array([value.open for value in dated], dtype=np.int8)
    known = np.flatnonzero(np.isfinite(numbers))
    missing = np.flatnonzero(~np.isfinite(numbers))
    placed, blocks, axis, right = np.zeros((len(xy), 2)), [], None, 0.0
    if len(known):
        low, high = numbers[known].min(), numbers[known].max()
        rank = _ranks(_along(xy[known]))
        scale = _scale(numbers[known])
        placed[known] = _stacked(numbers[known] - low, rank, scale)
        right = float(placed[known, 0].max())
        axis = Axis(kind, float(low), float(high), 0.0, float((high - low) * scale))
    if len(missing):
        columns = int(np.ceil(np.sqrt(len(missing) * ASPECT)))
        rows = int(np.ceil(len(missing) / columns))
        left = right + max(2.0, 0.04 * right) + 0.5 if len(known) else 0.0
        placed[missing] = _upwards(cells(xy[missing], columns, BLOCK_EXACT)) + np.array([left, (rows - 1) / 2])
        blocks.append(Block(none, len(missing), left - 0.5, -rows / 2, left + columns - 0.5, rows / 2))
    return Arrangement(placed.astype(np.float32), blocks, axis, ends if ends.any() else None)


def as_numbers(values: Sequence[Any], kind: str) -> np.ndarray:
    """Values (n,) float64: of dates the days since 1970-01-01; NaN where there is none."""
    if kind != "date":
        return pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce").to_numpy(float, na_value=np.nan)
    start = date(1970, 1, 1).toordinal()
    return np.array([_day(value) - start for value in values], dtype=float)


# ---- a grid ---------------------------------------------------------------------------------------------------------


def cells(xy: np.ndarray, columns: int, exact: int = EXACT) -> np.ndarray:
    """Column and row (n, 2) int64 of each point in a grid that is filled row by row from the top, where y is largest.

    Up to `exact` points the sum of the squared distances from the points to their cells is the least there is (Jonker
    and Volgenant's assignment); for more, cells and points are halved again and again, across and up and down.
    """
    xy = np.asarray(xy, dtype=np.float64).reshape(-1, 2) * [1, -1]
    n = len(xy)
    if n <= 1:
        return np.zeros((n, 2), dtype=np.int64)
    return _assigned(xy, columns) if n <= exact else _halved(xy, columns)


def _assigned(xy: np.ndarray, columns: int) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    n = len(xy)
    every = np.stack([np.arange(n) % columns, np.arange(n) // columns], axis=1)
    extent, low = np.ptp(xy, axis=0), xy.min(axis=0)
    there = (xy - low) / np.where(extent > 0, extent, 1) * every.max(axis=0)
    _, chosen = linear_sum_assignment(cdist(there, every, "sqeuclidean"))
    return every[chosen]


def _halved(xy: np.ndarray, columns: int) -> np.ndarray:
    """All rectangles of cells at once: those of more than one cell are cut across their longer side, and so many points
    go to the first part as it has cells to fill."""
    n = len(xy)
    rows = -(-n // columns)
    last = n - (rows - 1) * columns  # cells to fill in the last row

    def room(rects: np.ndarray) -> np.ndarray:
        c0, c1, r0, r1 = rects.T
        return (np.minimum(r1, rows - 1) - r0) * (c1 - c0) + (r1 == rows) * np.clip(last - c0, 0, c1 - c0)

    order, rects = np.arange(n), np.array([[0, columns, 0, rows]])
    while True:
        wide, high = rects[:, 1] - rects[:, 0], rects[:, 3] - rects[:, 2]
        if (wide * high).max() <= 1:
            break
        across = wide >= high
        which = np.repeat(np.arange(len(rects)), room(rects))
        order = order[np.lexsort((np.where(across[which], xy[order, 0], xy[order, 1]), which))]
        first, second = rects.copy(), rects.copy()
        middle = np.where(across, rects[:, 0] + (wide + 1) // 2, rects[:, 2] + (high + 1) // 2)
        first[across, 1] = second[across, 0] = middle[across]
        first[~across, 3] = second[~across, 2] = middle[~across]
        rects = np.stack([first, second], axis=1).reshape(-1, 4)
        rects = rects[room(rects) > 0]
    found = np.empty((n, 2), dtype=np.int64)
    found[order] = rects[:, [0, 2]]
    return found


def _upwards(places: np.ndarray) -> np.ndarray:
    return (np.asarray(places) * [1, -1]).astype(np.float32)


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _coded(values: Sequence[Any], none: str) -> tuple[np.ndarray, list[str]]:
    """The number of each picture's block, and the blocks' names in their order."""
    in_all: Counter[str] = Counter(part for value in values if isinstance(value, tuple) for part in set(value))
    texts = pd.Series([(value or (None,))[0] if isinstance(value, tuple) else value for value in values], dtype=object)
    texts = texts.where(texts.isna(), texts.map(str))
    codes, names = pd.factorize(texts)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = sorted(range(len(names)), key=lambda i: (-counts[i], str(names[i])))
    own = order if len(order) <= BLOCKS else order[: BLOCKS - 1]
    place = np.full(len(names) + 1, len(own))
    place[own] = np.arange(len(own))
    shown = [
        f"{names[i]} ({in_all[names[i]]:,} in all)" if in_all[names[i]] > counts[i] else str(names[i]) for i in own
    ]
    if len(own) < len(order):
        shown.append(f"{len(order) - len(own):,} other values")
    place[-1] = len(shown)  # that of the code -1
    if (codes < 0).any():
        shown.append(none)
    return place[codes], shown


def _shape(count: int) -> tuple[int, int]:
    columns = max(1, round(np.sqrt(count * 1.15)))
    return columns, -(-count // columns)


def _shelves(sizes: np.ndarray) -> np.ndarray:
    """The upper left corner (m, 2) of each box (m, 2), y downwards: the highest first, each on the first shelf that has
    room for it, on shelves as wide as fills ASPECT best."""
    if not len(sizes):
        return np.empty((0, 2))
    least = sizes[:, 0].max()
    around = np.sqrt(np.prod(sizes, axis=1).sum() * ASPECT)
    tries = [_shelved(sizes, max(least, around * part)) for part in np.linspace(0.8, 1.6, 17)]
    return min(tries, key=lambda corners: max((corners + sizes).max(axis=0) / [ASPECT, 1]))


def _shelved(sizes: np.ndarray, width: float) -> np.ndarray:
    corners, shelves, bottom = np.empty_like(sizes), [], 0.0  # a shelf: [x that is free, y, height]
    for box in np.argsort(-sizes[:, 1], kind="stable"):
        wide, high = sizes[box]
        shelf = next((s for s in shelves if s[0] + wide <= width + 1e-9 and high <= s[2] + 1e-9), None)
        if shelf is None:
            shelf = [0.0, bottom, high]
            shelves.append(shelf)
            bottom += high
        corners[box] = shelf[0], shelf[1]
        shelf[0] += wide
    return corners


# ---- a time line ----------------------------------------------------------------------------------------------------


def _scale(numbers: np.ndarray) -> float:
    """Cells to a unit of the values, so that the stacks fill ASPECT."""
    distinct, counts = np.unique(numbers, return_counts=True)
    span = distinct[-1] - distinct[0]
    if span <= 0:
        return 1.0
    step = np.diff(distinct).min()

    def tall(scale: float) -> float:
        columns = _columns(counts, step * scale)
        return float(_most_within(distinct * scale, np.ceil(counts / columns), 1.0))

    low, high = 0.5 / span, 4 * len(numbers) / span
    for _ in range(40):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if span * middle < ASPECT * tall(middle) else (low, middle)
    return float(high)


def _columns(counts: np.ndarray, room: float) -> np.ndarray:
    """How many stand side by side of those that share a value, within `room` cells."""
    return np.clip(np.floor(0.9 * room), 1, np.ceil(np.sqrt(counts * ASPECT))).astype(int)


def _most_within(x: np.ndarray, weights: np.ndarray, width: float) -> float:
    """The largest sum of weights within a window of this width; x ascending."""
    total = np.r_[0, np.cumsum(weights)]
    return (total[1:] - total[np.searchsorted(x, x - width + 1e-9, "left")]).max()


def _stacked(values: np.ndarray, rank: np.ndarray, scale: float) -> np.ndarray:
    """Places (n, 2): x from the value, y whole or half numbers, no two within a cell of each other. Of those that could
    lie higher or lower, `rank` (n,) says who does."""
    distinct, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    step = np.diff(distinct).min() * scale if len(distinct) > 1 else np.inf
    side_by_side = _columns(counts, step)
    order = np.lexsort((rank, which))
    column = np.zeros(len(values))
    for value in np.flatnonzero(side_by_side > 1):
        members = order[np.searchsorted(which[order], value) :][: counts[value]]
        wide = side_by_side[value]
        # In reading order of the rank, so that each column holds low and high ones.
        column[members] = np.arange(len(members)) % wide - (wide - 1) / 2
    x = values * scale + column
    places, at, many = np.unique(np.round(x, 9), return_inverse=True, return_counts=True)
    order = np.lexsort((rank, at))
    ends = np.cumsum(many)
    before, behind = np.searchsorted(places, places - 1 + 1e-9), np.searchsorted(places, places + 1 - 1e-9)
    total = np.r_[0, ends]
    crowd = np.maximum(total[1:] - total[before], total[behind] - total[:-1])  # who cannot share a row
    level = np.empty(len(values), dtype=np.int64)
    taken = np.full(int(crowd.max()), -np.inf)  # the last x of each level
    for place, end in enumerate(ends):
        members = order[end - many[place] : end]
        free = np.flatnonzero(taken[: crowd[place]] <= places[place] - 1 + 1e-9)
        chosen = free[np.argsort(_row(free), kind="stable")][_spread(rank[members], len(free))]
        level[members] = chosen
        taken[chosen] = places[place]
    return np.stack([x, _row(level)], axis=1)


def _row(level: np.ndarray) -> np.ndarray:
    """Levels 0, 1, 2, 3 as rows 0, 1, -1, 2."""
    return (level + 1) // 2 * np.where(level % 2, 1, -1)


def _spread(rank: np.ndarray, free: int) -> np.ndarray:
    """For members in the order of their ranks 0..1, as many of `free` places, in order, near the ranks."""
    m = len(rank)
    wanted = np.maximum.accumulate(np.round(rank * (free - 1)).astype(int) - np.arange(m)) + np.arange(m)
    return np.minimum(wanted, free - m + np.arange(m))


def _along(xy: np.ndarray) -> np.ndarray:
    """Where points lie along the direction in which they differ most, upwards."""
    centred = xy - xy.mean(axis=0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0]
    return centred @ (axis if axis[1] >= 0 else -axis)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (n,) from 0 to 1."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.linspace(0, 1, len(values)) if len(values) > 1 else 0.5
    return ranks


def _day(value: Any) -> float:
    if value is None or value is pd.NaT or value == "" or (isinstance(value, float) and np.isnan(value)):
        return np.nan
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return float(value.toordinal())


ARRANGEMENTS: dict[str, Callable[..., Arrangement]] = {"grid": grid, "time": timeline, "groups": groups}
