"""A picture from the clipboard: Ctrl+V anywhere on the page, or a button."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from dashboard.data.uploads import MEGABYTES

_HERE = Path(__file__).parent


def paste(key: str) -> str | None:
    """The picture that was pasted just before this very run, as a data URL; else None."""
    answer = _paste()(key=key, data={"bytes": MEGABYTES * 2**20}, on_pasted_change=_nothing)
    return answer.pasted


def _nothing() -> None:
    """Streamlit names a trigger by its callback, so there has to be one."""


@cache
def _paste():
    return st.components.v2.component(
        "bilderatlas_paste",
        html='<button type="button">Paste a picture</button><p class="status" role="status"></p>',
        css=(_HERE / "paste.css").read_text(encoding="utf-8"),
        js=(_HERE / "paste.js").read_text(encoding="utf-8"),
    )
