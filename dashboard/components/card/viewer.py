"""The picture in OpenSeadragon: its own pixels, what lies over it, and a region that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.card.tiles import Tiles
from dashboard.components.modules import DEEP_ZOOM, OPENSEADRAGON, joined
from dashboard.state import busy
from ingest.vision.geometry import Box

_HERE = Path(__file__).parent
KEY = "picture_viewer"


@dataclass(frozen=True)
class MapLayer:
    """A map over a picture: `src`, a picture of one pixel a patch; `frame`, (x0, y0, x1, y1) in shares of the picture's
    sides, beyond which nothing is drawn; whether the network saw a part that was `cut` out."""

    src: str
    alt: str
    frame: Box
    opacity: float
    smooth: bool
    cut: bool


@dataclass(frozen=True)
class Region:
    """A box in shares of the picture's sides, with its note."""

    box: Box
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """A part that is brought into view, once for each `turn`."""

    box: Box
    turn: int


@dataclass(frozen=True)
class Shown:
    """What the viewer shows: the image's number, its words for who cannot see it, the numbers of some images before and
    after it, the nearest first, `place` among them in words, and what lies over it; `box` is a region that was drawn
    and not saved. Where it is `addressed`, the page's address keeps the part in view."""

    image_id: int
    alt: str
    tiles: Tiles
    around: tuple[Sequence[int], Sequence[int]] = ((), ())
    place: str = ""
    layer: MapLayer | None = None
    regions: Sequence[Region] = field(default_factory=tuple)
    box: Box | None = None
    goal: Goal | None = None
    addressed: bool = True


def viewer(
    shown: Shown,
    library: str,
    turned: Callable[[int], None],
    drawn: Callable[[Box | None], None],
    saved: Callable[[Box, str], None],
) -> None:
    """The viewer; `library` is the address of OpenSeadragon. By wheel, touch and keys: the arrows go to other pictures,
    + − 0 zoom, 1 shows the scan's own pixels, f fills the screen, r draws regions, each with a field for a note beside
    it. Before the next run `turned` is called with the image to go to, `drawn` with the region that was drawn, None if
    it was given up, and `saved` with the region and its note."""
    width, height = shown.tiles.size
    data = {
        "library": library,
        "image": int(shown.image_id),
        "alt": shown.alt,
        "width": int(width),
        "height": int(height),
        "thumb": shown.tiles.thumb,
        "tiles": shown.tiles.tiles,
        "version": shown.tiles.version,
        "sentence": shown.tiles.sentence,
        "previous": list(shown.around[0]),
        "next": list(shown.around[1]),
        "place": shown.place,
        "map": vars(shown.layer) if shown.layer else None,
        "regions": [vars(region) for region in shown.regions],
        "box": shown.box,
        "goal": vars(shown.goal) if shown.goal else None,
        "addressed": shown.addressed,
    }
    _viewer()(
        key=KEY,
        data=data,
        on_turned_change=lambda: _told("turned", lambda number: turned(int(number))),
        on_drawn_change=lambda: _told("drawn", lambda box: drawn(_box(box) if box else None)),
        on_saved_change=lambda: _told("saved", lambda what: saved(_box(what["box"]), str(what["note"]))),
        height="content",
    )


@busy.whole
def _told(name: str, act: Callable[[Any], None]) -> None:
    value = st.session_state[KEY].get(name)
    if value is not None:
        act(value)


def _box(edges: Sequence[float]) -> Box:
    x0, y0, x1, y1 = (min(1.0, max(0.0, float(edge))) for edge in edges)
    return x0, y0, x1, y1


@cache
def _viewer():
    return st.components.v2.component(
        "bilderatlas_picture",
        html=(_HERE / "viewer.html").read_text(encoding="utf-8"),
        css=(OPENSEADRAGON / "viewer.css").read_text(encoding="utf-8"),
        js=joined(_HERE, (*DEEP_ZOOM, "viewer")),
    )
