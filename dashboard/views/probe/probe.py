"""Probe: any picture before any network on this machine. Nothing is ingested, nothing is kept."""

from __future__ import annotations

import hashlib
from typing import Any

import streamlit as st
from PIL import Image

from dashboard.components.crop.paste import paste
from dashboard.data import uploads
from dashboard.drawing import markup
from dashboard.selection.maps import lookup
from dashboard.state import controls, navigation
from dashboard.views.attention import viewer
from dashboard.views.probe import networks
from ingest.vision.geometry import FITS


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
    try:
        if pasted:
            st.session_state["_probe"] = _decoded("Pasted picture", uploads.from_data_url(pasted))
        elif file is not None and (data := file.getvalue()):
            digest = hashlib.sha256(data).hexdigest()
            if st.session_state.get("_probe_file") != digest:
                st.session_state["_probe"], st.session_state["_probe_file"] = _decoded(file.name, data), digest
    except uploads.BadPicture as error:
        st.error(str(error), icon=":material/broken_image:")
        st.session_state.pop("_probe", None)
    return st.session_state.get("_probe")


def _decoded(name: str, data: bytes) -> tuple[str, Image.Image]:
    return name, uploads.decode(data)


page()
