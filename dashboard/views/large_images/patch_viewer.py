"""A large picture in OpenSeadragon, with its selected patches as boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from dashboard.components.card.tiles import Tiles
from dashboard.components.modules import DEEP_ZOOM, OPENSEADRAGON, joined
from ingest.vision.geometry import Box

_HERE = Path(__file__).parent
KEY = "patch_viewer"


@dataclass(frozen=True)
class Patch:
    """A box in shares of the picture's sides, in a colour (#rrggbb), with a few words."""

    rank: int
    box: Box
    colour: str
    words: str


@dataclass(frozen=True)
class Goal:
    """A part that is brought into view, once for each `turn`."""

    box: Box
    turn: int


def viewer(
    image_id: int,
    alt: str,
    tiles: Tiles,
    patches: Sequence[Patch],
    rank: int | None,
    goal: Goal | None,
    library: str,
    picked: Callable[[int], None],
) -> None:
    """The viewer of an image, with its words for who cannot see it and where its pixels are. The patch of this `rank`
    is marked; `picked` is called, before the next run, with the rank of the one that was clicked. `library` is the
    address of OpenSeadragon. + − 0 zoom, 1 shows the scan's own pixels, f fills the screen."""
    width, height = tiles.size
    data = {
        **{name: value for name, value in vars(tiles).items() if name != "size"},
        "image": int(image_id),
        "alt": alt,
        "width": int(width),
        "height": int(height),
        "library": library,
        "patches": [vars(patch) for patch in patches],
        "rank": rank,
        "goal": vars(goal) if goal else None,
    }

    def on_picked() -> None:
        found = st.session_state[KEY].get("picked")
        if found is not None:
            picked(int(found))

    _viewer()(key=KEY, data=data, on_picked_change=on_picked, height="content")


@cache
def _viewer():
    styles = (OPENSEADRAGON / "viewer.css", _HERE / "patch_viewer.css")
    return st.components.v2.component(
        "bilderatlas_patch_viewer",
        html=(_HERE / "patch_viewer.html").read_text(encoding="utf-8"),
        css="\n".join(style.read_text(encoding="utf-8") for style in styles),
        js=joined(_HERE, (*DEEP_ZOOM, "patch_viewer")),
    )
