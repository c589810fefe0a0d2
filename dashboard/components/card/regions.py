"""Regions: parts of the picture in view that are pointed to, and saved with a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components import crop
from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.data.cache import ImageRow
from dashboard.drawing.text import sources
from dashboard.state import busy, navigation
from ingest.vision.geometry import Box
from store.manifest import Place, as_picture, own_canvas


def show(
    image: ImageRow, box: Box | None, point_to: Callable[[Box], None], titled: bool = True, form_here: bool = True
) -> None:
    """What can be done with the box drawn on an image (a row of `cache.images`), and the regions saved of it, `titled`
    or not; `point_to` shows where one of these is. Without `form_here` the box is saved where it was drawn."""
    busy.explain("region")
    if box is not None:
        point(image, box)
        if form_here:
            form(image["image_id"], box)
    saved = cache.regions([image["image_id"]])
    if saved.empty:
        return
    if titled:
        st.markdown("**Regions**" if len(saved) > 1 else "**Region**")
    for row in records(saved):
        line(image, row, point_to)


def point(image: ImageRow, box: Box) -> None:
    """The box as an address that anybody can cite, where the picture came from a manifest."""
    x0, y0, x1, y1 = in_pixels(image, box)
    target = link(image, (x0, y0, x1, y1))
    if target is None:
        st.caption(f"The box in pixels of the original: x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f}.")
        return
    st.caption("The address of this part of the picture:")
    st.code(target, language=None, wrap_lines=True)
    if viewer := sources.viewer_at(image["metadata"], target):
        st.link_button(viewer.label, viewer.address, icon=viewer.icon, type="tertiary")


def form(image_id: int, box: Box, key: str = "region") -> None:
    """Keep the box as a region; `key` begins the keys of the controls."""
    with st.form(f"{key}_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Note", key=f"{key}_note", placeholder="what is to be seen here", width=220)
        st.form_submit_button("Save this region", key=f"{key}_keep", on_click=save, args=(image_id, box, key))


def elsewhere(image_id: int, box: Box | None) -> None:
    """The way to where else the part in the box occurs, once a run has patches to search in."""
    if box is not None and cache.runs_with_patches():
        icon = ":material/center_focus_strong:"
        navigation.link("details", "Find this detail elsewhere", image_id, icon, crop=crop.words(box))


def line(image: ImageRow, row: dict[str, Any], point_to: Callable[[Box], None]) -> None:
    """One saved region."""
    box = (row["x0"], row["y0"], row["x1"], row["y1"])
    number, shares, target = row["region_id"], in_shares(image, box), link(image, box)
    with st.container(gap=None):
        if row["note"]:
            st.markdown(words.plain(row["note"]))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{box[2] - box[0]:.0f} × {box[3] - box[1]:.0f} px", width="content")
            st.button("Show", key=f"region_show_{number}", on_click=point_to, args=(shares,), type="tertiary")
            if viewer := target and sources.viewer_at(image["metadata"], target):
                st.link_button("Viewer", viewer.address, type="tertiary", help=target)
            st.button("Delete", key=f"region_delete_{number}", on_click=delete, args=(number,), type="tertiary")


def link(image: ImageRow, box: Box) -> str | None:
    """canvas#xywh=… of a box in pixels; None for a picture without a canvas of its own."""
    found = as_picture(image, "") if own_canvas(image["metadata"]) else None
    return found.link(Place(box, "")) if found else None


def in_pixels(image: ImageRow, box: Box) -> Box:
    """A box of shares of the picture's sides as pixels of the original."""
    width, height = image["width"], image["height"]
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def in_shares(image: ImageRow, box: Box) -> Box:
    """The other way round."""
    width, height = image["width"], image["height"]
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


@busy.whole
def save(image_id: int, box: Box, key: str = "region") -> None:
    """Callback of the form."""
    state = st.session_state
    if add(image_id, box, state[f"{key}_note"] or ""):
        state[f"{key}_note"] = ""


@busy.whole
def add(image_id: int, box: Box, note: str) -> bool:
    """Save a region, in a callback; False if it could not be saved, and `show` says why."""
    if not busy.attempt("region", cache.save_region, image_id, box, note):
        return False
    st.toast("Saved.")
    return True


@busy.whole
def delete(region_id: int) -> None:
    """Callback."""
    busy.attempt("region", cache.delete_region, region_id)
