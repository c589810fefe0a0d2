"""The pictures laid out on a plane: near each other what the network finds alike."""

import secrets
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import canvas
from dashboard.compute import words
from dashboard.compute.arrangements.years import range_column
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.data.layouts import CLUSTER, LayoutOptions
from dashboard.drawing import charts, colours
from dashboard.drawing.text import projections as projection_text
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.files import file_name
from dashboard.selection.selection import Selection
from dashboard.state import controls, filter_bar, navigation, url
from dashboard.state.widgets import Words
from dashboard.views.map import clusters as map_clusters
from dashboard.views.map import colouring, drawers, origin, publication, window
from dashboard.views.map.publication import View
from store.atlas import Layout
from store.counts import counted
from store.errors import StoreError
from store.facets import TAG
from store.records import RunRecord

FIGURE = "map"
HINT = (
    "Nothing is selected yet. Click a picture, with Shift several, draw a box or a lasso on the map, or filter the "
    "pictures."
)
WAYS = {
    "projection": "as projected",
    "grid": "grid",
    "time": "time line",
    "scale": "along a number",
    "groups": "groups",
}
LAID_OUT = {
    "projection": "One unit is as long across as it is up.",
    "grid": "In the grid every picture has a cell of its own, as near as can be to where {method} has it: neighbours "
    "are kept, gaps and distances are not.",
    "time": "From left to right the pictures lie by {by}, to scale. Up and down only tells apart those of about the "
    "same {by}, with those near each other that {method} has near each other.",
    "scale": "From left to right the pictures lie by {by}, to scale. Up and down only tells apart those of about the "
    "same {by}, with those near each other that {method} has near each other.",
    "groups": "There is a block for each {by}, the largest first. Inside a block lie near each other those that "
    "{method} has near each other; how far a block is from another means nothing.",
}
RANGES = (
    " Each lies at{middle}, with a bar below it over all of them; one of which only an end is known (before 1750, "
    "after 1600) lies there, with an arrow to the side that is open."
)
CLUSTERS = (
    "Outlines are clusters that {method} finds in this plane; another projection has others. Where a large one is "
    "divided, pictures between its parts go with the nearest. A cluster has the name that somebody gave it, or "
    "else that of metadata that its pictures have oftener than the others, of the term of a vocabulary that suits "
    "them best, or of its central picture, the one whose features are nearest to their mean, which it shows. "
    "Click a name to select its pictures."
)
ELSEWHERE = "Clusters are outlined on the projection itself."


def page() -> None:
    """The page."""
    run = cache.run_in_view()
    selected.read_from_url(run.collection)
    projections = cache.projections(run.run_id)
    projections = projections[projections["points"] > 0]
    if projections.empty:
        st.title("Map")
        st.info("This run has no map yet. The same `python -m ingest run` as before, with `--project umap`, makes it.")
        return
    place = window.open_window()
    with place.bar:
        filtered = filter_bar.bar(run)
        projection, layout_options, clusters = choose_layout(run, projections)
        layout = cache.layout(projection["projection_id"])
        if layout is None:
            raise StoreError("This projection has no points any more. Choose another one.")
        column, asked, size = choose_colour(run, projection["projection_id"])
    tints = colouring.tint(layout, run, projection["projection_id"], column, asked)
    key = colouring.state(run, column, asked)
    column = colouring.title(column, asked)
    source = source_of(layout, projection["projection_id"], layout_options, clusters)
    drawers.show(place, run, layout_options)
    with place.bar, st.popover("About", icon=":material/info:", key="map_about"):
        navigation.example("map")
        explain(run, projection, layout, layout_options, clusters, column)
        origin.show(run, projection, len(layout.ids))
        export(layout, source, projection, layout_options, tints, column, size, filtered)
    with place.canvas:
        draw(layout, source, projection, tints, key, column, size, filtered.ids)
    selection(place, layout, projection["projection_id"], filtered, run)


def draw(
    layout: Layout,
    source: canvas.Source,
    projection: dict,
    tints: colours.Colours | None,
    key: tuple[str, ...],
    column: str | None,
    size: float,
    wanted: np.ndarray | None,
) -> None:
    """The canvas. `key` changes with the colours."""
    canvas.canvas(
        source,
        FIGURE,
        f"Map of {counted(len(layout.ids), 'picture')} by {projection_text.title(projection)}. "
        "They can be chosen by their metadata above.",
        fill=True,
        tints=None
        if tints is None
        else cache.remembered(lambda: canvas.rgb(tints.of), "tints", source.points, layout.version, key),
        legend=None if tints is None or column is None else colouring.legend(tints, column),
        included=None if wanted is None else np.isin(layout.ids, wanted),
        marked=np.isin(layout.ids, selected.ids()),
        size=size,
        on_marked=partial(mark, source, layout),
        actions=actions.offered(),
        on_done=partial(actions.done_on_map, FIGURE),
    )


def source_of(layout: Layout, projection_id: int, layout_options: LayoutOptions, clusters: bool) -> canvas.Source:
    """Where the browser finds the points and pictures of a layout."""
    page = f"/atlas/page/{layout.collection_id}/{layout.atlas}/{{cell}}/{{page}}"
    return canvas.Source(
        n=len(layout.ids),
        points=cache.points_route(projection_id, layout_options) or "",
        thumb=cache.route("/thumb/{id}", layout.version),
        about=cache.route("/atlas/about/{id}", cache.version()),
        page=cache.route(page, layout.atlas) if layout.atlas else "",
        clusters=cache.clusters_route(projection_id, layout_options.level) if clusters else "",
        view=cache.route(f"/atlas/view/{token()}", "1"),
        tiles=cache.route("/atlas/tiles/{id}", "1"),
    )


def token() -> str:
    """A word for this session's map, which nobody else can guess."""
    return st.session_state.setdefault("_map_token", secrets.token_urlsafe(12))


def mark(source: canvas.Source, layout: Layout) -> None:
    """Remember what was selected on the map: by id, so that it stays with another projection."""
    marked = canvas.selection(st.session_state[FIGURE], source)
    if marked is not None:
        selected.choose(layout.ids[marked])


def choose_layout(run: RunRecord, projections: pd.DataFrame) -> tuple[dict, LayoutOptions, bool]:
    """Which projection, how it is laid out, and whether clusters are outlined."""
    rows: dict[int, dict] = {int(row["projection_id"]): {**row} for row in records(projections)}
    labels = labels_of(rows)
    told = {i: f"{projection_text.name(rows[i]['method'])} {by}" for i, by in projection_text.differences(rows).items()}
    named = {"format_func": words.named(labels | told), "words": words.named(labels)}
    now = controls.option(list(labels), key="projection", **named)
    # Said anew each time: the browser draws this row when its drawer opens, and has forgotten what is pressed by then.
    st.session_state["projection"] = now
    with st.popover((labels | told)[now], icon=":material/scatter_plot:", key="map_layout"):
        chosen = controls.segmented_control("Projection", list(labels), key="projection", **named)
        projection = rows[chosen]
        layout_options = layout_options_of(run, columns_of(run, chosen))
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


def choose_colour(run: RunRecord, projection_id: int) -> tuple[str | None, Words, float]:
    """Which column colours the frames, with the words that do, and how large the pictures are."""
    with st.popover("Colour", icon=":material/palette:", key="map_look"):
        column = controls.selectbox(
            "Frame colour",
            ["", *colouring.choices(run, columns_of(run, projection_id))],
            key="map_colour",
            format_func=lambda name: name or "none",
        )
        asked = colouring.words_of(run, column or None)
        size = controls.slider("Picture size", 0.3, 3.0, 1.0, 0.1, key="map_size", format="%.1f ×")
    return column or None, asked, size


def columns_of(run: RunRecord, projection_id: int) -> list[str]:
    """What pictures can be grouped and coloured by on a projection."""
    clustered = cache.clusters(projection_id) is not None
    tagged = TAG in cache.facet_columns(run.collection) and TAG not in cache.metadata_columns(run.collection)
    own = [*([TAG] if tagged else []), *([CLUSTER] if clustered else [])]
    return [*cache.grouping(run.collection), *cache.vocabulary_columns(run), *own]


def layout_options_of(run: RunRecord, columns: list[str]) -> LayoutOptions:
    """How the pictures shall lie, and by which column."""
    times, numbers = cache.time_columns(run.collection), cache.number_columns(run.collection)
    # Links from when any number made a time line.
    asked = [name for name in url.words("layout_by") if name in numbers and url.words("layout") == ["time"]]
    by = {"projection": [], "grid": [], "time": [*times, *asked], "scale": numbers, "groups": columns}
    known = [name for name in WAYS if by[name] or name in ("projection", "grid")]
    way = controls.selectbox("Layout", known, key="layout", format_func=words.named(WAYS))
    if not by[way]:
        return LayoutOptions(way)
    along = "Along" if way in ("time", "scale") else "By"
    return LayoutOptions(way, controls.selectbox(along, by[way], key="layout_by"))


def labels_of(rows: dict[int, dict]) -> dict[int, str]:
    """What each projection is called; two of one method are told apart by their numbers."""
    order = sorted(rows, key=lambda i: (projection_text.place(rows[i]["method"]), i))
    methods = [rows[i]["method"] for i in order]
    return {
        i: projection_text.name(method) + (f" ({i})" if methods.count(method) > 1 else "")
        for i, method in zip(order, methods, strict=True)
    }


def explain(
    run: RunRecord, projection: dict, layout: Layout, layout_options: LayoutOptions, clusters: bool, column: str | None
) -> None:
    """How to read this map, and how to use it."""
    method = projection_text.title(projection)
    parts = [
        f"{counted(len(layout.ids), 'picture')} by {method} of the features of run {run.run_id} "
        f"({words.plain(run.title)}).",
        *map(words.plain, projection_text.notes(projection)),
        projection_text.meaning(projection),
        laid_out(run, layout_options, words.plain(layout_options.by), method),
    ]
    text = " ".join(part for part in parts if part)
    if column and column in {*cache.list_columns(), *cache.vocabulary_columns(run), TAG}:
        text += (
            f" A frame has the colour of the first value of {words.plain(column)} that has one; the legend counts all."
        )
    if clusters:
        text += " " + CLUSTERS.format(**vars(cache.clusters(projection["projection_id"])))
    if layout.places is None and len(layout.ids) > charts.PICTURES:
        text += " Reading the collection again with the same `python -m ingest run` makes this map quicker."
    st.caption(text)
    st.caption(
        "Drag to move, scroll or pinch to come closer. Click to select, with Shift more; double-click opens a picture. "
        "With the keyboard: arrows, plus and minus, space to select, Enter to open."
    )


def laid_out(run: RunRecord, layout_options: LayoutOptions, by: str, method: str) -> str:
    """How to read where the pictures lie."""
    text = LAID_OUT[layout_options.layout].format(by=by, method=method)
    if (
        layout_options.layout == "time"
        and (name := range_column(layout_options.by, cache.metadata_columns(run.collection))) is not None
    ):
        text += RANGES.format(middle=" the middle of its range of years" if layout_options.by == name else f" its {by}")
    several = {*cache.list_columns(), *cache.vocabulary_columns(run), TAG}
    if layout_options.layout == "groups" and layout_options.by in several:
        text += f" A picture with several values of {by} lies with the first."
    return text


def export(
    layout: Layout,
    source: canvas.Source,
    projection: dict,
    layout_options: LayoutOptions,
    tints: colours.Colours | None,
    column: str | None,
    size: float,
    filtered: filter_bar.Filtered,
) -> None:
    """The map as a page of its own, as it looks now: made only when it is asked for."""
    run = cache.run_in_view()
    looks = {
        "legend": None if tints is None or column is None else colouring.legend(tints, column),
        "included": filtered.among(layout.ids),
        "marked": np.isin(layout.ids, selected.ids()),
        "size": size,
    }
    laid_out = [projection_text.title(projection)]
    if layout_options.layout != "projection":
        laid_out.append(WAYS[layout_options.layout] + (f" by {layout_options.by}" if layout_options.by else ""))
    view = View(
        f"{run.collection}: {', '.join([*laid_out, run.title])}",
        how_made(run, projection, layout, layout_options, source, column, filtered),
        projection["projection_id"],
        layout_options,
        source,
        layout,
        None if tints is None else tints.of,
        looks,
        cache.images(run.collection),
        partial(cache.part_in_view, token()),
    )
    st.download_button(
        "Download the map as one HTML page",
        partial(publication.page, cache.db(), view),
        file_name(f"map-{run.collection}-run{run.run_id}-{projection['method']}") + ".html",
        "text/html",
        key="map_html",
        on_click="ignore",
        icon=":material/download:",
        help="For a publication or a colleague: works without Bilderatlas and without the internet, since the pictures "
        "and the program are in it. It opens with the part of the map that you have in view.",
    )


def how_made(
    run: RunRecord,
    projection: dict,
    layout: Layout,
    layout_options: LayoutOptions,
    source: canvas.Source,
    column: str | None,
    filtered: filter_bar.Filtered,
) -> list[str]:
    """What has to be known about the map where it stands alone: plain sentences."""
    method, sentence = projection_text.title(projection), projection_text.settings(projection)
    made = projection["created_at"]
    pictures = counted(len(layout.ids), "picture")
    lines = [
        f"{pictures} of the collection {run.collection}. {method} ({sentence}) of the features that "
        f"{run.title} finds in them (run {run.run_id}); made on {made.day} {made:%B %Y} with Bilderatlas.",
        *projection_text.notes(projection),
        f"{projection_text.meaning(projection)} {laid_out(run, layout_options, layout_options.by, method)}".strip(),
    ]
    if source.clusters:
        lines.append(CLUSTERS.format(**vars(cache.clusters(projection["projection_id"]))).split(" Click")[0])
    if column is not None:
        lines.append(f"The colours of the frames tell {column}.")
    if filtered.ids is not None:
        lines.append(f"Not faded: {filtered.describe(int(filtered.among(layout.ids).sum()))}.")
    return lines


def selection(
    place: window.Window, layout: Layout, projection_id: int, filtered: filter_bar.Filtered, run: RunRecord
) -> None:
    """The panel with what can be done with the pictures that are marked on the map, or without any with those that the
    filter leaves."""
    marked, sql = np.isin(layout.ids, selected.ids()), ""
    left = 0 if filtered.ids is None else int(filtered.among(layout.ids).sum())
    state = window.panel_state(len(selected.ids()), left)
    with place.bar:
        window.switch(state, len(selected.ids()), left)
    if state == window.CLOSED:
        selected.write_to_url(run.collection)
        return
    if not marked.any() and filtered.ids is not None:
        marked = filtered.among(layout.ids)
        sql = filtered.where if marked.sum() == filtered.count else ""
    places = pd.DataFrame({"map_x": layout.xy[:, 0], "map_y": layout.xy[:, 1]}, index=layout.ids)
    if map_clusters.in_use() and cache.clusters(projection_id) is not None:
        places["map_cluster"] = map_clusters.names_of(projection_id, layout.ids)
    ids, among, name = np.sort(layout.ids[marked]), np.sort(layout.ids), f"selection-{run.collection}"
    with window.panel(place, state, len(selected.ids())):
        selecting.show(Selection(run.collection, ids, among, places, name, sql), HINT)


page()
