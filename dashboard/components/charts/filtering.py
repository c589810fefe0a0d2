"""Charts of the columns that are filters: each for all the others and for the page. What they ask is the filter of all
pages (`dashboard.state.filter_bar`), in the address as if it had been asked there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from dashboard.components.charts import charts, done
from dashboard.compute import charts as counting
from dashboard.compute.charts import Asked, Column
from dashboard.data import cache
from dashboard.state import controls, filter_bar
from dashboard.state.url import Param
from store.conditions import Condition
from store.records import RunRecord

CHARTS = "charts"  # in the address: whether the drawer is open
FIRST = 12  # charts that are drawn unless somebody chooses others
DRAWER, TIME = "charts_drawn", "charts_time"  # keys of the components


def switch(key: str, meaning: str) -> bool:
    """The button that opens the drawer and closes it, and whether it is open."""
    known = {"true": True, "false": False}
    param = Param(CHARTS, False, lambda texts: known.get(texts[0]), lambda value: [str(value).lower()])
    opened = bool(param.load())
    kind = "primary" if opened else "secondary"
    st.button("Charts", key=key, icon=":material/bar_chart:", type=kind, on_click=_turn, help=meaning)
    return opened


def _turn() -> None:
    st.session_state[CHARTS] = not st.session_state.get(CHARTS)


def drawer(run: RunRecord, drawn: str = "") -> None:
    """Small charts of the columns of a run's collection, tags and vocabularies among them, but for one that is `drawn`
    elsewhere on the page."""
    columns = [name for name in cache.chart_columns(run.collection, run.run_id) if name != drawn]
    if not columns:
        st.caption("There is no metadata to draw charts of. A table beside the pictures, or tags, make some.")
        return
    names = columns
    if len(names) > FIRST:
        names = controls.multiselect("Charts of", names, names[:FIRST], key="charts_of", placeholder="Choose columns")
    draw(run, names, DRAWER)
    st.caption(
        "Pale: all pictures; full colour: those that all other filters leave. Click a bar, or draw over a "
        "histogram, to filter by it."
    )


def timeline(run: RunRecord, along: str = "") -> str:
    """A histogram of years or days over the width of the page: of the column `along`, or else of the best of time.
    Returns its name; draws nothing, and returns '', where there is none."""
    columns = cache.chart_columns(run.collection, run.run_id)
    times = [name for name in cache.time_columns(run.collection) if name in columns]
    if not times:
        return ""
    name = along if along in times else times[0]
    draw(run, [name], TIME, wide=True)
    return name


def draw(run: RunRecord, names: Sequence[str], key: str, wide: bool = False) -> None:
    """Charts of these columns."""
    columns = cache.chart_columns(run.collection, run.run_id)
    asked = filters(run, columns)
    documents = [
        counting.described(columns[name], asked)
        | {"title": name, "none": "without a date" if is_time(columns[name], run) else "no value"}
        for name in names
        if name in columns
    ]
    charts(documents, key, partial(apply, run, key), wide)


def is_time(column: Column, run: RunRecord) -> bool:
    """Whether a column is one of time."""
    return isinstance(column, counting.Range) and column.name in cache.time_columns(run.collection)


def filters(run: RunRecord, columns: dict[str, Column]) -> list[Asked]:
    """The conditions of the filter with the pictures for which each holds, in the order of the catalogue."""
    found = []
    for condition in filter_bar.conditions():
        column = columns.get(condition.column)
        mask = None if column is None else column.holds(condition)
        found.append(
            Asked(
                condition,
                among(run, cache.matching(run.collection, (condition,), run.run_id)) if mask is None else mask,
            )
        )
    if sql := filter_bar.condition_in_sql():
        found.append(Asked(None, among(run, cache.satisfying(sql))))
    return found


def among(run: RunRecord, ids: np.ndarray) -> np.ndarray:
    """Which rows of the catalogue are these images."""
    return np.isin(cache.catalogue(run.collection)["image_id"].to_numpy(), ids)


def apply(run: RunRecord, key: str) -> None:
    """Filter by what somebody did with a chart."""
    what = done(key)
    column = cache.chart_columns(run.collection, run.run_id).get(what["column"]) if what else None
    if what is None or column is None:
        return
    filter_bar.put(wanted(column, what, filter_bar.conditions()))


def wanted(column: Column, what: dict, conditions: Sequence[Condition]) -> Condition:
    """What the filter is to ask of a column after `what` was done with its chart."""
    mine = next((each for each in conditions if counting.own(column, each)), None)
    if what["act"] == "brush" and isinstance(column, counting.Range):
        return counting.brushed(column, what["first"], what["last"], mine)
    if what["act"] == "clear":
        return counting.cleared(column)
    return counting.toggled(column, mine, what["value"] if what["act"] == "toggle" else None)
