"""The maps of two groups of pictures set against each other, patch by patch and as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.compute.contrast import permutation
from dashboard.compute.contrast.permutation import Comparison
from ingest.vision.geometry import Frame

CLEAR = 0.05  # a corrected p below it counts as a difference


@dataclass(frozen=True)
class Contrast:
    """The comparison of all patches, row by row of the grid, and of the two centres of attention (from the top, from
    the left, each 0..1), with how many pictures each group has."""

    rows: int
    cols: int
    patches: Comparison
    centres: Comparison
    pictures: tuple[int, int]

    def grid(self, values: np.ndarray) -> np.ndarray:
        """Values (rows * cols,) as (rows, cols)."""
        return values.reshape(self.rows, self.cols)

    def clear(self) -> np.ndarray:
        """bool (rows, cols): the patches that differ by more than chance, corrected for their number."""
        return self.grid(self.patches.p < CLEAR)

    def peak(self) -> tuple[int, int]:
        """(row, col) of the patch that differs most, measured by how much it varies."""
        return divmod(self.patches.peak, self.cols)

    def table(self) -> pd.DataFrame:
        """row, col, mean_a, mean_b, difference, p_corrected of each patch."""
        rows, cols = np.divmod(np.arange(self.rows * self.cols), self.cols)
        found = self.patches
        columns = {"mean_a": found.mean_a, "mean_b": found.mean_b, "difference": found.difference}
        return pd.DataFrame({"row": rows, "col": cols, **columns, "p_corrected": found.p})


def contrast(a: np.ndarray, b: np.ndarray, shuffles: int, seed: int) -> Contrast:
    """Two groups of maps (n, rows, cols), compared. ValueError for an empty group or another grid."""
    rows, cols = a.shape[1:]
    families = [(a.reshape(len(a), -1), b.reshape(len(b), -1)), (centres(a), centres(b))]
    patches, points = permutation.compare_each(families, shuffles, seed)
    return Contrast(rows, cols, patches, points, (len(a), len(b)))


def centres(maps: np.ndarray) -> np.ndarray:
    """The centre of mass of maps (n, rows, cols) that hold something: (n, 2) float64, from the top and from the left, 0
    and 1 being the edges of what the network saw."""
    rows, cols = maps.shape[1:]
    down, across = maps.sum(axis=2, dtype=np.float64), maps.sum(axis=1, dtype=np.float64)
    places = down @ ((np.arange(rows) + 0.5) / rows), across @ ((np.arange(cols) + 0.5) / cols)
    return np.stack(places, axis=1) / down.sum(axis=1, keepdims=True)


def on_pictures(maps: np.ndarray, frames: pd.DataFrame) -> np.ndarray:
    """Maps (n, rows, cols) with 0 where a patch shows padding; `frames` has the frame, width and height of each."""
    outside = np.ones(maps.shape, bool)
    shapes = list(zip(*(frames[name] for name in ("x0", "y0", "x1", "y1", "width", "height")), strict=True))
    cells = {}  # pictures come in few shapes
    for place, (x0, y0, x1, y1, width, height) in enumerate(shapes):
        shape = (x0, y0, x1, y1, width, height)
        if shape not in cells:
            cells[shape] = Frame(x0, y0, x1, y1, *maps.shape[1:]).picture_cells(width, height)
        outside[place] = ~cells[shape]
    return np.where(outside, np.float32(0), maps)


def evened(maps: np.ndarray) -> np.ndarray:
    """Maps (n, rows, cols) that hold something, each divided by its sum: every picture counts the same."""
    return maps / maps.sum(axis=(1, 2), keepdims=True)
