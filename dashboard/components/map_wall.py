"""Maps beside their picture, with the cursor that they share."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components.patches import Box, Patch, patches
from dashboard.data import cache
from dashboard.drawing import markup, panels
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import Panel, Scene

ORIGINAL = 640  # pixels of the original's long side
SIDE = 330  # of the column that it stands in, on a page that has room for two
BROAD_COLUMNS = 2  # of maps of a broad picture, which stand below it


def original(
    scene: Scene, alt: str, key: str, group: str, chosen: Box | None = None, pick: bool = True
) -> Patch | None:
    """The picture itself, with the edge of what the network saw; returns the patch that was clicked."""
    facts = (group, alt, scene.picture.size, scene.size, scene.frame)
    bare = cache.remembered(lambda: _bare(scene, alt), "original", repr(facts))
    return patches([bare], key, group=group, chosen=chosen, pick=pick)


def _bare(scene: Scene, alt: str) -> Panel:
    frame = scene.frame
    return Panel("", "", alt, panels.framed(scene.at(ORIGINAL)), scene.seen_box(), frame.rows, frame.cols)


def sheet(
    scene: Scene,
    alt: str,
    drawn: Sequence[Panel],
    bar: ColourBar,
    sentences: Sequence[str],
    columns: int,
    key: str,
    group: str,
    chosen: Box | None = None,
    pick: bool = True,
    rows: bool = False,
) -> Patch | None:
    """The original with what is to be said of it and the colour bar; beside it, or under it on a narrow page and where
    the picture is broad, the panels, with `rows` in just so many columns. Returns the patch that was clicked in this
    very run."""
    row = st.container(horizontal=not scene.broad, gap="medium")
    side, maps = row.container(width="stretch" if scene.broad else SIDE, gap="small"), row.container(width="stretch")
    with side:
        on_original = original(scene, alt, f"{key}_original", group, chosen, pick)
        st.html(markup.notes(sentences, bar))
    with maps:
        return patches(drawn, key, columns, group, chosen, pick=pick, rows=rows) or on_original


def chosen_box(scene: Scene, token: str) -> Box | None:
    """Where the patch written `r3c5` lies, as fractions of the picture; None for other tokens."""
    row, _, col = token.removeprefix("r").partition("c")
    if not (token.startswith("r") and row.isdecimal() and col.isdecimal()):
        return None
    if int(row) >= scene.frame.rows or int(col) >= scene.frame.cols:
        return None
    (width, height), box = scene.size, scene.frame.cell_box(int(row), int(col))
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height
