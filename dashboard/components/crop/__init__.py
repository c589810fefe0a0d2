"""A picture of which a part can be chosen: a box drawn with the mouse, or moved and sized with the keys."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.state import url
from dashboard.state.url import Param
from ingest.vision.geometry import Box

_HERE = Path(__file__).parent


def crop(src: str, alt: str, key: str, box: Box | None = None) -> Box | str | None:
    """The picture at `src` (an address or a data URL), with `box`, (x0, y0, x1, y1) as fractions of its sides, marked.

    Drag draws a box. By key: the arrows move it, with Shift they size it, Enter takes it, Escape takes the whole
    picture. Returns the box, or "whole", that was chosen in this very run, else None.
    """
    data = {"src": src, "alt": alt, "box": None if box is None else [float(edge) for edge in box]}
    chosen = _crop()(key=key, data=data, on_cropped_change=_nothing).cropped
    if chosen is None:
        return None
    if chosen == "whole":
        return "whole"
    x0, y0, x1, y1 = (float(edge) for edge in chosen)
    return x0, y0, x1, y1


def box_of(owner: str) -> Box | None:
    """The box drawn on this picture, which the address keeps as `crop`; another picture has none at first."""
    state, is_new = st.session_state, url.is_new("crop")
    Param("crop", None, _box, _written).load()
    if state.get("_crop_of", owner) != owner and not is_new:
        state["crop"] = None
    state["_crop_of"] = owner
    return state["crop"]


def _written(box: Box | None) -> list[str]:
    return [] if box is None else [words(box)]


def _short(edge: float) -> str:
    """Three decimals where these are all, else five."""
    return f"{edge:.3f}" if edge == round(edge, 3) else f"{edge:.5f}"


def words(box: Box) -> str:
    """A box as the address keeps it."""
    return ",".join(_short(edge) for edge in box)


def draw_box(box: Box | None) -> None:
    """Keep another box, or none. Ends the run."""
    put_box(box)
    st.rerun()


def put_box(box: Box | None, owner: str | None = None) -> None:
    """Keep another box, or none, from the next run on; `owner` is the picture that it is on, where that changes too."""
    if owner is not None:
        st.session_state["_crop_of"] = owner
    st.session_state["crop"] = _box([",".join(map(str, box))]) if box else None


def cut(picture: Image.Image, box: Box | None) -> Image.Image:
    """What lies in the box, at least one pixel of it; the whole picture where there is none."""
    return picture if box is None else picture.crop(edges(picture.size, box))


def edges(size: tuple[int, int], box: Box | None) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) in whole pixels of a picture of this size (width, height), at least one wide
    and high; those of the whole where there is none."""
    (width, height), (x0, y0, x1, y1) = size, box or (0.0, 0.0, 1.0, 1.0)
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    return left, top, max(left + 1, round(x1 * width)), max(top + 1, round(y1 * height))


def _box(texts: list[str]) -> Box | None:
    try:
        box = tuple(round(float(word), 5) for word in texts[0].split(","))
    except ValueError:
        return None
    if len(box) != 4 or not all(np.isfinite(box)):
        return None
    x0, y0, x1, y1 = box
    return box if 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 else None


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _crop():
    return st.components.v2.component(
        "bilderatlas_crop",
        html='<div class="stage" tabindex="0" role="application"><img draggable="false"><div class="box" hidden></div>'
        '</div><p class="status" role="status"></p>',
        css=(_HERE / "crop.css").read_text(encoding="utf-8"),
        js=(_HERE / "crop.js").read_text(encoding="utf-8"),
    )
