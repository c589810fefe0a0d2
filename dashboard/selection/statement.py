"""The SQL statement that gives exactly the selected pictures."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard.data import cache
from dashboard.selection import selected
from dashboard.selection.selection import Selection
from dashboard.state import navigation
from store import selections

LONGEST = 2000  # letters of a statement that an address can hold
SHOWN = 20_000


def show(selection: Selection) -> None:
    """The statement, and the way to the SQL page with it."""
    sql = statement(selection)
    if len(sql) > SHOWN:
        st.markdown(
            "Told by their ids, these pictures make a very long statement. Save them: their name makes it short."
        )
        return
    st.code(sql, language="sql", wrap_lines=True)
    if len(sql) <= LONGEST:
        query = navigation.query(sql_query=sql)
        st.page_link(
            navigation.script_of("sql"), label="Open it on the SQL page", icon=":material/database:", query_params=query
        )
    else:
        st.caption("This is too long for a link to the SQL page. Save the selection: its name makes a short statement.")


def statement(selection: Selection) -> str:
    """The one that found the pictures, or by the name under which they are saved, by the tag that they and no others
    have, or by their ids."""
    if selection.sql:
        return selection.sql
    collection, ids = selection.collection, selection.ids
    name = selected.name(collection)
    members = None if name is None else cache.selection_members(collection, name)
    if name is not None and members is not None and np.array_equal(ids, members):
        return selections.by_name(collection, name)
    counts = cache.tags_among(ids)
    whole = counts.loc[counts["images"] == len(ids), "tag"]
    for tag in whole.head(20):
        if np.array_equal(cache.tagged(tag, collection), ids):
            return selections.by_tag(collection, tag)
    return selections.by_ids(collection, ids, np.sort(cache.images(collection).index.to_numpy()))
