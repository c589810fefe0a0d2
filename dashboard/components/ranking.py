"""Thumbnails in the order of a search: each can be opened, asked for more or less of, and selected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.modules import joined

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class RankingEvent:
    """What somebody did with a picture: `act` is "open", "like", "unlike" or "select"."""

    image_id: int
    act: str


def ranking(
    items: Sequence[Mapping[str, Any]],
    key: str,
    size: int = 150,
    shown: int | None = None,
    selected: Iterable[int] | None = None,
    examples: bool = True,
) -> RankingEvent | None:
    """A wall of thumbnails that are buttons, each with + and − where there are `examples`. The arrow keys walk through
    it; Enter opens, the keys + and − ask for more and less of it.

    `items` as `cache.items` makes them; all their words are shown as text. The picture `shown` is marked. Where
    `selected` says which ones are, each has a tick too (key s) that selects it or not. Returns what was done in this
    very run.
    """
    names = ("title", "caption", "alt", "src")
    data = {
        "items": [
            {"id": int(item["image_id"]), **{name: str(item.get(name) or "") for name in names}} for item in items
        ],
        "size": int(size),
        "shown": None if shown is None else int(shown),
        "selected": None if selected is None else [int(each) for each in selected],
        "examples": examples,
    }
    done = _ranking()(key=key, data=data, on_done_change=_nothing).done
    return None if done is None else RankingEvent(int(done["id"]), str(done["act"]))


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _ranking():
    return st.components.v2.component(
        "bilderatlas_ranking",
        html='<div class="wall" role="group" aria-label="Pictures found"></div>',
        css="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("gallery.css", "ranking.css")),
        js=joined(_HERE, ("pieces", "ranking")),
    )
