"""Controls that several pages have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.drawing import figure, markup
from dashboard.state import controls

_COMMAND = re.compile(r"(?s)(.*?):?\s*(python -m ingest [^;]*?)\.?")


def smooth(key: str) -> bool:
    """Whether patches are drawn interpolated, and not as flat squares."""
    drawn = controls.segmented_control(
        "Patches",
        ["sharp", "smooth"],
        key=key,
        help="Sharp shows one flat square for each patch: all that the network has. Smooth interpolates.",
    )
    return drawn == "smooth"


def message(error: object, show: Callable[[str], Any] = st.error) -> None:
    """What an error says, in an element such as `st.error`; a command at its end, which says what to type, below it to
    be copied."""
    found = _COMMAND.fullmatch(str(error))
    show(markup.markdown(found[1] if found else str(error)))
    if found:
        st.code(found[2], language="bash")


def figures(key: str, stem: str, plate: Callable[[], figure.Plate]) -> None:
    """Buttons for the figure for print, drawn only when somebody asks for it; `stem` begins the names of the files."""
    for label, ending, mime, write in (
        ("Figure as PNG, 300 dpi", "png", "image/png", figure.png),
        ("Figure as SVG", "svg", "image/svg+xml", figure.svg),
    ):
        st.download_button(
            label,
            lambda write=write: write(plate()),
            f"{stem}.{ending}",
            mime,
            key=f"{key}_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )
