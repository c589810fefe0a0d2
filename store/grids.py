"""Maps of different grids brought onto one, so that they can be added up and compared."""

import math
from collections.abc import Iterable

import numpy as np


def onto(weights: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Maps (n, r, c) as maps of the same places with the grid rows × cols, float32 (n, rows, cols).

    Each weight is spread evenly over its patch, and every new patch gets what lies in it: a map's sum stays as it is.
    """
    if weights.shape[1:] == (rows, cols):
        return weights
    return (_shares(weights.shape[1], rows) @ weights @ _shares(weights.shape[2], cols).T).astype(np.float32)


def common(grids: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The grid (rows, cols) for maps of all these: their own if they share one, else the smallest square with as many
    patches as the finest of them."""
    found = set(grids)
    if len(found) == 1:
        return found.pop()
    side = math.isqrt(max(rows * cols for rows, cols in found) - 1) + 1
    return side, side


def _shares(old: int, new: int) -> np.ndarray:
    """float64 (new, old): how much of each of `old` equal parts of a line lies in each of `new`; columns sum to 1."""
    edges, ends = np.arange(new + 1) * (old / new), np.arange(old + 1)
    low = np.maximum(edges[:-1, None], ends[None, :-1])
    high = np.minimum(edges[1:, None], ends[None, 1:])
    return np.clip(high - low, 0, None)
