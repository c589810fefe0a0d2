"""The pictures laid out on a plane: near each other what the network finds alike."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import canvas
from dashboard.compute import words
from dashboard.compute.arrangements.years import range_column
from dashboard.compute.neighbours.maps import Agreement
from dashboard.data import cache
from dashboard.data.layouts import LayoutOptions
from dashboard.drawing import charts, colours
from dashboard.drawing.text import projections as projection_text
from dashboard.selection import selected
from dashboard.selection import show as selecting
from dashboard.selection.files import file_name
from dashboard.selection.selection import Selection
from dashboard.state import controls, filter_bar, navigation
from dashboard.state.busy import jobs
from dashboard.state.widgets import Words
from dashboard.views.map import canvases, colouring, comparison, drawers, origin, publication, window
from dashboard.views.map import clusters as map_clusters
from dashboard.views.map import layout as map_layout
from dashboard.views.map.comparison import Second
from dashboard.views.map.comparison.agreement import COLUMN
from dashboard.views.map.publication import View
from store.atlas import Layout
from store.counts import counted
from store.errors import StoreError
from store.facets import TAG
from store.records import RunRecord

HINT = (
    "Nothing is selected yet. Click a picture, with Shift several, draw a box or a lasso on the map, or filter the "
    "pictures."
)
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


def page() -> None:
    """The page."""
    run = cache.run_in_view()
    selected.read_from_url(run.collection)
    projections = cache.projections(run.run_id)
    projections = projections[projections["points"] > 0]
    if projections.empty:
        navigation.heading("map")
        st.info(
            f"Run {run.run_id} has no map yet: where the pictures lie is found from their features, in some minutes."
        )
        jobs.offer(f"Maps of run {run.run_id}", ["project", "--run", str(run.run_id)], "Make its maps", "map_start")
        return
    place = window.open_window()
    with place.bar:
        filtered = filter_bar.bar(run)
        projection, layout_options, clusters = map_layout.choose(run, projections)
        layout = cache.layout(projection["projection_id"])
        if layout is None:
            raise StoreError("This projection has no points any more. Choose another one.")
    second = drawers.compare(place, run, projection, layout_options)
    with place.bar:
        column, asked, size = choose_colour(run, projection["projection_id"], second)
    if second is not None and column == comparison.COLOUR:
        tints, key, column = comparison.tint(second, layout), second.key, comparison.title(second)
    else:
        tints = colouring.tint(layout, run, projection["projection_id"], column, asked)
        key, column = colouring.state(run, column, asked), colouring.title(column, asked)
    source = canvases.source_of(layout, projection["projection_id"], layout_options, clusters)
    drawers.show(place, run, layout_options)
    with place.bar, st.popover("About", icon=":material/info:", key="map_about"):
        navigation.example("map")
        explain(run, projection, layout, layout_options, clusters, column)
        origin.show(run, projection, len(layout.ids))
        if second is not None:
            plane = second.plane
            st.caption(f"The second map: {made(plane.run, plane.projection, second.layout, plane.options, True)}")
        export(layout, source, projection, layout_options, tints, column, size, filtered, second)
    legend = None if tints is None or column is None else colouring.legend(tints, column)
    looks = canvases.Looks(tints, key, legend, size, filtered.ids)
    other, pairing = (None, None) if second is None else (second.layout, comparison.pairing(second))
    with place.canvas:
        canvases.draw(layout, source, projection_text.title(projection), looks, pairing, other)
    agreed = None
    if second is not None:
        with place.second:
            comparison.draw(second, layout, looks, bool(st.session_state.get("clusters")))
        agreed = comparison.results(second, filtered.ids)
    else:
        comparison.clear_address()
    selection(place, layout, projection["projection_id"], filtered, run, agreed)


def choose_colour(run: RunRecord, projection_id: int, second: Second | None) -> tuple[str | None, Words, float]:
    """Which column colours the frames, with the words that do, and how large the pictures are."""
    agreement = [] if second is None else [comparison.COLOUR]
    with st.popover("Colour", icon=":material/palette:", key="map_look"):
        column = controls.selectbox(
            "Frame colour",
            ["", *colouring.choices(run, map_layout.columns_of(run, projection_id)), *agreement],
            key="map_colour",
            format_func=lambda name: name or "none",
        )
        asked = colouring.words_of(run, column or None)
        size = controls.slider("Picture size", 0.3, 3.0, 1.0, 0.1, key="map_size", format="%.1f ×")
    return column or None, asked, size


def explain(
    run: RunRecord, projection: dict, layout: Layout, layout_options: LayoutOptions, clusters: bool, column: str | None
) -> None:
    """How to read this map, and how to use it."""
    text = made(run, projection, layout, layout_options)
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


def made(
    run: RunRecord, projection: dict, layout: Layout, layout_options: LayoutOptions, settings: bool = False
) -> str:
    """How a map was made, with all `settings` if wanted, and how to read it."""
    method = projection_text.title(projection)
    cited = f": {words.plain(projection_text.settings(projection))}" if settings else ""
    parts = [
        f"{counted(len(layout.ids), 'picture')} by {method} of the features of run {run.run_id} "
        f"({words.plain(run.title)}){cited}.",
        *map(words.plain, projection_text.notes(projection)),
        projection_text.meaning(projection),
        laid_out(run, layout_options, words.plain(layout_options.by), method),
    ]
    return " ".join(part for part in parts if part)


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
    second: Second | None,
) -> None:
    """The map as a page of its own, as it looks now: made only when it is asked for."""
    run = cache.run_in_view()
    looks = {
        "legend": None if tints is None or column is None else colouring.legend(tints, column),
        "included": filtered.among(layout.ids),
        "marked": np.isin(layout.ids, selected.ids()),
        "size": size,
    }
    view = View(
        f"{run.collection}: {map_layout.described(projection, layout_options)}, {run.title}",
        how_made(run, projection, layout, layout_options, source, column, filtered, second),
        projection["projection_id"],
        layout_options,
        source,
        layout,
        None if tints is None else tints.of,
        looks,
        cache.images(run.collection),
        partial(cache.part_in_view, canvases.token()),
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
    second: Second | None,
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
        other = f" The other map is {second.other_map}." if second and column == comparison.title(second) else ""
        lines.append(f"The colours of the frames tell {column}.{other}")
    if filtered.ids is not None:
        lines.append(f"Not faded: {filtered.describe(int(filtered.among(layout.ids).sum()))}.")
    return lines


def selection(
    place: window.Window,
    layout: Layout,
    projection_id: int,
    filtered: filter_bar.Filtered,
    run: RunRecord,
    agreed: Agreement | None,
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
    if agreed is not None:
        places[COLUMN] = agreed.among(layout.ids)
    ids, among, name = np.sort(layout.ids[marked]), np.sort(layout.ids), f"selection-{run.collection}"
    with window.panel(place, state, len(selected.ids())):
        selecting.show(Selection(run.collection, ids, among, places, name, sql), HINT)


page()
