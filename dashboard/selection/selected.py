"""Which pictures are selected: by id, so that it stays through other layouts, runs and pages; and in the address.

A saved selection goes by its name (`selection=…`), another one by its ids (`marked=…`), where they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import packing
from dashboard.data import cache
from dashboard.state import url

MARKED = "_map_marked"  # in the session: the ids, each once, ascending
_NAME, _GONE = "_selection_name", "_selection_gone"
_NAMED, _LISTED = "selection", "marked"  # in the address


def ids() -> np.ndarray:
    """What is selected (n,) int64, ascending; not all of it need be in the run in view."""
    return np.asarray(st.session_state.get(MARKED, ()), dtype=np.int64)


def choose(ids: Iterable[int], name: str | None = None) -> None:
    """Select these pictures, and no others; `name` is that of the selection they were opened as."""
    chosen = packing.ascending(ids).copy()
    chosen.flags.writeable = False
    st.session_state[MARKED] = chosen
    st.session_state[_NAME] = name


def toggle(image_id: int) -> None:
    """Select this picture too, or not any more."""
    choose(np.setxor1d(ids(), [image_id]))


def name(collection: str) -> str | None:
    """The name under which what is selected is saved, and was opened or saved; None if it has changed since."""
    known = st.session_state.get(_NAME)
    members = None if known is None else cache.selection_members(collection, known)
    return known if members is not None and np.array_equal(members, ids()) else None


def read_from_url(collection: str) -> None:
    """Take over what is new in the address, on opening a link and on the browser's back. To be called before anything
    that shows what is selected."""
    state = st.session_state
    if not url.changed_in_url(_NAMED, _LISTED):
        return
    named, listed = st.query_params.get(_NAMED), st.query_params.get(_LISTED)
    members = cache.selection_members(collection, named) if named else None
    found = packing.unpack(listed) if listed else None
    state.pop(_GONE, None)
    if members is not None:
        choose(members, named)
    elif found is not None:
        choose(found)
    elif not named and not listed:  # back to where nothing was selected
        choose([])
    elif named:
        state[_GONE] = f"There is no saved selection “{named}” in this collection any more."
    else:
        state[_GONE] = "The address does not hold the whole selection: it was cut off on the way."


def read_from_url_anywhere() -> None:
    """The same on any page, of the collection in view."""
    if (collection := _collection()) is not None:
        read_from_url(collection)


def write_to_url_anywhere() -> None:
    """Put what is selected into the address, if it fits, on any page."""
    if (collection := _collection()) is not None:
        write_to_url(collection)


def _collection() -> str | None:
    """The collection in view: that of the run, or else of the picture."""
    run, image_id = cache.current_run(), cache.current_image()
    image = cache.image(image_id) if run is None and image_id is not None else None
    return run.collection if run is not None else image["collection"] if image is not None else None


def gone() -> str | None:
    """Why the selection that the address names is not there, said until another one is made."""
    return st.session_state.get(_GONE) if not len(ids()) else None


def forget_gone() -> None:
    """That is read: say it no longer, and take it out of the address."""
    st.session_state.pop(_GONE, None)


def write_to_url(collection: str) -> bool:
    """Put what is selected into the address; False if it does not fit. To be called at the end."""
    marked, known = ids(), name(collection)
    text = packing.pack(marked) if known is None and len(marked) else None
    if not len(marked) and gone():
        return True  # the address stays for whoever wants to read it
    url.put(_NAMED, [known] if known else [])
    url.put(_LISTED, [text] if text else [])
    return not len(marked) or bool(known or text)


def pick(label: str, names: pd.Series, images: pd.Series, key: str, button: str, act: Callable[..., Any]) -> str | None:
    """One of several sets of pictures: a list of `names` with how many `images` each has, kept under `key`, and beside
    it a button that calls `act` with the one that is picked. Returns that one; None, and draws nothing, where there are
    none."""
    counts = dict(zip(names, images, strict=True))
    if not counts:
        return None
    if st.session_state.get(key) not in counts:  # renamed or deleted
        st.session_state.pop(key, None)
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        name = st.selectbox(
            label, list(counts), key=key, format_func=lambda name: f"{name} ({counts.get(name, 0):,})", width=240
        )
        st.button(button, key=f"{key}_do", on_click=act, args=(name,))
    return name
