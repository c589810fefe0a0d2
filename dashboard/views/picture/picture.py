"""Picture: one picture down to its scan's own pixels, with a map over it, its regions, notes and tags, what is known of
it, and what looks like it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import components
from dashboard.components import card
from dashboard.components.card import notes, regions
from dashboard.data import cache, iiif
from dashboard.drawing import markup
from dashboard.drawing.text import sources
from dashboard.selection import tagging
from dashboard.selection.selection import Selection
from dashboard.state import filter_bar, navigation, ordering
from dashboard.views.picture import layer
from dashboard.views.picture.viewer import Box, Goal, Region, Shown, Tiles, viewer
from store.counts import counted
from store.records import RunRecord

NEIGHBOURS = 12
STEPS = 50  # to other pictures that may be asked for before the page has come to show the first
_BOX, _GOAL = "_picture_box", "_picture_goal"  # in the session: the image, and the region drawn on it, or to be shown
THUMBNAIL = "What is shown is its thumbnail."


def page() -> None:
    """The page."""
    st.title("Picture")
    run, image_id = cache.current_run(), cache.current_image()
    image = None if image_id is None else cache.image(image_id)
    if image is None:
        st.info("There is no picture in view. Choose one in the sidebar, or read some in.")
        return
    if run is not None:
        filter_bar.bar(run, "previous and next go through these")
    st.html(markup.heading(image["title"]))
    place = st.container()
    drawn = layer.choose(run, image) if run is not None else None
    with place:
        show(image, drawn.layer if drawn else None, ordering.as_on_the_wall(run))
    if drawn:
        st.html(markup.notes([drawn.note], drawn.bar))
    left, right = st.columns(2, gap="large")
    with left:
        written(image)
    with right:
        known(image)
        if run is not None:
            neighbours(run, image["image_id"])


def show(image: cache.ImageRow, over: layer.MapLayer | None, order: ordering.Order) -> None:
    """The viewer."""
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
        ),
        cache.library_route(),
        turned=lambda number: navigation.choose("image", number),
        drawn=lambda box: put_box(image_id, box),
    )


def tiles_of(image: cache.ImageRow) -> Tiles:
    """Where the browser finds the picture's pixels."""
    image_id, size = image["image_id"], (image["width"], image["height"])
    thumb = cache.thumb_url(image_id)
    try:
        found = iiif.original(cache.db(), image_id)
    except iiif.ImageError as error:
        return Tiles(size, thumb, sentence=f"{error} {THUMBNAIL}")
    if found.service:
        return Tiles(size, thumb, f"{found.service}/info.json")
    info = iiif.info(cache.db(), image_id, f"{cache.service_route()}/{image_id}")
    return Tiles(size, thumb, info, found.version)


# ---- what people write of it ----------------------------------------------------------------------------------------


def saved_regions(image: cache.ImageRow) -> list[Region]:
    """The regions of a picture that are saved."""
    rows = cache.regions([image["image_id"]]).to_dict("records")
    return [
        Region(regions.in_shares(image, tuple(row[edge] for edge in ("x0", "y0", "x1", "y1"))), row["note"])
        for row in rows
    ]


def box_of(image: cache.ImageRow) -> Box | None:
    """The region that was drawn on this picture, until it is saved."""
    owner, box = st.session_state.get(_BOX, (None, None))
    if box is None or owner != image["image_id"]:
        return None
    return None if any(np.allclose(box, region.box, atol=1e-9) for region in saved_regions(image)) else box


def put_box(image_id: int, box: Box) -> None:
    """Draw a region on this picture."""
    st.session_state[_BOX] = (image_id, box)


def goal_of(image_id: int) -> Goal | None:
    """The part of this picture that somebody wants to be shown."""
    owner, goal = st.session_state.get(_GOAL, (None, None))
    return goal if owner == image_id else None


def go_to(image_id: int, box: Box) -> None:
    """Show a part of this picture."""
    _, before = st.session_state.get(_GOAL, (None, None))
    st.session_state[_GOAL] = (image_id, Goal(box, before.turn + 1 if before else 1))


def written(image: cache.ImageRow) -> None:
    """Notes, regions and tags."""
    image_id = image["image_id"]
    st.subheader("Notes", anchor=False)
    notes.show(image_id)
    st.subheader("Regions", anchor=False)
    box = box_of(image)
    if box is None and cache.regions([image_id]).empty:
        st.caption("Press r, or the last button above the picture, and draw a box: it can be saved with a note.")
    regions.show(image, box, lambda shares: go_to(image_id, shares), titled=False)
    st.subheader("Tags", anchor=False)
    ids = np.array([image_id], dtype=np.int64)
    tagging.edit(Selection(image["collection"], ids, ids))


# ---- what is known of it --------------------------------------------------------------------------------------------


def known(image: cache.ImageRow) -> None:
    """Metadata, and the ways to other pages and out."""
    st.subheader("About the picture", anchor=False)
    facts = {key: value for key, value in card.facts(image).items() if value != image["title"]}
    st.html(markup.facts(facts))
    components.page_link("attention", "See what the network attends to", image["image_id"], ":material/visibility:")
    components.page_link("similar", "See what looks like it", image["image_id"], ":material/image_search:")
    sources.show(image["metadata"])
    addresses(image)


def addresses(image: cache.ImageRow) -> None:
    """The picture for other programs."""
    try:
        found = iiif.original(cache.db(), image["image_id"])
    except iiif.ImageError:
        return
    service = found.service or f"{cache.services() or cache.service_route()}/{image['image_id']}"
    st.caption(
        "For a IIIF viewer, such as Mirador:" if found.service else "For a IIIF viewer, while this dashboard runs:"
    )
    st.code(f"{service}/info.json", language=None, wrap_lines=True)
    if not found.service:
        st.link_button(
            "The picture at its largest", f"{service}/full/max/0/default.jpg", icon=":material/image:", type="tertiary"
        )


def neighbours(run: RunRecord, image_id: int) -> None:
    """What looks most like it, to the network of the run."""
    found = cache.nearest(run.run_id, image_id, NEIGHBOURS)
    if found.empty:
        return
    st.subheader("Nearest pictures", anchor=False)
    st.html(markup.small(f"{counted(len(found), 'picture')} by cosine similarity, to {run.title}, run {run.run_id}."))
    pairs = zip(found["image_id"].tolist(), found["similarity"].tolist(), strict=True)
    captions = {number: f"{similarity:.2f}" for number, similarity in pairs}
    clicked = components.gallery(cache.items(found["image_id"], captions), "picture_neighbours", size=110)
    if clicked is not None:
        components.open_image(clicked)


page()
