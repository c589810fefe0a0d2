"""How much of each picture's neighbourhood is the same in two maps: in the features of two runs, or in the planes of
two layouts.

The neighbours of a picture are its k nearest among the pictures that both have. Equally near ones are taken in the
order of their numbers, in both alike, and it is counted how often that decides. Where all with all would take too long,
the neighbours of some pictures, drawn at random, are found among all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from store.vectors import SCORES, first_of_each, neighbours

WORK = (
    1e8 * 1800
)  # distances times their cost: 10,000 pictures with one another, with features of 768 numbers, and more
OVERHEAD = 500  # of a distance, in numbers of a feature
LEAST = 200  # pictures that are compared however many there are

# Rows (m,), k -> the numbers (m, k) of the k nearest others, and whether equals were left out (m,).
Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Agreement:
    """Of the pictures `ids` (n,) that both maps have, ascending, how many `shared` (n,) float64 of `k` neighbours are
    the same, NaN where that was not measured; `tied` of those that were measured have neighbours that equally near ones
    might take the place of; `only_first` and `only_second` pictures have no counterpart. Read-only."""

    ids: np.ndarray
    shared: np.ndarray
    k: int
    tied: int = 0
    only_first: int = 0
    only_second: int = 0

    @property
    def measured(self) -> np.ndarray:
        """Which were measured (n,) bool."""
        return np.isfinite(self.shared)

    @property
    def share(self) -> np.ndarray:
        """The share of the neighbours that are the same (n,), 0..1, or NaN."""
        return self.shared / self.k

    @property
    def chance(self) -> float:
        """How many would be the same on average if the maps had nothing to do with each other: k times k / (n - 1)."""
        return self.k * self.k / (len(self.ids) - 1)

    def counts(self) -> np.ndarray:
        """How many pictures have 0, 1, … k neighbours in common (k + 1,)."""
        return np.bincount(self.shared[self.measured].astype(int), minlength=self.k + 1)

    def among(self, ids: np.ndarray) -> np.ndarray:
        """The shares of these images (m,), NaN for those that were not measured or are not in both."""
        found = np.full(len(ids), np.nan)
        if len(self.ids):
            place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
            there = self.ids[place] == ids
            found[there] = self.share[place[there]]
        return found

    def extremes(self, ids: np.ndarray, count: int, most: bool) -> np.ndarray:
        """The images among `ids` that agree most, or least, equals by their numbers."""
        chosen = np.flatnonzero(self.measured & np.isin(self.ids, ids))
        order = np.argsort((-1 if most else 1) * self.shared[chosen], kind="stable")
        return self.ids[chosen[order[:count]]]


def agreement(
    first: np.ndarray, second: np.ndarray, k: int, searches: Callable[[np.ndarray], tuple[Search, Search]], dim: int
) -> Agreement | None:
    """The agreement of two maps that hold the images `first` and `second`; None where both have fewer than three.
    `searches` gives the search of each among the images (n,) that both have; a distance is made of `dim`
    numbers."""
    ids = np.intersect1d(first, second)
    k = min(k, len(ids) - 2)  # with k = n - 1 all others would be neighbours, and always the same
    if k < 1:
        return None
    rows = drawn(len(ids), dim)
    (one, tied), (other, also) = (search(rows, k) for search in searches(ids))
    shared = np.full(len(ids), np.nan)
    shared[rows] = overlap(one, other)
    return Agreement(ids, shared, k, int((tied | also).sum()), len(first) - len(ids), len(second) - len(ids))


def drawn(count: int, dim: int) -> np.ndarray:
    """Which of `count` pictures are measured (m,), ascending: all, or as many as `WORK` allows, always the same."""
    most = max(LEAST, int(WORK / (count * (dim + OVERHEAD))))
    return np.arange(count) if most >= count else np.sort(np.random.default_rng(0).permutation(count)[:most])


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many numbers each row (m,) of two tables (m, k) has in common. In a row no number stands twice."""
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    return (both[:, 1:] == both[:, :-1]).sum(1)


def in_features(matrix: np.ndarray) -> Search:
    """The nearest by the cosine similarity of their vectors (n, dim)."""
    return partial(neighbours, matrix)


def in_plane(xy: np.ndarray) -> Search:
    """The nearest by their places (n, 2)."""
    from scipy.spatial.distance import cdist

    xy = np.asarray(xy, np.float64)

    def search(rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found, tied = np.empty((len(rows), k), np.int64), np.empty(len(rows), bool)
        step = max(1, SCORES // len(xy))
        for start in range(0, len(rows), step):
            own = rows[start : start + step]
            distances = cdist(xy[own], xy, "sqeuclidean")
            distances[np.arange(len(own)), own] = np.inf
            row, column = np.nonzero(distances <= np.partition(distances, k - 1, axis=1)[:, k - 1, None])
            block = slice(start, start + step)
            found[block], tied[block] = first_of_each(row, column, distances[row, column], len(own), k)
        return found, tied

    return search
