"""Maps over one picture that share a cursor: what one patch is in the others, and which one was clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.drawing.panels import Panel
from ingest.vision.geometry import Box

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Patch:
    """The patch that somebody chose, and the number of the panel it was chosen in."""

    pane: int
    row: int
    col: int


def patches(
    panels: Sequence[Panel],
    key: str,
    columns: int = 1,
    group: str = "",
    chosen: Box | None = None,
    large: bool = False,
    pick: bool = True,
    rows: bool = False,
) -> Patch | None:
    """The panels in at most `columns` columns, with `rows` in just as many, or with `large` each as tall as the window
    allows.

    Moving over a patch outlines what it covers in every panel on the page of the same `group`, which therefore must all
    show one picture; their grids may differ. Each panel is a stop of the Tab key; the arrow keys move from patch to
    patch, Enter chooses, unless `pick` is False. `chosen`, as fractions of the picture, stays marked.
    Returns the patch that was chosen in this very run, else None.
    """
    data = {
        "panes": [_pane(panel) for panel in panels],
        "columns": max(1, int(columns)),
        "group": group,
        "chosen": None if chosen is None else [float(edge) for edge in chosen],
        "large": bool(large),
        "pick": bool(pick),
        "rows": bool(rows),
    }
    answer = _patches()(key=key, data=data, on_picked_change=_nothing)
    picked = answer.picked
    return None if picked is None else Patch(*(int(picked[name]) for name in ("pane", "row", "col")))


def _pane(panel: Panel) -> dict[str, Any]:
    """A drawn panel, as the browser gets it."""
    facts = {name: getattr(panel, name) for name in ("title", "note", "alt", "rows", "cols")}
    return facts | {"src": panel.source, "frame": list(panel.frame), "values": list(panel.values)}


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _patches():
    return st.components.v2.component(
        "bilderatlas_patches",
        html='<div class="panes"></div>',
        css=(_HERE / "patches.css").read_text(encoding="utf-8"),
        js=(_HERE / "patches.js").read_text(encoding="utf-8"),
    )
