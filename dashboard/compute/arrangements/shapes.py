"""What an arrangement is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ASPECT = 1.3  # width by height of what an arrangement should fill, as the map's window has it


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
    1750), 1 where it may be any later (after 1600), else 0. `low` and `high` are the ends of the range in which it may
    lie, None for none."""

    at: float | None
    open: int = 0
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Arrangement:
    """xy (n, 2) float32, and what helps to read it: `open` (n,) -1, 0 or 1 as `Dated` has it, None for no such; `spans`
    (n, 2) float32, from where to where on x a picture may lie, NaN for one of which that is a point; None for no
    such."""

    xy: np.ndarray
    blocks: Sequence[Block] = ()
    axis: Axis | None = None
    open: np.ndarray | None = None
    spans: np.ndarray | None = None
