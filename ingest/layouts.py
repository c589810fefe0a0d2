"""The layouts themselves: vectors in, points in two dimensions out, by the projections of `ingest.vision`. No database.

What is laid out are distinct vectors (`ingest.copies`): copies are put where the first of them is. Of more than MOST a
sample is laid out, and the others are placed into it as new pictures are.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ingest.vision.neighbours import nearest
from ingest.vision.projections import SEED, Laid, Layout, Projection, projections
from ingest.vision.projections.projection import COUNTS_NEIGHBOURS

INSTEAD = "pca"  # what stands in where there are too few vectors
MOST = 200_000  # vectors that a method with neighbours lays out
NEIGHBOURS = 5
AMONG = f"mean of the {NEIGHBOURS} nearest by similarity"  # where a method itself has no way to place a vector


def check_layouts(methods: Iterable[str]) -> None:
    """Raises ValueError with the known names if one of `methods` is no layout."""
    for method in methods:
        if method not in projections():
            raise ValueError(f"there is no layout {method!r}; there are {', '.join(projections())}")


def check_changes(methods: Iterable[str], changes: Mapping[str, float]) -> None:
    """Raises ValueError if one of `changes` is a setting of none of the `methods`."""
    known = sorted({name for method in methods for name in projections()[method].adjustable})
    for name in changes:
        if name not in known:
            offered = f"there are {', '.join(known)}" if known else "none of theirs can be changed"
            raise ValueError(f"there is no setting {name!r} of {', '.join(methods)}; {offered}")


def settings_of(method: str, distinct: int, changes: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The settings that so many distinct vectors are laid out with, those of `changes` that the method has instead of
    its own: stored beside the layout, so that it can be made again. `made_by` is another method where there are too few
    for this one, and `reason` says so."""
    projection = projections()[method]
    if distinct < projection.least:
        reason = f"{projection.title} needs at least {projection.least} different pictures; there {_are(distinct)}"
        return {"made_by": INSTEAD, "reason": reason, **projections()[INSTEAD].settings(distinct)}
    settings = projection.adjusted(distinct, changes or {})
    return settings | ({"sample": MOST} if distinct > MOST and set(COUNTS_NEIGHBOURS) & settings.keys() else {})


def used(method: str, settings: dict[str, Any]) -> Projection:
    """The projection that lays out with these settings."""
    return projections()[settings.get("made_by", method)]


def lay_out(make: Callable[[np.ndarray, dict[str, Any]], Laid], vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    """Lays distinct vectors (n, dim) out by a projection's `lay_out`; raises what the library raises, and ValueError if
    a point is not finite.

    With a `sample` in the settings so many vectors, drawn with the settings' seed, are laid out as if there were no
    others; these are then placed (`among_neighbours`), and the notes say so.
    """
    own = {name: value for name, value in settings.items() if name != "sample"}
    if "sample" not in settings:
        laid = make(vectors, own)
        return Laid(_finite(laid.points), laid.notes)
    drawn = np.zeros(len(vectors), bool)
    random = np.random.default_rng(settings.get("random_state", SEED))
    drawn[random.choice(len(vectors), settings["sample"], replace=False)] = True
    laid = make(vectors[drawn], own)
    points = np.empty((len(vectors), 2))
    points[drawn] = _finite(laid.points)
    # The methods' own ways to place take several times as long here, and are no truer to neighbours.
    points[~drawn] = among_neighbours(Layout("", vectors[drawn], points[drawn], own), vectors[~drawn])
    return Laid(points, laid.notes | {"others_placed_by": AMONG})


def _finite(points: Any) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    lost = int((~np.isfinite(points)).any(axis=1).sum())
    if lost:
        raise ValueError(f"{lost} of {len(points)} points came out as no finite numbers")
    return points


def placing(layout: Layout) -> tuple[str, Callable[[Layout, np.ndarray], np.ndarray]]:
    """The name of the rule by which new vectors get points in a layout, and the function (layout, vectors (m, dim)) →
    points (m, 2)."""
    projection = projections().get(layout.method)
    if projection and projection.place and len(layout.points) >= projection.least_to_place:
        return projection.placed_by, projection.place
    return AMONG, among_neighbours


def among_neighbours(layout: Layout, vectors: np.ndarray) -> np.ndarray:
    """The mean of the nearest images' points, weighted by their similarities; those below 0 count for nothing."""
    places, cosines = nearest(layout.vectors, vectors, NEIGHBOURS)
    weights = np.maximum(cosines.astype(np.float64), 0)
    weights[~weights.any(axis=1), 0] = 1
    return np.einsum("ij,ijk->ik", weights / weights.sum(axis=1, keepdims=True), layout.points[places])


def versions(method: str, settings: dict[str, Any]) -> dict[str, str]:
    """The versions of the libraries that lay out with these settings."""
    engine = [settings["engine"]] if "engine" in settings else []
    engine += ["faiss-cpu"] if "neighbours_by" in settings else []
    names = dict.fromkeys(["numpy", *engine, *used(method, settings).libraries])
    return {name: importlib.metadata.version(name) for name in names}


def _are(count: int) -> str:
    return {0: "is none", 1: "is 1"}.get(count, f"are {count}")
