"""Dates in the Extended Date/Time Format of ISO 8601-2 (https://www.loc.gov/standards/datetime/) as ranges of years.

The package `edtf` reads all three levels of it, but takes milliseconds for a date, which a table of a hundred thousand
would feel: years with a mark or with X, which are most, are read here, and an interval by its two ends. An end that is
open (`1520/..`) and one that is unknown (`1520/`) both are None.
"""

from __future__ import annotations

import re
from functools import lru_cache

Years = tuple[int, int]
Span = Years | tuple[int | None, int | None]  # None for an open end

ABOUT = 5  # years to either side of a year that is approximate or uncertain
FARTHEST = 10**12  # years; what is beyond is no date of a picture

_YEAR = re.compile(r"(-?[0-9]{4})([?~%]?)")
_DIGITS_OPEN = re.compile(r"(-?)([0-9]{1,3})(X{1,3})")
_SIGNIFICANT = re.compile(r"Y?(-?)([0-9]{4,})S([0-9]{1,2})")  # 1950S2: the first two digits are sure
_OPEN = ("", "..")
# Longer exponents would be numbers that fill the memory.
_SHAPE = re.compile(r"[\[{]?[-0-9XYESTZ?~%.,/: +]{4,}[\]}]?")
_EXPONENT = re.compile(r"E[0-9]{3,}")
_DRAFT = (("unknown", ""), ("open", ".."), ("u", "X"), ("y", "Y"), ("x", "X"))  # as the drafts of 2012 wrote it


def edtf_span(text: str) -> Span | None:
    """(from, to) in years, both included, None for an open end; None for what is not in this format.

    A plain 1520 is read too; 1520-25 is not in it. The number of a year before Christ is kept as it is written.
    """
    text = text.strip()
    for old, new in _DRAFT:
        text = text.replace(old, new)
    if not _SHAPE.fullmatch(text) or _EXPONENT.search(text):
        return None
    first, slash, last = text.partition("/")
    if not slash:
        return _moment(text)
    if text[0] in "[{":
        return None
    ends = _end(first), _end(last)
    if ends[0] is None or ends[1] is None or (first in _OPEN and last in _OPEN):
        return None
    low, high = ends[0][0], ends[1][1]
    return (low, high) if low is None or high is None or low <= high else None


def _moment(text: str) -> Span | None:
    if match := _YEAR.fullmatch(text):
        year = int(match[1])
        return (year - ABOUT, year + ABOUT) if match[2] else (year, year)
    if match := _DIGITS_OPEN.fullmatch(text):
        if len(match[2] + match[3]) != 4:
            return None
        low, high = (int(match[2] + digit * len(match[3])) for digit in "09")
        return (-high, -low) if match[1] else (low, high)
    if match := _SIGNIFICANT.fullmatch(text):
        sure = match[2][: int(match[3])]
        low, high = (int(sure + digit * (len(match[2]) - len(sure))) for digit in "09")
        return (-high, -low) if match[1] else (low, high)
    return _by_package(text)


def _end(text: str) -> Span | None:
    """An end of an interval. 1984~/2004: two years are given, which says how uncertain they are, so a mark of one end
    widens nothing."""
    if text in _OPEN:
        return None, None
    if match := _YEAR.fullmatch(text):
        return int(match[1]), int(match[1])
    return _moment(text)


@lru_cache(maxsize=4096)
def _by_package(text: str) -> Span | None:
    if re.match(r"[?~%]?[-X]*X{4}", text):
        return None  # the year is not known
    from edtf import parse_edtf

    try:
        # One of several and all of several reach equally far; of the latter the package knows no open end.
        found = parse_edtf(text.translate(str.maketrans("{}", "[]")))
        low, high = found.lower_strict(), found.upper_strict()
        first, last = (None if isinstance(end, float) else int(end.tm_year) for end in (low, high))
        about = found.is_approximate or found.is_uncertain
    except Exception:  # beside its own error, what its parts stumble over in text that nobody has written on purpose
        return None
    if any(abs(year) > FARTHEST for year in (first, last) if year is not None) or first is last is None:
        return None
    if first is not None and last is not None and first > last:
        return None
    if about and first is not None and first == last and "-" not in text[1:]:  # of a month or day the year is sure
        return first - ABOUT, first + ABOUT
    return first, last
