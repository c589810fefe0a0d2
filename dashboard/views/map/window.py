"""The window of the page Map: a slim bar, the canvas in all that is below it, and beside it a panel with what is
selected. Where what lies, window.css says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.selection import selected as selection
from dashboard.state.url import Param
from store.counts import counted

PANEL = "panel"  # in the address
AUTO, OPEN, WIDE, CLOSED = "", "open", "wide", "closed"  # with AUTO it is there when something is selected


@dataclass(frozen=True)
class Window:
    """The parts of the page, in which its rest is drawn: `bar`, with the drawers that open from it, `canvas`, and
    `second` beside it for another map, `below` them, for what is read along with the map, and `side`, where the panel
    comes."""

    bar: DeltaGenerator
    canvas: DeltaGenerator
    second: DeltaGenerator
    below: DeltaGenerator
    side: DeltaGenerator


def open_window() -> Window:
    """The empty page."""
    st.html(f"<style>{Path(__file__).with_name('window.css').read_text(encoding='utf-8')}</style>")
    with st.container(key="map_page", gap=None):
        bar = st.container(key="map_bar", horizontal=True, gap="xsmall", vertical_alignment="center")
        with bar:
            st.title("Map", anchor=False)
        with st.container(key="map_body", gap=None):
            with st.container(key="map_left", gap=None):
                with st.container(key="map_canvases", gap=None):
                    canvas = st.container(key="map_canvas", gap=None)
                    second = st.container(key="map_second", gap=None)
                below = st.container(key="map_below", gap=None)
            side = st.container(key="map_side", gap=None)
    return Window(bar, canvas, second, below, side)


def panel_state(selected: int, filtered: int) -> str:
    """How the panel is to be, OPEN, WIDE or CLOSED, with so many pictures selected, and so many that a filter leaves, 0
    for no filter. Who closes or widens it does so for what is selected then; nothing selected ends that. It also opens
    to say that the selection of a link is not there."""
    known = (AUTO, OPEN, WIDE, CLOSED)
    state = Param(PANEL, AUTO, lambda texts: texts[0] if texts[0] in known else None, lambda value: [value]).load()
    if (state == CLOSED and not selected) or (state == WIDE and not selected and not filtered):
        state = st.session_state[PANEL] = AUTO
    if state == AUTO:
        return OPEN if selected or selection.gone() else CLOSED
    return state


def stay_closed(select: Callable[[], None]) -> None:
    """Let `select` change what is selected, for callbacks: a panel that is not there does not come by that."""
    there = len(selection.ids()) > 0
    select()
    if not there and len(selection.ids()) and st.session_state.get(PANEL, AUTO) == AUTO:
        st.session_state[PANEL] = CLOSED


def switch(state: str, selected: int, filtered: int) -> None:
    """The button that opens and closes the panel, with how many pictures there are for it."""
    count = selected or filtered
    label = f"{count:,} selected" if selected else f"{counted(count, 'picture')}" if filtered else "Selection"
    st.button(
        label,
        key="map_selection",
        icon=":material/photo_library:",
        type="primary" if selected and state == CLOSED else "secondary",
        on_click=_put,
        args=(CLOSED if state != CLOSED else AUTO if selected else OPEN,),
    )


@contextmanager
def panel(window: Window, state: str, selected: int) -> Iterator[None]:
    """Around what the panel holds, in this state and with so many pictures selected."""
    with window.side, st.container(key="map_panel"):
        with st.container(key="map_panel_tools", horizontal=True, gap="xxsmall"):
            wide = state == WIDE
            _tool("map_narrow", "right_panel_open", "Beside the map", AUTO if selected else OPEN) if wide else _tool(
                "map_widen", "right_panel_close", "Widen to a gallery", WIDE
            )
            _tool("map_close", "close", "Close", CLOSED)
        with st.container(key="map_panel_body"):
            yield


def _tool(key: str, icon: str, meaning: str, state: str) -> None:
    st.button(meaning, key=key, icon=f":material/{icon}:", type="tertiary", on_click=_put, args=(state,))


def _put(state: str) -> None:
    if state == CLOSED:
        selection.forget_gone()
    st.session_state[PANEL] = state
