"""A filter in words and in the address: `f=artist:Hokusai`, `f=year:1500..1600`, `f=title~ship`, `f=year:` (no value).

Several values of a column stand in entries of their own, of which one must hold; different columns must all hold. In
a column's name a backslash stands before `:`, `~` and itself; what follows the sign is taken as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from store.counts import counted
from store.facets import Between, Condition, Contains, Edge, OneOf

SHOWN, LONGEST = 4, 40  # values in words, and characters of one

_ENTRY = re.compile(r"((?:\\.|[^\\:~])+)([:~])(.*)", re.DOTALL)
_RANGE = ".."


def said(condition: Condition) -> str:
    """A condition in words: "year 1500–1600", "artist Hokusai or no value"."""
    column = short(condition.column)
    if isinstance(condition, Contains):
        return f"{column} containing “{short(condition.text)}”"
    none = ["no value"] if condition.missing else []
    if isinstance(condition, Between):
        return f"{column} {' or '.join([_range_words(condition.low, condition.high), *none])}"
    values = [short(value) for value in condition.values[:SHOWN]]
    if len(condition.values) > SHOWN:
        values.append(f"{counted(len(condition.values) - SHOWN, 'other')}")
    return f"{column} {' or '.join(values + none)}"


def short(text: str, longest: int = LONGEST) -> str:
    """A text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def to_address(conditions: Iterable[Condition]) -> list[str]:
    """The entries `f` of the address."""
    entries = []
    for condition in conditions:
        name = re.sub(r"([\\:~])", r"\\\1", condition.column)
        if isinstance(condition, Contains):
            entries.append(f"{name}~{condition.text}")
        else:
            if isinstance(condition, Between):
                entries.append(f"{name}:{_written(condition.low)}{_RANGE}{_written(condition.high)}")
            else:
                entries += [f"{name}:{value}" for value in condition.values]
            entries += [f"{name}:"] * condition.missing
    return entries


def from_address(entries: Sequence[str], kinds: Mapping[str, str]) -> tuple[tuple[Condition, ...], list[str]]:
    """The conditions that these entries put on columns of these kinds ('number', 'date' or 'text'), and the entries
    that put none."""
    found: dict[tuple[str, str], Condition] = {}
    bad = []
    for entry in entries:
        joined = None
        if match := _ENTRY.fullmatch(entry):
            column, sign = re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), match[2]
            if column in kinds:
                joined = _joined(found.get((column, sign)), column, sign, match[3], kinds[column])
            if joined is not None:
                found[column, sign] = joined
        if joined is None:
            bad.append(entry)
    return tuple(found.values()), bad


def _joined(before: Condition | None, column: str, sign: str, rest: str, kind: str) -> Condition | None:
    """What an entry makes of the condition before it on the same column, None if nothing."""
    if sign == "~" or isinstance(before, Contains):
        return Contains(column, rest) if rest and before is None else None
    before = before or OneOf(column)
    if not rest:
        return replace(before, missing=True)
    ends = _ends(rest, kind)
    if ends is not None:
        return Between(column, *ends, before.missing) if before == OneOf(column, (), before.missing) else None
    if isinstance(before, OneOf) and (kind == "text" or edge(rest, kind) is not None):
        return replace(before, values=tuple(dict.fromkeys((*before.values, rest))))
    return None


def fits(condition: Condition, kinds: Mapping[str, str]) -> bool:
    """Whether columns of these kinds can be asked for it."""
    kind = kinds.get(condition.column)
    if not isinstance(condition, Between):
        return kind is not None
    dates = {isinstance(end, date) for end in (condition.low, condition.high) if end is not None}
    return kind in ("number", "date") and dates == {kind == "date"}


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
    if low is None or high is None or _place(low) <= _place(high):
        return low, high
    return high, low


def _place(end: Edge) -> float:
    return end.toordinal() if isinstance(end, date) else end


def _written(end: Edge | None) -> str:
    return "" if end is None else str(end)


def _range_words(low: Edge | None, high: Edge | None) -> str:
    if low is None or high is None:
        return f"up to {high}" if low is None else f"from {low}"
    if low == high:
        return str(low)
    return f"{low} to {high}" if isinstance(low, date) or low < 0 else f"{low}–{high}"
