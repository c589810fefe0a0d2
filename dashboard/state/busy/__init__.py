"""Writing from a button: what went wrong is said where it was pressed, and what was typed stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from store.errors import DatabaseLocked, StoreError

BUSY = (
    "The database is busy, as it is while pictures are read into it. Nothing is lost: press the button again in a "
    "moment."
)


def attempt(key: str, act: Callable[..., Any], *values: Any) -> bool:
    """Does it, in a callback; False if it could not be done, and `explain(key)` says why at the next run."""
    state = st.session_state
    state.pop(_problem(key), None)
    try:
        act(*values)
    except DatabaseLocked:
        state[_problem(key)] = BUSY
    except StoreError as error:
        state[_problem(key)] = str(error)
    return _problem(key) not in state


def explain(key: str) -> str | None:
    """Says, once, why the last attempt failed; returns the sentence."""
    sentence = st.session_state.pop(_problem(key), None)
    if sentence:
        st.warning(sentence, icon=":material/info:")
    return sentence


def _problem(key: str) -> str:
    return f"_{key}_problem"
