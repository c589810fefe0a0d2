"""A button that copies the page's address, which is a link to what is seen: filter, selection, map and all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_HELP = (
    "The address of this page as you see it now, for a colleague or for your notes: with filter, selection and view."
)


def button() -> None:
    """The button, for the sidebar's foot."""
    st.html(markup(), unsafe_allow_javascript=True)


@cache
def markup() -> str:
    """The button as HTML, with its style and script."""
    css, js = (_HERE.joinpath(f"copy_link.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    made = f'<button type="button" class="ba-copy-link" title="{_HELP}" aria-live="polite">Copy link</button>'
    return f"<style>{css}</style>{made}<script>{js}</script>"
