"""A tour of four steps for who has never been here. It is the browser's own affair, which remembers that it was shown:
nothing of it stands in the address, and no rerun is asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_LINK = '<button type="button" class="ba-tour-link">Tour of these pages</button>'


def link(visit: bool) -> None:
    """The link that shows it, for the sidebar's foot; on a `visit` of a page with pictures it comes by itself, once."""
    st.html(markup(visit), unsafe_allow_javascript=True)


def markup(visit: bool) -> str:
    """The link as HTML, with its style and script."""
    now = "window.bilderatlasTour.visit();" if visit else ""
    return f"<style>{_file('tour.css')}</style>{_LINK}<script>{_file('tour.js')}\n{now}</script>"


@cache
def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
