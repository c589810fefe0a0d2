"""Attention methods: one file each, found by scanning this folder for a `METHOD`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ingest.vision.attention.method import GridError, Maps, Method, Option, Reader, by_head, walk

__all__ = ["GridError", "Maps", "Method", "Option", "Reader", "by_head", "methods", "walk"]


@cache
def methods() -> dict[str, Method]:
    """The registry: every file of this folder that defines `METHOD`, by key, in the order of their names."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        method = getattr(importlib.import_module(f"{__name__}.{module.name}"), "METHOD", None)
        if method is not None:
            found[method.key] = method
    return found
