"""The kinds of filter: what can be asked of one column of the catalogue. CONDITIONS lists them, and all else reads it.

A kind says its SQL, its words, how it stands in an address, and by which control it is asked. Most compare a text: a
kind of these is four lines, as `Contains` is. Kinds of columns are 'number', 'date' and 'text'.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar

from store import keywords
from store.counts import counted
from store.errors import StoreError

TAG, VOCABULARY = "tag", "vocabulary"  # kinds of columns that are not the catalogue's
SHOWN, LONGEST = 4, 40  # values in words, and characters of one

Edge = int | float | date
Put = Callable[[Any], str]  # writes a value into SQL, as a parameter or as a literal

_RANGE = ".."


@dataclass(frozen=True)
class Column:
    """A column's name as SQL writes it, and its type; TAG is the type of tags, VOCABULARY that of the terms that images
    are labelled with. Where an image can have several values, `parts` is SQL for the rows (image_id, part), divided by
    `separator`. `years` are the two columns with the first and the last year of each of its dates, where there are
    such."""

    name: str
    kind: str
    parts: str = ""
    separator: str = ""
    years: tuple[str, str] | None = None

    @property
    def is_text(self) -> bool:
        return self.kind == "VARCHAR" or self.is_beside

    @property
    def is_beside(self) -> bool:
        """Whether it is no column of the catalogue, and has parts alone."""
        return self.kind in (TAG, VOCABULARY)

    @property
    def text(self) -> str:
        """SQL for the column's value as text."""
        return self.name if self.is_text else f"{self.name}::VARCHAR"

    @property
    def is_missing(self) -> str:
        """SQL for the images that have no value."""
        if self.kind == TAG:
            return "image_id NOT IN (SELECT image_id FROM tags)"
        return f"image_id NOT IN (SELECT image_id FROM ({self.parts}))" if self.is_beside else f"{self.name} IS NULL"

    def some_part(self, test: str) -> str:
        """SQL for the images of which a part passes."""
        return f"image_id IN (SELECT image_id FROM ({self.parts}) WHERE {test})"

    def divided(self, value: str) -> bool:
        """Whether a value is a whole cell rather than a part."""
        if self.is_beside:
            return False
        return self.separator in value if self.separator in keywords.SEPARATORS else value.startswith("[")


@dataclass(frozen=True)
class Condition:
    """What is asked of a column. Of a kind: `sign`, one letter between column and value in an address; `columns`, the
    kinds of columns that it is offered for; `control`, by which it is asked: 'values', 'range' or 'text'."""

    column: str

    sign: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    control: ClassVar[str]

    @property
    def empty(self) -> bool:
        """Whether it asks nothing."""
        raise NotImplementedError

    @classmethod
    def offered(cls, column: str, kinds: Mapping[str, str]) -> bool:
        """Whether the panel offers it for a column, one of `kinds`."""
        return kinds[column] in cls.columns

    def fits(self, kind: str) -> bool:
        """Whether a column of this kind can be asked for it."""
        return True

    def fits_among(self, kinds: Mapping[str, str]) -> bool:
        """Whether it can be asked where there are these columns."""
        return self.column in kinds and self.fits(kinds[self.column])

    def sql(self, column: Column, put: Put) -> str:
        """SQL for the images for which it holds, its values as `put` writes them."""
        raise NotImplementedError

    def words(self) -> str:
        """What is asked, without the column's name."""
        raise NotImplementedError

    def entries(self) -> list[str]:
        """What stands after the sign in each of its entries in an address."""
        raise NotImplementedError

    @classmethod
    def read(cls, before: Condition | None, column: str, rest: str, kind: str) -> Condition | None:
        """What an entry makes of the one `before` it with the same column and sign; None if it is none of this kind."""
        raise NotImplementedError


@dataclass(frozen=True)
class Between(Condition):
    """A number or date from `low` to `high`, both included, None for no limit; with `missing` also none at all."""

    low: Edge | None = None
    high: Edge | None = None
    missing: bool = False

    sign = ":"
    columns = ("number", "date")
    control = "range"

    @property
    def empty(self) -> bool:
        return False

    def fits(self, kind: str) -> bool:
        dates = {isinstance(end, date) for end in (self.low, self.high) if end is not None}
        return kind in self.columns and dates == {kind == "date"}

    def sql(self, column: Column, put: Put) -> str:
        if column.is_text:
            raise StoreError(f"The column {self.column!r} holds text, which has no range.")
        ends = ((">=", self.low), ("<=", self.high))
        limits = " AND ".join(f"{column.name} {sign} {put(end)}" for sign, end in ends if end is not None)
        return _any([limits or f"{column.name} IS NOT NULL", *([column.is_missing] if self.missing else [])])

    def words(self) -> str:
        return " or ".join([_range_words(self.low, self.high), *(["no value"] if self.missing else [])])

    def entries(self) -> list[str]:
        low, high = ("" if end is None else str(end) for end in (self.low, self.high))
        return [f"{low}{_RANGE}{high}", *([""] if self.missing else [])]

    @classmethod
    def read(cls, before: Condition | None, column: str, rest: str, kind: str) -> Condition | None:
        if isinstance(before, Between):
            return None if rest else replace(before, missing=True)
        ends = _ends(rest, kind) if rest else None
        if ends is None or (isinstance(before, OneOf) and before.values):
            return None
        return cls(column, *ends, isinstance(before, OneOf) and before.missing)


@dataclass(frozen=True)
class Years(Condition):
    """A date as somebody wrote it that may lie in the years from `low` to `high`, both included, None for no limit: its
    own years, which stand in two columns beside it, meet these; of "before 1750" the one that is known. With `missing`
    also one without years, which without limits are all that is asked for."""

    low: int | None = None
    high: int | None = None
    missing: bool = False

    sign = "@"
    columns = ()
    control = "years"

    @property
    def empty(self) -> bool:
        return not self.limited and not self.missing

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.low is not None or self.high is not None

    @classmethod
    def offered(cls, column: str, kinds: Mapping[str, str]) -> bool:
        return {kinds.get(f"{column}_from"), kinds.get(f"{column}_to")} == {"number"}

    def fits_among(self, kinds: Mapping[str, str]) -> bool:
        return self.column in kinds and self.offered(self.column, kinds)

    def sql(self, column: Column, put: Put) -> str:
        if column.years is None:
            raise StoreError(f"The column {self.column!r} has no years beside it.")
        first, last = column.years
        known = f"coalesce({first}, {last}) IS NOT NULL"
        # Of one that is not known both take the other one; some tables have them the other way round.
        low = [] if self.low is None else [f"greatest({first}, {last}) >= {put(self.low)}"]
        high = [] if self.high is None else [f"least({first}, {last}) <= {put(self.high)}"]
        tests = [f"({' AND '.join([known, *low, *high])})"] if self.limited else []
        return _any([*tests, *([f"NOT {known}"] if self.missing or not tests else [])])

    def words(self) -> str:
        years = [_range_words(self.low, self.high)] if self.limited else []
        return " or ".join([*years, *(["no years"] if self.missing or not years else [])])

    def entries(self) -> list[str]:
        low, high = ("" if end is None else str(end) for end in (self.low, self.high))
        return [*([f"{low}{_RANGE}{high}"] if self.limited else []), *([""] if self.missing else [])]

    @classmethod
    def read(cls, before: Condition | None, column: str, rest: str, kind: str) -> Condition | None:
        before = before or cls(column)
        if not isinstance(before, Years):
            return None
        if not rest:
            return replace(before, missing=True)
        year = edge(rest, "number")
        ends = _ends(rest, "number") if year is None else (year, year)
        if before.limited or ends is None:
            return None
        low, high = (None if end is None else int(end) for end in ends if not isinstance(end, date))
        return replace(before, low=low, high=high)


@dataclass(frozen=True)
class OneOf(Condition):
    """The column has one of these values or, with `missing`, none at all."""

    values: tuple[str, ...] = ()
    missing: bool = False

    sign = ":"
    columns = ("text",)
    control = "values"

    @property
    def empty(self) -> bool:
        return not self.values and not self.missing

    def sql(self, column: Column, put: Put) -> str:
        tests = []
        if self.values and column.parts:
            tests.append(column.some_part(f"part IN ({', '.join(map(put, self.values))})"))
            if whole := [value for value in self.values if column.divided(value)]:  # as older links have them
                tests.append(f"{column.name} IN ({', '.join(map(put, whole))})")
        elif self.values:
            tests.append(f"{column.text} IN ({', '.join(map(put, self.values))})")
        return _any([*tests, *([column.is_missing] if self.missing or not tests else [])])

    def words(self) -> str:
        values = [short(value) for value in self.values[:SHOWN]]
        if len(self.values) > SHOWN:
            values.append(counted(len(self.values) - SHOWN, "other"))
        return " or ".join([*values, *(["no value"] if self.missing else [])])

    def entries(self) -> list[str]:
        return [*self.values, *([""] if self.missing else [])]

    @classmethod
    def read(cls, before: Condition | None, column: str, rest: str, kind: str) -> Condition | None:
        before = before or cls(column)
        if not isinstance(before, OneOf):
            return None
        if not rest:
            return replace(before, missing=True)
        if kind == "text" or edge(rest, kind) is not None:
            return replace(before, values=tuple(dict.fromkeys((*before.values, rest))))
        return None


@dataclass(frozen=True)
class Templated(Condition):
    """The column's text passes a test with this one. Of a kind: `label`, that of its control; `template`, SQL of a test
    on the texts {column} and {value}; `sentence`, its words with {value}."""

    text: str

    columns = ("text",)
    control = "text"
    label: ClassVar[str]
    template: ClassVar[str]
    sentence: ClassVar[str]

    @property
    def empty(self) -> bool:
        return not self.text

    def sql(self, column: Column, put: Put) -> str:
        name = "part" if column.is_beside else column.text
        test = re.sub(r"{(column|value)}", lambda m: name if m[1] == "column" else put(self.text), self.template)
        return column.some_part(test) if column.is_beside else test

    def words(self) -> str:
        return self.sentence.format(value=short(self.text))

    def entries(self) -> list[str]:
        return [self.text]

    @classmethod
    def read(cls, before: Condition | None, column: str, rest: str, kind: str) -> Condition | None:
        return cls(column, rest) if rest and before is None else None


class Contains(Templated):
    """The column's text holds this one, whatever the case and accents of its letters."""

    sign = "~"
    label = "Text contains"
    template = "contains(strip_accents(lower({column})), strip_accents(lower({value})))"
    sentence = "containing “{value}”"


# In the order in which the panel offers them and an entry is tried.
CONDITIONS: list[type[Condition]] = [Between, Years, OneOf, Contains]


def edge(text: str, kind: str, last: bool = False) -> Edge | None:
    """A number or date that somebody typed, None if it is none. A year or a month is its first day, or its last."""
    text = text.strip()
    if kind == "date":
        return _day(text, last)
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else number


def short(text: str, longest: int = LONGEST) -> str:
    """A text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _any(tests: list[str]) -> str:
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"  # AND binds first


def _day(text: str, last: bool) -> date | None:
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?", text)
    if not match:
        return None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    month = month or (12 if last else 1)
    try:
        if day or not last:
            return date(year, month, day or 1)
        return date.fromordinal(date(year + month // 12, month % 12 + 1, 1).toordinal() - 1)
    except ValueError:
        return date(year, 12, 31) if last and (year, month, day) == (9999, 12, 0) else None


def _ends(text: str, kind: str) -> tuple[Edge | None, Edge | None] | None:
    """The ends of a range; None for a text that is none."""
    low, sign, high = text.partition(_RANGE)
    if kind == "date" and not sign:  # a day, a month or a year
        high = low
    elif kind == "text" or not sign:
        return None
    ends = edge(low, kind), edge(high, kind, last=True)
    if ends == (None, None) or (low and ends[0] is None) or (high and ends[1] is None):
        return None
    return ordered(*ends)


def ordered(low: Edge | None, high: Edge | None) -> tuple[Edge | None, Edge | None]:
    """The ends of a range, of one kind, the lower first; None for no limit stays where it is."""
    if low is None or high is None or ordinal(low) <= ordinal(high):
        return low, high
    return high, low


def ordinal(end: Edge) -> float:
    """An end of a range as a number: a date as its day."""
    return end.toordinal() if isinstance(end, date) else end


def _range_words(low: Edge | None, high: Edge | None) -> str:
    if low is None or high is None:
        return f"up to {high}" if low is None else f"from {low}"
    if low == high:
        return str(low)
    return f"{low} to {high}" if isinstance(low, date) or low < 0 else f"{low}–{high}"
