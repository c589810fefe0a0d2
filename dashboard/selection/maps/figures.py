"""The way to the page Figure: with which pictures and which columns it begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from dashboard.selection.maps.columns import Column
from dashboard.state import navigation

PICTURES, COLUMNS = "pictures", "col"  # in the address and in the session
MOST_PICTURES, MOST_COLUMNS = 12, 8
_MOST_IDS = 200  # of a selection: more are no figure, and no address
_SEEN = "_maps_seen"  # in the session: the columns that were last on the page Attention


def open_with(ids: Iterable[int], image_id: int, columns: Sequence[Column] = (), **more: str) -> None:
    """To the page Figure with these pictures, and with these columns if there are any, else what it has; `more` of its
    values by their keys. For callbacks."""
    state = st.session_state
    state[PICTURES] = [int(each) for each in ids][:_MOST_IDS]
    if columns:
        state[COLUMNS] = tuple(columns[:MOST_COLUMNS])
    state.update(more)
    navigation.choose("image", image_id, "figure")


def remember(columns: Sequence[Column]) -> None:
    """These maps were on a page: a figure begins with them."""
    st.session_state[_SEEN] = tuple(columns[:MOST_COLUMNS])


def seen(run_id: int) -> tuple[Column, ...]:
    """The maps of this run that were last on a page; none before."""
    found = st.session_state.get(_SEEN, ())
    return found if all(column.run_id == run_id for column in found) else ()
