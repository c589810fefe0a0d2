"""Projections: where the pictures lie on the map, their clusters, and where the browser finds both."""

import json
import re
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import pandas as pd

from dashboard.data import layouts
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask_cached, cache_token, remembered, whole
from dashboard.data.routes import route
from store import atlas, connection, read
from store import clusters as cluster_store

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


def clusters(projection_id: int) -> cluster_store.Clusters | None:
    """The clusters of a projection; None if nobody has looked for any. Read-only."""
    return ask_cached(cluster_store.clusters, projection_id=projection_id)


def cluster_names(projection_id: int) -> dict[int, str]:
    """What the clusters of a projection are called, the largest first."""
    return _names(outlines_of(db(), projection_id))


def points_route(projection_id: int, layout_options: layouts.LayoutOptions) -> str | None:
    """The address of the points of a projection laid out as wished; None if there is no such layout of it."""

    pictures = layout(projection_id)
    if pictures is None:
        return None

    def make() -> str | None:
        names = cluster_names(projection_id) if layout_options.by == layouts.CLUSTER else {}
        with connection.reading(db()) as con:
            values = layouts.values_of(con, projection_id, pictures, layout_options, names)
        return None if values is None else layouts.version(pictures, values[0])

    # A threshold of a term is what people say, of which `remembered` knows nothing.
    of_labels = layout_options.by != layouts.CLUSTER and layout_options.by not in ask_cached(read.metadata_columns)
    known = layouts.version(pictures) if layout_options.layout == "projection" else None
    found = known or remembered(make, "points", projection_id, layout_options, whole(db()) if of_labels else "")
    return route(f"/atlas/points/{projection_id}", found, **layout_options.query) if found else None


def points_of(path: Path, projection_id: int, layout_options: layouts.LayoutOptions) -> bytes | None:
    """The points of a projection laid out as wished, as the canvas reads them. Any thread may ask."""
    names = _names(outlines_of(path, projection_id)) if layout_options.by == layouts.CLUSTER else {}
    return layouts.points(path, projection_id, layout_options, names)


def outlines_of(path: Path, projection_id: int) -> bytes | None:
    """The clusters of a projection as `layouts.outlines` says them. Any thread may ask."""
    return _outlines(path, cache_token(path), projection_id)


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


def _names(outlines: bytes | None) -> dict[int, str]:
    return {group["number"]: group["name"] for group in json.loads(outlines or '{"groups": []}')["groups"]}


@lru_cache(maxsize=16)
def _outlines(path: Path, token: str, projection_id: int) -> bytes | None:
    return layouts.outlines(path, projection_id)
