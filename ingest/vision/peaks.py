"""The patches of a map with the largest weights, as places in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.vision.geometry import Box, Frame


@dataclass(frozen=True)
class Peak:
    """A patch: its box (x0, y0, x1, y1) in pixels of the original, which may reach beyond its sides, and how many
    times the measure its weight is."""

    box: Box
    times: float


def peaks(weights: np.ndarray, seen: Box, size: tuple[int, int], count: int, kind: str) -> list[Peak]:
    """At most `count` patches of a map (rows, cols), the largest weight first, no two of them neighbours, none of them
    padding.

    `seen` is (x0, y0, x1, y1) of the map's Frame, `size` (width, height) of the original, both in its pixels. Weights
    of `kind` attention are measured by uniform attention, others by the mean of the map.
    """
    frame = Frame(*seen, *weights.shape)
    inside = frame.picture_cells(*size)
    measure = 1 / weights.size if kind == "attention" else float(weights[inside].mean(dtype=np.float64))
    left = np.where(inside & (weights > 0), weights.astype(np.float64), -np.inf)
    found = []
    while len(found) < count and np.isfinite(left.max()):
        row, col = (int(place) for place in np.unravel_index(left.argmax(), left.shape))
        found.append(Peak(frame.cell_box(row, col), float(weights[row, col]) / measure))
        left[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = -np.inf
    return found
