"""Probe: any picture before any network on this machine. Nothing is ingested, nothing is kept."""

from __future__ import annotations

import hashlib
from typing import Any

import streamlit as st
from PIL import Image

from dashboard.components.crop.paste import paste
from dashboard.data import cache, uploads
from dashboard.drawing import markup
from dashboard.selection.maps import lookup
from dashboard.state import controls, navigation, url
from dashboard.state.navigation import examples
from dashboard.state.url import Param
from dashboard.views.attention import viewer
from dashboard.views.probe import networks
from ingest.vision.geometry import FITS
from store.errors import StoreError


def page() -> None:
    """The page: a picture of one's own, a network, and the attention microscope."""
    navigation.heading("probe")
    own = bring()
    choice, fit = choose()
    if choice is None:
        st.info("No network was found on this machine. `python -m ingest models` lists those that can be had.")
        return
    if own is None:
        st.info("Choose a picture of your own above, or paste one. It is processed in memory, not stored.")
        return
    try:
        with st.spinner("Loading the network …"):
            run = networks.as_run(choice, fit)
    except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
        st.error(markup.markdown(f"{choice.title} cannot be used here: {error}"))
        return
    viewer.show(lookup.subject_of_own(run, *own), suited=networks.suited(run))


def choose() -> tuple[networks.Choice | None, str]:
    """The network, None where there is none, and how the picture is brought to its size."""
    found = {each.key: each for each in networks.choices()}
    if not found:
        return None, "crop"
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        key = controls.selectbox("Network", list(found), key="network", format_func=lambda each: found[each].title)
    return found[key], choose_fit(row, found[key].fit)


def choose_fit(row: Any, usual: str) -> str:
    """How the picture is brought to its size: as runs of the network do, until somebody says otherwise."""
    ways = list(FITS)
    with row:
        return controls.segmented_control(
            "Fit",
            ways,
            ways.index(usual),
            key="fit",
            follows=True,
            help="\n".join(f"- **{name}**: {words}" for name, words in FITS.items()),
        )


def bring() -> tuple[str, Image.Image] | None:
    """The controls for a picture of one's own, and its name and the picture if there is one."""
    file = st.file_uploader("A picture of your own", list(uploads.TYPES), max_upload_size=uploads.MEGABYTES, key="own")
    pasted = paste("probe_paste")
    asked = of_collection()
    try:
        if asked is not None:
            st.session_state["_probe"] = asked
        elif pasted:
            st.session_state["_probe"] = _decoded("Pasted picture", uploads.from_data_url(pasted))
            st.session_state.pop(examples.PROBED, None)
        elif file is not None and (data := file.getvalue()):
            digest = hashlib.sha256(data).hexdigest()
            if st.session_state.get("_probe_file") != digest:
                st.session_state["_probe"], st.session_state["_probe_file"] = _decoded(file.name, data), digest
                st.session_state.pop(examples.PROBED, None)
    except uploads.BadPicture as error:
        st.error(str(error), icon=":material/broken_image:")
        st.session_state.pop("_probe", None)
    return st.session_state.get("_probe")


def of_collection() -> tuple[str, Image.Image] | None:
    """The picture of the database that the address has asked for just now, as the example does."""

    def read(texts: list[str]) -> int | None:
        return int(texts[0]) if navigation.is_id(texts[0]) else None

    def write(value: int | None) -> list[str]:
        return [] if value is None else [str(value)]

    new = url.is_new(examples.PROBED)
    image_id = Param[int | None](examples.PROBED, None, read, write).load()
    if not new or image_id is None:
        return None
    try:
        return cache.image_row(image_id)["title"], cache.original(image_id)
    except StoreError as reason:
        st.warning(str(reason))
        return None


def _decoded(name: str, data: bytes) -> tuple[str, Image.Image]:
    return name, uploads.decode(data)


page()
