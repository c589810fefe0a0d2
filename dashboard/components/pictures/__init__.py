"""Pictures on a wall: each can be selected and opened, and has a menu, by mouse, touch and keys alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.modules import joined

_HERE = Path(__file__).parent
_COMPONENTS = _HERE.parent
MENU = _HERE / "actions"  # a module for `joined`: the menu and the keys


@dataclass(frozen=True)
class Offered:
    """What a wall offers: its `actions` as the JavaScript takes them, which numbers are `selected`, of these those on
    the wall or all, how many are selected `elsewhere`, and what has been `applied` of what a browser has sent, (its
    word, number)."""

    actions: Sequence[Mapping[str, Any]]
    selected: Iterable[int] = ()
    elsewhere: int = 0
    applied: tuple[str, int] | None = None

    def data(self) -> dict[str, Any]:
        """As the JavaScript takes it."""
        return {
            "actions": list(self.actions),
            "selected": [int(each) for each in self.selected],
            "elsewhere": int(self.elsewhere),
            "applied": None if self.applied is None else list(self.applied),
        }


def wall(
    items: Sequence[Mapping[str, Any]],
    key: str,
    offered: Offered,
    on_done: Callable[[], None],
    size: int = 150,
    shown: int | None = None,
) -> None:
    """Thumbnails in their order. A click selects, with Ctrl more, with Shift all up to it; a double click or Enter
    opens; a right click, the button ⋯ or the key . opens the menu; arrows walk.

    `items` as `cache.items` makes them, shown as text, never as HTML; an item that is a part of a picture has a number
    of its own as `item_id`. The one that is `shown` is marked. `on_done` is called before the next run with
    {client, done: [[number, act, ...]]} in st.session_state[key].done.
    """
    names = ("title", "caption", "alt", "src")
    rows = [
        {
            "id": int(item.get("item_id", item["image_id"])),
            "image": int(item["image_id"]),
            **{name: str(item.get(name) or "") for name in names},
        }
        for item in items
    ]
    data = {"items": rows, "size": int(size), "shown": None if shown is None else int(shown), **offered.data()}
    _wall()(key=key, data=data, on_done_change=on_done)


def style(*more: Path) -> str:
    """The style sheet of a wall, its pictures and their menu."""
    files = (_COMPONENTS / "gallery.css", _HERE / "pictures.css", _HERE / "actions.css", *more)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@cache
def _wall():
    return st.components.v2.component(
        "bilderatlas_pictures",
        html='<div class="wall" role="group" aria-label="Pictures"></div>',
        css=style(),
        js=joined(_HERE, (str(_COMPONENTS / "pieces"), str(MENU), "pictures")),
    )
