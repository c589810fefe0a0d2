"""The pictures laid out on a plane: near each other what the network finds alike."""

import secrets
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import canvas
from dashboard.compute import words
from dashboard.data import cache
from dashboard.data.layouts import CLUSTER, LayoutOptions, range_of
from dashboard.drawing import charts, colours
from dashboard.drawing.text import projections as projection_text
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.files import file_name
from dashboard.selection.selection import Selection
from dashboard.state import controls, filter_bar
from dashboard.views.map import colouring, publication
from dashboard.views.map.publication import View
from store.atlas import Layout
from store.counts import counted
from store.errors import StoreError
from store.records import RunRecord

FIGURE = "map"
HINT = "Nothing is selected yet. Draw a box or a lasso on the map, or filter the pictures above."
WAYS = {"projection": "as projected", "grid": "grid", "time": "time line", "groups": "groups"}
LAID_OUT = {
    "projection": "One unit is as long across as it is up.",
    "grid": "In the grid every picture has a cell of its own, as near as can be to where {method} has it: neighbours "
    "are kept, gaps and distances are not.",
    "time": "From left to right the pictures lie by {by}, to scale. Up and down only tells apart those of about the "
    "same {by}, with those near each other that {method} has near each other.",
    "groups": "There is a block for each {by}, the largest first. Inside a block lie near each other those that "
    "{method} has near each other; how far a block is from another means nothing.",
}
RANGES = (
    " Each lies at{middle}; one of which only an end is known (before 1750, after 1600) lies there, with an arrow to "
    "the side that is open."
)
CLUSTERS = (
    "Outlines are clusters that {method} finds in this plane; another projection has others. A cluster is named by "
    "metadata that its pictures have oftener than the others, or where there is none by the term of a vocabulary that "
    "suits them best, and shows the picture whose features are nearest to their mean. Click a name to select its "
    "pictures."
)
ELSEWHERE = "Clusters are outlined on the projection itself."


def page() -> None:
    """The page."""
    run = cache.run_in_view()
    selected.read_from_url(run.collection)
    st.title("Map")
    projections = cache.projections(run.run_id)
    projections = projections[projections["points"] > 0]
    if projections.empty:
        st.info("This run has no map yet. The same `python -m ingest run` as before, with `--project umap`, makes it.")
        return
    filtered = filter_bar.bar(run, "the others fade and cannot be selected")
    wanted = filtered.ids
    projection, layout_options, column, size, clusters = choose_view(run, projections)
    layout = cache.layout(projection["projection_id"])
    if layout is None:
        raise StoreError("This projection has no points any more. Choose another one.")
    asked = colouring.words_of(run, column)
    tints = colouring.tint(layout, run, projection["projection_id"], column, asked)
    key = colouring.state(run, column, asked)
    column = colouring.title(column, asked)
    above = st.container()
    explain(run, projection, layout, layout_options, clusters, column)
    source = source_of(layout, projection["projection_id"], layout_options, clusters)
    export(layout, source, projection, layout_options, tints, column, size, filtered)
    st.header("Selection", anchor=False)
    with above:
        draw(layout, source, projection, tints, key, column, size, wanted)
    selection(layout, filtered, run)


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
        clusters=cache.route(f"/atlas/clusters/{projection_id}", cache.version()) if clusters else "",
        view=cache.route(f"/atlas/view/{token()}", "1"),
    )


def token() -> str:
    """A word for this session's map, which nobody else can guess."""
    return st.session_state.setdefault("_map_token", secrets.token_urlsafe(12))


def mark(source: canvas.Source, layout: Layout) -> None:
    """Remember what was selected on the map: by id, so that it stays with another projection."""
    marked = canvas.selection(st.session_state[FIGURE], source)
    if marked is not None:
        selected.choose(layout.ids[marked])


def choose_view(run: RunRecord, projections: pd.DataFrame) -> tuple[dict, LayoutOptions, str | None, float, bool]:
    """Which projection, how it is laid out, which metadata column colours the frames, how large the pictures are, and
    whether clusters are outlined."""
    rows = {row["projection_id"]: row for row in projections.to_dict("records")}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        labels = labels_of(rows)
        chosen = controls.segmented_control(
            "Projection", list(labels), key="projection", format_func=words.named(labels), words=words.named(labels)
        )
        projection = rows[chosen]
        clustered = cache.clusters(projection["projection_id"]) is not None
        columns = [*cache.grouping(run.collection), *cache.vocabulary_columns(run), *([CLUSTER] if clustered else [])]
        layout_options = layout_options_of(run, columns)
        column = controls.selectbox(
            "Frame colour",
            ["", *colouring.choices(run, columns)],
            key="map_colour",
            width=145,
            format_func=lambda name: name or "none",
        )
        size = controls.slider("Picture size", 0.3, 3.0, 1.0, 0.1, key="map_size", format="%.1f ×", width=120)
        flat = layout_options.layout == "projection"
        outlined = clustered and controls.toggle(
            "Clusters", key="clusters", disabled=not flat, help=None if flat else ELSEWHERE
        )
    return projection, layout_options, column or None, size, outlined and flat


def layout_options_of(run: RunRecord, columns: list[str]) -> LayoutOptions:
    """How the pictures shall lie, and by which column."""
    kinds = cache.metadata_columns(run.collection)
    scales = [name for name, kind in kinds.items() if kind in ("number", "date") or range_of(name, kinds) == name]
    by = {"projection": [], "grid": [], "time": scales, "groups": columns}
    known = [name for name in WAYS if by[name] or name in ("projection", "grid")]
    way = controls.selectbox("Layout", known, key="layout", format_func=words.named(WAYS), width=140)
    if not by[way]:
        return LayoutOptions(way)
    return LayoutOptions(
        way, controls.selectbox("Along" if way == "time" else "By", by[way], key="layout_by", width=130)
    )


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
    """How this map was made, for whoever has to judge it, and how to use it."""
    method = projection_text.title(projection)
    parts = [
        f"{counted(len(layout.ids), 'picture')} by {method} of the features of run {run.run_id} "
        f"({words.plain(run.title)}): {words.plain(projection_text.settings(projection))}.",
        *map(words.plain, projection_text.notes(projection)),
        projection_text.meaning(projection),
        laid_out(run, layout_options, words.plain(layout_options.by), method),
    ]
    text = " ".join(part for part in parts if part)
    if column in cache.list_columns() or column in cache.vocabulary_columns(run):
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
        and (name := range_of(layout_options.by, cache.metadata_columns(run.collection))) is not None
    ):
        text += RANGES.format(middle=" the middle of its range of years" if layout_options.by == name else f" its {by}")
    several = {*cache.list_columns(), *cache.vocabulary_columns(run)}
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


def selection(layout: Layout, filtered: filter_bar.Filtered, run: RunRecord) -> None:
    """What can be done with the pictures that are marked on the map, or without any with those that the filter
    leaves."""
    marked, sql = np.isin(layout.ids, selected.ids()), ""
    if not marked.any() and filtered.ids is not None:
        marked = filtered.among(layout.ids)
        sql = filtered.where if marked.sum() == filtered.count else ""
    places = pd.DataFrame({"map_x": layout.xy[:, 0], "map_y": layout.xy[:, 1]}, index=layout.ids)
    ids, among, name = np.sort(layout.ids[marked]), np.sort(layout.ids), f"selection-{run.collection}"
    selecting.show(Selection(run.collection, ids, among, places, name, sql), HINT)


page()
