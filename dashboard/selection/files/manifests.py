"""The selection as a IIIF manifest, for viewers and for the web."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.compute.methods import kind_of, title_of
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.selection.selection import Selection, pictures
from dashboard.state import controls
from ingest.vision.peaks import peaks as find_peaks
from store import manifest, marks
from store.counts import counted

MOST_PEAKS = 10  # of each picture that the slider offers


def show(selection: Selection, name: str, prefix: str = "") -> None:
    """How many peaks to mark, where the manifest and its pictures lie, and the file; `name` is the file's, and `prefix`
    begins the keys of the controls."""
    st.markdown("**As a IIIF manifest**")
    st.caption("Mirador and other viewers show it, with the saved regions and the peaks of attention marked.")
    if len(selection.ids) > manifest.MOST:
        st.caption(f"A viewer reads a manifest as a whole: select {manifest.MOST:,} pictures at most.")
        return
    rows = cache.described(selection.ids)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        folder, services = ask_folder(rows, prefix), cache.services()
        there = rows[reachable(rows, folder, services)]
        uri = ask_address("Where you will publish the manifest", f"{prefix}iiif_uri") if len(there) else None
    if there.empty:
        st.caption(
            "None of these pictures has an address on the web, where a viewer could fetch it. If their folder lies on "
            "the web too, type its address, and press Enter."
        )
    peaks = None if there.empty else ask_peaks(prefix)
    # Always there: who types an address and presses it has left the field, which is then read.
    st.download_button(
        "Download the IIIF manifest",
        partial(
            build, cache.db(), rows, selection.name, uri or manifest.made_up(f"{name}.json"), folder, peaks, services
        ),
        f"{name}.json",
        "application/json",
        key=f"{prefix or 'selection_'}iiif",
        on_click="ignore",
        icon=":material/download:",
        disabled=there.empty,
    )
    if there.empty:
        return
    st.caption(summary(len(rows), there.index.tolist(), uri))
    if services and not all(reachable(there, folder)):
        st.caption(
            f"Pictures without an address of their own come from this dashboard, {services}: only while it runs, and "
            "only for those who can reach it."
        )


def summary(selected: int, there: Sequence[int], uri: str | None) -> str:
    """What the manifest will hold, the pictures `there`, and what it will not."""
    regions = len(cache.regions(there))
    sentence = pictures(len(there))
    sentence += f", {counted(regions, 'region')}." if regions else "."
    if left := selected - len(there):
        sentence += f" {pictures(left)} without an address on the web {'is' if left == 1 else 'are'} left out."
    if uri is None:
        sentence += " The manifest’s address is made up: type the one at which you will publish it."
    return sentence


def ask_folder(rows: pd.DataFrame, prefix: str = "") -> str | None:
    """Where the pictures of a folder lie on the web, asked only where some came from a folder."""
    if all(reachable(rows, None)):
        return None
    return ask_address("Where the folder of the pictures lies on the web", f"{prefix}iiif_folder")


def ask_address(label: str, key: str) -> str | None:
    """An address that somebody typed; None where it is none, which is then said."""
    typed = controls.text_input(label, key=key, placeholder="https://…", width=340)
    if typed and not manifest.is_web(typed):
        st.caption("Not a valid address: it should begin with https://")
        return None
    return typed or None


def ask_peaks(prefix: str = "") -> marks.Peaks | None:
    """Which peaks to mark: of the run in view, in the last layer, of the mean of all heads."""
    run = cache.current_run()
    if run is None:
        return None
    stored = cache.methods(run.run_id)
    methods = [method for method, target in zip(stored["method"], stored["target"], strict=True) if not target]
    if not methods:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        count = controls.slider("Peaks to mark in each picture", 0, MOST_PEAKS, 0, key=f"{prefix}iiif_peaks", width=240)
        if not count:
            return None
        method = controls.selectbox(
            "Of the maps",
            methods,
            key=f"{prefix}iiif_method",
            format_func=title_of,
            width=260,
            help="Of the run in view, in its last layer, and of the mean of all heads.",
        )
    layers, heads = cache.map_levels(run.run_id, method)
    head = "mean" if heads else None
    return marks.Peaks(count, run.run_id, method, kind_of(method), "", layers[-1], head)


def reachable(rows: pd.DataFrame, folder: str | None, services: str | None = None) -> list[bool]:
    """Which of these pictures a viewer could fetch."""
    return [manifest.as_picture(row, "", folder, services) is not None for row in records(rows)]


def build(
    path: Path,
    rows: pd.DataFrame,
    label: str,
    uri: str,
    folder: str | None,
    peaks: marks.Peaks | None,
    services: str | None = None,
) -> bytes:
    """The manifest of these rows of `cache.described`, with the saved regions. Any thread may ask: no Streamlit."""
    found, _ = manifest.pictures_of(records(rows), uri, folder, services)
    return manifest.text_of(manifest.manifest(uri, label, marks.marked(path, found, peaks, find_peaks))).encode()
