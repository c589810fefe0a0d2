"""One of several sets of pictures, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st


def pick(label: str, names: pd.Series, images: pd.Series, key: str, button: str, act: Callable[..., Any]) -> str | None:
    """A list of `names` with how many `images` each has, kept under `key`, and beside it a button that calls `act` with
    the one that is picked. Returns that one; None, and draws nothing, where there are none."""
    counts = dict(zip(names, images, strict=True))
    if not counts:
        return None
    if st.session_state.get(key) not in counts:  # renamed or deleted
        st.session_state.pop(key, None)
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        name = st.selectbox(
            label, list(counts), key=key, format_func=lambda name: f"{name} ({counts.get(name, 0):,})", width=260
        )
        st.button(button, key=f"{key}_do", on_click=act, args=(name,))
    return name
