"""Which images a page about many of them is about: all of a collection, or those that the metadata says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from dashboard import cache, filters
from store.facets import OneOf

ALL = "all images"


@dataclass(frozen=True)
class Chosen:
    """Image ids (n,) int64, None for all of the run, and words for them: ALL, or as in "images with year 1566"."""

    ids: np.ndarray | None
    words: str


def choose(run: dict[str, Any], key: str) -> Chosen:
    """The controls, to be called in a row, and the choice, which the address keeps as `key`_by and `key`_values. With a
    column but no value of it chosen, all images count. Of many values only the frequent ones are offered."""
    columns = choosable(run["collection"])
    everything = Chosen(None, ALL)
    if not columns:
        return everything
    by, values, state = f"{key}_by", f"{key}_values", st.session_state
    column = st.selectbox("Choose by", [ALL, *columns], key=by, bind="query-params", width=200)
    if column not in columns:
        return everything
    named = [*state.get(values, ()), *st.query_params.get_all(values)]  # which need not be frequent
    options = [value for value, _ in cache.categories(run["collection"], column, also=named).values]
    if values in state:  # what was chosen of another column, or of another run's
        state[values] = [value for value in state[values] if value in options]
    wanted = st.multiselect("Values", options, key=values, bind="query-params", width=380)
    if not wanted:
        return everything
    condition = OneOf(column, tuple(wanted))
    return Chosen(cache.matching(run["collection"], [condition]), f"images with {filters.said(condition)}")


def one_of(label: str, options: Sequence[str], key: str, title: Callable[[str], str], width: int) -> str:
    """A list to choose from, the first at first. The address keeps the option by its own word; a control that Streamlit
    binds would put its title there, and a title that is put better one day would break every link."""
    state, address, linked = st.session_state, st.query_params, st.query_params.get(key)
    if linked != state.get(f"_{key}_address") and linked in options:
        state[key] = linked
    elif state.get(key) not in options:
        state[key] = options[0]
    chosen = st.selectbox(label, options, format_func=title, key=key, width=width)
    if chosen != options[0]:
        address[key] = chosen
    elif key in address:
        del address[key]
    state[f"_{key}_address"] = address.get(key)
    return chosen


def choosable(collection: str) -> list[str]:
    """The metadata columns that group images: not those in which every image has a text of its own, like titles."""
    return cache.grouping(collection)
