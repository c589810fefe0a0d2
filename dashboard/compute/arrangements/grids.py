"""A grid: each point in a cell of its own, near where it was."""

from __future__ import annotations

import numpy as np

from dashboard.compute.arrangements.shapes import ASPECT, Arrangement

EXACT = 1000  # pictures up to which every cell is tried for every picture
BLOCK_EXACT = 250  # the same for each of many blocks


def grid(xy: np.ndarray) -> Arrangement:
    """Every picture in a cell of its own, as near as can be to where the projection has it."""
    n = len(xy)
    columns = max(1, int(np.ceil(np.sqrt(n * ASPECT))))
    return Arrangement(upwards(cells(xy, columns)))


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


def upwards(places: np.ndarray) -> np.ndarray:
    """Columns and rows, from the top, as points whose y grows upwards."""
    return (np.asarray(places) * [1, -1]).astype(np.float32)
