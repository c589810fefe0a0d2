"""Projections: one file each, found by scanning this folder for a `PROJECTION`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ingest.vision.projections.projection import SEED, Laid, Layout, Projection

__all__ = ["SEED", "Laid", "Layout", "Projection", "differing", "projections", "title"]


@cache
def projections() -> dict[str, Projection]:
    """The registry: every file of this folder that defines `PROJECTION`, by key, in their own order."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found = [module.PROJECTION for module in modules if hasattr(module, "PROJECTION")]
    return {each.key: each for each in sorted(found, key=lambda each: (each.order, each.key))}


def title(key: str) -> str:
    """What a projection is called; one that is not known here, as a database may hold, by its key."""
    return projections()[key].title if key in projections() else key


def differing(method: str, settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the settings that several layouts by one method were made with, those of each that can be changed and are not
    the same in all."""
    found = projections().get(method)
    names = found.adjustable if found else ()
    return [
        {key: own[key] for key in names if key in own and any(each.get(key) != own[key] for each in settings)}
        if "made_by" not in own
        else {}
        for own in settings
    ]
