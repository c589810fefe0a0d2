"""Parts: what the network takes for the same kind of place, as colours shared by several pictures; and the network
itself, as it was before it saw any."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components
from dashboard.components.patches import patches
from dashboard.data import cache
from dashboard.drawing import anatomy, figure, markup, panels
from dashboard.drawing.panels import Panel
from dashboard.drawing.text import inputs
from dashboard.selection import actions
from dashboard.state import controls, filter_bar, navigation, widgets
from dashboard.state.filter_bar import Filtered
from dashboard.views.parts import patch_colours
from dashboard.views.parts.patch_colours import MOST, Palette, Parts, Style
from store.counts import counted
from store.records import RunRecord

FIRST = 8  # pictures before anybody has chosen how many
SIDE = 420  # pixels of a picture beside its colours
FIGURE_SIDE = 900  # pixels of a pair in print: 3 inches at 300 dpi
PENDING = "_parts_place"


@dataclass(frozen=True)
class Choice:
    """Image ids, and words for them, as in "8 pictures: …"."""

    ids: tuple[int, ...]
    words: str


def page() -> None:
    """The page."""
    navigation.heading("parts")
    run, image_id = cache.run_in_view(), cache.image_in_view()
    show = controls.segmented_control("Show", ["pictures", "network"], key="show", label_visibility="collapsed")
    if show == "network":
        network(run)
    else:
        pictures(run, image_id)


# ---- pictures -------------------------------------------------------------------------------------------------------


def pictures(run: RunRecord, image_id: int) -> None:
    """Several pictures in one set of colours."""
    filtered = filter_bar.bar(run, "the pictures below come from these alone")
    if filtered.empty:
        return
    choice = choose(run, image_id, filtered)
    style = choose_style()
    place, many = st.empty(), len(choice.ids)

    def advance(done: int) -> None:
        place.progress(done / many, f"The network runs on picture {done + 1} of {many} …")

    found = attempt(run, "Loading the network …", lambda: patch_colours.find(run, choice.ids, advance))
    place.empty()
    if found is None:
        return
    palette = found.foreground if style.foreground else found.everything
    scenes = patch_colours.scenes(palette)
    done = actions.gallery(items(palette, scenes, style), "parts_gallery", 260, image_id, (actions.SUBJECT,))
    explain(found, palette, choice, style)
    credit = describe(run, palette, style)
    st.html(markup.small(credit))
    stem = panels.file_stem(f"parts-{run.collection}-run{run.run_id}")
    title = f"Parts: {choice.words}"
    sentences = f"{patch_colours.variance(palette)} {credit}"
    downloads("parts", stem, partial(patch_colours.plate, palette, scenes, style, title, sentences, FIGURE_SIDE))
    if done is not None:
        components.open_image(done.image_id)


def choose(run: RunRecord, image_id: int, filtered: Filtered) -> Choice:
    """Which pictures: the one in view with its nearest neighbours, or the first that the filter leaves."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = controls.segmented_control(
            "Pictures",
            ["nearest", "first"],
            key="parts_of",
            help="Nearest: the picture in view and those most like it. First: the first ones of the collection, or of "
            "those that the filter leaves.",
        )
        count = controls.slider("How many at most", 1, MOST, FIRST, key="parts_count", width=220)
    return nearest(run, image_id, count, filtered) if by == "nearest" else first(run, count, filtered)


def nearest(run: RunRecord, image_id: int, count: int, filtered: Filtered) -> Choice:
    """The image in view, then its nearest neighbours in the run."""
    others = []
    if count > 1:
        among = filtered.among(cache.features(run.run_id)[0])
        others = cache.nearest(run.run_id, image_id, count - 1, among)["image_id"].tolist()
    words = cache.image_row(image_id)["title"]
    if others:
        pictures = "picture" if len(others) == 1 else f"{len(others)} pictures"
        words += f" and the {pictures} most like it{filtered.words and f' with {filtered.words}'}"
    return Choice((image_id, *map(int, others)), words)


def first(run: RunRecord, count: int, filtered: Filtered) -> Choice:
    """The first images that the filter leaves of the collection."""
    ids = cache.images(run.collection).index.to_numpy() if filtered.ids is None else filtered.ids
    some = f"the first {count} of " if count < len(ids) else ""
    return Choice(tuple(map(int, ids[:count])), f"{some}{filtered.describe(len(ids))} of {run.collection}")


def choose_style() -> Style:
    """How the colours are drawn."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        smooth = widgets.smooth("edges")
        opacity = controls.slider("Opacity (%)", 0, 100, 85, 5, key="parts_opacity", width=220)
        foreground = controls.toggle(
            "Leave the background out",
            key="parts_foreground",
            help="The patches are parted in two by the first component; the part nearer to the middle of the pictures "
            "counts as foreground, and the colours are made anew for it alone. A guess, not a segmentation.",
        )
    return Style(opacity / 100, smooth, foreground)


def items(palette: Palette, scenes: list[panels.Scene], style: Style) -> list[dict[str, Any]]:
    """What the gallery shows: each picture with its colours."""
    found = cache.items([coloured.image_id for coloured in palette.pictures])
    colours = hashlib.sha256(b"".join(coloured.colours.tobytes() for coloured in palette.pictures)).hexdigest()
    # The address of a thumbnail changes with its picture.
    shown = [(item["src"], scene.picture.size, scene.frame) for item, scene in zip(found, scenes, strict=True)]
    sources = cache.remembered(lambda: drawn(palette, scenes, style), "parts", colours, repr((shown, style)))
    for item, source in zip(found, sources, strict=True):
        item["src"] = source
        item["alt"] = f"{item['alt']}, and its patches in the colours of what they are alike to"
    return found


def drawn(palette: Palette, scenes: list[panels.Scene], style: Style) -> list[str]:
    """Each picture with its colours, as a data URL."""
    pairs = zip(palette.pictures, scenes, strict=True)
    return [markup.source(patch_colours.pair(coloured, scene.at(SIDE), style)) for coloured, scene in pairs]


def explain(found: Parts, palette: Palette, choice: Choice, style: Style) -> None:
    """What the colours mean, how much they show, and what has to be known of these pictures."""
    sentences = [patch_colours.variance(palette)]
    if style.foreground:
        cells = [np.isfinite(coloured.colours).all(-1).sum() for coloured in palette.pictures]
        whole = [np.isfinite(coloured.colours).all(-1).sum() for coloured in found.everything.pictures]
        sentences.append(f"{panels.percent(sum(cells) / sum(whole))} of the patches count as foreground.")
    many = len(palette.pictures)
    sentences.append(f"{counted(many, 'picture')} went through the network in {found.seconds:.1f} seconds.")
    if found.missing:
        sentences.append(f"{found.missing} could not be read and are left out.")
    if found.thumbnails:
        sentences.append(
            f"Of {found.thumbnails} the original file is not where it was, has changed, or lies on the web: "
            "the network saw thumbnails."
        )
    row = st.container(horizontal=True, gap="large")
    with row.container(width=360):
        st.html(markup.notes([], patch_colours.legend(palette)))
    with row.container():
        st.html(markup.small(" ".join(sentences)))
        st.caption("The arrow on a picture goes on from it.")


def describe(run: RunRecord, palette: Palette, style: Style) -> str:
    """What was done, for the page and for print."""
    which = "the foreground patches" if style.foreground else "all patches"
    between = "interpolated between the centres of patches" if style.smooth else "one flat square for each patch"
    apart = (
        " Foreground: the side of the first component of all patches that lies nearer to the middle of the pictures."
        if style.foreground
        else ""
    )
    return (
        f"Principal components of the patch tokens after the final norm, {which} of "
        f"{counted(len(palette.pictures), 'picture')} together; the first three as red, green and blue, from the "
        f"2nd to the 98th percentile of each.{apart} Drawn at an opacity of {panels.percent(style.opacity)}, "
        f"{between}. {credit(run)}"
    )


# ---- the network itself ---------------------------------------------------------------------------------------------


def network(run: RunRecord) -> None:
    """The network before any picture: the filters that cut its patches, and its sense of place."""
    st.markdown(f"What the network {markup.markdown(run.title)} brings along before it looks at any picture.")
    if attempt(run, "", lambda: cache.backbone(run)) is None:
        return
    st.header("Patch filters", anchor=False)
    filters(run)
    st.header("Positions", anchor=False)
    positions(run)


def filters(run: RunRecord) -> None:
    """The first 128 filters."""
    found = attempt(run, "", lambda: cache.computed(partial(_filters, run), "filters", run.run_id))
    if found is None:
        return
    wall = anatomy.filter_wall(found)
    st.image(wall, alt=f"{len(found)} patch filters as small squares of colour", width=min(wall.width, 1000))
    side = found.shape[1]
    sentences = (
        f"The first {len(found)} of {run.dim} filters, which turn {side} × {side} pixels into a token. Each answers "
        "most to patches that look like it: to a colour, an edge, a stripe. Each is stretched from its own least to "
        "its own greatest weight."
    )
    st.html(markup.small(sentences))
    title, stem = "Patch filters", panels.file_stem(f"filters-{run.title}")
    plate = partial(anatomy.plate, title, wall, anatomy.filter_legend(), f"{sentences} {credit(run)}")
    downloads("filters", stem, plate)


def positions(run: RunRecord) -> None:
    """How alike places are to the network: of one place, and of all."""
    found = attempt(run, "", lambda: cache.computed(partial(_positions, run), "positions", run.run_id))
    if found is None:
        return
    st.markdown("A bright place is near, to the network, to the one that is marked. Click another one.")
    kind, row, col = choose_place(found.rows, found.cols)
    similarity = getattr(found, kind)
    low, high = anatomy.limits(similarity)
    here = similarity[row * found.cols + col].reshape(found.rows, found.cols)
    sides = st.container(horizontal=True, gap="large")
    with sides.container(width=400):
        one_place(here, row, col, low, high)
        st.html(markup.notes([], anatomy.legend(kind, low, high)))
    with sides.container():
        key = ("grid of maps", run.run_id, kind)
        grid, step = cache.computed(lambda: anatomy.grid_of_maps(similarity, found.rows, found.cols, low, high), *key)
        st.image(grid, alt=f"The similarity maps of all places, {found.rows} by {found.cols}", width="stretch")
    every = "each place" if step == 1 else f"every {_ordinal(step)} place"
    sentences = (
        f"The large picture holds a small map for {every}, where that place is: how alike all places are to it. "
        f"Position embeddings as learnt, on their own grid of {found.rows} × {found.cols}; those of special tokens "
        "are left out."
    )
    st.html(markup.small(sentences))
    bar = anatomy.legend(kind, low, high)
    title, stem = "Similarity of positions", panels.file_stem(f"positions-{kind}-{run.title}")
    downloads("positions", stem, partial(anatomy.plate, title, grid, bar, f"{sentences} {credit(run)}"))


def choose_place(rows: int, cols: int) -> tuple[str, int, int]:
    """The kind of similarity, and the row and column of one place, at first the middle."""
    state = st.session_state
    if PENDING in state:
        state["parts_row"], state["parts_col"] = state.pop(PENDING)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = controls.segmented_control(
            "Similarity",
            ["cosine", "dot"],
            key="parts_similarity",
            help="The cosine compares directions alone; the dot product, as probing-vits shows it, lengths too.",
        )
        row = controls.number_input("Row", 0, rows - 1, rows // 2, key="parts_row", width=130)
        col = controls.number_input("Column", 0, cols - 1, cols // 2, key="parts_col", width=130)
    return kind, row, col


def one_place(here: np.ndarray, row: int, col: int, low: float, high: float) -> None:
    """The map of one place, in which another can be clicked; ends the run then."""
    rows, cols = here.shape
    picture = anatomy.similarity_map(here, low, high)
    values = tuple(f"{value:.3f}" for value in here.ravel().tolist())
    alt = f"How alike all places are to row {row}, column {col}."
    panel = Panel(f"Row {row}, column {col}", "counted from 0", alt, picture, rows=rows, cols=cols, values=values)
    box = (col / cols, row / rows, (col + 1) / cols, (row + 1) / rows)
    picked = patches([panel], "parts_place", group="positions", chosen=box)
    if picked is not None and (picked.row, picked.col) != (row, col):
        st.session_state[PENDING] = (picked.row, picked.col)
        st.rerun()


def _filters(run: RunRecord) -> np.ndarray:
    from ingest.vision.anatomy import patch_filters

    return patch_filters(cache.backbone(run))


def _positions(run: RunRecord) -> Any:
    from ingest.vision.anatomy import position_similarity

    return position_similarity(cache.backbone(run))


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


# ---- both -----------------------------------------------------------------------------------------------------------


def attempt(run: RunRecord, waiting: str, ask: Callable[[], Any]) -> Any:
    """What `ask` finds; None, with a sentence on the page, where the network cannot be used or has no such part."""
    from ingest.vision.anatomy import AnatomyError

    try:
        if not waiting:
            return ask()
        with st.spinner(waiting):
            found = ask()
    except AnatomyError as error:
        st.info(markup.markdown(f"{error}."))
        return None
    except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
        st.error(markup.markdown(f"The network of run {run.run_id} cannot be used here: {error}"))
        return None
    if found is None:
        st.error("Neither the originals nor thumbnails of these pictures can be read, so there is nothing to look at.")
    return found


def credit(run: RunRecord) -> str:
    """Which network it was."""
    return (
        f"Network: {run.title}, weights {run.weights_sha256[:8]}, run {run.run_id} of {run.collection}, "
        f"{inputs.of_run(run)}."
    )


def downloads(key: str, stem: str, plate: Callable[[], figure.Plate]) -> None:
    """The figure for print."""
    with st.container(horizontal=True):
        widgets.figures(key, stem, plate)


page()
