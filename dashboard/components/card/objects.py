"""The objects that were proposed in the picture in view: their boxes, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.components.card.regions import in_shares
from dashboard.compute.rows import records
from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.data.cache import ImageRow
from ingest.vision.geometry import Box


def show(image: ImageRow, draw: Callable[[Box], None]) -> None:
    """A line for each object of an image, with a button that has its box drawn."""
    found = records(cache.objects_of(image["image_id"]))
    if not found:
        return
    st.markdown("**Objects**" if len(found) > 1 else "**Object**")
    for row in found:
        box = in_shares(image, (row["x0"], row["y0"], row["x1"], row["y1"]))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{plain(row['title'])}, run {row['run_id']}, {row['rank']}: {words(row)}", width="content")
            key = f"object_draw_{row['run_id']}_{row['rank']}"
            st.button("Show", key=key, on_click=draw, args=(box,), type="tertiary")


def words(row: dict) -> str:
    """An object's score and area."""
    return f"score {row['score']:.2f}, {row['area']:.0%} of the picture"
