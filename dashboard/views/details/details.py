"""Details: where a part of a picture, a hand, a seal, an ornament, occurs in other pictures."""

from __future__ import annotations

import hashlib
from typing import Any

import streamlit as st

from dashboard.components import crop
from dashboard.components.card import regions
from dashboard.compute import words
from dashboard.data import cache, uploads
from dashboard.drawing import markup
from dashboard.drawing.panels import fitted
from dashboard.state import controls, filter_bar, navigation
from dashboard.state.busy import jobs
from dashboard.state.filter_bar import Filtered
from dashboard.views.details import comparison, finding, recurring, results, similarity
from dashboard.views.details.finding import DetailHits, Query
from ingest.vision.details import measuring, search
from store.records import RunRecord

SIDE = 720  # pixels of the picture that a box is drawn on
MOST, FIRST = 40, 12  # places


def page() -> None:
    """The page."""
    navigation.heading("details")
    run, image_id = cache.run_in_view(), cache.image_in_view()
    filtered = filter_bar.bar(run, "the part is searched for in these alone")
    if filtered.empty:
        return
    if run.run_id not in cache.runs_with_patches():
        st.info(
            f"Run {run.run_id} has no patches to search in yet. They are made from the pictures once more, and take "
            "about 20 kB a picture."
        )
        arguments = ["details", "--run", str(run.run_id)]
        jobs.offer(f"Patches of run {run.run_id}", arguments, "Prepare the search", "details_start")
        return
    if recurring.chosen():
        recurring.show(run, filtered)
        return
    search_part(run, image_id, filtered)
    explain(run)


def search_part(run: RunRecord, image_id: int, filtered: Filtered) -> None:
    """A part, where it was found, and one of these places beside it."""
    left, below = st.container(horizontal=True, gap="large"), st.container()
    with left.container(width=400):
        query = ask(image_id)
    if query is None:
        return
    with left.container():
        mirrored = controls.toggle(
            "In mirror image too", key="mirrored", help="As in prints that were made from copied plates."
        )
        k = controls.slider("How many", 1, MOST, FIRST, key="detail_k", width=420)
        found = attempt(run, query, k, mirrored, filtered)
        hit = None if found is None else results.choose(run, query, found, filtered)
        if found is not None and hit is not None:
            results.downloads(query, found)
    if found is None or hit is None:
        return
    with below:
        comparison.show(query, hit)
        similarity.show(run, query, found, hit)
        st.header("Selection", anchor=False)
        results.selection(run, found)


def ask(image_id: int) -> Query | None:
    """The picture in view or one's own, and the box that is drawn on it. None as long as there is none."""
    with st.expander("Search with a picture of your own", icon=":material/upload:"):
        file = st.file_uploader(
            "A picture of your own", list(uploads.TYPES), key="detail_upload", max_upload_size=uploads.MEGABYTES
        )
    if file is not None:
        try:
            data = file.getvalue()
            own, sha256 = uploads.decode(data), hashlib.sha256(data).hexdigest()
        except uploads.BadPicture as error:
            st.error(str(error), icon=":material/broken_image:")
            return None
        return Query(None, draw(own, words.plain(file.name), sha256), own, sha256)
    image, found = cache.image_row(image_id), cache.picture(image_id)
    st.html(markup.heading(image["title"]))
    if found is None:
        st.warning("Neither the original nor a thumbnail of this image can be read. Choose another one.")
        return None
    if not found[1]:
        st.caption("The original file is not where it was, has changed, or lies on the web: this is its thumbnail.")
    box = draw(found[0], image["alt"], f"image {image_id}")
    regions.show(image, box, crop.put_box)
    if box is None:
        st.info("Draw a box on the picture first.")
        return None
    return Query(image_id, box)


def draw(picture: Any, alt: str, owner: str) -> crop.Box | None:
    """A picture on which a box can be drawn, and the box."""
    box = crop.box_of(owner)
    drawn = crop.crop(markup.source(fitted(picture, SIDE)), alt, "detail_box", box)
    if drawn is not None:
        crop.draw_box(None if isinstance(drawn, str) else drawn)
    return box


def attempt(run: RunRecord, query: Query, k: int, mirrored: bool, filtered: Filtered) -> DetailHits | None:
    """What is found; None, with a sentence on the page, where the part cannot be searched for."""
    try:
        with st.spinner("Searching the patches …"):
            return finding.find(run, query, k, mirrored, filtered)
    except search.BadPart as error:
        st.info(words.plain(f"{str(error)[0].upper()}{str(error)[1:]}."))
    except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
        st.error(markup.markdown(f"The network of run {run.run_id} cannot be used here: {error}"))
    return None


def explain(run: RunRecord) -> None:
    """How the patches of this run are made, and what was measured."""
    report = cache.detail_patches(run.run_id)[0].report
    if report:
        st.html(markup.small(f"Patches of {run.title}, run {run.run_id}: {measuring.describe(report)}."))


page()
