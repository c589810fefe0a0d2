"""A time line: x is a year, a day or another number, to scale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboard.compute.arrangements.grids import BLOCK_EXACT, cells, upwards
from dashboard.compute.arrangements.shapes import ASPECT, Arrangement, Axis, Block, Dated


def timeline(xy: np.ndarray, values: Sequence[Any], kind: str = "number", none: str = "no value") -> Arrangement:
    """x is the value, to scale; pictures at about the same x are stacked about a middle line without overlap. Where
    many have one value they lie side by side, within half of the smallest step between values. Pictures without a value
    stand apart on the right, as `none`. Values can be `Dated`."""
    dated = [value if isinstance(value, Dated) else Dated(value) for value in values]
    xy, numbers = np.asarray(xy, dtype=np.float64), as_numbers([value.at for value in dated], kind)
    ends = np.array([value.open for value in dated], dtype=np.int8)
    spans = np.array([(value.low, value.high) for value in dated], dtype=float).reshape(-1, 2)
    spans[~(spans[:, 0] < spans[:, 1])] = np.nan
    known = np.flatnonzero(np.isfinite(numbers))
    missing = np.flatnonzero(~np.isfinite(numbers))
    placed, blocks, axis, right = np.zeros((len(xy), 2)), [], None, 0.0
    if len(known):
        low, high = numbers[known].min(), numbers[known].max()
        rank = _ranks(_along(xy[known]))
        scale = _scale(numbers[known])
        placed[known] = _stacked(numbers[known] - low, rank, scale)
        first, last = (float(end) for end in (np.nanmin([low, *spans[:, 0]]), np.nanmax([high, *spans[:, 1]])))
        axis = Axis(kind, first, last, (first - low) * scale, (last - low) * scale)
        spans = (spans - low) * scale
        right = max(float(placed[known, 0].max()), axis.x1)
    if len(missing):
        columns = int(np.ceil(np.sqrt(len(missing) * ASPECT)))
        rows = int(np.ceil(len(missing) / columns))
        left = right + max(2.0, 0.04 * right) + 0.5 if len(known) else 0.0
        placed[missing] = upwards(cells(xy[missing], columns, BLOCK_EXACT)) + np.array([left, (rows - 1) / 2])
        blocks.append(Block(none, len(missing), left - 0.5, -rows / 2, left + columns - 0.5, rows / 2))
    return Arrangement(
        placed.astype(np.float32),
        blocks,
        axis,
        ends if ends.any() else None,
        spans.astype(np.float32) if np.isfinite(spans).any() else None,
    )


def as_numbers(values: Sequence[Any], kind: str) -> np.ndarray:
    """Values (n,) float64: of dates the days since 1970-01-01; NaN where there is none."""
    if kind != "date":
        return pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce").to_numpy(float, na_value=np.nan)
    start = date(1970, 1, 1).toordinal()
    return np.array([_day(value) - start for value in values], dtype=float)


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
