"""What of the best places' pictures is similar to the part, or to one patch of it, in colours on one scale."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard.components.patches import patches
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import Panel, fitted
from dashboard.selection import actions
from dashboard.state import controls
from dashboard.views.details import figures, finding
from dashboard.views.details.finding import DetailHits, Query
from dashboard.views.details.results import COMPARE, HIT, number_of
from ingest.vision.colour_maps import colour_table
from ingest.vision.details.search import Hit
from store.records import RunRecord

PICTURES = 6  # of the best hits, that are coloured
SIDE = 180  # pixels of one of them
PATCH = "detail_patch"  # in the address: the patch of the part that was clicked


def show(run: RunRecord, query: Query, found: DetailHits, shown: Hit) -> None:
    """The part, of which a patch can be clicked, and the pictures of the best hits and of the one `shown`."""
    if not controls.toggle("Show what is similar", key="detail_heat"):
        return
    hits = found.hits[:PICTURES]
    hits = hits if shown in hits else [*hits[:-1], shown]
    part = finding.part_of(run, query, mirrored=False)
    number = number_of(PATCH, query)
    number = number if number is not None and number < part.rows * part.cols else None
    row, col = divmod(number or 0, part.cols)
    marked = (col / part.cols, row / part.rows, (col + 1) / part.cols, (row + 1) / part.rows)
    own = Panel(
        "The part", "Click a patch.", "The part", fitted(part.picture, 300, True), rows=part.rows, cols=part.cols
    )
    with st.container(horizontal=True, gap="large"):
        with st.container(width=320):
            picked = patches([own], "detail_part", chosen=None if number is None else marked)
            if number is not None and st.button("Compare with the whole part", key="detail_patch_off", type="tertiary"):
                st.session_state[PATCH] = None
                st.rerun()
        with st.container(width="stretch"):
            clicked = coloured(run, query, hits, shown, number, part.cols)
    if picked is not None:
        st.session_state[PATCH] = picked.row * part.cols + picked.col
        st.rerun()
    if clicked is not None and clicked != shown.image_id:
        st.session_state[HIT] = clicked
        st.rerun()


def coloured(run: RunRecord, query: Query, hits: list[Hit], shown: Hit, number: int | None, cols: int) -> int | None:
    """The pictures in colours of their cosines with the part's patches, or with the one of this number, which has one
    place in a row of `cols`; returns the image that shall be compared."""
    cosines = {hit: finding.heat(run, query, hit, _there(number, cols, hit.mirrored)) for hit in hits}
    finite = np.concatenate([each[np.isfinite(each)] for each in cosines.values()] or [np.zeros(1)])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    best = {hit: float(np.nanmax(each)) if np.isfinite(each).any() else float("nan") for hit, each in cosines.items()}
    items = cache.items([hit.image_id for hit in hits], {hit.image_id: f"at most {best[hit]:.2f}" for hit in hits})
    what = "the patch that was clicked" if number is not None else "the most similar patch of the part"
    for item, hit in zip(items, hits, strict=True):
        picture, image = cache.picture(hit.image_id), cache.image_row(hit.image_id)
        if picture is None:
            continue
        size, frame = (image["width"], image["height"]), finding.frame_of(run, hit.image_id)
        heat = figures.heat(fitted(picture[0], 2 * SIDE), cosines[hit], frame, size, (low, high))
        item["src"], item["alt"] = markup.source(heat), f"Similarity to {what} over {item['alt']}"
    done = actions.gallery(items, "detail_heat_wall", SIDE, shown.image_id, (COMPARE,))
    sentence = (
        "One scale for all: the same colour is the same cosine in every picture. A bright place is the most similar of "
        "these pictures, and need not show the same thing."
    )
    bar = ColourBar(colour_table(figures.COLOURS), f"{low:.2f}", f"{high:.2f}", f"cosine with {what}")
    st.html(markup.notes([sentence], bar))
    return None if done is None else done.image_id


def _there(number: int | None, cols: int, mirrored: bool) -> int | None:
    """The number of the same patch of the part's mirror image."""
    if number is None or not mirrored:
        return number
    row, col = divmod(number, cols)
    return row * cols + cols - 1 - col
