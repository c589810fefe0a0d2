"""A picture of which a part can be chosen: a box drawn with the mouse, or moved and sized with the keys."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent

Box = tuple[float, float, float, float]


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
