"""Similar: what looks most alike, to the network, as one image of the collection or a picture of one's own."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import cache, components, markup, uploads
from dashboard.components.paste import paste
from dashboard.panels import fitted

MOST = 60  # neighbours that the slider offers
SIDE = 720  # pixels of the picture searched with


@dataclass(frozen=True)
class Query:
    """A picture that somebody brought along: its name, the picture, and the SHA-256 of its file."""

    name: str
    picture: Image.Image
    sha256: str


def page() -> None:
    """The page: the picture searched with, and its neighbours, each of which can be searched with next."""
    st.title("Similar")
    run, image_id = cache.current_run(), cache.current_image()
    if run is None:
        st.info("This page needs a run. Make one with `python -m ingest run FOLDER`.")
        return
    if not run["images"]:
        st.info(f"Run {run['run_id']} holds no features yet. The same `python -m ingest run` as before adds them.")
        return
    row = st.container(horizontal=True, gap="large")  # columns would stay side by side until 640 pixels
    left, right = row.container(width=400), row.container()
    with left:
        shown = st.container()
        own = bring()
        with shown:
            if own is not None:
                show_own(own)
            elif image_id is not None:
                show_image(image_id)
    with right:
        neighbours(run, image_id, own)


# ---- what is searched with ----------------------------------------------------------------------------------------


def show_image(image_id: int) -> None:
    """The image in view, large, and what is known of it."""
    image, found = cache.image(image_id), cache.picture(image_id)
    if image is None:
        st.info("This image is not in the database any more. Choose another one.")
        return
    if found is None:
        st.warning("Neither the original nor a thumbnail of this image can be read. Its neighbours can still be found.")
    else:
        st.html(markup.portrait(fitted(found[0], SIDE), image["alt"]))
        if not found[1]:
            st.caption("The original file is not where it was, or has changed: this is its thumbnail.")
    st.html(markup.heading(image["title"]))
    known = {key: value for key, value in image["metadata"].items() if value not in (None, "", image["title"])}
    st.html(markup.facts({**known, "file": image["path"], "size": f"{image['width']} × {image['height']} px"}))
    components.page_link("attention", "See what the network looks at", image_id, icon=":material/visibility:")


def show_own(own: Query) -> None:
    """The picture that somebody brought, and the way back."""
    st.html(markup.portrait(fitted(own.picture, SIDE), own.name))
    st.html(markup.heading(own.name))
    st.caption("Your own picture: it is searched with and then forgotten, not added to the collection.")
    st.button("Back to the collection's image", on_click=forget, icon=":material/undo:")


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
            forget()
            st.session_state["_pasted"] = uploads.from_data_url(pasted)
            st.rerun()
        if file is not None:
            return _query(file.name, file.getvalue())
        if st.session_state.get("_pasted"):
            return _query("Pasted picture", st.session_state["_pasted"])
    except uploads.BadPicture as error:
        st.error(str(error), icon=":material/broken_image:")
    return None


def forget() -> None:
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


def neighbours(run: dict[str, Any], image_id: int | None, own: Query | None) -> None:
    """The nearest images with their scores; a click searches with that one."""
    others = int(run["images"]) - (own is None)
    if others < 1:
        st.info("There is no other image in this run yet.")
        return
    k = others
    if others > 1:
        most = min(MOST, others)
        k = st.slider("How many", 1, most, min(12, most), key="k", bind="query-params")
    if own is not None:
        found = nearest_to_own(run, own, k)
    elif image_id is not None:
        found = cache.nearest(run["run_id"], image_id, k)
    else:
        st.info("Choose an image, or bring a picture of your own.")
        return
    if found is None:
        return
    if found.empty:
        st.info(
            f"Run {run['run_id']} has no feature of this image: it could not be read, or came after the run. "
            "The same `python -m ingest run` as before adds what is missing."
        )
        return
    st.html(markup.small(explained(run)))
    items = cache.items(found["image_id"], captions(found))
    clicked = components.gallery(items, "neighbours", size=140)
    if clicked is not None:
        forget()
        components.open_image(clicked)


def explained(run: dict[str, Any]) -> str:
    """What the scores are."""
    return (
        f"By cosine similarity of the features of {run['title']}, run {run['run_id']}: 1 means the same to the "
        "network, 0 nothing in common. Click a picture to go on from it."
    )


def captions(found: pd.DataFrame) -> dict[int, str]:
    """{image_id: its score, and who made it and when}."""
    known = cache.images()["caption"]
    scores = zip(found["image_id"], found["similarity"], strict=True)
    return {int(i): " · ".join(filter(None, (f"{score:.3f}", known.get(i, "")))) for i, score in scores}


def nearest_to_own(run: dict[str, Any], own: Query, k: int) -> pd.DataFrame | None:
    """The neighbours of a picture that no run has seen: the run's network looks at it now. None, with a sentence on the
    page, if it cannot."""
    key = (own.sha256, run["run_id"])
    kept = st.session_state.get("_own_feature")
    if kept is None or kept[0] != key:
        try:
            with st.spinner("The network looks at your picture …"):
                kept = (key, *_embed(run, own.picture))
        except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
            st.error(markup.markdown(f"The network of run {run['run_id']} cannot be used here: {error}"))
            return None
        st.session_state["_own_feature"] = kept
    _, vector, seconds = kept
    st.caption(f"Your picture went through the network in {seconds:.2f} seconds.")
    return cache.nearest_to(run["run_id"], vector, k)


def _embed(run: dict[str, Any], picture: Image.Image):
    from ingest.vision.embedding import embed

    backbone = cache.backbone(run)
    start = time.perf_counter()
    vector = embed(backbone, [picture], fit=run["fit"], size=run["size"])[0]
    return vector, time.perf_counter() - start


page()
