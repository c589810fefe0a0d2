"""The layouts themselves: vectors in, points in two dimensions out, by the projections of `ingest.vision`. No database.

What is laid out are distinct vectors (`ingest.copies`): copies are put where the first of them is.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ingest.vision.projections import Laid, Projection, projections

INSTEAD = "pca"  # what stands in where there are too few vectors


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
    return projection.adjusted(distinct, changes or {})


def used(method: str, settings: dict[str, Any]) -> Projection:
    """The projection that lays out with these settings."""
    return projections()[settings.get("made_by", method)]


def lay_out(make: Callable[[np.ndarray, dict[str, Any]], Laid], vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    """Lays distinct vectors (n, dim) out by a projection's `lay_out`; raises what the library raises, and ValueError if
    a point is not finite."""
    laid = make(vectors, settings)
    points = np.asarray(laid.points, dtype=np.float64)
    lost = int((~np.isfinite(points)).any(axis=1).sum())
    if lost:
        raise ValueError(f"{lost} of {len(vectors)} points came out as no finite numbers")
    return Laid(points, laid.notes)


def versions(method: str, settings: dict[str, Any]) -> dict[str, str]:
    """The versions of the libraries that lay out with these settings."""
    engine = [settings["engine"]] if "engine" in settings else []
    names = dict.fromkeys(["numpy", *engine, *used(method, settings).libraries])
    return {name: importlib.metadata.version(name) for name in names}


def _are(count: int) -> str:
    return {0: "is none", 1: "is 1"}.get(count, f"are {count}")
