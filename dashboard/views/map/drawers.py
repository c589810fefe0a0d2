"""Drawers of the bar that show the collection beside the map, and what stands below the canvas: the one place where
more of either is added."""

from __future__ import annotations

import streamlit as st

from dashboard.components.charts import filtering
from dashboard.data.layouts import LayoutOptions
from dashboard.views.map import comparison
from dashboard.views.map.comparison import Second
from dashboard.views.map.window import Window
from store.records import RunRecord


def compare(window: Window, run: RunRecord, projection: dict, layout_options: LayoutOptions) -> Second | None:
    """The drawer for a second map; what is found comes into it later, by `comparison.results`."""
    with window.bar:
        return comparison.drawer(run, projection, layout_options, window.below)


def show(window: Window, run: RunRecord, layout_options: LayoutOptions) -> None:
    """Draws into `window.bar` and `window.below`; both may stay empty."""
    with window.bar:
        opened = filtering.switch(
            "map_charts", "Charts of the metadata below the map: each filters the others and the map."
        )
    along = layout_options.by if layout_options.layout == "time" else ""
    if opened or along:
        with window.below, st.container(key="map_charts_below"):
            drawn = filtering.timeline(run, along)
            if opened:
                filtering.drawer(run, drawn)
