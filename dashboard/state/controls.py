"""Streamlit's controls with their value in the address (`dashboard.state.url`).

Each is called as in Streamlit, with a `key` that is also its key in the address. Options are written there as `str` of
the option, or as `words` says; they are read by that and by their labels too. What is at first is left out unless
`always`, and a value that is no option any more, in another run, say, gives way to the first one. A label that is a
word of the glossary explains itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.drawing.text import glossary
from dashboard.state.url import Param

Words = Callable[[Any], str]


def selectbox(
    label: str,
    options: Sequence[Any],
    index: int = 0,
    *,
    key: str,
    format_func: Words = str,
    words: Words = str,
    always: bool = False,
    follows: bool = False,
    **more: Any,
) -> Any:
    """A list to choose one of `options` from; None where there is none."""
    _load_option(key, options, index, format_func, words, always, follows)
    return st.selectbox(label, options, key=key, format_func=format_func, **_explained(label, more))


def segmented_control(
    label: str,
    options: Sequence[Any],
    index: int = 0,
    *,
    key: str,
    format_func: Words = str,
    words: Words = str,
    always: bool = False,
    follows: bool = False,
    **more: Any,
) -> Any:
    """A row of buttons, of which one is always pressed."""
    _load_option(key, options, index, format_func, words, always, follows)
    return st.segmented_control(
        label, options, key=key, format_func=format_func, required=True, **_explained(label, more)
    )


def option(
    options: Sequence[Any], *, key: str, format_func: Words = str, words: Words = str, always: bool = False
) -> Any:
    """The value that a list or a row of buttons has, for what is drawn before it; None where there are no options."""
    _load_option(key, options, 0, format_func, words, always)
    return st.session_state.get(key)


def select_slider(label: str, options: Sequence[Any], index: int = 0, *, key: str, **more: Any) -> Any:
    """A slider over `options`."""
    _load_option(key, options, index, str, str, False)
    return st.select_slider(label, options, key=key, **_explained(label, more))


def multiselect(
    label: str,
    options: Sequence[Any],
    first: Sequence[Any] = (),
    *,
    key: str,
    always: bool = False,
    follows: bool = False,
    **more: Any,
) -> list[Any]:
    """Some of `options`."""
    known = {str(option): option for option in options}

    def read(texts: list[str]) -> list[Any] | None:
        found = [known[word] for word in texts if word in known]
        return found if found or texts == [""] else None

    def write(value: list[Any]) -> list[str]:
        return [str(each) for each in value] or [""]

    value = Param(key, list(first), read, write, always and bool(first), follows=follows, offered=list(known)).load()
    if any(each not in options for each in value):
        st.session_state[key] = [each for each in value if each in options]
    # Streamlit's own words for none are longer than most fields.
    return st.multiselect(label, options, key=key, **_explained(label, {"placeholder": "none", **more}))


def toggle(label: str, first: bool = False, *, key: str, **more: Any) -> bool:
    """On or off, `true` or `false` in the address."""
    known = {"true": True, "false": False}
    Param(key, first, lambda texts: known.get(texts[0].lower()), lambda value: [str(value).lower()]).load()
    return st.toggle(label, key=key, **_explained(label, more))


def slider(label: str, low: Any, high: Any, first: Any, step: Any = None, *, key: str, **more: Any) -> Any:
    """A number from `low` to `high`."""
    _load_number(key, low, high, first)
    return st.slider(label, low, high, step=step, key=key, **_explained(label, more))


def number_input(label: str, low: Any, high: Any, first: Any, *, key: str, **more: Any) -> Any:
    """A number from `low` to `high`, typed."""
    _load_number(key, low, high, first)
    return st.number_input(label, low, high, key=key, **_explained(label, more))


def pagination(pages: int, *, key: str, **more: Any) -> int:
    """A page of so many, the first at first."""
    _load_number(key, 1, pages, 1)
    return st.pagination(pages, key=key, **more)


def text_input(label: str, *, key: str, **more: Any) -> str:
    """Text, without the space around it."""
    Param(key, "", lambda texts: texts[0], lambda value: [value]).load()
    return (st.text_input(label, key=key, **_explained(label, more)) or "").strip()


def _explained(label: str, more: dict[str, Any]) -> dict[str, Any]:
    """With what the label means as its `help`, where it is a word of the glossary."""
    sense = None if "help" in more or more.get("label_visibility") == "collapsed" else glossary.sense_of(label)
    return more if sense is None else {**more, "help": sense}


def _load_option(
    key: str,
    options: Sequence[Any],
    index: int,
    format_func: Words,
    words: Words,
    always: bool,
    follows: bool = False,
) -> None:
    if not len(options):
        st.session_state.pop(key, None)
        return
    first = options[index]

    def read(texts: list[str]) -> Any:
        known = {format_func(option): option for option in reversed(options)}
        known |= {words(option): option for option in reversed(options)}
        return known.get(texts[-1])

    def write(value: Any) -> list[str]:
        return [words(value)]

    offered = [str(option) for option in options]
    if Param(key, first, read, write, always, follows=follows, offered=offered).load() not in options:
        st.session_state[key] = first


def _load_number(key: str, low: Any, high: Any, first: Any) -> None:
    kind = type(first)

    def read(texts: list[str]) -> Any:
        try:
            value = kind(texts[-1])
        except ValueError:
            return None
        return value if math.isfinite(value) and low <= value <= high else None

    def write(value: Any) -> list[str]:
        return [f"{value:.6g}" if kind is float else str(value)]

    value = Param(key, first, read, write, follows=True, offered=(low, high)).load()
    if value is None or not low <= value <= high:
        st.session_state[key] = first
