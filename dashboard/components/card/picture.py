"""A picture in its viewer, with a map over it and its regions: on its own page, and in the card on others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from dashboard.components.card import layer, regions
from dashboard.components.card.regions import in_shares
from dashboard.components.card.tiles import tiles_of
from dashboard.components.card.viewer import Box, Goal, Region, Shown, viewer
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.state.ordering import Order
from store.records import RunRecord

_BOX, _GOAL = "_picture_box", "_picture_goal"  # in the session: the image, and the region drawn on it, or to be shown
STEPS = 50  # to other pictures that may be asked for before the page has come to show the first


def show(
    image: cache.ImageRow, run: RunRecord | None, order: Order, turned: Callable[[int], None], addressed: bool = True
) -> None:
    """The viewer, and below it the maps of a run to lay over the picture. `turned` is called with the picture to go to,
    that before or after it in `order`; where `addressed`, the address keeps the part in view."""
    place, below = st.container(), st.container()
    asked, drawn = layer.asked(), None
    if run is not None and asked:
        with below:
            drawn = layer.choose(run, image)
    with place:
        _viewer(image, drawn.layer if drawn else None, order, turned, addressed)
    with below:
        if run is not None and not asked:
            layer.choose(run, image)  # the picture does not wait for torch, which the methods bring with them
        if drawn:
            st.html(markup.notes([drawn.note], drawn.bar))


def _viewer(
    image: cache.ImageRow,
    over: layer.MapLayer | None,
    order: Order,
    turned: Callable[[int], None],
    addressed: bool,
) -> None:
    image_id = image["image_id"]
    shown = order.shown
    here = np.flatnonzero(shown == image_id)
    among = f"{here[0] + 1:,} of {len(shown):,}" if len(here) else f"not among the {len(shown):,}"
    viewer(
        Shown(
            image_id,
            image["alt"],
            tiles_of(image),
            order.around(image_id, STEPS),
            f"{among} {order.words}",
            over,
            saved_regions(image),
            box_of(image),
            goal_of(image_id),
            addressed,
        ),
        cache.library_route(),
        turned=turned,
        drawn=lambda box: put_box(image_id, box),
        saved=lambda box, note: save(image_id, box, note),
    )


def saved_regions(image: cache.ImageRow) -> list[Region]:
    """The regions of a picture that are saved."""
    rows = cache.regions([image["image_id"]]).to_dict("records")
    return [
        Region(in_shares(image, tuple(row[edge] for edge in ("x0", "y0", "x1", "y1"))), row["note"]) for row in rows
    ]


def box_of(image: cache.ImageRow) -> Box | None:
    """The region that was drawn on this picture, until it is saved."""
    owner, box = st.session_state.get(_BOX, (None, None))
    if box is None or owner != image["image_id"]:
        return None
    return None if any(np.allclose(box, region.box, atol=1e-9) for region in saved_regions(image)) else box


def save(image_id: int, box: Box, note: str) -> None:
    """Save a region that was drawn on this picture."""
    put_box(image_id, box)  # in view until it is saved
    regions.add(image_id, box, note)


def put_box(image_id: int, box: Box | None) -> None:
    """Draw a region on this picture, or none."""
    st.session_state[_BOX] = (image_id, box)


def goal_of(image_id: int) -> Goal | None:
    """The part of this picture that somebody wants to be shown."""
    owner, goal = st.session_state.get(_GOAL, (None, None))
    return goal if owner == image_id else None


def go_to(image_id: int, box: Box) -> None:
    """Show a part of this picture."""
    _, before = st.session_state.get(_GOAL, (None, None))
    st.session_state[_GOAL] = (image_id, Goal(box, before.turn + 1 if before else 1))
