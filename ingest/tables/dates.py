"""What people write for a date as a range of years: "c. 1520", "1520–25", "16. Jh., 2. Hälfte", "12.3.1889", "1520~".

Years are whole numbers as historians count them, those before Christ negative (500 BC is -500), without a year 0. The
number stays the one that is written, in the Extended Date/Time Format too: -0500 is -500, though that format, which has
a year 0, strictly means 501 BC. What is decided where the words leave it open: about a year is five years before to
five after; the 16th century is 1501 to 1600, its beginning, middle and end a third each, and so with decades; 1520s is
1520 to 1529 and 1500s is 1500 to 1599; before and after a year leave one end open. What is not fully understood is no
date, nor is a year beyond LATEST, which tables write for "unknown". The words are in `ingest.tables.date_words`.
"""

from __future__ import annotations

import re
import unicodedata

from ingest.tables import date_words as words
from ingest.tables.edtf_dates import ABOUT, Span, Years, edtf_span

LONGEST = 80  # characters of a date
LATEST = 2100

_TO = r"(?:-|/|(?<![a-z])(?:to|until|till|bis|and|und|et|a|al|y|e|or|oder|ou|o|en|of)(?![a-z]))"
_YEAR = r"[0-9]{3,4}"
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212), "-")
_NOW = r"(?:the )?(?:present|today|now|date|heute|presente?|oggi|heden)"
_SIGNS = {"<": " before ", ">": " after ", "≤": " until ", "≥": " from ", "≈": " circa ", "≃": " circa "}
_ROMAN = {"i": 1, "v": 5, "x": 10}
_EDTF = re.compile(  # what only the Extended Date/Time Format writes
    r"[-0-9XuSYy?~%]*[Xu~%S][-0-9Xu?~%S]*|.*\.\..*|/.*|.*/|[Yy]-?[0-9].*|-[0-9]{4}.*|.*[?~%X].*/.*|.*(?:open|unknown).*"
)
_DECADE_WORDS = "annees|les annees|anni|gli anni|anos|los anos|de jaren|jaren"


def span(text: str) -> Span | None:
    """(from, to) in years, both included, None for an open end; None for what is no date."""
    if len(text) > LONGEST:
        return None
    if _EDTF.fullmatch(text.strip()) and (found := edtf_span(text)):
        return found
    text = _plain(text)
    if not re.search(rf"[0-9]|\b(?:[ivx]+(?:e|eme|o|de)?|{words.ORDINALS}|{words.ITALIAN})\b", text):
        return None
    doubtful = "?" in text
    text = re.sub(r"^([0-9]{2,3})(\?{1,2})$", lambda found: found[1] + "x" * len(found[2]), text)
    text = _without_noise(re.sub(r"\s+", " ", re.sub(r"[\[\](){}?]", " ", text)).strip(" .,;"))
    text, about = _without_about(text)
    text = _without_noise(text)  # probably printed 1893
    found = _read(text) or (edtf_span(text) if re.fullmatch(r"[0-9]{4}-[2-4][0-9]", text) else None)
    if found is None or any(year is not None and year > LATEST for year in found):
        return None
    first, last = found
    if first is None or last is None or not (doubtful or about):
        return found
    return _widened((first, last), text)


def is_undated(text: str) -> bool:
    """Whether somebody says that there is no date: n.d., undated, o. J., s. d., unknown."""
    return (
        len(text) <= LONGEST and re.fullmatch(words.UNDATED, re.sub(r"[\[\]()?]", "", _plain(text)).strip()) is not None
    )


def _plain(text: str) -> str:
    """Small letters without accents, one kind of dash, no full stops behind words, single blanks."""
    text = re.sub(r"(?<=[0-9])\s*(?:年|г\.?|р\.?)\s*$", "", text.replace("ß", "ss"))  # the word year
    text = "".join(_SIGNS.get(sign, sign) for sign in text.replace("<=", "≤").replace(">=", "≥"))
    text = unicodedata.normalize("NFKD", text.translate(_DASHES))
    # Letters and signs of which we know nothing stay, so that "до 1650", before 1650, is not taken for 1650.
    text = "".join(sign for sign in text if sign.isascii() or unicodedata.category(sign)[0] in "LNS").lower()
    text = re.sub(r"(?<=[0-9])\+$", " onwards", text)
    text = text.replace("'", " ").replace("_", "-")
    text = re.sub(r"(?<![a-z0-9])([0-9]{1,2})\. ?(i{1,3}|iv|v|vi{1,3}|ix|xi{0,2})\. ?(?=[0-9]{4})", _roman_month, text)
    text = re.sub(r"(?<=[a-z])\.", " ", text)  # c. v. Chr. Jh. but not 12.3.1889
    text = re.sub(r"(?<![a-z0-9])(c|ca|um|circa)(?=[0-9])", r"\1 ", text)
    text = re.sub(r"(?<=[0-9])(bce?|ce|ad)\b", r" \1", text)
    text = re.sub(rf"\b(early|mid|late)-(?=[0-9]|{words.ORDINALS}\b)", r"\1 ", text)
    text = re.sub(r"^(?:le|am|on) (?=[0-9]{1,2}\b)", "", text)
    text = re.sub(r"\b([0-9]{2})([0-9]0s) ?(-|/|and|or|to) ?([0-9]0s)$", r"\1\2 \3 \1\4", text)  # 1860s–70s
    text = re.sub(rf"(?<={'[0-9]' * 4})\s*[,;&]\s*(?={'[0-9]' * 4})", " and ", text)  # 1889, 1893
    return re.sub(r"\s+", " ", text).strip(" .,;:")


def _roman_month(match: re.Match) -> str:
    return f"{match[1]}.{_number(match[2])}."


def _without_noise(text: str) -> str:
    """Without what says what was done in that year: published 1893, dated 1520, im Jahre 1650, 1893 (printed)."""
    before = None
    while before != text:
        before = text
        text = re.sub(rf"^{words.DONE}[ ,:]+(?=.*[0-9ivx])", "", text)
        text = re.sub(rf"[ ,]+{words.DONE}$", "", text)
    return text


def _without_about(text: str) -> tuple[str, bool]:
    """c. 1520, 1650 circa."""
    about, before = False, None
    while before != text:
        before = text
        text = re.sub(rf"^{words.ABOUT} (?=.*[0-9ivx])", "", text)
        text = re.sub(rf"(?<=[0-9a-z])(?:,? ){words.ABOUT_BEHIND}$", "", text)
        about |= before != text
    return text, about


def _widened(found: Years, text: str) -> Years:
    # Where the source gives two years, it has said how uncertain it is; about a day or a month is in its year.
    first, last = found
    exact = first == last and not _day(text)
    return (first - ABOUT, first + ABOUT) if exact else found


def _read(text: str) -> Span | None:
    return _abbreviated(text) or _one(text) or _open(text) or _range(text)


def _abbreviated(text: str) -> Years | None:
    """1520-25, unless it goes back: 1889-03 is a month."""
    if match := re.fullmatch(rf"({_YEAR}) ?[-/] ?([0-9]{{1,2}})", text):
        first, tail = match[1], match[2]
        last = first[: -len(tail)] + tail
        return (int(first), int(last)) if int(last) > int(first) else None
    return None


def _one(text: str) -> Years | None:
    """A year, decade, century or day, or a part of one."""
    for pattern, era in words.ERAS:
        if match := re.fullmatch(pattern, text):
            return _of_era(match[1].strip(" ,"), era)
    if re.fullmatch(_YEAR, text):
        return (int(text), int(text)) if int(text) else None
    if re.fullmatch(r"-[0-9]{1,7}", text):
        return int(text), int(text)
    return _decade(text) or _century(text) or _day(text) or _part(text, 1)


def _of_era(text: str, era: int) -> Years | None:
    """What is said to be before (-1) or after Christ, where numbers may be short: AD 79, 500-480 BC."""
    text, _ = _without_about(text)
    text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}\b)", "", text)  # 12,000 BC
    if re.fullmatch(r"[0-9]{1,7}", text):
        year = era * int(text)
        return (year, year) if year else None
    if match := re.fullmatch(rf"([0-9]{{1,7}}) ?{_TO} ?(?:{words.ABOUT} )?([0-9]{{1,7}})", text):
        first, last = match[1], match[2]
        if era > 0 and len(last) < len(first) and int(last) < int(first):
            last = first[: -len(last)] + last
        found = era * int(first), era * int(last)
        return found if found[0] <= found[1] and 0 not in found else None
    decade = None if era < 0 else _decade(text)
    return decade or _century(text, era) or (_day(text) if era > 0 else None) or _part(text, era)


def _part(text: str, era: int) -> Years | None:
    """The beginning, a half, a quarter of a century, decade or year."""
    for pattern, low, high in words.PARTS:
        rest = words.CONNECTING
        match = re.fullmatch(rf"{pattern}[ -]{rest}(.+)", text) or re.fullmatch(rf"(.+?),?[ -]{rest}{pattern}", text)
        if match and (whole := _whole(match[1].strip(" ,"), era)):
            first, last = whole
            years = last - first + 1
            if years < 10:
                return whole
            return first + low * years // 100, first + high * years // 100 - 1
    return None


def _whole(text: str, era: int) -> Years | None:
    if era < 0:
        return _century(text, era)
    year = (int(text), int(text)) if re.fullmatch(_YEAR, text) and int(text) else None
    return year or _decade(text) or _century(text)


def _decade(text: str) -> Years | None:
    match = re.fullmatch(
        rf"(?:the |{words.CONNECTING})?(?:(?:{_DECADE_WORDS}) )?([0-9]{{2,3}})0 ?(?:s|er|er jahren?)", text
    )
    if match:
        first = int(match[1]) * 10
        return first, first + (99 if first % 100 == 0 else 9)
    if match := re.fullmatch(rf"(?:{_DECADE_WORDS}) ([0-9]{{2,3}})0", text):
        return int(match[1]) * 10, int(match[1]) * 10 + 9
    if match := re.fullmatch(r"([0-9]{3})[-x]", text):
        return int(match[1]) * 10, int(match[1]) * 10 + 9
    if match := re.fullmatch(r"([0-9]{2})(?:--|xx)", text):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    return None


def _century(text: str, era: int = 1) -> Years | None:
    text = re.sub(rf"^{words.CONNECTING}", "", text)
    text = re.sub(r"\s+", " ", re.sub(r"(?<=[0-9])\.(?=[ /-]|$)", "", text)).strip()
    if match := re.fullmatch(rf"([0-9]{{1,2}}|{words.ORDINALS}){words.ORDINAL_END}[ -]?{words.MILLENNIUM}", text):
        return _hundreds(_number(match[1]), _number(match[1]), era, 1000)
    if match := re.fullmatch(words.ITALIAN, text):
        number = words.ITALIAN_CENTURIES.index(match[0]) + 13
        return _hundreds(number, number, era)
    number = rf"([0-9]{{1,2}}|[ivx]+|{words.ORDINALS}){words.ORDINAL_END}"
    one = rf"{words.CENTURY_BEFORE} {number}|{number}[ -]?{words.CENTURY}"
    several = (
        rf"{number} ?{_TO} ?{number}[ -]?{words.CENTURY}",
        rf"{words.CENTURY_BEFORE} {number} ?{_TO} ?(?:{words.CENTURY_BEFORE} )?{number}",
    )
    if match := re.fullmatch(one, text):
        found = _number(match[1] or match[2])
        return _hundreds(found, found, era)
    for pattern in several:
        if match := re.fullmatch(pattern, text):
            return _hundreds(_number(match[1]), _number(match[2]), era)
    return None


def _hundreds(first: int, last: int, era: int, length: int = 100) -> Years | None:
    """From the first year of one century, or millennium, to the last of another."""
    if era < 0:
        return (-first * length, -(last - 1) * length - 1) if 99 >= first >= last >= 1 else None
    return ((first - 1) * length + 1, last * length) if 1 <= first <= last and last * length <= LATEST else None


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    if text in words.ORDINAL_NAMES:
        return words.ORDINAL_NAMES.index(text) % 21 + 1
    values = [_ROMAN[letter] for letter in text]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _day(text: str) -> Years | None:
    """A day or a month of a year, in any order. 1978.10 is a number, and 10.1940 may be one: months have two digits."""
    text = re.sub(r"[t ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?z|[+-][0-9:]+)?$", "", text)
    shapes = (
        r"(?P<y>[0-9]{4})(?:[-/](?P<m>[0-9]{1,2})|[-/.](?P<n>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2}))",
        r"(?:(?P<d>[0-9]{1,2})[-/. ]{1,2})(?P<m>[0-9]{1,2})[-/. ]{1,2}(?P<y>[0-9]{3,4})",
        r"(?P<m>[0-9]{1,2}[-/]|(?:0[1-9]|1[0-2])\.)(?P<y>[0-9]{4})",
        rf"(?:(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th|\.|er)?,? )?(?:of |de |di |d )?(?:{words.MONTH}|{words.SEASON}),? "
        rf"(?:of |de |di |del |del ano |de l an )?(?P<y>{_YEAR})",
        rf"(?:{words.MONTH}) (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y>{_YEAR})",
        rf"(?P<y>{_YEAR}),? (?:{words.MONTH}|{words.SEASON})(?: (?P<d>[0-9]{{1,2}}))?",
    )
    for shape in shapes:
        if match := re.fullmatch(shape, text):
            found = match.groupdict()
            numbers = [int(found[name].strip("-/.")) for name in ("d", "m", "n") if found.get(name)]
            named = re.search("[a-z]", text)
            month = min(numbers, default=1) if not named else 1  # 3/12 or 12/3: the year is the same
            if all(1 <= number <= 31 for number in numbers) and month <= 12 and int(found["y"]):
                return int(found["y"]), int(found["y"])
    return None


def _open(text: str) -> Span | None:
    """Before, after, in or before, 1650 or later, shortly after 1650, 1650-."""
    for pattern, side, inclusive in words.OPEN:
        if match := re.fullmatch(pattern, text):
            inner, about = _without_about(match[1].strip(" ,"))
            found = _one(inner) or _abbreviated(inner) or _range(inner)
            if found is None:
                continue
            first, last = _widened(found, inner) if about else found
            if first != last and not inclusive and not about:  # before the 16th century is before its first year
                first, last = last + 1, first - 1
            return (None, last) if side < 0 else (first, None)
    for pattern, side in words.SHORTLY:
        if (match := re.fullmatch(pattern, text)) and (found := _one(_without_about(match[1])[0])):
            return (found[0] - ABOUT, found[1]) if side < 0 else (found[0], found[1] + ABOUT)
    if match := re.fullmatch(
        rf"({_YEAR}) ?(?:-|(?:- ?|to |bis |a )?(?:the )?(?:present|today|now|date|heute|presente?|oggi|heden))", text
    ):  # from that year on
        return int(match[1]), None
    return None


def _range(text: str) -> Years | None:
    text = re.sub(rf"^{words.BETWEEN} ", "", text)
    for match in re.finditer(rf" ?{_TO} ?", text):
        before, _ = _without_about(text[: match.start()].strip(" ,"))
        after, _ = _without_about(text[match.end() :].strip(" ,"))
        last = _one(after)
        if last is None or not before:
            continue
        for candidate in _completed(before, after):
            first = _one(candidate)
            if first and first[0] <= last[1]:
                return first[0], last[1]
    return None


def _completed(before: str, after: str) -> list[str]:
    """The first of two dates as it may be meant: late 16th–early 17th century, 12–15 March 1889, 500–450 BC."""
    parts = after.split(" ")
    tails = [f"{before} {' '.join(parts[place:])}" for place in range(len(parts) - 1, 0, -1)]
    of_era = any(re.fullmatch(pattern, after) for pattern, _ in words.ERAS)
    has_era = any(re.fullmatch(pattern, before) for pattern, _ in words.ERAS)
    return tails if of_era and not has_era else [before, *tails]
