"""A gallery of any number of pictures: only what is in view is on the page, and says what it is when it gets there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.compute import packing

_HERE = Path(__file__).parent


def wall(ids: np.ndarray, key: str, thumb: str, about: str, size: int = 150, selected: int | None = None) -> int | None:
    """Thumbnails of the pictures `ids` (n,) in their order, as buttons in a box that scrolls.

    Tab reaches it once; arrows, Page Up and Down, Home and End walk through it, Enter opens. `thumb` is the address of
    a thumbnail with {id} in it, `about` that of titles and captions, with {ids}, numbers between commas. `size` is the
    side of a thumbnail in pixels; `selected` is marked. Returns the id of the picture that was opened in this very run.
    """
    data = {
        "ids": packing.listed(ids),
        "thumb": thumb,
        "about": about,
        "size": int(size),
        "selected": None if selected is None else int(selected),
    }
    answer = _wall()(key=key, data=data, on_opened_change=_nothing, height="content")
    return None if answer.opened is None else int(answer.opened)


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _wall():
    return st.components.v2.component(
        "bilderatlas_wall",
        html='<div class="wall" role="list" aria-label="Pictures"><div class="sheet"></div></div>',
        css="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("gallery.css", "wall.css")),
        js=(_HERE / "wall.js").read_text(encoding="utf-8"),
    )
