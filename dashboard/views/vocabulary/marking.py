"""Thumbnails that somebody marks as right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components import modules
from dashboard.components.pictures import MENU, style
from dashboard.selection import actions

_HERE = Path(__file__).parent
_PIECES = Path(modules.__file__).parent / "pieces"
MARKS = (actions.Action("right", "Right", ("r",)), actions.Action("wrong", "Wrong", ("w",)))


def marking(
    items: Sequence[Mapping[str, Any]], marks: Mapping[int, bool], key: str, size: int = 150
) -> dict[int, bool]:
    """A gallery with two buttons more below each picture; the key r marks one as right, w as wrong.

    `items` as `cache.items` makes them; all their words are shown as text. `marks` are those of before. Returns
    {image_id: right} of all that were marked here under this `key`.
    """
    names = ("title", "caption", "alt", "src")
    numbers = [int(item["image_id"]) for item in items]
    shown = [
        {"id": number, "image": number, **{name: str(item.get(name) or "") for name in names}}
        for number, item in zip(numbers, items, strict=True)
    ]
    made = st.session_state.setdefault(f"_{key}_made", {})
    made |= {done.image_id: done.act == "right" for done in actions.done_here(key) if done.image_id in numbers}
    data = {
        "items": shown,
        "marks": {str(image_id): right for image_id, right in (dict(marks) | made).items()},
        "size": int(size),
        **actions.of_items(items, key, MARKS).data(),
    }
    _marking()(key=key, data=data, on_done_change=partial(actions.on_done, key))
    return dict(made)


@cache
def _marking():
    return st.components.v2.component(
        "bilderatlas_marking",
        html='<div class="wall" role="group" aria-label="Pictures to mark as right or wrong"></div>',
        css=style(_HERE / "marking.css"),
        js=modules.joined(_HERE, (str(_PIECES), str(MENU), "marking")),
    )
