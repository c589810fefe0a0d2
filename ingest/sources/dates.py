"""What people write for a date as a range of years: "c. 1520", "1520–25", "16. Jh., 2. Hälfte", "12.3.1889".

Years are whole numbers, those before Christ negative (500 BC is -500). What is decided where the words leave it open:
about a year is five years before to five after; the 16th century is 1501 to 1600, its beginning, middle and end a third
each; 1520s is 1520 to 1529 and 1500s is 1500 to 1599; before and after a year leave one end open. What is not fully
understood is no date.
"""

from __future__ import annotations

import re
import unicodedata

Span = tuple[int | None, int | None]

ABOUT = 5  # years
LONGEST = 80  # characters of a date


def _any(words: str) -> str:
    """A pattern for one of these, which are divided by bars."""
    return f"(?:{words})"


_ABOUT = _any(
    "c|ca|cca|circa|about|around|approx|approximately|probably|prob|possibly|perhaps|um|gegen|etwa|wohl|vermutl"
    "|vermutlich|vers|env|environ|hacia|verso|rond|omstreeks"
)
_BEFORE = _any(
    "before|not after|no later than|until|ante|terminus ante quem|vor|bis|spatestens|avant|prima del|antes de|voor"
)
_AFTER = _any(
    "after|not before|no earlier than|from|since|post|terminus post quem|nach|ab|seit|fruhestens|apres|depuis|dopo il"
    "|despues de|na"
)
_BETWEEN = _any("between|zwischen|entre|tra il|tra|tussen")
_TO = r"(?:-|/|(?<![a-z])(?:to|until|till|bis|and|und|et|a|al|y|e|or|oder|ou|en)(?![a-z]))"
_BC = _any("bc|bce|v ?chr|vor chr|av ?j ?c|avant j ?c|a ?c")
_AD = _any("ad|ce|n ?chr|nach chr|ap ?j ?c|d ?c|a ?d")
_CENTURY = _any("century|centuries|cent|c|jh|jhd|jhdt|jahrhundert|jahrhunderts|siecle|s|secolo|sec|siglo|eeuw")
_ORDINAL = r"(?:st|nd|rd|th|er|re|eme|e|o|de|ste)?"
_MONTH = _any(
    "january|janvier|januar|janner|gennaio|enero|jan|february|fevrier|februar|febbraio|febrero|feb|fev|febr"
    "|march|mars|marz|maerz|marzo|mar|mrz|april|avril|aprile|abril|apr|avr|may|mai|maggio|mayo"
    "|june|juin|juni|giugno|junio|jun|july|juillet|juli|luglio|julio|jul|juil|august|aout|agosto|aug"
    "|september|septembre|settembre|septiembre|sept|sep|october|octobre|oktober|ottobre|octubre|oct|okt"
    "|november|novembre|noviembre|nov|december|decembre|dezember|dicembre|diciembre|dec|dez"
)
_SEASON = _any("spring|summer|autumn|fall|winter|fruhling|fruhjahr|sommer|herbst|printemps|ete|automne|hiver")
_PARTS = (  # of a century: words, from, to, in hundredths
    (r"(?:1st|first|1|erste[sn]?|1re|1ere|premiere?) (?:half|halfte|moitie|h)", 0, 50),
    (r"(?:2nd|second|2|zweite[sn]?|2e|2eme|deuxieme|seconde) (?:half|halfte|moitie|h)", 50, 100),
    (r"(?:1st|first|1|erstes|1er|premier) (?:quarter|viertel|quart|v)", 0, 25),
    (r"(?:2nd|second|2|zweites|2e|deuxieme) (?:quarter|viertel|quart|v)", 25, 50),
    (r"(?:3rd|third|3|drittes|3e|troisieme) (?:quarter|viertel|quart|v)", 50, 75),
    (r"(?:4th|fourth|last|4|viertes|letztes|4e|dernier) (?:quarter|viertel|quart|v)", 75, 100),
    (r"(?:1st|first|1|erstes|1er|premier) (?:third|drittel|tiers|d)", 0, 33),
    (r"(?:2nd|second|2|zweites|2e|deuxieme) (?:third|drittel|tiers|d)", 33, 66),
    (r"(?:3rd|last|3|drittes|letztes|3e|dernier) (?:third|drittel|tiers|d)", 66, 100),
    (r"(?:early|beginning|start|anfang|beginn|fruhes|debut|inizio)", 0, 33),
    (r"(?:mid|middle|mitte|milieu|meta)", 33, 66),
    (r"(?:late|end|ende|spates|fin|fine)", 66, 100),
)  # fmt: skip
_YEAR = r"[0-9]{3,4}"
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212), "-")
_ROMAN = {"i": 1, "v": 5, "x": 10}


def span(text: str) -> Span | None:
    """(from, to) in years, both included, None for an open end; None for what is no date."""
    text = _plain(text) if len(text) <= LONGEST else ""
    if not re.search(r"[0-9]|\b[ivx]+(?:e|eme|o)?\b", text):
        return None
    doubtful = "?" in text
    text = re.sub(r"^([0-9]{2,3})(\?{1,2})$", lambda found: found[1] + "x" * len(found[2]), text)
    text = re.sub(r"\s+", " ", re.sub(r"[\[\]()?]", " ", text)).strip(" .,;")
    if match := re.fullmatch(rf"{_ABOUT} (.+)", text):
        doubtful, text = True, match[1]
    found = _abbreviated(text) or _one(text) or _open(text) or _range(text)
    return _widened(found) if found and doubtful else found


def _plain(text: str) -> str:
    """Small letters without accents, one kind of dash, no full stops behind words, single blanks."""
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss").translate(_DASHES))
    text = text.encode("ascii", "ignore").decode().lower()
    text = text.replace("'", " ").replace("_", "-")
    text = re.sub(r"(?<=[a-z])\.", " ", text)  # c. v. Chr. Jh. but not 12.3.1889
    text = re.sub(r"(?<![a-z0-9])(c|ca|um)(?=[0-9])", r"\1 ", text)
    return re.sub(r"\s+", " ", text).strip(" .,;:")


def _widened(found: Span) -> Span:
    # Where the source gives two years, it has said how uncertain it is.
    first, last = found
    return (first - ABOUT, first + ABOUT) if first is not None and first == last else found


def _abbreviated(text: str) -> Span | None:
    """1520-25, unless it goes back: 1889-03 is a month."""
    if match := re.fullmatch(rf"({_YEAR}) ?[-/] ?([0-9]{{1,2}})", text):
        first, tail = match[1], match[2]
        last = first[: -len(tail)] + tail
        return (int(first), int(last)) if int(last) > int(first) else None
    return None


def _one(text: str) -> Span | None:
    """A year, decade, century or day."""
    era = 1
    if match := re.fullmatch(rf"(.+?) ?\b{_BC}", text):
        era, text = -1, match[1]
    elif match := re.fullmatch(rf"(.+?) ?\b{_AD}", text) or re.fullmatch(rf"{_AD} (.+)", text):
        if re.fullmatch(r"[0-9]{1,4}", match[1]):
            return int(match[1]), int(match[1])
        text = match[1]
    if era < 0:
        if re.fullmatch(r"[0-9]{1,5}", text):
            return -int(text), -int(text)
        if match := re.fullmatch(rf"([0-9]{{1,5}}) ?{_TO} ?([0-9]{{1,5}})", text):
            return (-int(match[1]), -int(match[2])) if int(match[1]) >= int(match[2]) else None
        return _century(text, era)
    if re.fullmatch(_YEAR, text):
        return int(text), int(text)
    return _decade(text) or _century(text) or _day(text)


def _decade(text: str) -> Span | None:
    if match := re.fullmatch(r"(?:the |annees |les annees |anni |anos )?([0-9]{2,3})0 ?(?:s|er|er jahre)", text):
        first = int(match[1]) * 10
        return first, first + (99 if first % 100 == 0 else 9)
    if match := re.fullmatch(r"(?:annees|les annees|anni|anos) ([0-9]{2,3})0", text):
        return int(match[1]) * 10, int(match[1]) * 10 + 9
    if match := re.fullmatch(r"([0-9]{3})[-x]", text):
        return int(match[1]) * 10, int(match[1]) * 10 + 9
    if match := re.fullmatch(r"([0-9]{2})(?:--|xx)", text):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    return None


def _century(text: str, era: int = 1) -> Span | None:
    text = re.sub(r"\b(?:the|of the|of|des|du|de la|del|dello|im|in the|in|,)\b", " ", text).replace(",", " ")
    text = re.sub(r"\s+", " ", re.sub(r"(?<=[0-9])\.(?=[ /-]|$)", "", text)).strip()
    low, high = 0, 100
    for words, start, end in _PARTS:
        if match := re.fullmatch(rf"{words}[ -](.+)", text) or re.fullmatch(rf"(.+?)[ -]{words}", text):
            low, high, text = start, end, match[1]
            break
    if match := re.fullmatch(
        rf"(?:siecle|secolo|sec|s|siglo) ([0-9]{{1,2}}|[ivx]+)|([0-9]{{1,2}}|[ivx]+){_ORDINAL}[ -]?{_CENTURY}", text
    ):
        number = _number(match[1] or match[2])
    elif match := re.fullmatch(rf"([0-9]{{1,2}}){_ORDINAL} ?{_TO} ?([0-9]{{1,2}}){_ORDINAL}[ -]?{_CENTURY}", text):
        first, last = int(match[1]), int(match[2])
        return ((first - 1) * 100 + 1, last * 100) if 1 <= first <= last <= 21 else None
    else:
        return None
    if not 1 <= number <= 21:
        return None
    if era < 0:
        return low - number * 100, high - number * 100 - 1
    return (number - 1) * 100 + 1 + low, (number - 1) * 100 + high


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    values = [_ROMAN[letter] for letter in text]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _day(text: str) -> Span | None:
    """A day or a month of a year, in any order."""
    text = re.sub(r"[t ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(z|[+-][0-9:]+)?$", "", text)
    shapes = (
        r"(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})(?:[-/.](?P<d>[0-9]{1,2}))?",
        r"(?:(?P<d>[0-9]{1,2})[-/. ]{1,2})?(?P<m>[0-9]{1,2})[-/. ]{1,2}(?P<y>[0-9]{3,4})",
        rf"(?:(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th|\.|er)?,? )?(?:of |de )?(?:{_MONTH}|{_SEASON}),? "
        rf"(?:of |de )?(?P<y>{_YEAR})",
        rf"(?:{_MONTH}) (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y>{_YEAR})",
        rf"(?P<y>{_YEAR}),? (?:{_MONTH}|{_SEASON})(?: (?P<d>[0-9]{{1,2}}))?",
    )
    for shape in shapes:
        if match := re.fullmatch(shape, text):
            found = match.groupdict()
            numbers = [int(found[name]) for name in ("d", "m") if found.get(name)] or [1]
            month = min(numbers) if len(numbers) > 1 or "m" in found else 1  # 3/12 or 12/3: the year is the same
            if all(1 <= number <= 31 for number in numbers) and month <= 12:
                return int(found["y"]), int(found["y"])
    return None


def _open(text: str) -> Span | None:
    for words, place in ((_BEFORE, 1), (_AFTER, 0)):
        if (match := re.fullmatch(rf"{words} (.+)", text)) and (found := _one(match[1])):
            return (None, found[1]) if place else (found[0], None)
    if match := re.fullmatch(rf"({_YEAR}) ?-", text):  # from that year on
        return int(match[1]), None
    return None


def _range(text: str) -> Span | None:
    text = re.sub(rf"^{_BETWEEN} ", "", text)
    text = re.sub(r"^(?:from|von|de|dal|van) ", "", text)
    for match in re.finditer(rf" ?{_TO} ?", text):
        before, after = text[: match.start()], re.sub(rf"^{_ABOUT} ", "", text[match.end() :])
        first, last = _one(re.sub(rf"^{_ABOUT} ", "", before)), _one(after)
        if first and last and None not in (*first, *last) and first[0] <= last[1]:
            return first[0], last[1]
    return None
