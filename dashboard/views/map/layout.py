"""Which projection is on the map, and how its pictures are laid out."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.data.layouts import CLUSTER, LayoutOptions
from dashboard.drawing.text import projections as projection_text
from dashboard.state import controls, url
from dashboard.views.map import clusters as map_clusters
from store.facets import TAG
from store.records import RunRecord

WAYS = {
    "projection": "as projected",
    "grid": "grid",
    "time": "time line",
    "scale": "along a number",
    "groups": "groups",
}
ELSEWHERE = "Clusters are outlined on the projection itself."


def choose(run: RunRecord, projections: pd.DataFrame) -> tuple[dict, LayoutOptions, bool]:
    """Which projection, how it is laid out, and whether clusters are outlined."""
    rows: dict[int, dict] = {int(row["projection_id"]): {**row} for row in records(projections)}
    labels = labels_of(rows)
    shown = labels | settings_of(rows)
    named = {"format_func": words.named(shown), "words": words.named(labels)}
    now = controls.option(list(labels), key="projection", **named)
    # Said anew each time: the browser draws this row when its drawer opens, and has forgotten what is pressed by then.
    st.session_state["projection"] = now
    with st.popover(shown[now], icon=":material/scatter_plot:", key="map_layout"):
        chosen = controls.segmented_control("Projection", list(labels), key="projection", **named)
        projection = rows[chosen]
        layout_options = options_of(run, columns_of(run, chosen))
        clustered = cache.clusters(chosen) is not None
        flat = layout_options.layout == "projection"
        outlined = clustered and controls.toggle(
            "Clusters", key="clusters", disabled=not flat, help=None if flat else ELSEWHERE
        )
    layout_options = replace(layout_options, level=map_clusters.level(chosen))
    if clustered and map_clusters.in_use():
        with st.popover("Clusters", icon=":material/workspaces:", key="map_clusters", on_change="rerun") as popover:
            if popover.open:
                map_clusters.drawer(run, chosen)
    return projection, layout_options, outlined and flat


def columns_of(run: RunRecord, projection_id: int) -> list[str]:
    """What pictures can be grouped and coloured by on a projection."""
    clustered = cache.clusters(projection_id) is not None
    tagged = TAG in cache.facet_columns(run.collection) and TAG not in cache.metadata_columns(run.collection)
    own = [*([TAG] if tagged else []), *([CLUSTER] if clustered else [])]
    return [*cache.grouping(run.collection), *cache.vocabulary_columns(run), *own]


def options_of(run: RunRecord, columns: list[str], key: str = "layout", first: str = "projection") -> LayoutOptions:
    """How the pictures shall lie, at `first` so, and by which column; `key` is that of the control, and of the address,
    and begins that of the column."""
    times, numbers = cache.time_columns(run.collection), cache.number_columns(run.collection)
    # Links from when any number made a time line.
    asked = [name for name in url.words(f"{key}_by") if name in numbers and url.words(key) == ["time"]]
    by = {"projection": [], "grid": [], "time": [*times, *asked], "scale": numbers, "groups": columns}
    known = [name for name in WAYS if by[name] or name in ("projection", "grid")]
    way = controls.selectbox(
        "Layout", known, known.index(first), key=key, format_func=words.named(WAYS), follows=first != "projection"
    )
    if not by[way]:
        return LayoutOptions(way)
    along = "Along" if way in ("time", "scale") else "By"
    return LayoutOptions(way, controls.selectbox(along, by[way], key=f"{key}_by"))


def described(projection: dict, layout_options: LayoutOptions) -> str:
    """What is on a map, with the settings that distinguish it from the run's other maps of that method."""
    rows = cache.projections(projection["run_id"])
    known = {int(row["projection_id"]): row for row in records(rows[rows["points"] > 0])}
    by = projection_text.differences(known).get(int(projection["projection_id"]), "")
    name = projection_text.title(projection)
    name += by and (f" {by}" if by.startswith("(") else f", {by}")
    if layout_options.layout == "projection":
        return name
    return f"{name}, {WAYS[layout_options.layout]}" + (f" by {layout_options.by}" if layout_options.by else "")


def settings_of(rows: dict[int, dict]) -> dict[int, str]:
    """{id: what it is called} of projections of which there are several of a method, by their settings."""
    found = projection_text.differences(rows)
    return {i: projection_text.named(rows[i]["method"], by) for i, by in found.items()}


def labels_of(rows: dict[int, dict]) -> dict[int, str]:
    """What each projection is called; two of one method are told apart by their numbers."""
    order = sorted(rows, key=lambda i: (projection_text.place(rows[i]["method"]), i))
    methods = [rows[i]["method"] for i in order]
    return {
        i: projection_text.name(method) + (f" ({i})" if methods.count(method) > 1 else "")
        for i, method in zip(order, methods, strict=True)
    }
