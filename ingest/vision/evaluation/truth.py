"""Where in a picture the thing is that a map should show, and which patches of the network's grid that makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ingest.vision.geometry import Box, Frame

if TYPE_CHECKING:
    from scipy import sparse

HALF = 0.5  # of a patch, for it to count as truth; and of a truth, for the network to have seen it


class NoTruth(ValueError):
    """A picture that says nothing of a map: its truth is empty, or the network did not see it."""


@dataclass(frozen=True)
class Truth:
    """Parts of a picture: `filled` bool (ny, nx) says which rectangles between the edges `ys` (ny + 1,) and `xs`
    (nx + 1,), in pixels of the upright original, belong to the thing. `boxes` (x0, y0, x1, y1) lie around its objects.
    """

    xs: np.ndarray
    ys: np.ndarray
    filled: np.ndarray
    boxes: tuple[Box, ...]

    @property
    def area(self) -> float:
        """In square pixels."""
        return float(np.diff(self.ys) @ self.filled @ np.diff(self.xs))


def of_mask(mask: np.ndarray, width: int, height: int) -> Truth:
    """The truth of a mask bool (rows, cols), stretched over a picture of `width` × `height`; one object. ValueError for
    a mask of another shape than the picture's: whatever it was cut from, it does not lie over this."""
    rows, cols = mask.shape
    if abs(cols * height - rows * width) > max(width, height, rows, cols):
        raise ValueError(f"its mask of {cols} × {rows} pixels has another shape than the picture, {width} × {height}")
    xs, ys = np.linspace(0, width, cols + 1), np.linspace(0, height, rows + 1)
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    boxes = ()
    if len(down):
        boxes = ((float(xs[across[0]]), float(ys[down[0]]), float(xs[across[-1] + 1]), float(ys[down[-1] + 1])),)
    return Truth(xs, ys, np.asarray(mask, bool), boxes)


def of_boxes(boxes: Iterable[Sequence[float]], width: int, height: int) -> Truth:
    """The truth of boxes (x0, y0, x1, y1) in pixels, each an object; what lies beyond the picture is cut off. Where
    boxes overlap, what they share counts once."""
    sides = np.array([width, height, width, height], float)
    clipped = np.clip(np.array(list(boxes), float).reshape(-1, 4), 0, sides)
    clipped = clipped[(clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])]
    xs = np.unique(np.concatenate([[0, width], clipped[:, [0, 2]].ravel()]))
    ys = np.unique(np.concatenate([[0, height], clipped[:, [1, 3]].ravel()]))
    filled = np.zeros((len(ys) - 1, len(xs) - 1), bool)
    for x0, y0, x1, y1 in clipped:
        filled[np.searchsorted(ys, y0) : np.searchsorted(ys, y1), np.searchsorted(xs, x0) : np.searchsorted(xs, x1)] = 1
    return Truth(xs, ys, filled, tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in clipped.tolist()))


@dataclass(frozen=True)
class GridTruth:
    """A truth on the network's grid.

    `coverage` float64 (rows, cols): the share of each patch that the truth covers. `cells` bool (rows, cols): patches
    that count as truth, those that it covers by half; where there is none, those that it covers most. `visible` bool
    (rows, cols): patches that show the picture, not padding. `boxes` (b, 4): its objects, as far as the network saw
    them, in pixels of the original, and `sizes` (b,): their share of the picture's area. `xs` and `ys` are the edges of
    the patches.
    """

    coverage: np.ndarray
    cells: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    xs: np.ndarray
    ys: np.ndarray


def on_grid(truth: Truth, frame: Frame, width: int, height: int) -> GridTruth:
    """A truth in the patches of a Frame over a picture of `width` × `height`.

    Raises NoTruth where it is empty, or where the network saw less than half of it (a crop cut it off); objects of
    which it saw less than half are left out of the boxes.
    """
    xs, ys = frame.column_edges(), frame.row_edges()
    lit = _overlaps(ys, truth.ys) @ truth.filled.astype(np.float64) @ _overlaps(xs, truth.xs).T
    area = truth.area
    if not area:
        raise NoTruth("its truth is empty")
    if lit.sum() < HALF * area:
        raise NoTruth(f"the network saw {lit.sum() / area:.0%} of its truth, the rest was cut off")
    visible = frame.picture_cells(width, height)
    coverage = np.where(visible, lit / np.outer(np.diff(ys), np.diff(xs)), 0).clip(0, 1)
    if not coverage.any():
        raise NoTruth("its truth lies in no patch that shows the picture")
    boxes, sizes = _seen_boxes(truth.boxes, frame, width * height)
    cells = coverage >= min(HALF, coverage.max()) - 1e-9
    return GridTruth(coverage, cells, visible, boxes, sizes, xs, ys)


def _overlaps(edges: np.ndarray, parts: np.ndarray) -> sparse.csr_array:
    """float64 (len(edges) - 1, len(parts) - 1): the length that each interval between edges shares with each part."""
    from scipy import sparse

    first = np.clip(np.searchsorted(parts, edges[:-1], "right") - 1, 0, len(parts) - 2)
    last = np.clip(np.searchsorted(parts, edges[1:], "left"), 1, len(parts) - 1)
    rows = np.repeat(np.arange(len(first)), np.maximum(last - first, 0))
    cols = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    length = np.minimum(edges[rows + 1], parts[cols + 1]) - np.maximum(edges[rows], parts[cols])
    return sparse.csr_array((np.clip(length, 0, None), (rows, cols)), shape=(len(edges) - 1, len(parts) - 1))


def _seen_boxes(boxes: Sequence[Box], frame: Frame, picture: float) -> tuple[np.ndarray, np.ndarray]:
    whole = np.array(boxes, float).reshape(-1, 4)
    seen = np.clip(whole, [frame.x0, frame.y0] * 2, [frame.x1, frame.y1] * 2)
    areas = [(each[:, 2] - each[:, 0]) * (each[:, 3] - each[:, 1]) for each in (whole, seen)]
    kept = areas[1] >= HALF * areas[0]
    return seen[kept], areas[0][kept] / picture
