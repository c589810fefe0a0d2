"""The map as a canvas: every picture of a layout at its point, drawn by WebGL, and what somebody selects on it.

Points and pictures come from the routes of dashboard/app.py, so that a browser keeps them; a rerun sends only what is
small. The JavaScript lies beside this file as modules; Streamlit takes one text, so they are joined.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components.modules import joined
from dashboard.components.pictures import MENU
from store.atlas import CELLS, SIDE

_HERE = Path(__file__).parent
# In the order in which one needs the other.
MODULES = (
    "ranges", "camera", "level_of_detail", "layout", "sprite_sheets", "tiles", "webgl", "flat", "viewport", "scene",
    "gestures", "toolbar", "ticks", "overlay", "fullscreen", "fitting", "selecting", "address", "pair", str(MENU),
    "main",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where the browser finds n pictures: addresses of the points, of a thumbnail, and of what is said about a picture,
    both with {id} in them, of an atlas page with {cell} and {page}, '' where there is no atlas, of the clusters, ''
    where none are to be shown, the address that hears what part is in view, '' where nobody wants to know, and that of
    where the tiles of an original are, with {id}, '' for thumbnails alone."""

    n: int
    points: str
    thumb: str
    about: str
    page: str
    clusters: str = ""
    view: str = ""
    tiles: str = ""


@dataclass(frozen=True)
class Pairing:
    """One of two maps side by side, which find each other by a `word`: its `title`, whether it is the `second`, and
    whether `lines` lead from one place of a picture to its other."""

    word: str
    title: str
    second: bool = False
    lines: bool = False


@dataclass(frozen=True)
class Legend:
    """What the colours of the frames mean: `title`, `names` as (name, colour, how many), and for numbers and dates
    `ticks`, (share of the scale 0..1, text), over `scale`, its colours from low to high."""

    title: str
    names: Sequence[tuple[str, str, int]] = ()
    ticks: Sequence[tuple[float, str]] = ()
    scale: Sequence[str] = ()


def canvas(
    source: Source,
    key: str,
    alt: str,
    tints: np.ndarray | None = None,
    legend: Legend | None = None,
    included: np.ndarray | None = None,
    marked: np.ndarray | None = None,
    size: float = 1.0,
    on_marked: Callable[[], None] | None = None,
    actions: Sequence[Mapping[str, Any]] = (),
    on_done: Callable[[], None] | None = None,
    fill: bool = False,
    pairing: Pairing | None = None,
) -> None:
    """The map, or with `pairing` one of two. All arrays are in the order of the points that `source` names: `tints`
    (n, 3) uint8, the colours of the frames; `included` (n,) bool, False for what fades; `marked` (n,) bool, what is
    selected. With `fill` it takes all of the element around it that has a position.

    `on_marked` is called when somebody selects; `selection(st.session_state[key], n)` says what. `actions` are those of
    a picture's menu; `on_done` is called with [act, id of a picture] in st.session_state[key].done.
    """
    data = described(source, alt, tints, legend, included, marked, size) | {"actions": list(actions), "fill": fill}
    data["pairing"] = None if pairing is None else vars(pairing)
    _canvas()(
        key=key,
        data=data,
        on_marked_change=on_marked or _nothing,
        on_done_change=on_done or _nothing,
        height="content",
    )


def described(
    source: Source,
    alt: str,
    tints: np.ndarray | None = None,
    legend: Legend | None = None,
    included: np.ndarray | None = None,
    marked: np.ndarray | None = None,
    size: float = 1.0,
    begin: str = "",
) -> dict[str, Any]:
    """The same as the JavaScript takes it, with the part that is in view at first, `x,y,zoom`, '' for the whole map."""
    return {
        **vars(source),
        "cells": list(CELLS),
        "side": SIDE,
        "alt": alt,
        "tints": None if tints is None else base64.b64encode(np.ascontiguousarray(tints, np.uint8).tobytes()).decode(),
        "legend": None if legend is None else _plain(legend),
        "included": None if included is None or included.all() else ranges(included),
        "marked": ranges(np.zeros(source.n, bool) if marked is None else marked),
        "size": float(size),
        "begin": begin,
    }


def selection(state: Mapping[str, Any], source: Source) -> np.ndarray | None:
    """What is selected (n,) bool, from a canvas' session state; None if that was said of other points."""
    selected = state.get("marked") or {}
    if selected.get("points") != source.points:
        return None
    return mask(selected["ranges"], source.n)


def rgb(css: Sequence[str]) -> np.ndarray:
    """Colours (n, 3) uint8 of n CSS texts #rrggbb; what follows them, their opacity, is left out."""
    names, which = np.unique(np.asarray(css, dtype=str), return_inverse=True)
    known = [[int(name[at : at + 2], 16) for at in (1, 3, 5)] for name in names.tolist()]
    return np.array(known, dtype=np.uint8).reshape(-1, 3)[which]


def ranges(chosen: np.ndarray) -> str:
    """A mask (n,) as text: the lengths of its runs, not chosen first, as numbers of seven bits a byte, in base64."""
    chosen = np.asarray(chosen, dtype=bool)
    edges = np.flatnonzero(np.diff(chosen, prepend=False))
    out = bytearray()
    for length in np.diff(edges, prepend=0, append=len(chosen)).tolist() if chosen.any() else []:
        while length > 127:
            out.append(length & 127 | 128)
            length >>= 7
        out.append(length)
    return base64.b64encode(out).decode()


def mask(text: str, n: int) -> np.ndarray:
    """The mask (n,) that `ranges` turned into text; ValueError if it is none of n."""
    chosen, at, length, shift, filled = np.zeros(n, dtype=bool), 0, 0, 0, False
    for byte in base64.b64decode(text, validate=True):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            chosen[at : at + length] = filled
            at, length, shift, filled = at + length, 0, 0, not filled
    if at not in (0, n) or shift:
        raise ValueError(f"these ranges are not those of {n} points")
    return chosen


def script(names: Sequence[str] = MODULES) -> str:
    """The modules as one."""
    return joined(_HERE, names)


def style() -> str:
    """The style sheet."""
    return "\n".join(file.read_text(encoding="utf-8") for file in (_HERE / "canvas.css", MENU.with_suffix(".css")))


def markup() -> str:
    """The elements, as HTML."""
    return (_HERE / "canvas.html").read_text(encoding="utf-8")


def _plain(legend: Legend) -> dict[str, Any]:
    return {key: list(map(list, value)) if key in ("names", "ticks") else value for key, value in vars(legend).items()}


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _canvas():
    return st.components.v2.component(
        "bilderatlas_canvas",
        html=markup(),
        css=style(),
        js=script(),
    )
