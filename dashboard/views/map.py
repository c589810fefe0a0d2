"""The pictures laid out on a plane: near each other what the network finds alike."""

import base64
import json
import re
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import cache, colours, components, plane, words
from dashboard.components import card

FIGURE, MARKED = "map_figure", "_map_marked"
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
    projection, column, scale = controls(run, projections)
    key = (projection["projection_id"], column, scale)
    table, drawn, tints, fig = cache.remembered(lambda: draw(run, projection, column, scale), "map", *key)
    st.plotly_chart(
        fig,
        key=FIGURE,
        on_select=mark,
        selection_mode=("points", "box", "lasso"),
        config={"scrollZoom": True, "displaylogo": False, "modeBarButtonsToRemove": ["autoScale2d"]},
        alt=f"Map of {len(table)} pictures by {projection['method']}. They can be chosen by their metadata below.",
    )
    explain(run, projection, len(table), len(drawn))
    export(table, drawn, tints, column, scale, run, projection)
    selection(table, st.session_state.get(MARKED, []), run)


def draw(run: dict, projection: dict, column: str | None, scale: float) -> tuple:
    """The table of points, the ids of those drawn as pictures, the colours of the frames, and the figure."""
    table = points(run, projection)
    tints = tint(table, run, column)
    drawn = table["image_id"].iloc[plane.spread(table[["x", "y"]].to_numpy(), plane.PICTURES)]
    sources = {item["image_id"]: item["src"] for item in cache.items(drawn)}
    return table, drawn, tints, plane.figure(table, sources, tints, column or "", scale)


def mark() -> None:
    """Remember what was drawn round on the map: another colour or size makes another figure, without the drawing."""
    st.session_state[MARKED] = plane.selected(st.session_state[FIGURE].selection.points)


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
            required=True,
        )
        columns = colourable(run["collection"])
        column = st.selectbox(
            "Frame colour",
            [None, *columns],
            key="map_colour",
            width=220,
            format_func=lambda name: "none" if name is None else name,
        )
        scale = st.slider("Picture size", 0.3, 3.0, 1.0, 0.1, key="map_size", format="%.1f ×", width=240)
    return rows[chosen if chosen in rows else next(iter(rows))], column, scale


def labels_of(rows: dict[int, dict]) -> dict[int, str]:
    """What each projection is called; two of one method are told apart by their numbers."""
    order = sorted(rows, key=lambda i: (list(NAMES).index(rows[i]["method"]) if rows[i]["method"] in NAMES else 9, i))
    methods = [rows[i]["method"] for i in order]
    return {
        i: NAMES.get(method, method) + (f" ({i})" if methods.count(method) > 1 else "")
        for i, method in zip(order, methods, strict=True)
    }


def colourable(collection: str) -> list[str]:
    """The metadata columns worth a colour: not those in which every picture has a text of its own, like titles."""
    kinds, catalogue = cache.metadata_columns(collection), cache.catalogue(collection)
    return [
        name
        for name, kind in kinds.items()
        if kind != "text" or catalogue[name].nunique() <= max(8, 0.6 * catalogue[name].count())
    ]


def points(run: dict, projection: dict) -> pd.DataFrame:
    """image_id, x, y, width, height and hover (HTML) of each picture on the map."""
    images = cache.images(run["collection"])
    table = cache.points(projection["projection_id"])
    table = table[table["image_id"].isin(images.index)].reset_index(drop=True)
    found = images.loc[table["image_id"]]
    table["width"], table["height"] = found["width"].to_numpy(), found["height"].to_numpy()
    table["hover"] = [plane.hover(title, facts) for title, facts in zip(found["title"], found["metadata"], strict=True)]
    return table


def tint(table: pd.DataFrame, run: dict, column: str | None) -> colours.Colours | None:
    """The colours of the frames."""
    if column is None:
        return None
    values = cache.catalogue(run["collection"]).set_index("image_id")[column].reindex(table["image_id"])
    kind = cache.metadata_columns(run["collection"])[column]
    return colours.colour(values.astype(object).where(values.notna(), None).tolist(), kind)


def explain(run: dict, projection: dict, total: int, drawn: int) -> None:
    """How this map was made, for whoever has to judge it, and how to use it."""
    settings = json.loads(projection["settings"] or "{}")
    said = ", ".join(f"{key} {value}" for key, value in settings.items()) or "no settings recorded"
    method = projection["method"]
    text = (
        f"{NAMES.get(method, method)} of the features of run {run['run_id']} ({words.plain(run['title'])}): "
        f"{words.plain(said)}. "
        f"{MEANING.get(method, '')} One unit is as long across as it is up."
    )
    if drawn < total:
        text += f" {drawn:,} of the {total:,} pictures are drawn, evenly spread over the map; the others are dots."
    st.caption(text)
    st.caption(
        "Drag to move, scroll to zoom, double-click for the whole map. Box and lasso are in the toolbar of the map; "
        "a click takes one picture, with Shift also more."
    )


def export(table, drawn, tints, column, scale, run, projection) -> None:
    """The map as a page of its own, with the pictures in it: made only when it is asked for."""
    name = f"map-{run['collection']}-run{run['run_id']}-{projection['method']}"
    title = plane.hover(
        f"{run['collection']}: {NAMES.get(projection['method'], projection['method'])}, {run['title']}", {}
    )
    build = partial(html, cache.db(), table, list(drawn), tints, column or "", scale, title)
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


def html(path, table: pd.DataFrame, drawn: list[int], tints, column: str, scale: float, title: str) -> bytes:
    """The map as stand-alone HTML. Streamlit calls this outside of the page, so all it needs is handed over."""
    sources = {}
    for image_id in drawn:
        data = cache.thumbnail_of(path, image_id)
        if data is not None:
            sources[int(image_id)] = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return plane.standalone(plane.figure(table, sources, tints, column, scale, title))


def selection(table: pd.DataFrame, marked: list[int], run: dict) -> None:
    """The chosen pictures, large, with their metadata and as a file."""
    st.header("Selection", anchor=False)
    chosen = [*marked, *(i for i in by_value(table, run) if i not in marked)]
    known = set(table["image_id"].tolist())
    chosen = [image_id for image_id in chosen if image_id in known]
    if not chosen:
        st.markdown("Nothing is selected yet. Draw a box or a lasso on the map, or choose by metadata above.")
        return
    st.markdown(f"**{len(chosen):,}** of {len(table):,} pictures.")
    rows = cache.catalogue(run["collection"]).set_index("image_id").loc[chosen]
    places = table.set_index("image_id")[["x", "y"]].rename(columns={"x": "map_x", "y": "map_y"})
    rows = rows.drop(columns=places.columns, errors="ignore").join(places).reset_index()
    st.download_button(
        "Download the selection as CSV",
        rows.to_csv(index=False).encode("utf-8-sig"),
        f"{file_name('selection-' + run['collection'])}.csv",
        "text/csv",
        key="map_csv",
        on_click="ignore",
        icon=":material/download:",
    )
    clicked = components.gallery(cache.items(chosen[:SHOWN]), "map_gallery", cache.current_image(), size=130)
    if len(chosen) > SHOWN:
        st.caption(f"The first {SHOWN} are shown; the table and the CSV have all.")
    with st.expander("Metadata of the selection", expanded=len(chosen) <= 50):
        st.dataframe(rows, hide_index=True, width="stretch")
    if clicked is not None:
        card.show_later(clicked)


def by_value(table: pd.DataFrame, run: dict) -> list[int]:
    """Choosing without a mouse: by a column of the metadata and its values."""
    columns = colourable(run["collection"])
    if not columns:
        return []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        column = st.selectbox("Choose by", columns, key="map_by", width=220)
        values = cache.catalogue(run["collection"]).set_index("image_id")[column].dropna()
        texts = values.astype(str)
        wanted = st.multiselect("Values", sorted(texts.unique()), key=f"map_values_{column}", width=420)
    hits = set(texts.index[texts.isin(wanted)])
    return [image_id for image_id in table["image_id"].tolist() if image_id in hits]


def file_name(text: str) -> str:
    """Letters, digits and dashes of a text, safe in a file's name everywhere."""
    return re.sub(r"[^\w-]+", "-", text).strip("-").lower() or "bilderatlas"


page()
