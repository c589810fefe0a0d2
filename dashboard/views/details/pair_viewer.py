"""A part and the place where it was found, side by side in OpenSeadragon, with the matching points joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.components.card.tiles import Tiles
from dashboard.components.modules import DEEP_ZOOM, OPENSEADRAGON, joined
from ingest.vision.geometry import Box

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Side:
    """One of the two pictures: a `title`, what it shows for who cannot see it, where its pixels are, and the `box` of
    the part or the place in it, in shares of its sides."""

    title: str
    alt: str
    tiles: Tiles
    box: Box


def viewer(key: str, sides: Sequence[Side], points: np.ndarray, matrix: np.ndarray, library: str) -> None:
    """The two `sides`, which wheel, touch and keys zoom. Lines join the matching `points` (n, 4), x and y of both in
    shares of the pictures' sides, the first of them where all would hide the pictures; `matrix` (2, 3) leads from the
    first picture to the second, in pixels of both, and lets the two move together. `key` changes with what is shown;
    `library` is the address of OpenSeadragon."""
    _viewer()(
        key="pair_viewer",
        data={
            "key": key,
            "library": library,
            "sides": [_side(side) for side in sides],
            "points": np.round(points, 6).tolist(),
            "matrix": matrix.ravel().tolist(),
            "sentence": " ".join(dict.fromkeys(side.tiles.sentence for side in sides if side.tiles.sentence)),
        },
        height="content",
    )


def _side(side: Side) -> dict:
    tiles = {name: value for name, value in vars(side.tiles).items() if name not in ("size", "sentence")}
    width, height = side.tiles.size
    return tiles | {"title": side.title, "alt": side.alt, "width": width, "height": height, "box": list(side.box)}


@cache
def _viewer():
    styles = (OPENSEADRAGON / "viewer.css", _HERE / "pair_viewer.css")
    return st.components.v2.component(
        "bilderatlas_pair_viewer",
        html=(_HERE / "pair_viewer.html").read_text(encoding="utf-8"),
        css="\n".join(style.read_text(encoding="utf-8") for style in styles),
        js=joined(_HERE, (*DEEP_ZOOM, "pair_viewer")),
    )
