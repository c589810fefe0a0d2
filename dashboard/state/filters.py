"""A filter in words and in the address: `f=artist:Hokusai`, `f=year:1500..1600`, `f=title~ship`, `f=year:` (no value).

Several values of a column stand in entries of their own, of which one must hold; different columns must all hold. In
a column's name a backslash stands before `:`, `~` and itself; what follows the sign is taken as it is. What can be
asked of a column are the kinds in `store.conditions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from store.conditions import CONDITIONS, Condition, edge, short

__all__ = ["edge", "fits", "from_address", "sentence", "short", "to_address"]

_ESCAPED = ":~"  # signs that stand in no column's name but after a backslash


def sentence(condition: Condition) -> str:
    """A condition in words: "year 1500–1600", "artist Hokusai or no value"."""
    return f"{short(condition.column)} {condition.words()}"


def to_address(conditions: Iterable[Condition]) -> list[str]:
    """The entries `f` of the address."""
    return [
        re.sub(rf"([\\{_ESCAPED}])", r"\\\1", condition.column) + condition.sign + rest
        for condition in conditions
        for rest in condition.entries()
    ]


def from_address(entries: Sequence[str], kinds: Mapping[str, str]) -> tuple[tuple[Condition, ...], list[str]]:
    """The conditions that these entries put on columns of these kinds ('number', 'date' or 'text'), and the entries
    that put none."""
    found: dict[tuple[str, str], Condition] = {}
    bad = []
    for entry in entries:
        column, sign, rest = _divided(entry, kinds)
        tried = (
            kind.read(found.get((column, sign)), column, rest, kinds[column])
            for kind in CONDITIONS
            if kind.sign == sign
        )
        condition = next((each for each in tried if each is not None), None)
        if condition is None:
            bad.append(entry)
        else:
            found[column, sign] = condition
    return tuple(found.values()), bad


def fits(condition: Condition, kinds: Mapping[str, str]) -> bool:
    """Whether columns of these kinds can be asked for it."""
    return condition.fits_among(kinds)


def _divided(entry: str, kinds: Mapping[str, str]) -> tuple[str, str, str]:
    """(column, sign, rest) of an entry; three times '' if it names no column. A sign without a backslash may be a
    letter of a column's name too: of the columns that there are, the longest counts."""
    signs = {kind.sign for kind in CONDITIONS}
    column, found = "", ("", "", "")
    for letter in re.finditer(r"\\(.)|.", entry, re.DOTALL):
        if letter[0] in signs:
            found = (column, letter[0], entry[letter.end() :]) if column in kinds else found
            if letter[0] in _ESCAPED:
                break
        column += letter[1] or letter[0]
    return found
