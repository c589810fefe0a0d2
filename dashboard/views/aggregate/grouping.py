"""The controls that tell two groups of pictures apart, kept in the address."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.state import controls, url
from dashboard.state.filter_bar import Filtered
from dashboard.state.url import Param
from dashboard.views.aggregate import groups
from dashboard.views.aggregate.groups import Condition, Group, Pair, pictures
from store.records import RunRecord

PARTS = ("is", "from", "to")  # what the address says of a column


def choose(run: RunRecord, filtered: Filtered) -> tuple[Pair | None, tuple[str, str]]:
    """The pictures of both groups, of those that the filter leaves, None while the first is not told; and what the
    groups are called."""
    catalogue = cache.catalogue_with_labels(run)
    catalogue = catalogue[filtered.among(catalogue["image_id"].to_numpy())]
    kinds = {name: kind for name, kind in cache.columns_with_labels(run).items() if catalogue[name].notna().any()}
    if not kinds:
        st.info("Groups are made by metadata; there is none about these pictures. Remove a condition of the filter.")
        return None, ("", "")
    first = cache.computed(lambda: default_column(catalogue, kinds), "column of groups", run.run_id, filtered.where)
    left, right = st.columns(2, gap="large")
    with left:
        a = choose_group("a", catalogue, kinds, [first], "choose a column")
    with right:
        b = choose_group("b", catalogue, kinds, [], groups.OTHERS)
    if a is None or b is None or not a.conditions:
        st.info("Say which pictures the groups hold: a column of the metadata, and its values or a range.")
        return None, ("", "")
    pair = groups.divide(catalogue, a, b)
    for column, ids in ((left, pair.a), (right, pair.b)):
        column.markdown(f"**{pictures(len(ids))}**")
    notes = []
    if pair.both:
        notes.append(f"In both, and counted in A alone: {pictures(pair.both)}.")
    if pair.unknown:
        notes.append(f"In neither, since the metadata does not say whether they belong to A: {pictures(pair.unknown)}.")
    if notes:
        st.caption(" ".join(notes))
    return pair, (a.words(), f"{b.words()}, without A" if pair.both else b.words())


def choose_group(
    letter: str, catalogue: pd.DataFrame, kinds: dict[str, str], first: list[str], placeholder: str
) -> Group | None:
    """The columns that tell a group, at first `first`, and what each must say; None while a value is missing."""
    others = " Without any, group B is all pictures that are not in A." if letter == "b" else ""
    columns = choose_some(
        f"Group {letter.upper()}, by",
        list(kinds),
        first,
        f"aggregate_{letter}",
        placeholder=placeholder,
        help=f"With several columns, all of them must hold.{others}",
    )
    for column in set(kinds) - set(columns):
        for what in PARTS:
            url.put(f"aggregate_{letter}_{what}_{column}", [])
    conditions = [condition(letter, column, kinds[column], catalogue[column].dropna()) for column in columns]
    known = tuple(each for each in conditions if each is not None)
    return Group(known) if len(known) == len(conditions) else None


def condition(letter: str, column: str, kind: str, values: pd.Series) -> Condition | None:
    """What a column must say; None while no value of a text column is chosen. At first group A is the commonest value
    or the lower half, group B the next."""
    label, first = words.plain(column), letter == "a"
    keys = {what: f"aggregate_{letter}_{what}_{column}" for what in PARTS}
    if kind == "text":
        counts = values.explode().value_counts()
        options = sorted(counts.index)
        common = sorted(options, key=lambda value: -counts[value])
        begin = common[:1] if first else common[1:2] or common
        wanted = choose_some(label, options, begin, keys["is"], placeholder="choose values")
        return Condition(column, kind, tuple(wanted)) if wanted else None
    low, high = halves(values)[0 if first else 1]
    with st.container(horizontal=True):
        ends = [edge(f"{label} {name}", kind, value, keys[name]) for name, value in (("from", low), ("to", high))]
    if None in ends:
        return None
    return Condition(column, kind, tuple(ends))


def choose_some(label: str, options: list[str], first: list[str], key: str, **more: Any) -> list[str]:
    """Some of the options, at first `first`."""
    return controls.multiselect(label, options, first, key=key, always=True, **more)


def edge(label: str, kind: str, first: Any, key: str) -> Any:
    """One end of a range, at first `first`; None while it is empty."""
    Param(key, first, lambda texts: read_edge(texts[0], type(first)), lambda value: [str(value)], always=True).load()
    if kind == "date":
        return st.date_input(label, None, date.min, date.max, key=key)
    if isinstance(first, int):
        return st.number_input(label, value=None, step=1, key=key)
    return st.number_input(label, value=None, format="%.6g", key=key)


def read_edge(text: str, kind: type) -> Any:
    """A number or a date from the address; None if it is none."""
    try:
        return date.fromisoformat(text) if kind is date else kind(text)
    except ValueError:
        return None


def halves(values: pd.Series) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The ranges of the lower and of the upper half of numbers or dates, as Python's own."""
    ordered = sorted(values.tolist())
    middle = ordered[(len(ordered) - 1) // 2]
    above = next((value for value in ordered if value > middle), middle)
    return (ordered[0], middle), (above, ordered[-1])


def default_column(catalogue: pd.DataFrame, kinds: dict[str, str]) -> str:
    """The column whose commonest value cuts the collection most evenly in two, or else one with numbers or dates."""

    def evenness(column: str) -> int:
        counts = catalogue[column].explode().value_counts()
        return min(counts.iloc[0], counts.sum() - counts.iloc[0]) if kinds[column] == "text" else 0

    best = max(kinds, key=evenness)
    ranges = [column for column, kind in kinds.items() if kind != "text"]
    return ranges[0] if ranges and evenness(best) < 2 else best
