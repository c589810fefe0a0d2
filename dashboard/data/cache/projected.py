"""Projections: where the pictures lie on the map, their clusters, and where the browser finds both."""

import gzip
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from dashboard.compute.clusters import Group
from dashboard.data import layouts
from dashboard.data.cache.annotations.edits import editing
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask, ask_cached, ask_cached_of, cache_token, remembered, whole
from dashboard.data.routes import route
from store import atlas, connection, read
from store import clusters as cluster_store

FASTEST = 1  # of gzip's levels: the points of a million pictures become as small as at any other, to a fiftieth
SESSIONS = 1000  # whose part of a map is remembered


def projections(run_id: int | None = None) -> pd.DataFrame:
    """projection_id, run_id, method, settings (JSON text), points, created_at."""
    return ask_cached(read.projections, run_id=run_id)


def points(projection_id: int) -> pd.DataFrame:
    """image_id, x, y."""
    return ask_cached(read.points, projection_id=projection_id)


def layout(projection_id: int) -> atlas.Layout | None:
    """A projection in the order in which the canvas of the map takes its pictures; None without points. Read-only."""
    return ask_cached(atlas.layout, projection_id=projection_id)


def clusters(projection_id: int, level: int | None = None) -> cluster_store.Clusters | None:
    """The clusters of a projection at a level, the chosen one for None; None if none have been computed.
    Read-only."""
    return ask(cluster_store.clusters, projection_id=projection_id, level=level)


def cluster_names(projection_id: int, level: int | None = None) -> dict[int, str]:
    """What the clusters of a projection are called, the largest first."""
    return {group.number: group.name for group in cluster_groups(projection_id, level)}


def cluster_groups(projection_id: int, level: int | None = None) -> list[Group]:
    """The clusters of a projection with their names, numbers and pictures, the largest first."""
    found = _labelled(db(), projection_id, level)
    return [] if found is None else list(found.groups)


def label_cluster(projection_id: int, level: int, cluster: int, name: str, colour: str) -> None:
    """Give a cluster a name and a colour, '' for none; its level is then the one that is shown at first."""
    words = f"cluster named “{name.strip()}”" if name.strip() else "name and colour of a cluster"
    with editing(words, "cluster_label", "cluster_level") as con:
        cluster_store.label(con, projection_id, level, cluster, name, colour)
        cluster_store.choose(con, projection_id, level)


def merge_clusters(projection_id: int, level: int, clusters: Sequence[int]) -> None:
    """Make some clusters one; their level is then the one that is shown at first."""
    with editing(f"{len(clusters)} clusters merged", "cluster_label", "cluster_level") as con:
        cluster_store.merge(con, projection_id, level, clusters)
        cluster_store.choose(con, projection_id, level)


def choose_level(projection_id: int, level: int) -> None:
    """Show a level at first."""
    with editing(f"clusters: level of {level} shown at first", "cluster_label", "cluster_level") as con:
        cluster_store.choose(con, projection_id, level)


def reset_clusters(projection_id: int, level: int) -> None:
    """Take away all names, colours and merges of a level."""
    with editing("names, colours and merges of clusters taken away", "cluster_label", "cluster_level") as con:
        cluster_store.reset(con, projection_id, level)


def clusters_route(projection_id: int, level: int | None) -> str:
    """The address of the clusters of a projection at a level."""
    version = hashlib.sha256(whole(db()).encode()).hexdigest()[:12]  # names are what people say
    query = {} if level is None else {"level": str(level)}
    return route(f"/atlas/clusters/{projection_id}", version, **query)


def points_route(projection_id: int, layout_options: layouts.LayoutOptions) -> str | None:
    """The address of the points of a projection laid out as wished; None if there is no such layout of it."""

    pictures = layout(projection_id)
    if pictures is None:
        return None

    def make() -> str | None:
        names = cluster_names(projection_id, layout_options.level) if layout_options.by == layouts.CLUSTER else {}
        with connection.reading(db()) as con:
            values = layouts.values_of(con, projection_id, pictures, layout_options, names)
        return None if values is None else layouts.version(pictures, values[0])

    # A threshold of a term and the name of a cluster are what people say, of which `remembered` knows nothing.
    of_labels = layout_options.by not in ask_cached(read.metadata_columns)
    known = layouts.version(pictures) if layout_options.layout == "projection" else None
    found = known or remembered(make, "points", projection_id, layout_options, whole(db()) if of_labels else "")
    return route(f"/atlas/points/{projection_id}", found, **layout_options.query) if found else None


def places(projection_id: int, layout_options: layouts.LayoutOptions) -> np.ndarray | None:
    """Where the pictures of a `layout` lie (n, 2), laid out as wished; None if there is no such layout of it.
    Read-only."""

    def make() -> np.ndarray | None:
        names = cluster_names(projection_id, layout_options.level) if layout_options.by == layouts.CLUSTER else {}
        found = layouts.placed(db(), projection_id, layout_options, names)
        if found is None:
            return None
        pictures, arrangement = found
        return pictures.xy if arrangement is None else arrangement.xy

    address = points_route(projection_id, layout_options)
    return remembered(make, "places", address) if address else None


def points_of(path: Path, projection_id: int, layout_options: layouts.LayoutOptions) -> bytes | None:
    """The points of a projection laid out as wished, as the canvas reads them, gzipped. Any thread may ask."""
    if layout_options.layout == "projection":
        return _points(path, cache_token(path), projection_id, layout_options, ())
    found = _labelled(path, projection_id, layout_options.level) if layout_options.by == layouts.CLUSTER else None
    names = () if found is None else tuple((group.number, group.name) for group in found.groups)
    return _points(path, whole(path), projection_id, layout_options, names)  # tags and labels are what people say


@lru_cache(maxsize=4)
def _points(
    path: Path, token: str, projection_id: int, layout_options: layouts.LayoutOptions, names: tuple
) -> bytes | None:
    if layout_options.layout == "projection":
        found = ask_cached_of(path, atlas.layout, projection_id=projection_id)  # the page has asked for it too
        points = found and layouts.packed(found)
    else:
        points = layouts.points(path, projection_id, layout_options, dict(names))
    return points and gzip.compress(points, FASTEST)


def outlines_of(path: Path, projection_id: int, level: int | None = None) -> bytes | None:
    """The clusters of a projection as `layouts.outlines` says them. Any thread may ask."""
    found = _labelled(path, projection_id, level)
    return None if found is None else found.document()


def save_part(token: str, part: str) -> bool:
    """Remember which part of a map somebody has in view, `x,y,zoom` or '' for the whole; False for what is no part. Any
    thread may ask."""
    if part and not _PART.fullmatch(part):
        return False
    with _lock:
        _parts[token] = part
        _parts.move_to_end(token)
        while len(_parts) > SESSIONS:
            _parts.popitem(last=False)
    return True


def part_in_view(token: str) -> str:
    """The part that was kept last under this token, '' if none. Any thread may ask."""
    return _parts.get(token, "")


_NUMBER = r"-?[0-9]{1,12}(\.[0-9]{1,12})?(e[+-]?[0-9]{1,3})?"
_PART = re.compile(f"{_NUMBER},{_NUMBER},{_NUMBER}")
_parts: OrderedDict[str, str] = OrderedDict()
_lock = threading.Lock()


def _labelled(path: Path, projection_id: int, level: int | None) -> layouts.Outlines | None:
    with connection.reading(path, wait=2.0) as con:
        found = cluster_store.clusters(con, projection_id, level)
    if found is None:
        return None
    outlined = _outlines(path, cache_token(path), projection_id, found.level, tuple(sorted(found.merged.items())))
    return None if outlined is None else layouts.labelled_outlines(outlined, found)


@lru_cache(maxsize=16)
def _outlines(path: Path, token: str, projection_id: int, level: int, merged: tuple) -> layouts.Outlines | None:
    with connection.reading(path, wait=2.0) as con:
        found = cluster_store.clusters(con, projection_id, level)
    return None if found is None else layouts.find_outlines(path, projection_id, found)
