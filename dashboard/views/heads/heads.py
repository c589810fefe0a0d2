"""Heads: over many images, which look near and which far, and what a single one looks for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import components
from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.drawing import head_figures, map_values, markup, panels
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.head_figures import Statistic
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.drawing.text import inputs
from dashboard.selection import actions
from dashboard.state import controls, filter_bar, navigation
from dashboard.state.busy import jobs
from dashboard.state.filter_bar import Filtered
from ingest.vision import described
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from store.counts import counted
from store.errors import StoreError
from store.heads import Head
from store.maps import AttentionMaps
from store.records import RunRecord

FIGURE, PENDING = "heads_figure", "_heads_pending"
SHOWN, UNSAVED = "_head_shown", "_head_unsaved"  # the name that the form was filled with, and why one was not stored
PEAKS, ALIKE = 12, 8  # images and heads shown of the one that is open
SUMMARY = {  # the maps that are drawn, the first that is stored, and what each shows
    "cls": "the attention of the CLS token",
    "received": "the attention that each patch receives from all patches, on average",
}


@dataclass(frozen=True)
class View:
    """What the page shows: the run, which images, which statistic and, of importances, the target; how its points are
    coloured, and whether the spread over the images is drawn."""

    run: RunRecord
    chosen: Filtered
    statistic: Statistic
    target: str
    by: str
    spread: bool
    has_cls: bool

    @property
    def number(self) -> int:
        """The id of the run."""
        return self.run.run_id

    @property
    def who(self) -> str:
        """Whose attention the statistics are about."""
        return "the CLS token" if self.has_cls else "the average patch"


def page() -> None:
    """The page."""
    navigation.heading("heads")
    follow()
    run = cache.run_in_view()
    known = [key for key in head_figures.STATISTICS if key in cache.head_statistics(run.run_id)]
    if not known:
        st.info(f"Run {run.run_id} holds no numbers about heads.")
        offer_maps(run, described.has_cls(run.measured, run.prefix_tokens))
        return
    chosen = filter_bar.bar(run, "means are over these alone")
    if chosen.empty:
        return
    view = choose_view(run, known, chosen)
    table = numbers(view)
    if table.empty:
        st.info(f"Run {view.number} has no such numbers of these images. Choose other images or another statistic.")
        return
    above = st.container()
    layer, head = pick(table)
    with above:
        overview(view, table, (layer, head))
    one_head(view, table, layer, head)


# ---- all heads --------------------------------------------------------------------------------------------------


def choose_view(run: RunRecord, known: list[str], chosen: Filtered) -> View:
    """Which statistic, and how it is drawn."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        statistic = controls.selectbox(
            "Statistic", known, key="statistic", format_func=lambda key: head_figures.STATISTICS[key].title, width=300
        )
        target, targets = "", cache.head_targets(run.run_id)
        if statistic == "importance":
            target = controls.selectbox("Score", targets, key="score", format_func=head_figures.scored, width=260)
        ways = list(head_figures.BY)
        by = controls.segmented_control("Colour by", ways, ways.index("head"), key="heads_colour")
        spread = controls.toggle("Spread over the images", key="heads_spread")
    return View(
        run, chosen, head_figures.STATISTICS[statistic], target, by, spread, "mass_cls" in known or "cls" in stored(run)
    )


def numbers(view: View) -> pd.DataFrame:
    """layer, head, mean, spread, images, name and note of each head."""
    table = cache.head_means(view.number, view.statistic.key, view.target, view.chosen.ids)
    names = cache.head_names(view.number)[["layer", "head", "name", "note"]]
    table = table.merge(names, how="left", on=["layer", "head"])
    return table.assign(name=table["name"].fillna("").astype(str), note=table["note"].fillna("").astype(str))


def overview(view: View, table: pd.DataFrame, chosen: tuple[int, int]) -> None:
    """The plot and the matrix of all heads, what they mean, and the numbers to take along."""
    how = (view.statistic, view.by, view.spread, chosen)
    st.plotly_chart(
        cache.noted(lambda: head_figures.figure(table, *how), "heads", repr(table.to_dict("split")), repr(how)),
        key=FIGURE,
        on_select=point,
        selection_mode="points",
        config={"displaylogo": False, "displayModeBar": False},
        alt=f"{view.statistic.title} of {counted(len(table), 'head')} by layer. The pickers below open each of them.",
    )
    st.caption(words.plain(explained(view)))
    st.caption(
        f"{words.plain(credit(view, table))} Each point, with the number of its head, and each cell of the matrix is "
        "one head: click to open it below. The line is the mean of each layer. Heads of different layers that share a "
        "number have nothing else in common."
    )
    downloads(view, table)


def explained(view: View) -> str:
    """What the statistic means."""
    text = view.statistic.meaning.format(who=view.who, input=inputs.shape_of_run(view.run))
    return f"{text} The score is {head_figures.scored(view.target)}." if view.target else text


def credit(view: View, table: pd.DataFrame) -> str:
    """Of which images and which network the numbers are."""
    run = view.run
    source = f"collection {run.collection}, run {view.number}: {run.title}"
    return f"Means over {view.chosen.describe(int(table['images'].max()))}, {source}."


def downloads(view: View, table: pd.DataFrame) -> None:
    """The numbers as CSV, the figure for print."""
    stem = panels.file_stem(f"heads-{view.run.collection}-run{view.number}-{view.statistic.key}")
    caption = f"{view.statistic.title}. {explained(view)} {credit(view, table)}"
    about = {"run": view.number, "of": view.chosen.words or "all images", "target": view.target}
    row = st.container(horizontal=True)
    icon = ":material/download:"
    data = partial(head_figures.csv, table, view.statistic, **about)
    row.download_button(
        "Numbers as CSV", data, f"{stem}.csv", "text/csv", key="heads_csv", on_click="ignore", icon=icon
    )
    for ending, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
        draw = partial(head_figures.printed, table, view.statistic, view.by, view.spread, caption, ending)
        label = f"Figure as {ending.upper()}"
        name = f"{stem}.{ending}"
        row.download_button(label, draw, name, mime, key=f"heads_{ending}", on_click="ignore", icon=icon)


# ---- which head -------------------------------------------------------------------------------------------------


def point() -> None:
    """A click on the figure opens its head."""
    pair = head_figures.selected(st.session_state[FIGURE].selection.points)
    if pair is not None:
        st.session_state["head_layer"], st.session_state["head_number"] = pair


def open_head(layer: int, head: int) -> None:
    """Open another head from the page's body, where the pickers are already drawn; ends the run."""
    st.session_state[PENDING] = (layer, head)
    st.rerun()


def follow() -> None:
    """Do what `open_head` asked for."""
    if PENDING in st.session_state:
        st.session_state["head_layer"], st.session_state["head_number"] = st.session_state.pop(PENDING)


def pick(table: pd.DataFrame) -> tuple[int, int]:
    """The open head: its layer and its number, at first the last layer's first."""
    st.header("One head", anchor=False)
    layers, numbers_ = sorted(set(table["layer"].tolist())), sorted(set(table["head"].tolist()))
    with st.container(horizontal=True):
        last = len(layers) - 1
        layer = controls.selectbox("Layer", layers, last, key="head_layer", width=120)
        head = controls.selectbox("Head", numbers_, key="head_number", width=120)
    return layer, head


# ---- one head -----------------------------------------------------------------------------------------------------


def one_head(view: View, table: pd.DataFrame, layer: int, head: int) -> None:
    """A head's name, its mean map, where it peaks, and the heads like it."""
    known = records(table[(table["layer"] == layer) & (table["head"] == head)])
    name, note = (known[0]["name"], known[0]["note"]) if known else ("", "")
    st.html(markup.heading(head_figures.title(layer, head, name)))
    if known:
        st.html(markup.small(standing(view, table, known[0])))
    method = next((key for key in SUMMARY if key in stored(view.run)), None)
    row = st.container(horizontal=True, gap="large")
    left, right = row.container(width=320), row.container()
    with left:
        call(view, layer, head, name, note)
        if method is not None:
            mean_map(view, Head(view.number, layer, head, method))
    with right:
        peaks(view, layer, head, method)
    if method is None:
        st.info(f"Run {view.number} holds no maps of single heads, so they cannot be drawn or compared.")
        offer_maps(view.run, view.has_cls)
    else:
        alike(view, layer, head, method)


def offer_maps(run: RunRecord, has_cls: bool) -> None:
    """A button that adds the attention of single heads, and the numbers about them."""
    arguments = ["explain", "--run", str(run.run_id), "--methods", "cls" if has_cls else "received"]
    jobs.offer(f"Attention of run {run.run_id}", arguments, "Add them", "heads_start")


def standing(view: View, table: pd.DataFrame, row: Mapping[str, Any]) -> str:
    """The statistic of one head in words, and its place among all."""
    place = int((table["mean"] > row["mean"]).sum()) + 1
    more = (
        "" if np.isnan(row["spread"]) else f", standard deviation over the images {view.statistic.words(row['spread'])}"
    )
    return (
        f"{view.statistic.title}: {view.statistic.words(row['mean'])}{more}; "
        f"number {place} of {counted(len(table), 'head')}, the highest first."
    )


def stored(run: RunRecord) -> list[str]:
    """The methods whose maps of single heads this run has."""
    return cache.head_methods(run.run_id)["method"].tolist()


def call(view: View, layer: int, head: int, name: str, note: str) -> None:
    """The form that names a head. What is stored is shown, also if somebody else has just changed it."""
    state, now = st.session_state, (view.number, layer, head, name, note)
    error = state.pop(UNSAVED, None)
    if error is None and (state.get(SHOWN) != now or "head_name" not in state):
        state["head_name"], state["head_note"], state[SHOWN] = name, note, now
    with st.form("head_form"):
        st.text_input("Name", key="head_name", max_chars=60, placeholder="such as: faces")
        st.text_area("Note", key="head_note", max_chars=1000, height=80, placeholder="what speaks for it")
        st.form_submit_button(
            "Save",
            key="head_save",
            on_click=save,
            args=(view.number, layer, head),
            help="Everybody who opens this database sees it. Empty both to delete them.",
        )
    if error is not None:
        st.error(markup.markdown(error))


def save(run_id: int, layer: int, head: int) -> None:
    """Store what is typed. It comes before all else of the run: whoever saves last wins, and the page shows it."""
    state = st.session_state
    try:
        cache.name_head(run_id, layer, head, state["head_name"] or "", state["head_note"] or "")
    except StoreError as error:
        state[UNSAVED] = str(error)
    else:
        state.pop(SHOWN, None)
        st.toast("Saved.")


def mean_map(view: View, head: Head) -> None:
    """The mean of the head's maps over the images, as a map without a picture."""
    found = cache.head_mean_map(head, view.chosen.ids)
    if found is None:
        st.caption("No maps of these images are stored.")
        return
    (weights,), (rows, cols) = found.weights, found.grid
    name = "Mean map"
    grid = "the network's grid" if found.grids == 1 else "a common grid"
    note = f"over {found.images:,} {'images' if found.images > 1 else 'image'}, on {grid} of {rows} × {cols}"
    picture = head_figures.bare(weights, side=320)
    st.html(markup.large(panels.Panel(name, note, f"{name} of {head_figures.title(head.layer, head.head)}", picture)))
    low, high = panels.percent(float(weights.min())), panels.percent(float(weights.max()))
    sentence = f"What a patch gets of {SUMMARY[head.method]}; a patch that gets as much as any other would get "
    sentence += f"{panels.percent(1 / (rows * cols))}."
    if found.grids > 1:
        sentence += f" Maps of {found.grids} grids, each in the shape of its picture, were brought onto this one."
    if view.run.fit == "pad":
        sentence += " Where pictures are padded, the padding counts too."
    st.html(markup.colour_bar(ColourBar(colour_table("inferno"), low, high, sentence)))


def peaks(view: View, layer: int, head: int, method: str | None) -> None:
    """The images in which the head gives one patch most, each a way to all its maps."""
    st.subheader("Where it peaks highest", anchor=False)
    found = cache.head_peaks(view.number, layer, head, PEAKS, view.chosen.ids)
    if found.empty:
        st.caption("No peaks of these images are stored.")
        return
    key = ("head_peaks", view.number, layer, head, method, view.chosen.ids)
    items = cache.remembered(lambda: drawn(found, Head(view.number, layer, head, method or "")), *key)
    done = actions.gallery(items, "head_peaks", 170, cache.current_image(), (actions.MAPS,))
    what = f"Drawn over the pictures: {SUMMARY[method]}, each map on its own scale. " if method else ""
    st.caption(
        f"By the share of the attention of {view.who} that one patch gets. {what}"
        "Rows and columns of patches count from 0. The map symbol on a picture leads to all its maps."
    )
    if done is not None:
        query = {"image": done.image_id, "layer": layer, "head": head} | ({"method": method} if method else {})
        st.switch_page(navigation.script_of("attention"), query_params=navigation.query(**query))


def drawn(found: pd.DataFrame, head: Head) -> list[dict[str, Any]]:
    """The items of a gallery: thumbnails with the head's map over them, their peaks and where those are."""
    maps = cache.head_maps(head, found["image_id"].tolist()) if head.method else {}
    items, thumbnails = cache.items(found["image_id"]), cache.thumbnails(found["image_id"])
    for item, row in zip(items, records(found), strict=True):
        item["caption"] = panels.percent(row["peak"])
        frame = Frame(row["x0"], row["y0"], row["x1"], row["y1"], row["rows"], row["cols"])
        weights, small = maps.get(row["image_id"]), thumbnails.get(row["image_id"])
        image = cache.image(row["image_id"])
        if weights is None or small is None or image is None or weights.shape != (frame.rows, frame.cols):
            continue
        scene = Scene(
            Image.open(io.BytesIO(small)).convert("RGB"),
            (image["width"], image["height"]),
            frame,
            image["title"],
        )
        layer, number = np.array([head.layer]), np.array([head.head])
        maps_of_head = AttentionMaps(weights[None], layer, number, titles=(map_values.title(head.layer, head.head),))
        panel = panels.draw(maps_of_head, scene, MapStyle())[0][0]
        place = np.unravel_index(int(np.argmax(np.where(scene.cells(), weights, 0))), weights.shape)
        item |= {"src": markup.source(panel.picture), "alt": panel.alt}
        item["caption"] += f" · row {place[0]}, column {place[1]}"
    return items


def alike(view: View, layer: int, head: int, method: str) -> None:
    """The heads whose maps are most like this one's, each a way to its own page."""
    st.subheader("Heads that look alike", anchor=False)
    with st.spinner("Comparing the heads …", show_time=False):
        found = cache.head_similarity(view.number, method, view.chosen.ids)
    here = np.flatnonzero((found.layers == layer) & (found.heads == head)) if found is not None else np.empty(0, int)
    if found is None or not here.size:
        st.caption("No maps of these images are stored.")
        return
    cosines = np.where(np.arange(len(found.heads)) == here[0], -1, np.nan_to_num(found.cosines[here[0]], nan=-1))
    names = {(row.layer, row.head): row.name for row in cache.head_names(view.number).itertuples()}
    items = []
    for place in np.argsort(-cosines, kind="stable")[:ALIKE]:
        pair = int(found.layers[place]), int(found.heads[place])
        if cosines[place] < 0:
            continue
        sentence = f"{cosines[place]:.2f}" + (f" · {names[pair]}" if names.get(pair) else "")
        source = markup.source(head_figures.bare(np.nan_to_num(found.means[place])))
        alt = f"Mean map of {head_figures.title(*pair)}, similarity {cosines[place]:.2f}"
        items.append(
            {"image_id": int(place), "title": head_figures.title(*pair), "caption": sentence, "alt": alt, "src": source}
        )
    clicked = components.gallery(items, "heads_alike", size=112)
    of = f"{found.images:,} images" if found.images > 1 else "one image"
    st.caption(
        f"By the cosine of the two heads' maps of the same image, as a mean over {of}: 1 means the same maps, 0 maps "
        "that share no patch. Shown are their mean maps; click one to open its head."
    )
    if clicked is not None:
        open_head(int(found.layers[clicked]), int(found.heads[clicked]))


page()
