"""Picture: one picture down to its scan's own pixels, with a map over it, its regions, notes and tags, what is known of
it, and what looks like it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import components
from dashboard.components import card
from dashboard.components.card import corrections, layer, notes, objects, picture, regions
from dashboard.data import cache, iiif
from dashboard.drawing import markup
from dashboard.drawing.text import nearness, sources
from dashboard.selection import actions, tagging
from dashboard.selection.selection import Selection
from dashboard.state import filter_bar, navigation, ordering
from store.counts import counted
from store.records import RunRecord

NEIGHBOURS = 12


def page() -> None:
    """The page."""
    navigation.heading("picture")
    run, image_id = cache.current_run(), cache.current_image()
    image = None if image_id is None else cache.image(image_id)
    if image is None:
        st.info("There is no picture in view. Choose one in the sidebar, or read some in.")
        return
    if run is not None:
        filter_bar.bar(run, "previous and next go through these")
    st.html(markup.heading(image["title"]))
    picture.show(image, run, ordering.as_on_the_wall(run), lambda number: navigation.choose("image", number))
    left, right = st.columns(2, gap="large")
    with left:
        written(image)
    with right:
        known(image)
        if run is not None:
            neighbours(run, image["image_id"])


# ---- what people write of it ----------------------------------------------------------------------------------------


def written(image: cache.ImageRow) -> None:
    """Notes, regions and tags."""
    image_id = image["image_id"]
    st.subheader("Notes", anchor=False)
    notes.show(image_id)
    st.subheader("Regions", anchor=False)
    box = picture.box_of(image)
    if box is None and cache.regions([image_id]).empty:
        st.caption("Press r, or the last button above the picture, and draw boxes; Enter saves each with its note.")
    regions.elsewhere(image_id, box)
    regions.show(image, box, lambda shares: picture.go_to(image_id, shares), titled=False, form_here=False)
    objects.show(image, lambda shares: picture.put_box(image_id, shares))
    st.subheader("Tags", anchor=False)
    ids = np.array([image_id], dtype=np.int64)
    tagging.edit(Selection(image["collection"], ids, ids))


# ---- what is known of it --------------------------------------------------------------------------------------------


def known(image: cache.ImageRow) -> None:
    """Metadata, and the ways to other pages and out."""
    st.subheader("About the picture", anchor=False)
    facts = {key: value for key, value in card.facts(image).items() if value != image["title"]}
    st.html(markup.facts(facts))
    corrections.show(image)
    icon, (_, shown) = ":material/visibility:", layer.links()
    navigation.link("attention", "See what the network attends to", image["image_id"], icon, **shown)
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
    said = f"{counted(len(found), 'picture')} by cosine similarity, to {run.title}, run {run.run_id}."
    st.html(markup.small(f"{said} {nearness.explained(run)}"))
    meanings = nearness.words(run, found["similarity"])
    rows = zip(found["image_id"].tolist(), found["similarity"].tolist(), meanings, strict=True)
    captions = {number: f"{meaning}\n{similarity:.2f}".strip() for number, similarity, meaning in rows}
    actions.gallery(cache.items(found["image_id"], captions), "picture_neighbours", 110)


page()
