"""An attention map, from the database to the pixels of a page: one type for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

FUSED = -1  # the head of a map that belongs to no head

Unit = Literal["share", "evidence", "uniform"]


@dataclass(frozen=True)
class AttentionMaps:
    """m maps on one grid: `weights` (m, rows, cols) float32, row-major, never negative.

    Of each map `layers` and `heads` (m,) integers, the head FUSED where it belongs to none (rollout), and `image_ids`
    (m,) int64, empty where the maps are of no image of the database. `method` and `target` are what it is stored under.

    `unit` says what a weight is: "share" of a token's attention, "evidence" for a target, or "uniform", a multiple of
    what each patch would have if all had the same. `titles` (m,) are what a page calls the maps. Each may be the
    mean over `images` images, brought onto this grid from `grids` different ones.
    """

    weights: np.ndarray
    layers: np.ndarray
    heads: np.ndarray
    image_ids: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    method: str = ""
    target: str = ""
    unit: Unit = "share"
    titles: tuple[str, ...] = ()
    images: int = 1
    grids: int = 1

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.weights.shape[-2:]
        return rows, cols

    @property
    def fused(self) -> bool:
        """Whether no map belongs to a head."""
        return bool((self.heads == FUSED).all())

    @property
    def head_numbers(self) -> list[int]:
        """The heads that the maps belong to, each once, ascending."""
        return sorted({int(head) for head in self.heads if head != FUSED})

    @property
    def layer_numbers(self) -> list[int]:
        """The layers that the maps are of, each once, ascending."""
        return sorted(set(self.layers.tolist()))


@dataclass(frozen=True)
class CodedMaps:
    """m maps on one grid as the database holds them (`store.companding`): `codes` (m, rows, cols) uint8, `scales` and
    `minima` (m,) float32; `layers`, `heads`, `image_ids`, `method` and `target` as those of AttentionMaps."""

    codes: np.ndarray
    scales: np.ndarray
    minima: np.ndarray
    layers: np.ndarray
    heads: np.ndarray
    image_ids: np.ndarray
    method: str
    target: str = ""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.codes.shape[-2:]
        return rows, cols


def no_heads(count: int) -> np.ndarray:
    """The heads of so many maps that belong to none."""
    return np.full(count, FUSED)
