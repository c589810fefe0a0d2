"""Attention methods: one file each, found by scanning this folder for a `METHOD`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ingest.vision.attention.method import GridError, Maps, Method, Option, Reader, by_head, walk
from ingest.vision.tap import Capture

__all__ = ["GridError", "Maps", "Method", "Option", "Reader", "by_head", "explain", "methods", "walk"]


@cache
def methods() -> dict[str, Method]:
    """The registry: every file of this folder that defines `METHOD`, by key, in the order of their names."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        method = getattr(importlib.import_module(f"{__name__}.{module.name}"), "METHOD", None)
        if method is not None:
            found[method.key] = method
    return found


def explain(capture: Capture, keys: list[str], **options: dict) -> list[Maps]:
    """Runs the methods `keys` over one captured pass; `options` maps a key to its settings.

    The softmax rows that several methods need are computed once for all of them.
    """
    readers = [methods()[key].read(capture, **options.get(key, {})) for key in keys]
    walk(capture, readers)
    return [reader.maps() for reader in readers]
