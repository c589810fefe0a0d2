"""Choices kept in the address word for word. A control that Streamlit binds puts its label there, which may be worded
better one day, and leaves out its first value, which may be another one when the collection has grown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def take(key: str, first: Any, read: Callable[[list[str]], Any]) -> None:
    """Before the control `key` is drawn: set it to what is new in the address, as `read` understands its words (None:
    not at all), else to what was chosen, be it before another page was opened, else to `first`."""
    state, said = st.session_state, st.query_params.get_all(key)
    if said and (said != state.get(_memory(key)) or key not in state):
        value = read(said)
        if value is not None:
            state[key] = value
    if key not in state:
        state[key] = state.get(_kept(key), first)


def write(key: str, said: Sequence[str]) -> None:
    """After the control `key` is drawn: put its words into the address; none take it out."""
    said, address = list(said), st.query_params
    if said and address.get_all(key) != said:
        address[key] = said
    elif not said and key in address:
        del address[key]
    st.session_state[_memory(key)] = said
    if key in st.session_state:
        st.session_state[_kept(key)] = st.session_state[key]


def _kept(key: str) -> str:
    return f"_{key}_kept"


def _memory(key: str) -> str:
    return f"_{key}_address"
