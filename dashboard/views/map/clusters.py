"""The clusters of the map: how fine they are, and what people call, colour and merge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.compute.clusters import Group
from dashboard.data import cache
from dashboard.data.layouts import CLUSTER
from dashboard.drawing import tables
from dashboard.drawing.colours import NAMED
from dashboard.drawing.text import glossary
from dashboard.selection.files import XLSX, file_name
from dashboard.state.url import Param
from store.counts import counted
from store.errors import StoreError
from store.records import RunRecord
from store.workbooks import xlsx_of_frame

LEVEL = "cluster_level"  # in the address
_MESSAGE = "_cluster_message"
MEANING = (
    "Fewer clusters are coarser, more are finer: a finer level divides the clusters of a coarser one. At first those "
    "stand that hold together longest (HDBSCAN's excess of mass), where none has more than half of the pictures if "
    "that can be."
)


def level(projection_id: int) -> int | None:
    """How many clusters of a projection are wanted, None for as many as are shown at first."""
    found = cache.clusters(projection_id)
    known = {str(each): each for each in found.levels} if found else {}
    wanted = Param(LEVEL, None, lambda texts: known.get(texts[-1]), lambda value: [str(value)]).load()
    return wanted if wanted in known.values() else None


def in_use() -> bool:
    """Whether the map shows clusters in some way: outlined, as colours, or as groups. Else nobody shall wait for their
    names, which takes seconds at 100,000 pictures."""
    state = st.session_state
    grouped = state.get("layout") == "groups" and state.get("layout_by") == CLUSTER
    return bool(state.get("clusters")) or grouped or state.get("map_colour") == CLUSTER


def drawer(run: RunRecord, projection_id: int) -> None:
    """How many clusters, and what to call them."""
    found = cache.clusters(projection_id, level(projection_id))
    if found is None:
        return
    if len(found.levels) > 1:
        st.session_state[_key(projection_id)] = found.level
        st.select_slider(
            "How many clusters",
            found.levels,
            key=_key(projection_id),
            on_change=_slid,
            args=(projection_id,),
            help=MEANING,
        )
    groups = cache.cluster_groups(projection_id, found.level)
    if not groups:
        st.caption("The pictures of this map form no clusters.")
        return
    loose = int((found.of == 0).sum())
    st.caption(f"{counted(len(groups), 'cluster')}; {counted(loose, 'picture')} in none of them.")
    edit(projection_id, found.level, groups)
    with st.container(horizontal=True):
        for label, ending, mime, write in (
            ("Clusters for Excel (XLSX)", "xlsx", XLSX, xlsx_of_frame),
            ("Clusters as CSV", "csv", "text/csv", tables.safe_csv),
        ):
            st.download_button(
                label,
                partial(download, write, run, projection_id, found.level),
                file_name(f"clusters-{run.collection}-{found.level}") + f".{ending}",
                mime,
                key=f"clusters_{ending}",
                on_click="ignore",
                icon=":material/download:",
                help="Each picture of the map with the number and the name of its cluster, and what is known of it.",
            )


def download(write: Callable[[pd.DataFrame], bytes], run: RunRecord, projection_id: int, level: int) -> bytes:
    """The clusters as a file, made when it is asked for."""
    return write(table(run, projection_id, level))


def edit(projection_id: int, level: int, groups: Sequence[Group]) -> None:
    """A form to name, colour and merge clusters."""
    numbers = [group.number for group in groups]
    labels = {group.number: f"{group.name} ({group.count:,})" for group in groups}
    named = words.named(labels)
    chosen = st.selectbox(
        "Cluster",
        numbers,
        key=f"cluster_chosen_{projection_id}_{level}",
        format_func=named,
        help=glossary.sense_of("cluster"),
    )
    group = next(each for each in groups if each.number == chosen)
    own = cache.clusters(projection_id, level)
    here = f"{projection_id}_{level}_{chosen}"
    with st.form(f"cluster_form_{here}", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", group.name, key=f"cluster_name_{here}", max_chars=80)
            colour = st.color_picker(
                "Colour", group.colour or NAMED[(chosen - 1) % len(NAMED)], key=f"cluster_colour_{here}"
            )
        others = [number for number in numbers if number != chosen]
        merged = st.multiselect(
            "Merge with", others, key=f"cluster_merge_{here}", format_func=named, placeholder="no other"
        )
        if st.form_submit_button("Save", key=f"cluster_save_{here}", type="primary"):
            save(projection_id, level, group, name, colour, merged)
    if own is not None and (own.names or own.colours or own.merged):
        st.button(
            "As they were found", key="clusters_reset", on_click=reset, args=(projection_id, level), type="tertiary"
        )
    if message := st.session_state.pop(_MESSAGE, ""):
        st.error(message)


def save(projection_id: int, level: int, group: Group, name: str, colour: str, merged: Sequence[int]) -> None:
    """Save what somebody says of a cluster."""
    own = cache.clusters(projection_id, level)
    names, colours = (own.names, own.colours) if own else ({}, {})
    into = min(group.number, *merged) if merged else group.number  # whose name stays, unless one was typed
    shown = group.colour or NAMED[(group.number - 1) % len(NAMED)]
    name = name.strip()
    typed = name if name != group.name else names.get(into, "")  # what was found is no name that somebody gave
    chosen = colour if colour != shown else colours.get(into, "")
    try:
        if merged:
            cache.merge_clusters(projection_id, level, [group.number, *merged])
        cache.label_cluster(projection_id, level, into, typed, chosen)
    except StoreError as error:
        st.session_state[_MESSAGE] = words.plain(str(error))
    st.rerun()


def reset(projection_id: int, level: int) -> None:
    """Take away what people said of a level."""
    try:
        cache.reset_clusters(projection_id, level)
    except StoreError as error:
        st.session_state[_MESSAGE] = words.plain(str(error))


def names_of(projection_id: int, ids: np.ndarray) -> pd.Series:
    """The names of the clusters that images are in, '' for none, by image id."""
    now = level(projection_id)
    found, names = cache.clusters(projection_id, now), cache.cluster_names(projection_id, now)
    if found is None:
        return pd.Series(dtype=object)
    of = found.among(ids)
    return pd.Series([names.get(number, "") for number in of.tolist()], index=pd.Index(ids), dtype=object)


def table(run: RunRecord, projection_id: int, level: int) -> pd.DataFrame:
    """image_id, path, cluster (empty for none), name of the pictures of a map, and what the catalogue has of them."""
    found, names = cache.clusters(projection_id, level), cache.cluster_names(projection_id, level)
    assert found is not None
    paths = cache.images(run.collection)["path"]
    numbers = pd.array([number or None for number in found.of.tolist()], dtype="Int64")
    named = [names.get(number, "") for number in found.of.tolist()]
    path = paths.reindex(found.ids).to_numpy()
    clusters = pd.DataFrame({"image_id": found.ids, "path": path, "cluster": numbers, "name": named})
    known = cache.catalogue(run.collection).drop(columns=["collection", "path"])
    return clusters.merge(known, "left", "image_id", suffixes=("", "_in_table"))


def _key(projection_id: int) -> str:
    return f"cluster_slider_{projection_id}"


def _slid(projection_id: int) -> None:
    st.session_state[LEVEL] = st.session_state[_key(projection_id)]
