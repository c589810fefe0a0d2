"""A block of pictures for each value of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.compute.arrangements.grids import BLOCK_EXACT, cells, upwards
from dashboard.compute.arrangements.shapes import ASPECT, Arrangement, Block

BLOCKS = 100  # values with a block of their own
GAP = 0.4  # between blocks, in cells, at least


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
    return Arrangement(upwards(placed), blocks)


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
