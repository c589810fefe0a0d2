"""Details: where a part of a picture, a hand, a seal, an ornament, occurs in other pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import components
from dashboard.components import crop
from dashboard.components.card import regions
from dashboard.components.patches import patches
from dashboard.compute import words
from dashboard.data import cache, uploads
from dashboard.drawing import markup, panels
from dashboard.drawing.panels import Panel, fitted
from dashboard.state import controls, filter_bar
from dashboard.state.filter_bar import Filtered
from dashboard.state.url import Param
from dashboard.views.details import exports, figures, finding
from dashboard.views.details.finding import DetailHits, Query
from ingest.vision.details import measuring, search
from ingest.vision.details.search import Hit
from store.counts import counted
from store.records import RunRecord

SIDE = 720  # pixels of the picture that a box is drawn on
TILE = 190  # of a place in the gallery
MOST, FIRST = 40, 12  # places
HIT = "hit"  # in the address: the image whose place is shown beside the part
PATCH = "_detail_patch"  # in the session: the patch of the part that was clicked


def page() -> None:
    """The page."""
    st.title("Details")
    run, image_id = cache.run_in_view(), cache.image_in_view()
    st.markdown("Draw a box round a hand, a seal, an ornament: where else does it occur?")
    filtered = filter_bar.bar(run, "the part is searched for in these alone")
    if filtered.empty:
        return
    if run.run_id not in cache.runs_with_patches():
        st.info(
            f"Run {run.run_id} has no patches to search in. `python -m ingest details --run {run.run_id}` adds them."
        )
        return
    left, right = st.container(horizontal=True, gap="large"), st.container()
    with left.container(width=400):
        query = ask(image_id)
    with left.container():
        mirrored = controls.toggle(
            "In mirror image too", key="mirrored", help="As in prints that were made from copied plates."
        )
        k = controls.slider("How many", 1, MOST, FIRST, key="detail_k", width=420)
        found = attempt(run, query, k, mirrored, filtered) if query is not None else None
        chosen = results(query, found, filtered) if query is not None and found is not None else None
    with right:
        if query is not None and chosen is not None:
            beside(run, query, chosen)
    explain(run)


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


def results(query: Query, found: DetailHits, filtered: Filtered) -> Hit | None:
    """The places as a gallery; returns the one that is chosen, at first the best."""
    if not found.hits:
        st.info("There is no other picture to search in.")
        return None
    st.html(
        markup.small(
            f"Searched in {filtered.describe(found.searched)}. First come the places on which key points agree, then "
            "those that similar patches vote for, of which many are wrong. Click one to compare it."
        )
    )
    state = st.session_state
    Param(HIT, None, lambda texts: int(texts[0]) if texts[0].isdecimal() else None, lambda own: [str(own)]).load()
    hits = {hit.image_id: hit for hit in found.hits}
    chosen = hits.get(state[HIT], found.hits[0])
    clicked = components.gallery(tiles(found.hits), "detail_wall", chosen.image_id, size=TILE)
    if clicked in hits:
        state[HIT] = clicked
        state.pop(PATCH, None)
        st.rerun()
    downloads(query, found)
    return chosen


def tiles(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """What the gallery shows: each place in its surroundings."""
    items = cache.items([hit.image_id for hit in hits], {hit.image_id: caption(hit) for hit in hits})
    for item, hit in zip(items, hits, strict=True):
        found, image = cache.picture(hit.image_id), cache.image_row(hit.image_id)
        if found is not None:
            scale = found[0].width / image["width"]
            x0, y0, x1, y1 = (edge * scale for edge in hit.box)
            item["src"] = markup.source(figures.in_context(found[0], (x0, y0, x1, y1), 2 * TILE))
            item["alt"] = f"{item['alt']}: the place that was found, with what lies round it"
    return items


def caption(hit: Hit) -> str:
    """What decided, in a word or two."""
    how = f"{counted(hit.matches, 'key point')}" if hit.matches else f"votes, {hit.score:.2f}"
    return f"{how}, mirrored" if hit.mirrored else how


def beside(run: RunRecord, query: Query, hit: Hit) -> None:
    """The part and the place side by side, what of it is similar, and the place as a region."""
    image, found = cache.image_row(hit.image_id), cache.picture(hit.image_id)
    st.subheader(words.plain(image["title"]))
    how = search.STAGES[hit.stage]
    st.caption(f"{how[0].upper()}{how[1:]}; similarity of the patches {hit.score:.3f}.")
    if found is None:
        st.info("No copy of this picture is kept here, so that there is nothing to show beside the part.")
        return
    sheet = figures.pair(query, hit, found[0], image["width"])
    st.image(sheet, alt=f"The part, and where it was found in {image['alt']}", width="stretch")
    with st.container(horizontal=True):
        stem = panels.file_stem(f"detail-{query.image_id or 'own'}-{hit.image_id}")
        st.download_button(
            "Figure", figures.for_print(sheet), f"{stem}.png", "image/png", key="detail_figure", on_click="ignore"
        )
        components.page_link("picture", "Open the picture", hit.image_id, icon=":material/zoom_in:")
        components.page_link("details", "Search with this picture", hit.image_id, icon=":material/center_focus_strong:")
    regions.form(hit.image_id, shares(image, hit), "hit_region")
    if controls.toggle("Show what is similar", key="detail_heat"):
        similarity(run, query, hit)


def similarity(run: RunRecord, query: Query, hit: Hit) -> None:
    """How similar each cell of the picture is to the part, or to the patch of it that was clicked."""
    coding, _, blocks = finding.tools(run)
    part = finding.part_of(blocks, coding, query, hit.mirrored)
    number = st.session_state.get(PATCH)
    number = number if number is not None and number < part.rows * part.cols else None
    cosines = finding.heat(run, query, hit, number)
    image, found = cache.image_row(hit.image_id), cache.picture(hit.image_id)
    if found is None:
        return
    frame = finding.frame_of(run, hit.image_id)
    heat = figures.heat(found[0], cosines, frame, (image["width"], image["height"]))
    row, col = divmod(number or 0, part.cols)
    marked = (col / part.cols, row / part.rows, (col + 1) / part.cols, (row + 1) / part.rows)
    own = Panel(
        "The part", "Click a patch.", "The part", fitted(part.picture, 300, True), rows=part.rows, cols=part.cols
    )
    with st.container(horizontal=True, gap="large"):
        with st.container(width=320):
            picked = patches([own], "detail_part", chosen=None if number is None else marked)
        what = "the patch that was clicked" if number is not None else "the most similar patch of the part"
        with st.container():
            st.image(heat, alt=f"Similarity to {what} over {image['alt']}")
            low, high = float(cosines[cosines == cosines].min()), float(cosines[cosines == cosines].max())
            st.caption(f"Cosine with {what}: dark {low:.2f}, bright {high:.2f}.")
    if picked is not None:
        st.session_state[PATCH] = picked.row * part.cols + picked.col
        st.rerun()


def downloads(query: Query, found: DetailHits) -> None:
    """The pairs as files."""
    rows = [(hit, cache.image_row(hit.image_id)) for hit in found.hits]
    own = None if query.image_id is None else cache.image_row(query.image_id)
    part = None if own is None or query.box is None else regions.in_pixels(own, query.box)
    with st.container(horizontal=True):
        table = exports.table(own, part, rows)
        st.download_button("Pairs (CSV)", table, "details.csv", "text/csv", key="detail_csv", on_click="ignore")
        linked = None if own is None or part is None else exports.annotations(own, part, rows, cache.services())
        if linked is not None:
            st.download_button(
                "IIIF annotations", linked, "details.json", "application/json", key="detail_iiif", on_click="ignore"
            )


def shares(image: Any, hit: Hit) -> crop.Box:
    """A hit's box as shares of its picture's sides."""
    x0, y0, x1, y1 = regions.in_shares(image, hit.box)
    return max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1)


def explain(run: RunRecord) -> None:
    """How the patches of this run are made, and what was measured."""
    report = cache.detail_patches(run.run_id)[0].report
    if report:
        st.html(markup.small(f"Patches of {run.title}, run {run.run_id}: {measuring.describe(report)}."))


page()
