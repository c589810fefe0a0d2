"""What an address names and the database does not have: said at the top of the page, with what is shown instead."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboard.compute import words
from dashboard.state import filters, url

NOTES = "_not_found"  # in the session
LONGEST = 60  # characters of a stranger's address that a sentence repeats
LISTS = {"like", "unlike", "crop"}  # whose words are parted by commas
OTHERS = {
    "db",
    "run",
    "image",
    "f",
    "where",
    "selection",
    "marked",
    "sql_query",
    "panel",
}  # for which other sentences are made
BY_ID = {"projection", "other"}  # whose values in the session are numbers that nobody sees
NOUNS = {
    "aggregate_head": "head",
    "aggregate_layer": "layer",
    "aggregate_method": "method",
    "head_layer": "layer",
    "head_number": "head",
    "layout_by": "column",
    "like": "example",
    "map_colour": "column",
    "other": "run",
    "score": "target",
    "unlike": "counter-example",
}


def note(key: str, sentence: str, shown: Any) -> None:
    """Say this at the top of the page for as long as `shown` is the value of `key` in the session."""
    st.session_state.setdefault(NOTES, {})[key] = (sentence, shown)


def hold(key: str) -> None:
    """What is said of `key` holds for the value that the session has now."""
    notes = st.session_state.get(NOTES, {})
    if key in notes:
        notes[key] = (notes[key][0], st.session_state.get(key))


def quoted(text: str) -> str:
    """Somebody's word in a sentence, shortened."""
    return f"“{filters.short(text, LONGEST)}”"


@contextmanager
def watched():
    """Around a page: what the address asks of its controls, and these cannot give, is said above it."""
    above = st.container()
    yield
    now = url.current()
    for key, texts in url.asked().items():
        if key not in OTHERS:
            _compare(key, texts, now.get(key, []))
    with above:
        show()


def show() -> None:
    """All that holds still, and a way to put it aside."""
    state = st.session_state
    notes = {key: each for key, each in state.get(NOTES, {}).items() if state.get(key) == each[1]}
    state[NOTES] = notes
    if notes:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(" ".join(words.plain(sentence) for sentence, _ in notes.values()), icon=":material/link_off:")
            st.button("Close", key="not_found_close", on_click=notes.clear, type="tertiary")


def _compare(key: str, texts: list[str], now: list[str]) -> None:
    """Whether a control took over the `texts` that the address had for it; `now` is what the address will say."""
    value = st.session_state.get(key)
    parts = [part for text in texts for part in (text.split(",") if key in LISTS else [text])]
    there = [*now, *(part for text in now for part in text.split(",")), *_texts(value)]
    vain = [part for part in dict.fromkeys(parts) if not any(_same(part, other) for other in there)]
    if vain and not (now and texts == now):
        noun = NOUNS.get(key, key.replace("_", " "))
        instead = "" if key in BY_ID else filters.short(", ".join(now or _texts(value)), LONGEST)
        sentence = f"The address asks for the {noun} {' and '.join(map(quoted, vain[:3]))}, which is not to be had here"
        note(key, f"{sentence}; shown is {instead}." if instead else f"{sentence}.", value)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [] if value is None else [str(value)]
    return [str(each) for each in value]


def _same(text: str, other: str) -> bool:
    """Whether two words of an address mean the same: 1 and 1.0, true and True, a method with and without the options
    that it has anyway."""
    if text.casefold() == other.casefold() or (text.endswith(")") and text.partition("(")[0] == other):
        return True
    try:
        return abs(float(text) - float(other)) < 0.0005
    except ValueError:
        return False
