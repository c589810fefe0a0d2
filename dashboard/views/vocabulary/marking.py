"""Thumbnails that somebody marks as right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components import modules

_HERE = Path(__file__).parent
_COMPONENTS = Path(modules.__file__).parent
_STYLES = (_COMPONENTS / "gallery.css", _HERE / "marking.css")


def marking(
    items: Sequence[Mapping[str, Any]], marks: Mapping[int, bool], key: str, size: int = 150
) -> dict[int, bool]:
    """A wall of thumbnails with two buttons each; the arrow keys walk through it, r marks one as right, w as wrong.

    `items` as `cache.items` makes them; all their words are shown as text. `marks` are those of before. Returns
    {image_id: right} of all that were marked here under this `key`.
    """
    names = ("title", "caption", "alt", "src")
    shown = [{"id": int(item["image_id"]), **{name: str(item.get(name) or "") for name in names}} for item in items]
    data = {
        "items": shown,
        "marks": {str(image_id): bool(right) for image_id, right in marks.items()},
        "size": int(size),
    }
    found = _marking()(key=key, data=data, default={"marks": {}}, on_marks_change=_nothing).marks or {}
    known = {item["id"] for item in shown}
    return {int(image_id): bool(right) for image_id, right in found.items() if int(image_id) in known}


def _nothing() -> None:
    """Streamlit names a state by its callback, so there has to be one."""


@cache
def _marking():
    return st.components.v2.component(
        "bilderatlas_marking",
        html='<div class="wall" role="group" aria-label="Pictures to mark as right or wrong"></div>',
        css="\n".join(file.read_text(encoding="utf-8") for file in _STYLES),
        js="\n".join((modules.joined(_COMPONENTS, ["pieces"]), modules.joined(_HERE, ["marking"]))),
    )
