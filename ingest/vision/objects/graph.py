"""What the methods share: patches of a grid as the nodes of a graph, and the part of it that holds a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Part:
    """A connected part of a grid: `mask` bool (rows, cols), which holds the `seed` (row, col)."""

    mask: np.ndarray
    seed: tuple[int, int]


def component(chosen: np.ndarray, cells: np.ndarray, seed: int) -> Part:
    """The patches that hang together with the seed: `chosen` bool (n,) of the n patches where `cells` bool (rows, cols)
    is true, in reading order; `seed` counts among these. Patches hang together by their sides, not by their corners.
    """
    places = np.flatnonzero(cells)
    grid = np.zeros(cells.shape, bool)
    grid.ravel()[places[chosen]] = True
    row, col = divmod(int(places[seed]), cells.shape[1])
    labels, _ = ndimage.label(grid)
    return Part(labels == labels[row, col], (row, col))


def unit_rows(keys: np.ndarray) -> np.ndarray:
    """Keys (n, width) of length 1; those of length 0 stay 0."""
    return keys / np.maximum(np.linalg.norm(keys, axis=1, keepdims=True), 1e-12)
