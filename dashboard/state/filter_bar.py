"""Which pictures the pages are about: one filter for all of them, in the address, above each page in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.state import filters
from dashboard.state.url import Param
from store.conditions import CONDITIONS, Between, Condition, OneOf, Templated, Years, ordered
from store.counts import counted
from store.errors import SqlFailed, SqlRefused, SqlTimeout
from store.texts import text_of_condition

FACETS, SQL, PANEL = "f", "where", "filter"
_NOTICE, _UNFIT = "_filter_notice", "_filter_unfit"  # what a link said in vain; what was typed and cannot be used
_NONE = None  # among the values of a column: no value


class OfCollection(Protocol):
    """A run of any kind, by whose collection and vocabularies pictures are filtered."""

    @property
    def collection(self) -> str: ...

    @property
    def run_id(self) -> int: ...


@dataclass(frozen=True)
class Filtered:
    """The pictures that a filter leaves: `ids` (n,) int64 ascending, None for all; `words` for them, '' for all; how
    many they are, and `of` how many; and `where`, the SQL that finds the same."""

    ids: np.ndarray | None
    words: str
    count: int
    of: int
    where: str

    @property
    def empty(self) -> bool:
        """Whether the filter leaves nothing."""
        return self.ids is not None and not self.count

    def among(self, ids: np.ndarray) -> np.ndarray:
        """Which of these images (n,) it leaves, as bool (n,)."""
        return np.ones(len(ids), bool) if self.ids is None else np.isin(ids, self.ids)

    def describe(self, count: int) -> str:
        """So many of them in words, as in "all 29 images" or "5 images with artist Hokusai"."""
        counted_images = "a single image" if count == 1 else f"{counted(count, 'image')}"
        if self.ids is None:
            return counted_images if count == 1 else f"all {counted_images}"
        return f"{counted_images} with {self.words}"


def current(run: OfCollection) -> Filtered:
    """What the filter leaves of a run's collection. Draws nothing."""
    collection = run.collection
    conditions, sql = _take(run)
    of = len(cache.images(collection))
    where = cache.statement(collection, conditions, sql, run.run_id)
    if not conditions and not sql:
        return Filtered(None, "", of, of, where)
    ids = cache.matching(collection, conditions, run.run_id)
    if sql:
        ids = np.intersect1d(ids, cache.satisfying(sql), assume_unique=True)
    named = ", ".join([*map(filters.sentence, conditions), *([_sql_words(sql)] if sql else [])])
    return Filtered(ids, named, len(ids), of, where)


def bar(run: OfCollection, meaning: str = "") -> Filtered:
    """The filter of all pages in one line: a button that opens it, what is filtered, each part with a way to take it
    off, and how many pictures are left, with the page's own `meaning` of that."""
    found = current(run)
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filter_bar"):
        popover = st.popover("Filter", icon=":material/filter_alt:", key=PANEL, on_change="rerun", width="content")
        if popover.open:  # its questions to the database wait until then
            with popover, st.container(width=380):
                _panel(run, found)
        if found.ids is not None:
            for place, condition in enumerate(state[FACETS]):
                _chip(filters.sentence(condition), f"filter_off_{place}", _drop, condition)
            if state[SQL]:
                _chip(_sql_words(state[SQL]), "filter_off_where", set_sql, "")
            more = meaning and f": {meaning}"
            st.markdown(f"**{found.count:,}** of {counted(found.of, 'picture')}{more}", width="content")
            st.button("Clear", key="filter_clear", on_click=clear, type="tertiary", help="Show all pictures again.")
    if state.get(_NOTICE):
        st.warning(words.plain(state[_NOTICE]), icon=":material/link_off:")
    if found.empty:
        st.info("No picture fits this filter. Remove a condition, or clear it.", icon=":material/filter_alt_off:")
    return found


def clear() -> None:
    """Take the whole filter off."""
    st.session_state.update({FACETS: (), SQL: "", _NOTICE: "", _UNFIT: {}})


# ---- the filter in the session and in the address ----------------------------------------------------------------


def _take(run: OfCollection) -> tuple[tuple[Condition, ...], str]:
    """The filter as the address says or it was chosen. What it asks in vain is left out, and noted."""
    kinds, state = cache.facet_columns(run.collection, run.run_id), st.session_state
    vain: list[str] = []

    def read(entries: list[str]) -> tuple[Condition, ...]:
        found, bad = filters.from_address(entries, kinds)
        vain.extend(bad)
        return found

    Param(FACETS, (), read, filters.to_address, shared=True).load()
    vain += [filters.sentence(each) for each in state[FACETS] if not filters.fits(each, kinds)]
    state[FACETS] = tuple(each for each in state[FACETS] if filters.fits(each, kinds))
    Param(SQL, "", lambda texts: texts[0].strip(), lambda sql: [sql], shared=True).load()
    notes = [f"These pictures have nothing to filter by {' and '.join(map(_quoted, vain))}."] if vain else []
    if state[SQL] and (problem := _problem(state[SQL])):
        notes.append(f"The condition {_quoted(state[SQL])} cannot be used. {problem}")
        state[SQL] = ""
    if notes:
        state[_NOTICE] = " ".join(notes)
    return state[FACETS], state[SQL]


def _problem(sql: str) -> str:
    """Why a condition cannot be used, in one sentence; '' if it can."""
    try:
        cache.satisfying(sql)
    except (SqlRefused, SqlFailed, SqlTimeout) as error:
        return filters.short(str(error).partition("\n\nLINE")[0], 300)
    return ""


def conditions() -> tuple[Condition, ...]:
    """What is asked of columns, as `current` found it in this rerun."""
    return st.session_state.get(FACETS, ())


def condition_in_sql() -> str:
    """The condition in SQL, '' for none, as `current` found it in this rerun."""
    return st.session_state.get(SQL, "")


def put(condition: Condition) -> None:
    """Ask for this instead of what is asked of the same column in the same way; for nothing, if it asks nothing. For
    callbacks."""
    state, rest, place = st.session_state, list(st.session_state[FACETS]), None
    for place, each in enumerate(rest):
        if (each.column, each.sign) == (condition.column, condition.sign):
            rest.pop(place)
            break
    else:
        place = len(rest)
    if not condition.empty:
        rest.insert(place, condition)
    state.update({FACETS: tuple(rest), _NOTICE: ""})


def _drop(condition: Condition) -> None:
    state = st.session_state
    state.update({FACETS: tuple(each for each in state[FACETS] if each != condition), _NOTICE: "", _UNFIT: {}})


def set_sql(sql: str) -> None:
    """Ask for this condition in SQL in place of the one that is asked. For callbacks."""
    st.session_state.update({SQL: sql, _NOTICE: "", _UNFIT: {}})


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def _chip(label: str, key: str, off: Any, what: Any) -> None:
    icon = ":material/close:"
    st.button(words.plain(label), key, "Take this off.", off, (what,), icon=icon, icon_position="right")


def _panel(run: OfCollection, found: Filtered) -> None:
    """Any column to filter by, and SQL for the rest. Only the column that is open is asked about."""
    kinds = cache.facet_columns(run.collection, run.run_id)
    names = unique(kinds)
    if kinds:
        first = next((each.column for each in st.session_state[FACETS]), None)
        if st.session_state.get("filter_column") not in kinds:
            st.session_state["filter_column"] = first
        column = st.selectbox(
            "Column", list(kinds), format_func=words.named(names), key="filter_column", placeholder="Choose or type one"
        )
        if column is not None:
            for kind in CONDITIONS:
                if kind.offered(column, kinds):
                    _CONTROLS[kind.control](run, column, kinds[column], kind)
    else:
        st.caption("There is no metadata about these pictures yet.")
    st.text_area(
        "Condition in SQL, for all else",
        key=_prefilled("filter_sql", st.session_state[SQL]),
        on_change=_typed_sql,
        height=68,
        placeholder="such as: year % 100 = 0 OR title LIKE 'Study%'",
        help="It may use every column of the catalogue, and must hold beside the rest. Ctrl+Enter applies it.",
    )
    _unfit("filter_sql")
    if found.ids is not None:
        st.caption("These pictures in SQL:")
        st.code(found.where, "sql", wrap_lines=True)


def _values(run: OfCollection, column: str, of: str, kind: type[OneOf]) -> None:
    """The frequent values of a text column, and a search among the others."""
    chosen = _asked(column, OneOf) or OneOf(column)
    categories = partial(cache.categories, run.collection, column, run_id=run.run_id)
    every = categories()
    key, listed = "filter_values", every
    if every.distinct > len(every.values):
        if st.session_state.get("_filter_searched") != column:
            st.session_state.update({"_filter_searched": column, "filter_search": ""})
        search = st.text_input("Find values", key="filter_search", placeholder=f"among {every.distinct:,}", live=True)
        listed = categories((search or "").strip())
    else:
        search = ""
    counts = dict(categories((search or "").strip(), chosen.values).values)
    options = [*dict.fromkeys((*chosen.values, *counts)), *([_NONE] if every.missing or chosen.missing else [])]
    texts = unique(value for value in options if value is not _NONE)
    labels: dict[str | None, str] = {value: f"{label} ({counts.get(value, 0):,})" for value, label in texts.items()}
    labels[_NONE] = f"no value ({every.missing:,})"
    st.session_state[key] = [*chosen.values, *([_NONE] if chosen.missing else [])]
    named = words.named(labels)
    st.multiselect("Values", options, None, named, key, on_change=_chose, args=(column, key), placeholder="any")
    if listed.distinct > len(listed.values):
        st.caption(f"The {len(listed.values)} most frequent of {listed.distinct:,} values are listed.")


def _text(run: OfCollection, column: str, of: str, kind: type[Templated]) -> None:
    """A text that is typed, to compare the column's with."""
    key, asked = f"filter_{kind.__name__.lower()}", _asked(column, kind)
    st.session_state[key] = asked.text if asked else ""
    st.text_input(kind.label, key=key, on_change=_typed, args=(column, key, kind), placeholder="any text")


def _range(run: OfCollection, column: str, of: str, kind: type[Between]) -> None:
    """How the numbers or dates lie, and from where to where they may."""
    spread = cache.spread(run.collection, column)
    chosen = _asked(column, Between) or _asked(column, OneOf) or OneOf(column)
    low, high = (chosen.low, chosen.high) if isinstance(chosen, Between) else (None, None)
    if spread is not None:
        st.html(markup.histogram(spread, low, high))
        ends = st.columns(2)
        for place, name, end, limit in zip(ends, ("From", "To"), (low, high), (spread.low, spread.high), strict=True):
            key = f"filter_{name.lower()}"
            written = "" if end is None else str(end)
            place.text_input(
                name,
                key=_prefilled(key, written, column),
                on_change=_ranged,
                args=(column, of),
                placeholder=f"{limit}",
            )
        _unfit("filter_from", column)
        _unfit("filter_to", column)
    missing = spread.missing if spread else 0
    if isinstance(chosen, OneOf) and chosen.values:
        st.caption(f"Chosen by the link: {words.plain(filters.sentence(chosen))}.")
    if missing or chosen.missing:
        st.session_state["filter_missing"] = chosen.missing
        label = f"Those with no value ({missing:,})"
        st.checkbox(label, key="filter_missing", on_change=_ranged, args=(column, of))


def _years(run: OfCollection, column: str, of: str, kind: type[Years]) -> None:
    """The years that a date may lie in, typed."""
    asked = _asked(column, kind)
    key = _prefilled("filter_years", asked.entries()[0] if asked else "", column)
    st.text_input("Years", key=key, on_change=_typed_years, args=(column,), placeholder="such as 1850 or 1850..1900")
    _unfit("filter_years", column)


_CONTROLS: dict[str, Callable[[OfCollection, str, str, Any], None]] = {
    "values": _values,
    "range": _range,
    "text": _text,
    "years": _years,
}


def unique(texts: Iterable[str]) -> dict[str, str]:
    """A label in one line for each text, numbered where they would be the same: a browser tells options by labels."""
    labels, taken = {}, set()
    for text in texts:
        label, number = filters.short(text, 60), 2
        base = label
        while label in taken:
            label, number = f"{base} · {number}", number + 1
        taken.add(label)
        labels[text] = label
    return labels


# ---- what is done in the panel ---------------------------------------------------------------------------------------


def _asked(column: str, kind: type) -> Any:
    """What is asked of a column in this way, or None."""
    return next((each for each in st.session_state[FACETS] if each.column == column and type(each) is kind), None)


def _chose(column: str, key: str) -> None:
    chosen = st.session_state[key]
    put(OneOf(column, tuple(value for value in chosen if value is not _NONE), _NONE in chosen))


def _typed(column: str, key: str, kind: type[Templated]) -> None:
    put(kind(column, (st.session_state[key] or "").strip()))


def _ranged(column: str, kind: str) -> None:
    """The range that is typed, and whether pictures without a value count too."""
    state, ends, unfit = st.session_state, [], {}
    for name in ("from", "to"):
        text = (state.get(f"filter_{name}") or "").strip()
        end = filters.edge(text, kind, last=name == "to") if text else None
        if text and end is None:
            what = "a date such as 1850-03-01, or a year" if kind == "date" else "a number such as 1850"
            unfit[f"filter_{name}"] = (f"Type {what}.", text, column)
        ends.append(end)
    state[_UNFIT] = unfit
    if unfit:
        return
    low, high = ordered(*ends)
    missing = bool(state.get("filter_missing"))
    put(OneOf(column, (), missing) if low is None and high is None else Between(column, low, high, missing))


def _typed_years(column: str) -> None:
    text = (st.session_state["filter_years"] or "").strip()
    found = Years.read(None, column, text, "number") if text else Years(column)
    if found is None:
        st.session_state[_UNFIT] = {"filter_years": ("Type a year, or two with .. between.", text, column)}
    else:
        st.session_state[_UNFIT] = {}
        put(found)


def _typed_sql() -> None:
    sql = (st.session_state["filter_sql"] or "").strip()
    problem = _problem(sql) if sql else ""
    if problem:
        st.session_state[_UNFIT] = {"filter_sql": (problem, sql, "")}
    else:
        set_sql(sql)


def _prefilled(key: str, value: str, column: str = "") -> str:
    """The key of a control that shows `value`, or what was typed there and cannot be used."""
    _, typed, of = st.session_state.get(_UNFIT, {}).get(key, ("", value, column))
    st.session_state[key] = typed if of == column else value
    return key


def _unfit(key: str, column: str = "") -> None:
    problem, _, of = st.session_state.get(_UNFIT, {}).get(key, ("", "", column))
    if problem and of == column:
        st.error(words.plain(problem))


def _sql_words(sql: str) -> str:
    if found := text_of_condition(sql):
        return f"the {found[1]:,} nearest to “{filters.short(found[0])}”"
    return f"the condition {filters.short(sql)}"


def _quoted(text: str) -> str:
    return f"“{filters.short(text)}”"
