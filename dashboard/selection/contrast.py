"""What the selected pictures have oftener than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import typical, words
from dashboard.compute.typical import LEVEL, Middle, Typical
from dashboard.data import cache
from dashboard.drawing.panels import percent
from dashboard.selection.selection import Selection, pictures
from store.counts import counted
from store.records import RunRecord
from store.vocabularies import Vocabulary

BARS, SENTENCES = 12, 3
TERMS = (
    "Terms of a vocabulary are what the network finds in the pictures, by the same features that lay them out: of "
    "pictures chosen on the map they are no second witness."
)
_STYLE = """<style>
.ba-typical {width: 100%; border-collapse: collapse; font-size: 0.9rem; line-height: 1.35}
.ba-typical caption {text-align: left; padding: 0.6rem 0 0.3rem; font-weight: 600}
.ba-typical th {text-align: left; font-weight: 400; opacity: 0.65; padding: 0.15rem 0.9rem 0.15rem 0}
.ba-typical td {padding: 0.28rem 0.9rem 0.28rem 0; vertical-align: middle; overflow-wrap: anywhere}
.ba-typical tr + tr td {border-top: 1px solid #8883}
.ba-typical .ba-column {opacity: 0.65}
.ba-typical .ba-number {white-space: nowrap; font-variant-numeric: tabular-nums}
.ba-typical .ba-lane {width: 26%; min-width: 6.5rem}
.ba-typical .ba-rail {height: 0.45rem; border-radius: 2px; background: #8882; margin-top: 0.15rem}
.ba-typical .ba-fill {height: 100%; border-radius: 2px; background: #b4553a}
.ba-typical .ba-rest .ba-fill {background: #8f8a83}
</style>"""
CAVEAT = (
    "*p* tells how often as many pictures, picked at random, would have a value at least as often as these; it allows "
    "for how many values were tried (hypergeometric test, Benjamini and Hochberg's correction). A small p says that "
    "the value and the selection go together, not why. Pictures lie near each other on a map because the network "
    "finds them alike, and a group that caught the eye is no random sample: take what you read here as a question to "
    "the pictures. Pictures of which a column says nothing are not counted in its shares."
)


def show(selection: Selection) -> None:
    """The values that are typical of the selection, the medians, and what to think of them."""
    others = len(selection.among) - len(selection.ids)
    if not others:
        st.markdown("All pictures are selected, so there is no rest to compare them with.")
        return
    found, middles = compared(selection)
    sure = [one for one in found if one.p <= LEVEL]
    for one in sure[:SENTENCES]:
        st.markdown(sentence(one))
    if not found:
        st.markdown(f"No value is commoner in {these(selection)} than in the rest, or all are too rare to tell.")
    elif not sure:
        st.markdown(f"Nothing is surprising: what is commoner in {these(selection)} could well be so by chance.")
    st.html(_STYLE + bars(f"Commoner here than in the other {pictures(others)}", (sure or found)[:BARS]))
    if len(found) > BARS:
        with st.expander(f"All {len(found):,} values that are commoner here", key="selection_values"):
            st.dataframe(frame(found), hide_index=True, width="stretch")
    if middles:
        st.html(_STYLE + medians(middles))
    st.caption(CAVEAT + (f" {TERMS}" if vocabularies(_scored(selection)) else ""))


def compared(selection: Selection) -> tuple[list[Typical], list[Middle]]:
    """What is typical, terms of the run's vocabularies too, and the medians; cached."""
    run = _scored(selection)
    thresholds = repr([(each.name, cache.thresholds(each.run_id, each.name)) for each in vocabularies(run)])

    def make() -> tuple[list[Typical], list[Middle]]:
        if run:
            table, kinds = cache.catalogue_with_labels(run), cache.columns_with_labels(run)
        else:
            table, kinds = cache.catalogue_parts(selection.collection), cache.metadata_columns(selection.collection)
        table = table[np.isin(table["image_id"], selection.among)]
        inside = np.isin(table["image_id"], selection.ids)
        return typical.typical(table, inside, kinds), typical.middles(table, inside, kinds)

    chosen = selection.collection, selection.ids.tobytes(), selection.among.tobytes()
    return cache.remembered(make, "typical", *chosen, run and run.run_id, thresholds)


def _scored(selection: Selection) -> RunRecord | None:
    """The run in view, whose vocabularies say something of the selection."""
    run = cache.current_run()
    return run if run is not None and run.collection == selection.collection else None


def vocabularies(run: RunRecord | None) -> list[Vocabulary]:
    """Those of a run."""
    return cache.vocabularies(run.run_id) if run else []


def these(selection: Selection) -> str:
    return "this picture" if len(selection.ids) == 1 else f"these {pictures(len(selection.ids))}"


def sentence(one: Typical) -> str:
    """A finding in words, as Markdown."""
    value = f"**{words.plain(one.column)} {words.plain(one.value)}**"
    here = f"{one.inside:,} of the {one.total_inside:,} here"
    if not one.outside:
        return f"{value}: {here}, and none of the {counted(one.total_outside, 'other')}."
    rest = f"{one.outside:,} of the {counted(one.total_outside, 'other')}"
    return f"{value}: {here}, {rest}; {times(one.ratio)} as common here."


def bars(title: str, found: Sequence[Typical]) -> str:
    """A table of the values with their shares as bars, all words escaped; empty for none."""
    rows = "".join(
        f'<tr><td><span class="ba-column">{escape(one.column)}</span> {escape(one.value)}</td>'
        f"{_lane(one.inside, one.total_inside, 'ba-lane')}{_lane(one.outside, one.total_outside, 'ba-lane ba-rest')}"
        f'<td class="ba-number">{escape(times(one.ratio))}</td><td class="ba-number">{escape(chance(one.p))}</td></tr>'
        for one in found
    )
    head = "<th>value</th><th>here</th><th>elsewhere</th><th>as common</th><th>p</th>"
    return f'<table class="ba-typical"><caption>{escape(title)}</caption><tr>{head}</tr>{rows}</table>' if rows else ""


def medians(found: Sequence[Middle]) -> str:
    """A table of the medians."""
    rows = "".join(
        f'<tr><td>{escape(one.column)}</td><td class="ba-number">{escape(_plain(one.inside))}</td>'
        f'<td class="ba-number">{escape(_plain(one.outside))}</td></tr>'
        for one in found
    )
    head = "<th>median of</th><th>here</th><th>elsewhere</th>"
    return f'<table class="ba-typical"><caption>The middle of the numbers</caption><tr>{head}</tr>{rows}</table>'


def frame(found: Sequence[Typical]) -> pd.DataFrame:
    """The findings as a table, shares in per cent."""
    return pd.DataFrame(
        {
            "column": [one.column for one in found],
            "value": [one.value for one in found],
            "here": [one.inside for one in found],
            "here %": [round(100 * one.inside / one.total_inside, 2) for one in found],
            "elsewhere": [one.outside for one in found],
            "elsewhere %": [round(100 * one.outside / one.total_outside, 2) for one in found],
            "as common": [times(one.ratio) for one in found],
            "p": [one.p for one in found],
        }
    )


def times(ratio: float) -> str:
    """How many times as common."""
    if np.isinf(ratio):
        return "only here"
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def chance(p: float) -> str:
    """A p in few digits."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _lane(count: int, total: int, names: str) -> str:
    share = count / total
    bar = f'<div class="ba-rail"><div class="ba-fill" style="width: {100 * share:.1f}%"></div></div>'
    share_text = f"{escape(percent(share))} ({count:,} of {total:,})"
    return f'<td class="{names}"><span class="ba-number">{share_text}</span>{bar}</td>'


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else f"{value:.6g}"
