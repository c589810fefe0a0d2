"""What a search is made of beside the picture in view: more pictures like and unlike what is sought, and a box."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.state import url
from dashboard.state.url import Param

Box = tuple[float, float, float, float]
WALLS = ("like", "unlike")


@dataclass(frozen=True)
class Examples:
    """Image ids: more like these, less like those."""

    like: tuple[int, ...]
    unlike: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.like or self.unlike)


def examples(known: Iterable[int]) -> Examples:
    """Those that the address names as `like` and `unlike`, or that were added since; of other runs' images none."""
    known, state = set(known), st.session_state
    for wall in WALLS:
        Param(wall, (), _ids, lambda ids: [",".join(map(str, ids))]).load()
        state[wall] = tuple(image_id for image_id in dict.fromkeys(state[wall]) if image_id in known)
    return Examples(state["like"], state["unlike"])


def add(image_id: int, wall: str) -> None:
    """Put an image on one wall, and off the other."""
    remove(image_id)
    st.session_state[wall] = (*st.session_state.get(wall, ()), int(image_id))


def remove(image_id: int) -> None:
    """Take an image off both walls."""
    for wall in WALLS:
        st.session_state[wall] = tuple(each for each in st.session_state.get(wall, ()) if each != image_id)


def clear() -> None:
    """Take all images off both walls."""
    for wall in WALLS:
        st.session_state[wall] = ()


def box_of(owner: str) -> Box | None:
    """The box drawn on this picture, which the address keeps as `crop`; another picture has none at first."""
    state, is_new = st.session_state, url.is_new("crop")
    Param("crop", None, _box, _written).load()
    if state.get("_crop_of", owner) != owner and not is_new:
        state["crop"] = None
    state["_crop_of"] = owner
    return state["crop"]


def _written(box: Box | None) -> list[str]:
    return [] if box is None else [",".join(f"{edge:.3f}" for edge in box)]


def draw_box(box: Box | None) -> None:
    """Keep another box, or none. Ends the run."""
    put_box(box)
    st.rerun()


def put_box(box: Box | None) -> None:
    """Keep another box, or none, from the next run on."""
    st.session_state["crop"] = _box([",".join(map(str, box))]) if box else None


def cut(picture: Image.Image, box: Box | None) -> Image.Image:
    """What lies in the box, at least one pixel of it; the whole picture where there is none."""
    if box is None:
        return picture
    (width, height), (x0, y0, x1, y1) = picture.size, box
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    right, bottom = max(left + 1, round(x1 * width)), max(top + 1, round(y1 * height))
    return picture.crop((left, top, right, bottom))


def _ids(texts: list[str]) -> tuple[int, ...]:
    return tuple(int(word) for word in texts[0].split(",") if word.isascii() and word.isdigit() and len(word) < 19)


def _box(texts: list[str]) -> Box | None:
    try:
        box = tuple(round(float(word), 3) for word in texts[0].split(","))
    except ValueError:
        return None
    if len(box) != 4 or not all(np.isfinite(box)):
        return None
    x0, y0, x1, y1 = box
    return box if 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 else None
