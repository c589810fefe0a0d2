"""Notes on one picture: written, changed, deleted."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.state import busy


def show(image_id: int) -> None:
    """The notes on an image, and a place for another one."""
    busy.explain("note")
    for row in records(cache.notes([image_id])):
        line(row)
    with st.form("note_form", border=False):
        st.text_area(
            "A note on the picture",
            key="note_new",
            placeholder="what you see, or where you read it",
            height=90,
            label_visibility="collapsed",
        )
        st.form_submit_button("Save the note", key="note_add", on_click=add, args=(image_id,))


def line(row: dict[str, Any]) -> None:
    """One note."""
    number, key = row["note_id"], f"note_text_{row['note_id']}"
    with st.container(gap=None):
        st.markdown(words.lines(row["note"]))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{row['created_at']:%d %B %Y}", width="content")
            with st.popover("Change", type="tertiary"):
                st.text_area("Note", row["note"], key=key, label_visibility="collapsed")
                st.button("Save", key=f"note_save_{number}", on_click=change, args=(number, key))
            st.button("Delete", key=f"note_delete_{number}", on_click=delete, args=(number,), type="tertiary")


@busy.whole
def add(image_id: int) -> None:
    """Callback of the form."""
    state = st.session_state
    if busy.attempt("note", cache.add_note, image_id, state["note_new"] or ""):
        state["note_new"] = ""
        st.toast("Saved.")


@busy.whole
def change(note_id: int, key: str) -> None:
    """Callback."""
    if busy.attempt("note", cache.change_note, note_id, st.session_state[key] or ""):
        st.toast("Saved.")


@busy.whole
def delete(note_id: int) -> None:
    """Callback."""
    busy.attempt("note", cache.delete_note, note_id)
