"""One map large, and its head in numbers; and a line about all heads that are shown."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components.patches import patches
from dashboard.data import cache
from dashboard.drawing import map_values, markup, panels
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.drawing.text import inputs
from dashboard.selection.maps.drawn import draw
from dashboard.selection.maps.lookup import PictureMaps, Question, Subject
from dashboard.state import controls
from store.counts import counted
from store.maps import FUSED, AttentionMaps

LARGE = 900  # pixels of the large map's long side


def show(subject: Subject, question: Question, maps: AttentionMaps, scene: Scene, style: MapStyle) -> int:
    """The section; returns the number of the map that was chosen."""
    st.subheader("Detail view")
    first = map_values.deepest(maps)
    chosen = controls.selectbox("Map", maps.titles, first, key="closer")
    number = maps.titles.index(chosen)
    one = draw(subject, maps, scene.at(LARGE), style, only=number)[0][0]
    left, right = st.columns([3, 2])
    with left:
        patches([one], "closer_map", group=subject.group, large=True, pick=False)
    with right:
        if not _of_summary(question):
            st.caption("Numbers about heads are stored for what the summary of the picture looks at, not for this map.")
            return number
        stats = stats_of(subject, map_values.single(maps, number))
        if stats.empty:
            st.caption("No numbers about the heads are stored for this image in this run.")
        else:
            numbers(stats.mean(numeric_only=True), len(stats), inputs.of_picture(subject.run, scene.frame))
    return number


def strip(subject: Subject, question: Question, found: PictureMaps) -> None:
    """Where the tokens that are shown look, and how evenly: the mean over the maps of the wall."""
    maps = found.maps
    if _of_summary(question):
        stats = stats_of(subject, maps)
        if not stats.empty:
            of = "this head" if len(stats) == 1 else f"the {len(stats)} heads shown, on average"
            mean = stats.mean(numeric_only=True)
            who = "the CLS token looks" if mean["mass_cls"] > 0 else "the patches look"
            st.html(markup.shares(f"Where {who} in {of}", panels.masses(mean)))
            st.caption(f"Entropy {mean['entropy']:.2f} nats: {evenness(mean['entropy'])}.")
    elif question.entry is not None and question.entry.of_chosen_token:
        cells = found.frame.picture_cells(*subject.size)
        mass = float(np.where(cells, maps.weights, 0).sum(axis=(1, 2)).mean())
        rest = max(0.0, 1 - mass)
        name = "special tokens" if cells.all() else "special tokens and padding"
        st.html(
            markup.shares("Where this token looks in the maps shown, on average", [(name, rest), ("patches", mass)])
        )


def _of_summary(question: Question) -> bool:
    """Whether the stored numbers about heads are about these maps."""
    return question.entry is not None and question.entry.of_summary


def stats_of(subject: Subject, maps: AttentionMaps) -> pd.DataFrame:
    """The stored numbers about the heads of these maps (of fused ones, all of the layer) for the picture; empty where
    there are none."""
    if subject.stored is None:
        return pd.DataFrame()
    stats = cache.head_stats(*subject.stored)
    wanted = set(zip(maps.layers.tolist(), maps.heads.tolist(), strict=True))
    here = [
        (layer, head) in wanted or (layer, FUSED) in wanted
        for layer, head in zip(stats["layer"], stats["head"], strict=True)
    ]
    return stats[np.array(here, dtype=bool)]


def numbers(stats: pd.Series, heads: int, given: str) -> None:
    """Distance, entropy and masses of one head, or their means over several; `given` says what the input was."""
    of = "" if heads == 1 else f", mean of {counted(heads, 'head')}"
    who = "the CLS token looks" if stats["mass_cls"] > 0 else "the patches look, on average"
    st.html(markup.shares(f"Where {who}{of}", panels.masses(stats)))
    row, far = st.container(horizontal=True, gap="large"), stats["distance"]
    first, second = (row.container(width="content", gap=None) for _ in range(2))
    first.metric(
        "Mean attention distance",
        "unknown" if np.isnan(far) else f"{far:.0f} px",
        help="How far the patches lie from the one that attends to them, on average, in pixels of the "
        f"network's input ({given}).",
    )
    second.metric(
        "Entropy",
        f"{stats['entropy']:.2f} nats",
        help="How evenly this attention is spread over all tokens.",
    )
    if not np.isnan(far):
        first.caption(f"{panels.percent(stats['distance_share'])} of the input's diagonal")
    second.caption(evenness(stats["entropy"]))


def evenness(entropy: float) -> str:
    """An entropy in nats, in words."""
    return f"as even as {math.exp(entropy):.0f} tokens with equal shares"
