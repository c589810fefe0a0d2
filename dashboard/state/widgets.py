"""Controls that several pages have."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.drawing import figure
from dashboard.state import controls


def smooth(key: str) -> bool:
    """Whether patches are drawn interpolated, and not as flat squares."""
    drawn = controls.segmented_control(
        "Patches",
        ["sharp", "smooth"],
        key=key,
        help="Sharp shows one flat square for each patch: all that the network has. Smooth interpolates.",
    )
    return drawn == "smooth"


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
