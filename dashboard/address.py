"""What the address bar says, and what is in view: kept the same, so that any view can be shared as a link.

The database goes by its file's name, the run and the image by their ids. Streamlit can bind a picker to the address by
itself, but then writes the chosen label there: two pictures called "Untitled" would share a link, and a corrected title
would break one. So this small file does it.
"""

from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard import filters

KEYS = ("db", "run", "image")
PAGES = {
    "": "views/overview.py",
    "map": "views/map.py",
    "similar": "views/similar.py",
    "attention": "views/attention.py",
    "heads": "views/heads.py",
    "aggregate": "views/aggregate.py",
    "parts": "views/parts.py",
    "probe": "views/probe.py",
    "sql": "views/sql.py",
}


def arrive() -> None:
    """Take over what is new in the address: on opening a link, and on the browser's back and forward. What the person
    has just picked on the page comes before it. To be called before the pickers."""
    state = st.session_state
    written = state.setdefault("_address", {})
    picked = state.pop("_picked", set())
    for key in KEYS:
        value = st.query_params.get(key)
        news = value != written.get(key) or key not in state
        if value is not None and news and key not in picked and (key == "db" or value.isdecimal()):
            state[key] = value if key == "db" else int(value)
    state.update(state.pop("_wish", {}))
    if "_goto" in state:
        st.switch_page(PAGES[state.pop("_goto")], query_params=query())


def settle(key: str, options: list) -> bool:
    """Before a picker is drawn: make its value one of the options, the first if it is not. False if there are none."""
    if not options:
        st.session_state.pop(key, None)
        return False
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    return True


def leave() -> None:
    """Write what is in view into the address. To be called after the pickers."""
    values = parameters()
    stale = [key for key in KEYS if key in st.query_params and key not in values]
    if stale or any(st.query_params.get(key) != value for key, value in values.items()):
        kept = {key: st.query_params.get_all(key) for key in st.query_params if key not in KEYS}
        bound = [key for key in kept if key in st.session_state]
        # A page's own bound pickers look after their part of the address, and Streamlit refuses to touch it.
        if stale and not bound:
            st.query_params.from_dict(kept | values)
        else:
            st.query_params.update(values)
    st.session_state["_address"] = values


def parameters(**other: Any) -> dict[str, str]:
    """What the address says of what is in view, with some values replaced or added."""
    values = {key: st.session_state.get(key) for key in KEYS} | other
    return {key: str(value) for key, value in values.items() if value is not None}


def query(**other: Any) -> list[tuple[str, str]]:
    """The query of a link to what is in view, with some values replaced or added, and with the filter: every address
    of ours carries it, so that one without it means that there is none."""
    state, said = st.session_state, st.query_params
    entries = filters.to_address(state["f"]) if "f" in state else said.get_all("f")
    where = state["where"] if "where" in state else said.get("where")
    return [*parameters(**other).items(), *(("f", entry) for entry in entries), *([("where", where)] if where else [])]


def picked(key: str) -> None:
    """The callback of a picker: the person's choice comes before an address that has not caught up."""
    st.session_state["_picked"] = st.session_state.get("_picked", set()) | {key}


def choose(key: str, value: Any, page: str | None = None) -> None:
    """Set a picker from elsewhere, in a callback or in a page's body, and go to a page if one is named."""
    try:
        st.session_state[key] = value
    except StreamlitAPIException:  # the body of a page: the picker is on the screen and can't be changed in this run
        if page is not None:
            st.switch_page(PAGES[page], query_params=query(**{key: value}))
        st.session_state["_wish"] = {key: value}
        st.rerun()
    picked(key)
    if page is not None:
        st.session_state["_goto"] = page


def link(page: str, label: str, image_id: int | None = None, icon: str | None = None) -> None:
    """A link to a page of ours, with what is in view or with another image, and with the filter that pages share."""
    said = query() if image_id is None else query(image=image_id)
    st.page_link(PAGES[page], label=label, icon=icon, query_params=said, width="stretch")
