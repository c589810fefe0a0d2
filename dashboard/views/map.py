"""The pictures laid out on a plane: near each other what the network finds alike."""

import base64
import json
import re
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import cache, choosing, colours, components, plane, words
from dashboard.components import canvas, card
from store.atlas import Layout

FIGURE, MARKED = "map", "_map_marked"
SHOWN = 500  # pictures of a selection in the gallery; the CSV has them all
NAMES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
MEANING = {
    "umap": "UMAP keeps neighbours together: near is alike, but distances between groups and the size of a group "
    "mean little.",
    "tsne": "t-SNE keeps neighbours together: near is alike, but distances between groups and the size of a group "
    "mean little.",
    "pca": "PCA is a flat shadow of the features: the two directions in which they differ most. Distances are true "
    "as far as two directions show them.",
}


def page() -> None:
    """The page."""
    card.show_waiting()
    run = cache.current_run()
    st.title("Map")
    projections = cache.projections(run["run_id"])
    projections = projections[projections["points"] > 0]
    if projections.empty:
        st.info("This run has no map yet. The same `python -m ingest run` as before, with `--project umap`, makes it.")
        return
    projection, column, size = controls(run, projections)
    layout = cache.layout(projection["projection_id"])
    tints = tint(layout, run, column)
    above = st.container()
    explain(run, projection, layout)
    export(layout, tints, column, size, run, projection)
    st.header("Selection", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = choosing.choose(run, "map").ids
    with above:
        opened = draw(layout, projection, tints, column, size, wanted)
    clicked = selection(layout, wanted, run)
    if opened is not None or clicked is not None:
        card.show_later(clicked if opened is None else opened)


def draw(
    layout: Layout,
    projection: dict,
    tints: colours.Colours | None,
    column: str | None,
    size: float,
    wanted: np.ndarray | None,
) -> int | None:
    """The canvas; returns the picture that was opened just now, if one was."""
    source = source_of(layout, projection["projection_id"])
    answer = canvas.canvas(
        source,
        FIGURE,
        f"Map of {len(layout.ids)} pictures by {NAMES.get(projection['method'], projection['method'])}. "
        "They can be chosen by their metadata below.",
        tints=None
        if tints is None
        else cache.remembered(lambda: canvas.rgb(tints.of), "tints", layout.version, column),
        legend=None if tints is None else legend(tints, column),
        kept=None if wanted is None else np.isin(layout.ids, wanted),
        marked=np.isin(layout.ids, st.session_state.get(MARKED, [])),
        size=size,
        on_marked=partial(mark, source, layout),
    )
    return answer.opened


def source_of(layout: Layout, projection_id: int) -> canvas.Source:
    """Where the browser finds the points and pictures of a layout."""
    page = f"/atlas/page/{layout.collection_id}/{layout.atlas}/{{cell}}/{{page}}"
    return canvas.Source(
        n=len(layout.ids),
        points=cache.route(f"/atlas/points/{projection_id}", layout.version),
        thumb=cache.route("/thumb/{id}", layout.version),
        about=cache.route("/atlas/about/{id}", cache.version()),
        page=cache.route(page, layout.atlas) if layout.atlas else "",
    )


def mark(source: canvas.Source, layout: Layout) -> None:
    """Remember what was selected on the map: by id, so that it stays with another projection."""
    chosen = canvas.selection(st.session_state[FIGURE], source)
    if chosen is not None:
        st.session_state[MARKED] = layout.ids[chosen].tolist()


def controls(run: dict, projections: pd.DataFrame) -> tuple[dict, str | None, float]:
    """Which projection, which metadata column colours the frames, how large the pictures are."""
    rows = {row["projection_id"]: row for row in projections.to_dict("records")}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        labels = labels_of(rows)
        chosen = st.segmented_control(
            "Projection",
            list(labels),
            default=next(iter(labels)),
            format_func=labels.get,
            key="projection",
            bind="query-params",
            required=True,
        )
        columns = choosing.choosable(run["collection"])
        column = st.selectbox(
            "Frame colour",
            [None, *columns],
            key="map_colour",
            bind="query-params",
            width=220,
            format_func=lambda name: "none" if name is None else name,
        )
        size = st.slider(
            "Picture size", 0.3, 3.0, 1.0, 0.1, key="map_size", bind="query-params", format="%.1f ×", width=240
        )
    return rows[chosen if chosen in rows else next(iter(rows))], column, size


def labels_of(rows: dict[int, dict]) -> dict[int, str]:
    """What each projection is called; two of one method are told apart by their numbers."""
    order = sorted(rows, key=lambda i: (list(NAMES).index(rows[i]["method"]) if rows[i]["method"] in NAMES else 9, i))
    methods = [rows[i]["method"] for i in order]
    return {
        i: NAMES.get(method, method) + (f" ({i})" if methods.count(method) > 1 else "")
        for i, method in zip(order, methods, strict=True)
    }


def tint(layout: Layout, run: dict, column: str | None) -> colours.Colours | None:
    """The colours of the frames, in the order of the layout."""
    if column is None:
        return None

    def make() -> colours.Colours:
        values = cache.catalogue(run["collection"]).set_index("image_id")[column].reindex(layout.ids)
        kind = cache.metadata_columns(run["collection"])[column]
        return colours.colour(values.astype(object).where(values.notna(), None).tolist(), kind)

    return cache.remembered(make, "map", layout.version, run["run_id"], column)


def legend(tints: colours.Colours, column: str) -> canvas.Legend:
    """What the colours mean."""
    if tints.bar is None:
        return canvas.Legend(column, tints.legend)
    low, high = tints.bar
    marks = tints.ticks or [(value, f"{value:.6g}") for value in ([low, high] if high > low else [low])]
    ticks = [((value - low) / ((high - low) or 1), text) for value, text in marks]
    return canvas.Legend(column, tints.legend, ticks, colours.SCALE)


def explain(run: dict, projection: dict, layout: Layout) -> None:
    """How this map was made, for whoever has to judge it, and how to use it."""
    settings = json.loads(projection["settings"] or "{}")
    said = ", ".join(f"{key} {value}" for key, value in settings.items()) or "no settings recorded"
    method = projection["method"]
    text = (
        f"{len(layout.ids):,} pictures by {NAMES.get(method, method)} of the features of run {run['run_id']} "
        f"({words.plain(run['title'])}): {words.plain(said)}. "
        f"{MEANING.get(method, '')} One unit is as long across as it is up."
    )
    if layout.places is None and len(layout.ids) > plane.PICTURES:
        text += " Reading the collection again with the same `python -m ingest run` makes this map quicker."
    st.caption(text)
    st.caption(
        "Drag to move, scroll or pinch to come closer. Click to select, with Shift more; double-click opens a picture. "
        "With the keyboard: arrows, plus and minus, space to select, Enter to open."
    )


def export(layout: Layout, tints, column, size, run, projection) -> None:
    """The map as a page of its own, with the pictures in it: made only when it is asked for."""
    name = f"map-{run['collection']}-run{run['run_id']}-{projection['method']}"
    title = plane.hover(
        f"{run['collection']}: {NAMES.get(projection['method'], projection['method'])}, {run['title']}", {}
    )
    build = partial(html, cache.db(), layout, cache.images(run["collection"]), tints, column or "", size, title)
    st.download_button(
        "Download the map as one HTML page",
        build,
        f"{file_name(name)}.html",
        "text/html",
        key="map_html",
        on_click="ignore",
        icon=":material/download:",
        help="Works without Bilderatlas and without the internet: the pictures and the program are in it.",
    )


def html(path, layout: Layout, images: pd.DataFrame, tints, column: str, size: float, title: str) -> bytes:
    """The map as stand-alone HTML. Streamlit calls this outside of the page, so all it needs is handed over."""
    found = images.loc[layout.ids]
    table = pd.DataFrame({"image_id": layout.ids, "x": layout.xy[:, 0], "y": layout.xy[:, 1]})
    table["width"], table["height"] = layout.sizes[:, 0], layout.sizes[:, 1]
    table["hover"] = [plane.hover(name, facts) for name, facts in zip(found["title"], found["metadata"], strict=True)]
    sources = {}
    for image_id in layout.ids[plane.spread(layout.xy, plane.PICTURES)].tolist():
        data = cache.thumbnail_of(path, image_id)
        if data is not None:
            sources[image_id] = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return plane.standalone(plane.figure(table, sources, tints, column, size, title))


def selection(layout: Layout, wanted: np.ndarray | None, run: dict) -> int | None:
    """The chosen pictures, large, with their metadata and as a file; returns the one that was clicked just now."""
    chosen = np.isin(layout.ids, st.session_state.get(MARKED, []))
    if wanted is not None:
        chosen |= np.isin(layout.ids, wanted)
    if not chosen.any():
        st.markdown("Nothing is selected yet. Draw a box or a lasso on the map, or choose by metadata above.")
        return None
    st.markdown(f"**{chosen.sum():,}** of {len(layout.ids):,} pictures.")
    ids, xy = layout.ids[chosen], layout.xy[chosen]
    places = pd.DataFrame({"map_x": xy[:, 0], "map_y": xy[:, 1]}, index=pd.Index(ids, name="image_id")).sort_index()
    rows = cache.catalogue(run["collection"]).set_index("image_id").loc[places.index]
    rows = rows.drop(columns=places.columns, errors="ignore").join(places).reset_index()
    st.download_button(
        "Download the selection as CSV",
        partial(csv, rows),
        f"{file_name('selection-' + run['collection'])}.csv",
        "text/csv",
        key="map_csv",
        on_click="ignore",
        icon=":material/download:",
    )
    shown = rows["image_id"].head(SHOWN)
    clicked = components.gallery(cache.items(shown), "map_gallery", cache.current_image(), size=130)
    if len(rows) > SHOWN:
        st.caption(f"The first {SHOWN} are shown; the table and the CSV have all.")
    with st.expander("Metadata of the selection", expanded=len(rows) <= 50):
        st.dataframe(rows, hide_index=True, width="stretch")
    return clicked


def csv(rows: pd.DataFrame) -> bytes:
    """The selection as a file for spreadsheets."""
    return rows.to_csv(index=False).encode("utf-8-sig")


def file_name(text: str) -> str:
    """Letters, digits and dashes of a text, safe in a file's name everywhere."""
    return re.sub(r"[^\w-]+", "-", text).strip("-").lower() or "bilderatlas"


page()
