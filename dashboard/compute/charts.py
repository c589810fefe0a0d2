"""Charts of the columns of a catalogue that filter each other: how many pictures each value or bin has, in all and
among those that all other filters leave. Arrays only, so that 100,000 pictures are counted while somebody clicks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pandas as pd

from dashboard.compute.typical import round_step
from store.conditions import Between, Condition, Edge, OneOf, Years, ordinal

BINS = 40  # of a histogram, about, over the middle 98 % of the values
MOST = 80  # of them, with what lies far outside
LISTED = 40  # values that a chart can show
SHOWN = 6  # of them at first
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Values:
    """A column of values of n pictures, of which each can have several: the pictures' places, rows (m,), codes (m,) and
    what they mean, names."""

    name: str
    n: int
    rows: np.ndarray
    codes: np.ndarray
    names: Sequence[str]

    @cached_property
    def missing(self) -> np.ndarray:
        """bool (n,): the pictures without a value."""
        found = np.ones(self.n, bool)
        found[self.rows] = False
        return found

    @cached_property
    def totals(self) -> np.ndarray:
        """How many pictures each value has, (names,)."""
        return np.bincount(self.codes, minlength=len(self.names))

    @cached_property
    def order(self) -> np.ndarray:
        """The codes of the values, the commonest first, then by name."""
        return np.array(sorted(range(len(self.names)), key=lambda i: (-self.totals[i], self.names[i])), dtype=int)

    def counts(self, mask: np.ndarray) -> np.ndarray:
        """How many of the pictures of a mask (n,) each value has."""
        return np.bincount(self.codes[mask[self.rows]], minlength=len(self.names))

    def holds(self, condition: Condition) -> np.ndarray | None:
        """bool (n,): for which pictures a condition on the column holds; None for a kind that is not answered here."""
        if not isinstance(condition, OneOf):
            return None
        places = {name: code for code, name in enumerate(self.names)}
        if not all(value in places for value in condition.values):
            return None  # a whole cell of a list, as older links have it
        wanted = np.zeros(len(self.names), bool)
        wanted[[places[value] for value in condition.values]] = True
        found = np.zeros(self.n, bool)
        found[self.rows[wanted[self.codes]]] = True
        return found | self.missing if condition.missing or not condition.values else found


@dataclass(frozen=True)
class Range:
    """A column of n numbers, days since 1970-01-01 (`kind` 'date') or ranges of years ('years'): low and high (n,)
    float64, the same but for ranges; NaN where there is none. `whole` numbers have bins of whole numbers."""

    name: str
    kind: str
    low: np.ndarray
    high: np.ndarray

    @cached_property
    def missing(self) -> np.ndarray:
        """bool (n,): the pictures without a value."""
        return np.isnan(self.low)

    @cached_property
    def known(self) -> np.ndarray:
        """The places of the pictures with a finite value."""
        return np.flatnonzero(np.isfinite(self.low) & np.isfinite(self.high))

    @cached_property
    def whole(self) -> bool:
        """Whether all values are whole."""
        ends = np.concatenate([self.low[self.known], self.high[self.known]])
        return bool((ends == np.round(ends)).all())

    @property
    def is_numbering(self) -> bool:
        """Whether nearly every picture has a whole number of its own, as in an inventory."""
        values = self.low[self.known]
        return self.whole and len(values) > 20 and len(np.unique(values)) > 0.98 * len(values)

    @cached_property
    def edges(self) -> np.ndarray:
        """The edges (bins + 1,) of the bins: a bin holds what lies from its edge to before the next. What lies far
        outside is in the first or the last one."""
        if not len(self.known):
            return np.zeros(0)
        low, high = self.low[self.known], self.high[self.known]
        if self.kind == "date" and high.max() - low.min() > 3 * 366:
            return self._by_years(low, high)
        step = round_step((np.percentile(high, 99) - np.percentile(low, 1)) / BINS, self.whole)
        first, last = np.floor(low.min() / step), np.floor(high.max() / step)
        if last - first >= MOST:
            first = max(first, np.floor(np.percentile(low, 1) / step))
            last = min(last, np.floor(np.percentile(high, 99) / step))
        return np.array([_short(each) for each in np.arange(first, last + 2) * step])

    def _by_years(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        first, last = (date.fromordinal(int(day) + _EPOCH).year for day in (low.min(), high.max()))
        step = int(round_step((last - first + 1) / BINS, True))
        years = range(first // step * step, last + step + 1, step)
        return np.array([date(min(max(year, 1), 9999), 1, 1).toordinal() - _EPOCH for year in years], float)

    @cached_property
    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last bin of each of the known."""
        last = max(len(self.edges) - 2, 0)
        ends = (np.searchsorted(self.edges, each[self.known], "right") - 1 for each in (self.low, self.high))
        return tuple(np.clip(each, 0, last) for each in ends)  # pyrefly: ignore[bad-return]  (two of them)

    @cached_property
    def totals(self) -> np.ndarray:
        """How many pictures lie in each bin."""
        return self.counts(np.ones(len(self.low), bool))

    def counts(self, mask: np.ndarray) -> np.ndarray:
        """How many of the pictures of a mask (n,) lie in each bin; a range lies in each that it meets."""
        count = max(len(self.edges) - 1, 0)
        inside = mask[self.known]
        first, last = (each[inside] for each in self.bins)
        steps = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
        return np.cumsum(steps)[:count]

    def holds(self, condition: Condition) -> np.ndarray | None:
        """bool (n,): for which pictures a condition on the column holds; None for a kind that is not answered here."""
        if isinstance(condition, OneOf):
            return self.missing if not condition.values else None
        if not isinstance(condition, Between | Years):
            return None
        limited = condition.low is not None or condition.high is not None
        if isinstance(condition, Years) and not limited:
            return self.missing
        low, high = _number(condition.low), _number(condition.high)
        with np.errstate(invalid="ignore"):
            inside = (self.high >= (-np.inf if low is None else low)) & (self.low <= (np.inf if high is None else high))
        return inside | self.missing if condition.missing else inside

    def condition(self, first: int, last: int) -> Between | Years:
        """What asks for the bins from `first` to `last`; the outermost hold what lies beyond them too."""
        low, high = self.edges[first], self.edges[last + 1]
        least, most = self.low[self.known].min(), self.high[self.known].max()
        low = least if first == 0 and least < low else low
        high = most if last == len(self.edges) - 2 and most >= high else self._before(last)
        if self.kind == "years":
            return Years(self.name, int(low), int(high))
        return Between(self.name, self.edge(low), self.edge(high))

    def _before(self, bin_: int) -> float:
        """What ends a bin, as a short number: a filter holds its own end, and the next edge is the next bin's."""
        start, end = self.edges[bin_ : bin_ + 2]
        if self.whole:
            return end - 1
        values = self.low[self.known]
        nearest = values[(values >= start) & (values < end)].max(initial=start)
        ends = (_short(end - (end - start) / share) for share in (10, 100, 1000))
        return next((each for each in ends if nearest <= each < end), nearest)

    def edge(self, value: float) -> Edge:
        """A number as a filter has it."""
        if self.kind == "date":
            return date.fromordinal(min(max(int(value) + _EPOCH, 1), date.max.toordinal()))
        return int(value) if self.whole else float(value)


Column = Values | Range


def values_of(name: str, cells: pd.Series) -> Values:
    """A column of texts, None where there is none."""
    codes, names = pd.factorize(cells)
    rows = np.flatnonzero(codes >= 0)
    return Values(name, len(cells), rows, codes[rows], [str(each) for each in names])


def parts_of(name: str, ids: np.ndarray, images: np.ndarray, parts: Sequence[str]) -> Values:
    """A column of which images (m,) have the values `parts` (m,), each once; ids (n,) ascending are those of the rows,
    other images are left out."""
    codes, names = pd.factorize(np.asarray(parts, dtype=object))
    places = np.minimum(np.searchsorted(ids, images), max(len(ids) - 1, 0))
    there = (ids[places] == images) if len(ids) else np.zeros(len(images), bool)
    rows, codes = places[there], codes[there]
    used, codes = np.unique(codes, return_inverse=True)
    return Values(name, len(ids), rows, codes, [str(names[code]) for code in used])


def numbers_of(name: str, cells: pd.Series) -> Range:
    """A column of numbers."""
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float, na_value=np.nan)
    return Range(name, "number", values, values)


def days_of(name: str, cells: pd.Series) -> Range:
    """A column of dates."""
    days = [np.nan if pd.isna(cell) else date.fromisoformat(str(cell)[:10]).toordinal() - _EPOCH for cell in cells]
    return Range(name, "date", np.array(days, float), np.array(days, float))


def years_of(name: str, first: pd.Series, last: pd.Series) -> Range:
    """A column of dates with years beside it, an open end taken for the one that is known."""
    low, high = (pd.to_numeric(each, errors="coerce").to_numpy(float, na_value=np.nan) for each in (first, last))
    return Range(name, "years", np.fmin(low, high), np.fmax(low, high))  # some tables have them the other way round


# ---- counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A filter's condition, None for one in SQL, and the pictures for which it holds, bool (n,)."""

    condition: Condition | None
    mask: np.ndarray


def own(column: Column, condition: Condition | None) -> bool:
    """Whether a condition is what the chart of a column asks."""
    return condition is not None and condition.column == column.name and column.holds(condition) is not None


def others(column: Column, asked: Iterable[Asked]) -> np.ndarray:
    """bool (n,): the pictures that all filters but the chart's own leave."""
    n = len(column.missing)
    return reduce(np.logical_and, (each.mask for each in asked if not own(column, each.condition)), np.ones(n, bool))


def described(column: Column, asked: Sequence[Asked]) -> dict[str, Any]:
    """A chart as the browser draws it: of each value or bin the number of pictures in all (`total`) and among those
    that all other filters leave (`left`), and whether it is chosen."""
    mask = others(column, asked)
    mine = next((each.condition for each in asked if own(column, each.condition)), None)
    document: dict[str, Any] = {
        "name": column.name,
        "missing": [int(column.missing.sum()), int((column.missing & mask).sum()), bool(mine and _missing(mine))],
    }
    if isinstance(column, Values):
        return document | _of_values(column, mask, mine)
    return document | _of_range(column, mask, mine)


def _of_values(column: Values, mask: np.ndarray, mine: Condition | None) -> dict[str, Any]:
    left, chosen = column.counts(mask), set(mine.values) if isinstance(mine, OneOf) else set()
    listed = column.order[:LISTED].tolist()
    listed += [code for code in column.order[LISTED:].tolist() if column.names[code] in chosen]
    values = [[column.names[i], int(column.totals[i]), int(left[i]), column.names[i] in chosen] for i in listed]
    return {"kind": "values", "values": values, "shown": SHOWN, "more": len(column.names) - len(listed)}


def _of_range(column: Range, mask: np.ndarray, mine: Condition | None) -> dict[str, Any]:
    edges, brushed = column.edges, None
    if isinstance(mine, Between | Years) and len(edges) > 1:
        low, high = (_number(end) for end in (mine.low, mine.high))
        ends = [-np.inf if low is None else low, np.inf if high is None else high]
        touched = np.flatnonzero((edges[1:] > ends[0]) & (edges[:-1] <= ends[1]))
        brushed = [int(touched[0]), int(touched[-1])] if len(touched) else None
    return {
        "kind": "range",
        "total": column.totals.tolist(),
        "left": column.counts(mask).tolist(),
        "labels": [_label(column, i) for i in range(len(edges) - 1)],
        "starts": [_written(column, edge) for edge in edges[:-1]],
        "stops": [_written(column, edge - column.whole) for edge in edges[1:]],
        "ends": [_written(column, value) for value in (edges[0], edges[-1] - column.whole)] if len(edges) else [],
        "brush": brushed,
    }


def _label(column: Range, bin_: int) -> str:
    low, high = column.edges[bin_], column.edges[bin_ + 1] - column.whole
    first, last = _written(column, low), _written(column, high)
    if bin_ == 0 and column.low[column.known].min() < low:
        return f"up to {last}"
    if bin_ == len(column.edges) - 2 and column.high[column.known].max() >= column.edges[-1]:
        return f"from {first}"
    return first if first == last else f"{first}–{last}" if low >= 0 and column.kind != "date" else f"{first} to {last}"


def _written(column: Range, value: float) -> str:
    if column.kind != "date":
        return f"{int(value)}" if column.whole else _decimal(value, column.edges)
    day = column.edge(value)
    days = np.diff(column.edges[:2])
    assert isinstance(day, date)
    return str(day) if not len(days) or days[0] < 365 else str(day.year)


def _short(value: float) -> float:
    """A number without what reckoning leaves behind its last digit: 0.7 for 0.7000000000000001."""
    return float(f"{value:.12g}")


def _decimal(value: float, edges: np.ndarray) -> str:
    """A number with as many digits as tell one edge from the next."""
    step = edges[1] - edges[0]
    if step <= 1e-6 or abs(value) >= 1e15:
        return f"{value:.6g}"
    digits = max(1, int(np.ceil(-np.log10(step))) + 1)
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")  # + 0.0: no -0


def _missing(condition: Condition) -> bool:
    plain = isinstance(condition, OneOf) and not condition.values
    years = isinstance(condition, Years) and not condition.limited
    return plain or years or bool(getattr(condition, "missing", False))


def _number(end: Edge | None) -> float | None:
    if end is None:
        return None
    return ordinal(end) - _EPOCH if isinstance(end, date) else float(end)


def toggled(column: Column, mine: Condition | None, value: str | None) -> Condition:
    """What a chart asks after a click on a value, None for those without one."""
    if isinstance(column, Range):
        return _without_value(column, mine)
    before = mine if isinstance(mine, OneOf) else OneOf(column.name)
    if value is None:
        return OneOf(column.name, before.values, not before.missing)
    values = [each for each in before.values if each != value]
    return OneOf(column.name, tuple(values if value in before.values else [*before.values, value]), before.missing)


def _without_value(column: Range, mine: Condition | None) -> Condition:
    missing = not (mine and _missing(mine))
    if isinstance(mine, Years) and mine.limited:
        return Years(column.name, mine.low, mine.high, missing)
    if isinstance(mine, Between):
        return Between(column.name, mine.low, mine.high, missing)
    return Years(column.name, missing=missing) if column.kind == "years" else OneOf(column.name, (), missing)


def cleared(column: Column) -> Condition:
    """What asks nothing of a column."""
    return Years(column.name) if isinstance(column, Range) and column.kind == "years" else OneOf(column.name)


def brushed(column: Range, first: int, last: int, mine: Condition | None) -> Condition:
    """What a histogram asks after somebody drew over the bins from `first` to `last`; those without a value stay."""
    last_bin = max(len(column.edges) - 2, 0)
    first, last = sorted(min(max(int(place), 0), last_bin) for place in (first, last))
    limited = isinstance(mine, Between) or (isinstance(mine, Years) and mine.limited)
    return replace(column.condition(first, last), missing=mine is not None and limited and _missing(mine))
