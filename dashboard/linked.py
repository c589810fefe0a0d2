"""Choices kept in the address word for word. A control that Streamlit binds puts its label there, which may be worded
better one day, and leaves out its first value, which may be another one when the collection has grown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

LAG = 1.0  # seconds that an address takes to the browser and back, at most


def take(key: str, first: Any, read: Callable[[list[str]], Any], everywhere: bool = False) -> None:
    """Before the control `key` is drawn: set it to what is new in the address, as `read` understands its words (None:
    not at all), else to what was chosen, be it before another page was opened, else to `first`. Where the addresses of
    all pages carry the key, `everywhere`, an address without it is news too: the browser's back."""
    state, said = st.session_state, st.query_params.get_all(key)
    written = state.get(_memory(key))
    news = said != written and not _late(key, said)
    if said and (news or key not in state):
        value = read(said)
        if value is not None:
            state[key] = value
    elif news and written and everywhere:
        state[key] = first
    if key not in state:
        state[key] = state.get(_kept(key), first)


def write(key: str, said: Sequence[str]) -> None:
    """After the control `key` is drawn: put its words into the address; none take it out."""
    said, address = list(said), st.query_params
    before = address.get_all(key)
    if said != before:
        st.session_state[_before(key)] = before, time.monotonic()
    if said and said != before:
        address[key] = said
    elif not said and key in address:
        del address[key]
    st.session_state[_memory(key)] = said
    if key in st.session_state:
        st.session_state[_kept(key)] = st.session_state[key]


def one_of(label: str, options: Sequence[str], key: str, title: Callable[[str], str], width: int) -> str:
    """A list to choose from, the first at first, which is left out of the address."""
    take(key, options[0], lambda said: said[0] if said[0] in options else None)
    if st.session_state[key] not in options:  # chosen for another run, say
        st.session_state[key] = options[0]
    chosen = st.selectbox(label, options, format_func=title, key=key, width=width)
    write(key, [] if chosen == options[0] else [chosen])
    return chosen


def _late(key: str, said: list[str]) -> bool:
    """Whether an address says what it said before we wrote there just now: the browser has not heard of it yet."""
    before, written = st.session_state.get(_before(key), (None, 0.0))
    return said == before and time.monotonic() - written < LAG


def _before(key: str) -> str:
    return f"_{key}_before"


def _kept(key: str) -> str:
    return f"_{key}_kept"


def _memory(key: str) -> str:
    return f"_{key}_address"
