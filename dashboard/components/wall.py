"""A gallery of any number of pictures: only what is in view is on the page, and says what it is when it gets there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.components.modules import joined
from dashboard.components.pictures import MENU, Offered, style
from dashboard.compute import packing

_HERE = Path(__file__).parent


def wall(
    ids: np.ndarray,
    key: str,
    thumb: str,
    about: str,
    offered: Offered,
    on_done: Callable[[], None],
    size: int = 150,
    shown: int | None = None,
    chosen: bool = False,
) -> None:
    """Thumbnails of the pictures `ids` (n,) in their order, in a box that scrolls, with the same actions as
    `pictures.wall`.

    Tab reaches it once; arrows, Page Up and Down, Home and End walk through it. `thumb` is the address of a thumbnail
    with {id} in it, `about` that of titles and captions, with {ids}, numbers between commas. `size` is the side of a
    thumbnail in pixels; the one that is `shown` is marked; where all are `chosen`, nobody need say which are.
    """
    data = {
        "ids": packing.listed(ids),
        "thumb": thumb,
        "about": about,
        "size": int(size),
        "shown": None if shown is None else int(shown),
        "chosen": chosen,
        **offered.data(),
    }
    _wall()(key=key, data=data, on_done_change=on_done, height="content")


@cache
def _wall():
    return st.components.v2.component(
        "bilderatlas_wall",
        html='<div class="wall" role="list" aria-label="Pictures"><div class="sheet"></div></div>',
        css=style(_HERE / "wall.css"),
        js=joined(_HERE, ("pieces", str(MENU), "wall")),
    )
