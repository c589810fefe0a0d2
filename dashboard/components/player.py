"""Frames that are played in the browser: all sent once, no question to the server between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shot:
    """One frame: an address or data URL, a line of text below it, and what it shows in words."""

    src: str
    caption: str
    alt: str


def player(shots: Sequence[Shot], key: str, fps: float = 2.0) -> None:
    """A frame with a slider, play and pause, and speed; it opens at the last one. Space plays and pauses, the arrow
    keys step, Home and End go to the ends. ValueError without frames."""
    if not shots:
        raise ValueError("a player needs at least one frame")
    _player()(key=key, data={"shots": [vars(shot) for shot in shots], "fps": float(fps)})


@cache
def _player():
    return st.components.v2.component(
        "bilderatlas_player",
        html=(_HERE / "player.html").read_text(encoding="utf-8"),
        css=(_HERE / "player.css").read_text(encoding="utf-8"),
        js=(_HERE / "player.js").read_text(encoding="utf-8"),
    )
