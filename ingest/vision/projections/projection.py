"""What a projection is: a way from vectors to points in two dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line asks for the names before its first line
    import numpy as np

SEED = 20
SEEDS = 0, 2**31 - 1
COUNTS_NEIGHBOURS = ("n_neighbors", "perplexity")  # which are fewer than there are vectors


@dataclass(frozen=True)
class Laid:
    """Points (n, 2) float64, and what is known of them only afterwards: it is stored with the settings."""

    points: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """A layout as it is: the vectors (n, dim) float32 and points (n, 2) float64 of the images in it."""

    method: str
    vectors: np.ndarray
    points: np.ndarray
    settings: dict[str, Any]


@dataclass(frozen=True)
class Projection:
    """A way to lay vectors out: what it is called, with which settings, how to read it, how new points are placed.

    `settings` gives those for a number of distinct vectors; they are stored beside the layout, so that it can be made
    again. `lay_out` takes distinct vectors (n, dim) and the settings. With fewer vectors than `least` another
    projection takes its place. `meaning` says how to read distances. The versions of `libraries` are stored, with that
    of the `engine` where the settings name one. It is made by default if it is `usual`; a lower `order` comes first.
    `adjustable` are the settings that somebody may change, with the least and the greatest number of each.

    `place` gives new vectors (m, dim) points (m, 2) in a Layout, by the rule that `placed_by` names; it needs
    `least_to_place` points there. Where there is no such function, or there are fewer points, a new point is the mean
    of its nearest neighbours' (`ingest.extending`).
    """

    key: str
    title: str
    meaning: str
    settings: Callable[[int], dict[str, Any]]
    lay_out: Callable[[np.ndarray, dict[str, Any]], Laid]
    place: Callable[[Layout, np.ndarray], np.ndarray] | None = None
    placed_by: str = ""
    least: int = 0
    least_to_place: int = 0
    libraries: tuple[str, ...] = ()
    usual: bool = False
    order: int = 100
    adjustable: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def adjusted(self, distinct: int, changes: Mapping[str, float]) -> dict[str, Any]:
        """The settings for a number of distinct vectors, with those of `changes` that can be changed. Raises ValueError
        where one is out of its range."""
        settings = self.settings(distinct)
        for name, value in changes.items():
            if name not in self.adjustable:
                continue
            low, high = self.range_of(name, distinct)
            kind = type(settings[name])
            if not low <= value <= high or kind(value) != value:
                what = "a whole number" if kind is int else "a number"
                raise ValueError(f"{name} of {self.title} is {what} from {low:g} to {high:g}, not {value:g}")
            settings[name] = kind(value)
        return settings

    def range_of(self, name: str, distinct: int) -> tuple[float, float]:
        """The least and the greatest number that an adjustable setting can have for so many distinct vectors."""
        low, high = self.adjustable[name]
        return low, max(low, min(high, distinct - 1)) if name in COUNTS_NEIGHBOURS else high
