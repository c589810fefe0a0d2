"""HDBSCAN (Campello, Moulavi and Sander, 2013) over the points of a layout. No database.

It sees places, not pictures: any number of points at one place are one to it. Given them all it would split them, for
at the distance 0 every density is infinite. A place whose pictures outnumber the others of its cluster is a cluster of
its own afterwards: a picture that stands 400 times in a collection is a group, whatever lies near it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.condensed import condensed_tree, nested_cuts

MOST = 20_000  # places that HDBSCAN sees: its time grows with the square of their number
SEED = 20
AROUND = 5  # neighbours that decide about a point which HDBSCAN has not seen
LEVELS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 65, 80, 100)  # numbers of clusters that are stored
HALF = 0.5  # of all pictures: a cluster with more says little
REACH = 2.0  # how much farther from a member than members are from each other such a point may lie


@dataclass(frozen=True)
class Places:
    """The m places (m, 2) of n points, how many points are at each (m,), and the place of each point (n,)."""

    xy: np.ndarray
    counts: np.ndarray
    of: np.ndarray


def places(xy: np.ndarray) -> Places:
    """Where points (n, 2) lie, in the order of the first point at each place."""
    xy = np.asarray(xy, dtype=np.float64).reshape(-1, 2) + 0.0  # no place is told apart by the sign of its zero
    _, first, of, counts = np.unique(xy, axis=0, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Places(xy[first[order]], counts[order], rank[of.reshape(-1)])


def settings_of(places: int) -> dict[str, Any]:
    """What the clusters of so many places are looked for with: a cluster has at least half the root of their number."""
    seen = min(places, MOST)
    least = max(3, round(np.sqrt(seen) / 2))
    settings = {"min_cluster_size": least, "min_samples": min(10, least)}
    return settings | ({"seen": seen, "random_state": SEED} if seen < places else {})


def find_levels(xy: np.ndarray, settings: dict[str, Any]) -> tuple[list[np.ndarray], int]:
    """The clusters (n,) int32 of points (n, 2), 1 the largest and 0 none, at several levels, the fewest clusters first,
    and which of them is the default: the most stable clusters, where one with more than half of all pictures is divided
    if it can be. Points at one place are never apart. Of more than MOST places as many are picked at random, and the
    others belong where their surroundings do."""
    there = places(xy)
    m = len(there.xy)
    if m < 2:
        return [np.zeros(len(there.of), dtype=np.int32)], 0  # nothing to set anything apart from
    found: dict[int, np.ndarray] = {}
    cuts, default = _of_places(there.xy, there.counts, settings)
    for place in [default, *(each for each in range(len(cuts)) if each != default)]:
        of = _by_size(_stacks(cuts[place], there.counts, settings["min_cluster_size"])[there.of])
        found.setdefault(int(of.max(initial=0)), of)
    chosen = found[next(iter(found))]
    levels = [found[count] for count in sorted(found)]
    return levels, next(place for place, of in enumerate(levels) if of is chosen)


def surroundings(xy: np.ndarray, of: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The clusters (m,) int32 of new points (m, 2) among old ones (n, 2) of known clusters (n,): that of the place
    where they lie, or that of most of the AROUND nearest places, if the nearest of these is not much farther away than
    they are from each other; otherwise 0."""
    if not len(xy) or not len(new):
        return np.zeros(len(new), dtype=np.int32)
    return _clusters_around(_nearest_places(xy, new), of)


@dataclass(frozen=True)
class _Near:
    """Of each of m new points the k nearest places (m, k), the nearest first, and how far they are; of each place how
    far its neighbours are, and which of the old points is the first at it."""

    places: np.ndarray
    distances: np.ndarray
    spacing: np.ndarray
    first: np.ndarray


def _nearest_places(xy: np.ndarray, new: np.ndarray) -> _Near:
    from scipy.spatial import KDTree

    there = places(xy)
    k = min(AROUND, len(there.xy))
    tree = KDTree(there.xy, leafsize=16)  # which decides who of equally near ones comes first
    distances, near = (part.reshape(len(new), k) for part in tree.query(new, k))
    spacing, _ = tree.query(there.xy, min(AROUND + 1, len(there.xy)))
    return _Near(near, distances, spacing.reshape(len(there.xy), -1)[:, -1], np.unique(there.of, return_index=True)[1])


def _clusters_around(near: _Near, of: np.ndarray) -> np.ndarray:
    """The clusters (m,) of the new points, from those (n,) of the old ones."""
    votes = np.asarray(of)[near.first][near.places]
    agreeing = (votes[:, :, None] == votes[:, None, :]).sum(2)
    agreeing[:, 0] += np.where(near.distances[:, 0] == 0, AROUND, 0)  # who lies on a picture goes where that goes
    first = np.argmax(agreeing, axis=1)  # the nearest of the largest party
    row = np.arange(len(votes))
    found, apart, member = votes[row, first], near.distances[row, first], near.places[row, first]
    return np.where(apart <= REACH * near.spacing[member], found, 0).astype(np.int32)


def _of_places(xy: np.ndarray, counts: np.ndarray, settings: dict[str, Any]) -> tuple[list[np.ndarray], int]:
    """The clusters (m,) of distinct places (m, 2) with so many points each, in any order, at each level; and which of
    them is the default."""
    m, seen = len(xy), settings.get("seen", len(xy))
    if m < 2 * settings["min_cluster_size"]:
        return [np.zeros(m, dtype=np.int32)], 0
    picked = np.arange(m) if seen >= m else np.sort(np.random.default_rng(SEED).choice(m, seen, replace=False))
    tree = condensed_tree(_linkage(xy[picked], settings), settings["min_cluster_size"])
    cuts, default = nested_cuts(tree, xy[picked], counts[picked].astype(float), HALF)
    shown = [cut for cut in cuts if cut is cuts[default] or cut.max() in LEVELS]
    others = np.setdiff1d(np.arange(m), picked)
    near = _nearest_places(xy[picked], xy[others]) if len(others) else None  # the same at all levels
    found = []
    for cut in shown:
        of = np.zeros(m, dtype=np.int32)
        of[picked] = cut
        if near is not None:
            of[others] = _clusters_around(near, cut)
        found.append(of)
    return found, next(place for place, cut in enumerate(shown) if cut is cuts[default])


def _linkage(xy: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """The single linkage tree of scikit-learn's HDBSCAN."""
    from sklearn.cluster import HDBSCAN  # pyrefly: ignore[missing-module-attribute]  (its stubs are older)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HDBSCAN(settings["min_cluster_size"], min_samples=settings["min_samples"], copy=True)
        return model.fit(xy)._single_linkage_tree_


def _stacks(of: np.ndarray, counts: np.ndarray, least: int) -> np.ndarray:
    """The clusters (m,) of places with so many points each (m,), where a place of at least `least` points that
    outnumber the others of its cluster is one of its own. A cluster that loses too many by that is none any more."""
    of = of.copy()
    points = np.bincount(of, weights=counts)
    own = (counts >= least) & ((of == 0) | (2 * counts > points[of]))
    lost = np.unique(of[own & (of > 0)])
    of[own] = of.max(initial=0) + 1 + np.arange(own.sum())
    left = np.bincount(of, weights=counts)
    return np.where(np.isin(of, [number for number in lost if left[number] < least]), 0, of)


def _by_size(of: np.ndarray) -> np.ndarray:
    """The same clusters, numbered from the largest."""
    counts = np.bincount(of)[1:]
    order = np.argsort(-counts, kind="stable")
    number = np.zeros(len(counts) + 1, dtype=np.int32)
    number[order + 1] = np.where(counts[order] > 0, np.arange(1, len(counts) + 1), 0)
    return number[of]
