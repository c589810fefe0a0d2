"""Cells of the metadata that are wrong: corrected in place, kept apart from what the source says."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.state import busy

KINDS = {
    "BIGINT": "a whole number",
    "DOUBLE": "a number",
    "DATE": "a date such as 1831-05-17",
    "VARCHAR": "text",
}  # by the type of a column
LONG = 120  # letters of a cell that has more than one line to be typed in


def show(image: cache.ImageRow, key: str = "correct") -> None:
    """The corrections of a picture, and a place for another one; `key` begins the keys of the controls."""
    busy.explain(key)
    for row in records(cache.corrections_of(image["image_id"])):
        line(image["image_id"], row, key)
    cells = cache.cells(image["image_id"])
    if not cells:
        return
    with st.popover("Correct a value", icon=":material/edit:", type="tertiary"):
        column = st.selectbox("Column", list(cells), key=f"{key}_column")
        now, kind = cells[column]
        field = f"{key}_text_{image['image_id']}_{column}"
        with st.form(f"{key}_form", border=False):
            # A field of one line would take the ends of lines out of the cell.
            ask = st.text_area if "\n" in now or len(now) > LONG else st.text_input
            ask(
                "Right is",
                now,
                key=field,
                placeholder="nothing is known",
                help=f"Here stands {expected(kind)}, or nothing.",
            )
            st.form_submit_button(
                "Save the correction",
                key=f"{key}_save",
                on_click=save,
                args=(image["image_id"], column, field, key, now),
                type="primary",
            )
        st.caption("Filters, exports and SQL have the corrected value; the table that you gave stays as it is.")


def line(image_id: int, row: dict[str, Any], key: str) -> None:
    """One correction."""
    column, by = row["column"], f" by {words.plain(row['who'])}" if row["who"] else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"**{words.plain(column)}** corrected{by} on {row['made_at']:%d %B %Y}: {said(row['after'])}, before: "
            f"{said(row['before'])}." + news(row),
            width="content",
        )
        args = (image_id, column, key)
        st.button("Take back", f"{key}_back_{column}", on_click=take_back, args=args, type="tertiary")


def news(row: dict[str, Any]) -> str:
    """What the source says by now, where that is something else than when it was corrected."""
    if row["source_says"] == row["before"]:
        return ""
    return f" :material/info: The source now says {said(row['source_says'])}."


def said(text: Any) -> str:
    """A cell in words."""
    return f"“{words.plain(text)}”" if isinstance(text, str) and text.strip() else "nothing"


def expected(kind: str) -> str:
    """What a column of this type holds."""
    return KINDS.get(kind, "a number")


@busy.whole
def save(image_id: int, column: str, field: str, key: str, before: str) -> None:
    """Callback of the form; `before` is what stood there for who typed."""
    if busy.attempt(key, cache.correct, image_id, column, st.session_state[field] or "", before):
        st.session_state.pop(field, None)
        st.toast("Saved.")


@busy.whole
def take_back(image_id: int, column: str, key: str) -> None:
    """Callback."""
    busy.attempt(key, cache.take_correction_back, image_id, column)
