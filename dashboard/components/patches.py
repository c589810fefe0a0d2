"""Maps over one picture that share a cursor: what one patch is in the others, and which one was clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pane:
    """One picture with its grid. `src` is an address or a data URL; `title`, `note` and `alt` are shown as text;
    `frame` is what the network saw, (x0, y0, x1, y1) as fractions of the picture; `values`, one text a patch in reading
    order, may be left out."""

    src: str
    title: str
    note: str
    alt: str
    frame: Box
    rows: int
    cols: int
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patch:
    """The patch that somebody chose, and the number of the pane it was chosen in."""

    pane: int
    row: int
    col: int


def patches(
    panes: Sequence[Pane],
    key: str,
    columns: int = 1,
    group: str = "",
    chosen: Box | None = None,
    large: bool = False,
    pick: bool = True,
) -> Patch | None:
    """The panes in at most `columns` columns, or with `large` each as tall as the window allows.

    Moving over a patch outlines what it covers in every pane on the page of the same `group`, which therefore must all
    show one picture; their grids may differ. Each pane is a stop of the Tab key; the arrow keys move from patch to
    patch, Enter chooses, unless `pick` is False. `chosen`, as fractions of the picture, stays marked.
    Returns the patch that was chosen in this very run, else None.
    """
    data = {
        "panes": [{**vars(pane), "frame": list(pane.frame), "values": list(pane.values)} for pane in panes],
        "columns": max(1, int(columns)),
        "group": group,
        "chosen": None if chosen is None else [float(edge) for edge in chosen],
        "large": bool(large),
        "pick": bool(pick),
    }
    answer = _patches()(key=key, data=data, on_picked_change=_nothing)
    picked = answer.picked
    return None if picked is None else Patch(*(int(picked[name]) for name in ("pane", "row", "col")))


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
