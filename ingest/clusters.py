"""Clusters: groups of pictures that lie close together in a layout, found by HDBSCAN (Campello, Moulavi and Sander,
2013) in the plane that people look at."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from store import clusters as stored
from store import read
from store.connection import reading, writing

METHOD = "HDBSCAN"
MOST = 20_000  # points that HDBSCAN sees: its time grows with the square of their number
SEED = 20
AROUND = 5  # neighbours that decide about a point which HDBSCAN has not seen
REACH = 2.0  # how much farther from a member than members are from each other such a point may lie


def make(db: Path, run_id: int, ids: np.ndarray, vectors: np.ndarray, tell: Callable[[str], None]) -> list[int]:
    """Finds and stores the clusters of those layouts of a run that have none yet; returns their numbers. ids (n,)
    ascending and vectors (n, dim) are the features of the run."""
    with reading(db) as con:
        known = stored.known(con)
        waiting = [row for row in read.projections(con, run_id).to_pylist() if row["projection_id"] not in known]
    for row in waiting:
        with reading(db) as con:
            table = read.points(con, row["projection_id"])
        members = table["image_id"].to_numpy()
        xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
        tell(f"looking for clusters in {row['method']}")
        settings = settings_of(len(xy))
        of = find(xy, settings)
        centres = central(members, of, ids, vectors)
        with writing(db) as con:
            stored.add(con, row["projection_id"], METHOD, settings, members, of, centres)
    return [row["projection_id"] for row in waiting]


def extend(con, projection_id: int, ids: np.ndarray, xy: np.ndarray) -> None:
    """Gives new points (m, 2) of a layout the clusters of their surroundings, where clusters have been looked for. To
    be called before the points are stored."""
    known = stored.clusters(con, projection_id)
    if known is None:
        return
    table = read.points(con, projection_id)
    there = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    of = known.among(table["image_id"].to_numpy())
    stored.extend(con, projection_id, ids, surroundings(there, of, xy))


def settings_of(points: int) -> dict[str, Any]:
    """What the clusters of so many points are looked for with: a cluster has at least half the root of their number."""
    seen = min(points, MOST)
    least = max(3, round(np.sqrt(seen) / 2))
    settings = {"min_cluster_size": least, "min_samples": min(10, least)}
    return settings | ({"seen": seen, "random_state": SEED} if seen < points else {})


def find(xy: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """The clusters (n,) int32 of points (n, 2): 1 is the largest, 0 none. Of more than MOST points as many are picked
    at random, and the others belong where their surroundings do."""
    xy = np.asarray(xy, dtype=np.float64)
    n, seen = len(xy), settings.get("seen", len(xy))
    if n < 2 * settings["min_cluster_size"] or not np.ptp(xy, axis=0).any():
        return np.zeros(n, dtype=np.int32)
    picked = np.arange(n) if seen >= n else np.sort(np.random.default_rng(SEED).choice(n, seen, replace=False))
    of = np.zeros(n, dtype=np.int32)
    of[picked] = _hdbscan(xy[picked], settings)
    others = np.setdiff1d(np.arange(n), picked)
    if len(others):
        of[others] = surroundings(xy[picked], of[picked], xy[others])
    return _by_size(of)


def surroundings(xy: np.ndarray, of: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The clusters (m,) int32 of new points (m, 2) among old ones (n, 2) of known clusters (n,): that of most of the
    AROUND nearest, if the nearest of these is not much farther away than they are from each other; otherwise 0."""
    from scipy.spatial import cKDTree

    k = min(AROUND, len(xy))
    if not k or not len(new):
        return np.zeros(len(new), dtype=np.int32)
    tree = cKDTree(xy)
    distance, near = (part.reshape(len(new), k) for part in tree.query(new, k))
    votes = of[near]
    agreeing = (votes[:, :, None] == votes[:, None, :]).sum(2)
    first = np.argmax(agreeing, axis=1)  # the nearest of the largest party
    row = np.arange(len(new))
    found, apart, member = votes[row, first], distance[row, first], near[row, first]
    spacing, _ = tree.query(xy[member], min(AROUND + 1, len(xy)))
    return np.where(apart <= REACH * spacing.reshape(len(new), -1)[:, -1], found, 0).astype(np.int32)


def central(members: np.ndarray, of: np.ndarray, ids: np.ndarray, vectors: np.ndarray) -> dict[int, int]:
    """{cluster: the image whose feature is nearest to the mean of all of its members'}; members (n,) with their
    clusters, of (n,); features of images ids (m,) ascending, vectors (m, dim)."""
    found = {}
    for cluster in range(1, int(of.max(initial=0)) + 1):
        places = np.searchsorted(ids, members[of == cluster])
        places = places[(places < len(ids))]
        places = places[np.isin(ids[places], members[of == cluster])]
        if len(places):
            mine = vectors[places]
            mean = mine.mean(axis=0, dtype=np.float64)
            apart = ((mine - mean) ** 2).sum(axis=1)
            found[cluster] = int(ids[places[apart.argmin()]])
    return found


def _hdbscan(xy: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    from sklearn.cluster import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HDBSCAN(settings["min_cluster_size"], min_samples=settings["min_samples"], copy=True)
        return model.fit_predict(xy) + 1


def _by_size(of: np.ndarray) -> np.ndarray:
    """The same clusters, numbered from the largest."""
    counts = np.bincount(of)[1:]
    number = np.zeros(len(counts) + 1, dtype=np.int32)
    number[np.argsort(-counts, kind="stable") + 1] = np.arange(1, len(counts) + 1)
    return number[of]
