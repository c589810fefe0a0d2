"""Writing from a button: what went wrong is said where it was pressed, and what was typed stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from store.errors import DatabaseLocked, StoreError

BUSY = (
    "The database is busy, as it is while pictures are read into it. Nothing is lost: press the button again in a "
    "moment."
)

P = ParamSpec("P")
T = TypeVar("T")


def whole(callback: Callable[P, T]) -> Callable[P, T]:
    """A callback that is done to its end. Else Streamlit gives it up at its first look into the session where somebody
    has meanwhile pressed something else, as Escape right after Enter: that waits until it is through."""

    @wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        context = get_script_run_ctx(suppress_warning=True)
        requests = None if context is None else context.script_requests
        if requests is None or "on_scriptrunner_yield" in vars(requests):
            return callback(*args, **kwargs)
        vars(requests)["on_scriptrunner_yield"] = lambda: None
        try:
            return callback(*args, **kwargs)
        finally:
            vars(requests).pop("on_scriptrunner_yield", None)

    return run


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
