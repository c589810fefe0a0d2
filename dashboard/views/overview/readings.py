"""How the tables were read that describe the collections."""

import json

import streamlit as st

from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache


def show_tables() -> None:
    """For each table when and how it was read, whom it describes, and which of its rows are odd."""
    readings = cache.table_readings()
    if readings.empty:
        return
    st.header("Tables", anchor=False)
    for row in records(readings):
        reading = json.loads(row["reading"])
        with st.container(border=True):
            st.markdown(f"**{words.plain(row['source'])}** describes *{words.plain(row['collection'])}*")
            st.markdown("\n".join(f"- {words.plain(note)}" for note in reading.get("notes", [])))
            st.caption(f"Read {row['read_at']:%d %B %Y, %H:%M} UTC.")
