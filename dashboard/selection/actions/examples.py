"""What a search on Similar is made of beside the picture in view: more pictures like and unlike what is sought. Any
page's gallery can add to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from dashboard.selection.actions.action import Action, Done
from dashboard.state.url import Param

WALLS = ("like", "unlike")
ACTIONS = (
    Action("like", "Search for more like it", ("+", "="), "+"),
    Action("unlike", "Search for less like it", ("-", "−"), "−"),
)
AWAY = Action("away", "Take away from the search", ("x",), "×")


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


def act(done: Done | None) -> Done | None:
    """Does what was asked for of ACTIONS, which ends the run; returns what else was done."""
    if done is None or done.act not in WALLS:
        return done
    add(done.image_id, done.act)
    st.rerun()


def remove(image_id: int) -> None:
    """Take an image off both walls."""
    for wall in WALLS:
        st.session_state[wall] = tuple(each for each in st.session_state.get(wall, ()) if each != image_id)


def clear() -> None:
    """Take all images off both walls."""
    for wall in WALLS:
        st.session_state[wall] = ()


def _ids(texts: list[str]) -> tuple[int, ...]:
    return tuple(int(word) for word in texts[0].split(",") if word.isascii() and word.isdigit() and len(word) < 19)
