"""Other places for the pictures of a projection: a grid without overlaps, a block for each value, a time line.

Pure functions of the points (n, 2) and of the values of a column. A picture has a square cell of side 1 to itself; y
grows upwards. Among pictures that could change places, neighbours of the projection come to lie near each other.
"""

from __future__ import annotations

from collections.abc import Callable

from dashboard.compute.arrangements.blocks import BLOCKS, GAP, groups
from dashboard.compute.arrangements.grids import cells, grid
from dashboard.compute.arrangements.shapes import ASPECT, Arrangement, Axis, Block, Dated
from dashboard.compute.arrangements.timeline import as_numbers, timeline

__all__ = [
    "ARRANGEMENTS", "ASPECT", "BLOCKS", "GAP", "Arrangement", "Axis", "Block", "Dated", "as_numbers", "cells", "grid",
    "groups", "timeline",
]  # fmt: skip

ARRANGEMENTS: dict[str, Callable[..., Arrangement]] = {
    "grid": grid, "time": timeline, "scale": timeline, "groups": groups,
}  # fmt: skip
