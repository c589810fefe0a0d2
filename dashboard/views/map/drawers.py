"""Drawers of the bar that show the collection beside the map, and what stands below the canvas: the one place where
more of either is added."""

from __future__ import annotations

from dashboard.views.map.window import Window
from store.atlas import Layout
from store.records import RunRecord


def show(window: Window, run: RunRecord, layout: Layout) -> None:
    """Draws into `window.bar` and `window.below`; both may stay empty."""
