"""Clusters: groups of pictures that lie close together in a layout, found in the plane that people look at."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ingest import clustering, worker
from store import clusters as stored
from store import read
from store.connection import reading, writing

METHOD = "HDBSCAN"


def named(layout: str) -> str:
    """What the clusters of a layout are called where it is told that they failed."""
    return f"clusters in {layout}"


def make(db: Path, run_id: int, ids: np.ndarray, vectors: np.ndarray, log: Callable[[str], None]) -> dict[str, str]:
    """Finds and stores the clusters of those layouts of a run that have none yet; returns what failed, {what: why}.
    ids (n,) ascending and vectors (n, dim) are the features of the run."""
    with reading(db) as con:
        known = stored.known(con) - stored.without_levels(con)
        waiting = [row for row in read.projections(con, run_id).to_pylist() if row["projection_id"] not in known]
    failed = {}
    for row in waiting:
        with reading(db) as con:
            table = read.points(con, row["projection_id"])
        members = table["image_id"].to_numpy()
        xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
        log(f"looking for clusters in {row['method']}")
        places = len(clustering.places(xy).xy)
        settings = clustering.settings_of(places)
        try:
            levels, default = worker.call(clustering.find_levels, xy, settings)
        except worker.WorkerError as error:
            again = f"python -m ingest project --run {run_id} --methods {row['method']}"
            what = named(row["method"])
            failed[what] = f"no {what} were found: {error}; to try again: {again}"
            log(failed[what])
            continue
        settings |= {"distinct": places, "versions": {"scikit-learn": importlib.metadata.version("scikit-learn")}}
        settings["levels"] = [int(of.max(initial=0)) for of in levels]
        centres = [central(members, of, ids, vectors) for of in levels]
        with writing(db) as con:
            number = row["projection_id"]
            stored.add(con, number, METHOD, settings, members, levels[default], centres[default])
            for place, of in enumerate(levels):
                if place != default:
                    stored.add_level(con, number, members, of, centres[place])
    return failed


def extend(con, projection_id: int, ids: np.ndarray, xy: np.ndarray) -> None:
    """Gives new points (m, 2) of a layout the clusters of their surroundings, where clusters have been looked for. To
    be called before the points are stored."""
    levels = stored.levels(con, projection_id)
    if not levels:
        return
    table = read.points(con, projection_id)
    there = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    members = table["image_id"].to_numpy()
    for level in levels:
        of = stored.numbers(con, projection_id, level, members)
        stored.extend(con, projection_id, ids, clustering.surroundings(there, of, xy), level)


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
