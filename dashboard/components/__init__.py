"""Components of our own, and the one way to put another picture in view."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.modules import joined
from dashboard.data.cache import thumb_url

_HERE = Path(__file__).parent


def gallery(items: Sequence[Mapping[str, Any]], key: str, selected: int | None = None, size: int = 150) -> int | None:
    """A wall of thumbnails that are buttons; the arrow keys walk through it, Enter chooses.

    `items` as `cache.items` makes them: image_id, title, caption and alt, shown as text, never as HTML; `src`, the
    thumbnail's address, may be left out. `selected` is marked; `size` is the side of a thumbnail in pixels.
    Returns the image_id that was clicked in this very run, else None.
    """
    data = [
        {
            "id": int(item["image_id"]),
            "title": str(item.get("title") or ""),
            "caption": str(item.get("caption") or ""),
            "alt": str(item.get("alt") or item.get("title") or ""),
            "src": item.get("src") or thumb_url(int(item["image_id"])),
        }
        for item in items
    ]
    answer = _gallery()(
        key=key,
        data={"items": data, "selected": None if selected is None else int(selected), "size": int(size)},
        on_clicked_change=_nothing,
    )
    return None if answer.clicked is None else int(answer.clicked)


def open_image(image_id: int, page: str | None = None) -> None:
    """Put an image in view on every page; with `page` ("map", "similar", "attention", "sql" or "") also go there.

    For the body of a page and for callbacks alike. In the body it ends the run, so let it be the last thing you do.
    """
    from dashboard.state import navigation

    navigation.choose("image", int(image_id), page)


def page_link(page: str, label: str, image_id: int | None = None, icon: str | None = None) -> None:
    """A link to another page ("map", "similar", …; "" is the overview) that keeps the database, run and image in
    view, or takes another image there."""
    from dashboard.state import navigation

    navigation.link(page, label, image_id, icon)


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _gallery():
    return st.components.v2.component(
        "bilderatlas_gallery",
        html='<div class="wall" role="group" aria-label="Pictures"></div>',
        css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
        js=joined(_HERE, ("pieces", "gallery")),
    )
