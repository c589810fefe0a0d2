"""Similar: what looks most alike, to the network, as words, pictures of the collection, a part of one, or one's own;
and what is least alike, nearly the same, or seen otherwise by another network."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from dashboard import components
from dashboard.components import crop
from dashboard.components.card import regions
from dashboard.components.crop import Box
from dashboard.components.crop.paste import paste
from dashboard.compute import neighbours
from dashboard.data import cache, uploads
from dashboard.drawing import markup
from dashboard.drawing.panels import fitted
from dashboard.drawing.text import nearness, sources
from dashboard.selection import actions
from dashboard.selection.actions import examples
from dashboard.selection.actions.examples import Examples
from dashboard.state import controls, filter_bar, navigation, widgets
from dashboard.state.filter_bar import Filtered
from dashboard.views.similar import analyses, words
from store.records import RunRecord

MOST = 60  # neighbours that the slider offers
SIDE = 720  # pixels of the picture searched with
FINDS = ("neighbours", "least typical", "near-duplicates", "two runs")
PENDING = "_find_pending"


@dataclass(frozen=True)
class Query:
    """A picture that somebody brought along: its name, the picture, and the SHA-256 of its file."""

    name: str
    picture: Image.Image
    sha256: str


def page() -> None:
    """The page: what is asked, of which images, and the answer, whose pictures can each be searched with next."""
    navigation.heading("similar")
    run, image_id = cache.current_run(), cache.current_image()
    if run is None:
        st.info("This page needs a run. Make one with `python -m ingest run FOLDER`.")
        return
    if not run.images:
        st.info(f"Run {run.run_id} holds no features yet. The same `python -m ingest run` as before adds them.")
        return
    if PENDING in st.session_state:
        st.session_state.update(st.session_state.pop(PENDING))
    chosen = filter_bar.bar(run, "what is found comes from these alone")
    find = controls.segmented_control("Find", FINDS, key="find")
    if chosen.empty:
        return
    if find == "least typical":
        go_on(analyses.least_typical(run, chosen, how_many(run.images)))
    elif find == "near-duplicates":
        go_on(analyses.near_duplicates(run, chosen))
    elif find == "two runs":
        go_on(analyses.two_runs(run, cache.image_in_view(), chosen, how_many(run.images - 1)))
    else:
        search(run, image_id, chosen)


def search(run: RunRecord, image_id: int | None, chosen: Filtered) -> None:
    """What is searched with, words and a picture, beside what is found."""
    asked = words.field(run, image_id is not None)
    row = st.container(horizontal=not asked.alone, gap="large")  # columns would stay side by side until 640 pixels
    left, right = row.container(width=400), row.container()
    box = None
    with left:
        shown = st.container()
        own = bring()
        with shown:
            if own is not None:
                box = show_own(own)
            elif image_id is not None and not asked.alone:
                box = show_image(image_id)
    with right:
        find_neighbours(run, asked, None if asked.alone else image_id, own, box, chosen)


def how_many(others: int) -> int:
    """The slider, where there is anything to choose."""
    if others < 2:
        return max(others, 1)
    most = min(MOST, others)
    return controls.slider("How many", 1, most, min(12, most), key="k", width=420)


def go_on(done: actions.Done | None) -> None:
    """Search with the image of which that was asked for, if it was: with that one alone. Ends the run then."""
    if done is None:
        return
    clear_upload()
    examples.clear()
    st.session_state[PENDING] = {"find": FINDS[0], widgets.WORDS: ""}
    components.open_image(done.image_id)


# ---- what is searched with ----------------------------------------------------------------------------------------


def show_image(image_id: int) -> Box | None:
    """The image in view, large, and what is known of it; the box that is drawn on it."""
    image, found, box = cache.image(image_id), cache.picture(image_id), None
    if image is None:
        st.info("This image is not in the database any more. Choose another one.")
        return None
    if found is None:
        st.warning("Neither the original nor a thumbnail of this image can be read. Its neighbours can still be found.")
    else:
        box = show_picture(found[0], image["alt"], f"image {image_id}")
        if not found[1]:
            st.caption("The original file is not where it was, has changed, or lies on the web: this is its thumbnail.")
    if box is not None:
        st.caption("The part in the box is compared with whole pictures. Where it occurs in them is another page:")
        components.page_link("details", "Find this detail", image_id, icon=":material/center_focus_strong:")
    regions.show(image, box, crop.put_box)
    st.html(markup.heading(image["title"]))
    known = {key: value for key, value in sources.facts(image["metadata"]).items() if value != image["title"]}
    known |= {"file": image["path"], "size": f"{image['width']} × {image['height']} px"}
    st.html(markup.facts(known | sources.facts_of(image)))
    components.page_link("picture", "Open the picture", image_id, icon=":material/zoom_in:")
    components.page_link("attention", "See what the network attends to", image_id, icon=":material/visibility:")
    sources.show(image["metadata"])
    return box


def show_picture(picture: Image.Image, alt: str, owner: str) -> Box | None:
    """A picture on which a box can be drawn, and the box."""
    box = crop.box_of(owner)
    drawn = crop.crop(markup.source(fitted(picture, SIDE)), alt, "crop_box", box)
    if drawn is not None:
        crop.draw_box(None if isinstance(drawn, str) else drawn)
    return box


def show_own(own: Query) -> Box | None:
    """The picture that somebody brought, and the way back; the box that is drawn on it."""
    box = show_picture(own.picture, own.name, own.sha256)
    st.html(markup.heading(own.name))
    st.caption("Your own picture: processed in memory, not added to the collection.")
    st.button("Back to the collection's image", on_click=clear_upload, icon=":material/undo:")
    return box


def bring() -> Query | None:
    """The controls for a picture of one's own, and that picture if there is one."""
    st.session_state.setdefault("_round", 0)
    with st.expander("Search with a picture of your own", icon=":material/upload:"):
        file = st.file_uploader(
            "A picture of your own",
            type=list(uploads.TYPES),
            key=f"upload_{st.session_state['_round']}",
            max_upload_size=uploads.MEGABYTES,
            label_visibility="collapsed",
        )
        pasted = paste("paste")
    try:
        if pasted:
            clear_upload()
            st.session_state["_pasted"] = uploads.from_data_url(pasted)
            st.rerun()
        if file is not None:
            return _query(file.name, file.getvalue())
        if st.session_state.get("_pasted"):
            return _query("Pasted picture", st.session_state["_pasted"])
    except uploads.BadPicture as error:
        st.error(str(error), icon=":material/broken_image:")
    return None


def clear_upload() -> None:
    """Put the picture of one's own aside. A new uploader is the only way to empty one."""
    st.session_state["_round"] = st.session_state.get("_round", 0) + 1
    st.session_state.pop("_pasted", None)


def _query(name: str, data: bytes) -> Query:
    sha256 = hashlib.sha256(data).hexdigest()
    kept = st.session_state.get("_query")
    if kept is None or kept.sha256 != sha256:
        kept = st.session_state["_query"] = Query(name, uploads.decode(data), sha256)
    return kept


# ---- what is found --------------------------------------------------------------------------------------------------


def find_neighbours(
    run: RunRecord, asked: words.Query, image_id: int | None, own: Query | None, box: Box | None, chosen: Filtered
) -> None:
    """The nearest images with their scores; each can be searched with, or be an example of more or less."""
    others = run.images - (own is None and image_id is not None)
    if others < 1:
        st.info("There is no other image in this run yet.")
        return
    k = how_many(others)
    if own is None and image_id is None and not asked:
        st.info("Choose an image, or bring a picture of your own.")
        return
    ids, matrix = cache.features(run.run_id)
    more = examples.examples(ids.tolist())
    positives, negatives = [matrix[np.isin(ids, more.like)]], [matrix[np.isin(ids, more.unlike)]]
    if own is not None or image_id is not None:
        vector = vector_of(run, image_id, own, box)
        if vector is None:
            return
        positives.append(vector[None])
    positives += [text.vector[None] for text in asked.wanted]
    negatives += [text.vector[None] for text in asked.unwanted]
    vector = neighbours.direction(np.concatenate(positives), np.concatenate(negatives))
    show_examples(more)
    if vector is None:
        st.info("Examples and counter-examples cancel each other out. Take one of them away.")
        return
    left_out = [*more.like, *more.unlike, *([] if own is not None or image_id is None else [image_id])]
    among = chosen.among(ids)
    found = cache.nearest_to(run.run_id, vector, k, among & ~np.isin(ids, left_out))
    known = chosen.describe(int(among.sum()))
    if asked:
        pictures = len(more.like) + len(more.unlike) + (own is not None or image_id is not None)
        sentence, scores = (
            words.sentence(run, asked, pictures, known),
            words.scores_of(asked, pictures, matrix @ vector),
        )
        captions = analyses.captions(found, scores=scores(np.searchsorted(ids, found["image_id"])))
    else:
        sentence = explained(run, more, box, known)
        meanings = nearness.among_pictures(matrix @ vector, found["similarity"]) if more else None
        captions = analyses.captions(found, run=run, meanings=meanings)
    st.html(markup.small(f"{sentence} The arrow on a picture goes on from it; + and − ask for more and less like it."))
    if found.empty:
        st.info("The filter leaves no other picture of this run. Remove a condition, or clear it.")
    more_acts = (analyses.SEARCH, *examples.ACTIONS)
    items = cache.items(found["image_id"], captions)
    go_on(examples.act(actions.gallery(items, "neighbours", 140, own=more_acts)))


def show_examples(more: Examples) -> None:
    """The examples and counter-examples beside the picture, each of which can be taken away."""
    walls = (("More like", "like", more.like), ("Less like", "unlike", more.unlike))
    for title, wall, ids in walls:
        if ids:
            st.caption(f"{title} {'this' if len(ids) == 1 else 'these'}; × takes one away from the search.")
            done = actions.gallery(cache.items(ids), f"{wall}_wall", 80, own=(examples.AWAY,))
            if done is not None:
                examples.remove(done.image_id)
                st.rerun()


def explained(run: RunRecord, more: Examples, box: Box | None, among: str) -> str:
    """What was searched with, and what the scores are."""
    what = "the part of the picture in the box" if box else "the picture"
    sentence = f"By cosine similarity of the features of {run.title}, run {run.run_id}, among {among}: "
    if not more:
        sentence += f"1 means the same to the network as {what}, 0 nothing in common. {nearness.explained(run)}"
    else:
        count = len(more.like) + 1
        mean = f"the mean of {count} features, those of {what} and the examples" if count > 1 else f"that of {what}"
        minus = ""
        if more.unlike:
            other = len(more.unlike)
            minus = f" minus {'that of the counter-example' if other == 1 else f'the mean of {other} counter-examples'}"
        sentence += f"searched with {mean}{minus}, made of length 1 again. The numbers are cosines with that. "
        sentence += "“Nearer than 99 %”: of 100 pictures, 99 are less like it."
    return sentence


def vector_of(run: RunRecord, image_id: int | None, own: Query | None, box: Box | None) -> np.ndarray | None:
    """The feature (dim,) of what is searched with. None, with a sentence on the page, if there is none."""
    if own is not None:
        return feature_of(run, ("own", own.sha256, box), lambda: own.picture, box)
    if box is not None and image_id is not None:
        return feature_of(run, ("image", image_id, box), lambda: cache.original(image_id), box)
    ids, matrix = cache.features(run.run_id)
    place = np.flatnonzero(ids == image_id)
    if len(place):
        return matrix[place[0]]
    st.info(
        f"Run {run.run_id} has no feature of this image: it could not be read, or came after the run. "
        "The same `python -m ingest run` as before adds what is missing."
    )
    return None


def feature_of(run: RunRecord, key: tuple, picture: Any, box: Box | None) -> np.ndarray | None:
    """The feature of a picture, or a part of it, that the run's network looks at now. None, with a sentence on the
    page, if it cannot."""
    key = (*key, run.run_id, str(cache.db()))
    kept = st.session_state.get("_own_feature")
    if kept is None or kept[0] != key:
        try:
            with st.spinner("Running the network on your picture …"):
                kept = (key, *_embed(run, crop.cut(picture(), box)))
        except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
            st.error(markup.markdown(f"The network of run {run.run_id} cannot be used here: {error}"))
            return None
        st.session_state["_own_feature"] = kept
    _, vector, seconds = kept
    what = "The part in the box" if box else "Your picture"
    st.caption(f"{what} went through the network in {seconds:.2f} seconds.")
    return vector


def _embed(run: RunRecord, picture: Image.Image):
    from ingest.vision.embedding import embed

    backbone = cache.backbone(run)
    start = time.perf_counter()
    vector = embed(backbone, [picture], fit=run.fit, size=run.size)[0]
    return vector, time.perf_counter() - start


page()
