"""Twenty pictures to mark as right or wrong, and what the marks say of a term's precision."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.drawing import charts
from dashboard.views.vocabulary import precision
from dashboard.views.vocabulary.marking import marking
from dashboard.views.vocabulary.precision import Precision
from dashboard.views.vocabulary.scored import ScoredTerm
from store.counts import counted
from store.errors import StoreError

ROUND = "_vocabulary_round"  # in the session: the term, the number of its marks when it was drawn, and the pictures
LINEAR = 50  # labelled pictures up to which the chart counts evenly
HELP = (
    "Draws twenty pictures that are not marked yet, half of them with scores near the threshold, the others over the "
    "whole range. Mark all of them, doubtful ones too: those that are left out would make the precision look better."
)
SOURCE = (
    "Precision: the share of labelled pictures that are right; a mark weighs as many pictures as it was drawn for. "
    "Band: Wilson's 95 % interval (1927) for the effective size of the sample (Korn and Graubard 1998). A threshold "
    "chosen because it looks best on few marks is partly luck: check twenty more there."
)


def check(term: ScoredTerm, labelled: int) -> None:
    """The round of twenty, the precision of the `labelled` best pictures, and the chart."""
    known = cache.marks(*term.key)
    places = {int(image_id): rank for rank, image_id in enumerate(term.ids)}
    current = known[known["current"]]
    marks = dict(zip(current["image_id"].tolist(), current["correct"].tolist(), strict=True))
    begin(term, labelled, {places[image_id] for image_id in marks if image_id in places})
    marks |= mark(term, marks)
    by_rank = {places[image_id]: right for image_id, right in marks.items() if image_id in places}
    found = precision.precision(labelled, by_rank, len(term.ids))
    st.markdown(sentence(term, labelled, found))
    if curve := precision.curve(by_rank, len(term.ids)):
        st.plotly_chart(chart(curve, labelled), key="vocabulary_chart", config={"displayModeBar": False})
        st.caption(SOURCE)
    if old := len(known) - len(current):
        st.caption(f"{counted(old, 'mark')} of other scores, from before the prompts changed, do not count here.")


def begin(term: ScoredTerm, labelled: int, marked: set[int]) -> None:
    """The button that draws a round; `marked` are ranks."""
    left = len(term.ids) - len(marked)
    label = "Check twenty" if left >= precision.ROUND else f"Check the last {left}"
    if st.button(label, key="check_twenty", icon=":material/fact_check:", help=HELP, disabled=not left):
        seen = np.isin(np.arange(len(term.ids)), list(marked))
        ranks = precision.draw(labelled, seen, zlib.crc32(repr(term.key).encode()) + len(marked))
        st.session_state[ROUND] = term.key, len(marked), term.ids[ranks].tolist()


def mark(term: ScoredTerm, known: dict[int, bool]) -> dict[int, bool]:
    """The pictures of the round, if one was drawn of this term; returns the marks made there, which are stored."""
    of, number, ids = st.session_state.get(ROUND, (None, 0, []))
    if of != term.key or not set(ids) <= set(term.ids.tolist()):
        return {}
    st.markdown(
        f"Is **{plain(term.term)}** right for each? Click the ✓ or ✗ below it, or press **r** for right and **w** for "
        "wrong, which go on to the next. A click on a picture itself selects it, as everywhere, and marks nothing."
    )
    seen = {image_id: right for image_id, right in known.items() if image_id in ids}
    made = marking(cache.items(ids), seen, f"vocabulary_marks_{zlib.crc32(repr((of, number)).encode())}", 130)
    fresh = {image_id: right for image_id, right in made.items() if known.get(image_id) != right}
    if fresh:
        try:
            cache.add_marks(*term.key, fresh)
        except StoreError as error:
            st.error(f"The marks are not stored yet, and will be with the next one: {plain(str(error))}")
    left = len(ids) - len(seen | made)
    st.caption(
        f"{counted(left, 'picture')} to go." if left else "All of them are marked; check twenty more, if you like."
    )
    return made


def sentence(term: ScoredTerm, labelled: int, found: Precision | None) -> str:
    """What is known of the precision at a threshold."""
    of = f"At this threshold **{plain(term.term)}** labels {counted(labelled, 'picture')}"
    if found is None:
        return f"{of}; how many of them are right is not known before some over the whole range are marked."
    if found.low == found.high:
        return f"{of}, all of which are marked: **{found.share:.0%}** are right."
    return (
        f"{of}; about **{found.share:.0%}** of them are right (95 % interval {found.low:.0%} to {found.high:.0%}, from "
        f"{counted(found.marked, 'mark')})."
    )


def chart(curve: list[Precision], labelled: int) -> go.Figure:
    """The precision and its interval by how many pictures are labelled; a line where the threshold is."""
    x = [each.labelled for each in curve]
    low, share, high = ([100 * getattr(each, name) for each in curve] for name in ("low", "share", "high"))
    band: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure = go.Figure()
    figure.add_scatter(x=x, y=high, **band)
    figure.add_scatter(x=x, y=low, fill="tonexty", fillcolor="rgba(180, 85, 58, 0.2)", **band)
    figure.add_scatter(
        x=x,
        y=share,
        mode="lines+markers",
        line={"color": charts.ACCENT, "width": 2},
        marker={"size": 4},
        text=[f"{each.labelled:,} labelled: {each.share:.0%} ({each.low:.0%} to {each.high:.0%})" for each in curve],
        hoverinfo="text",
        showlegend=False,
    )
    figure.add_vline(x=labelled, line={"color": charts.GREY, "dash": "dot"})
    figure.update_layout(
        height=240,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"title": "pictures labelled", **({"type": "log", "dtick": 1} if x[-1] > LINEAR else {})},
        yaxis={"title": "right", "range": [0, 102], "ticksuffix": " %"},
    )
    return figure
