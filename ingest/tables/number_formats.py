"""Numbers and days as a spreadsheet shows them: 43 with the format 0000 is 0043.

Of the format codes of ECMA-376 (18.8.31) those are known that can stand in a catalogue: padded and grouped numbers,
decimals, percentages, signs before, between and behind digits, days in numbers. Of the others (fractions, exponents,
conditions, names of months) nothing is said.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

BUILT_IN = {
    3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 17: "mmm-yy", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
}  # fmt: skip
PLAIN = {0, 1, 2, 49}  # general, whole, two decimals, text

_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_(.)|\*(.)|\[\$([^\]-]*)[^\]]*\]|\[([^\]]*)\]|(.)', re.DOTALL)
_UNKNOWN = re.compile(r"[/@]|General|,+(?:[^0#?,]|$)", re.IGNORECASE)
_GROUPING = " \u00a0\u202f'’.,"


def shown(value: object, code: str) -> str:
    """A number or a day in a format; "" where that cannot be said."""
    try:
        if isinstance(value, date):
            return _day(value, code)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        return _number(Decimal(repr(value)), code)
    except (InvalidOperation, ValueError, OverflowError):
        return ""


def is_code(text: str) -> bool:
    """Whether the digits that a cell shows are a name rather than a number: padded with zeros, or with signs between
    them. Then the text is what counts, else the number."""
    if re.fullmatch(r"[^0-9]*[0-9.,]+E[+-]?[0-9]+", text) or "/" in text or ":" in text:
        return False
    return bool(
        re.match(r"[^0-9]*0[0-9]", text) or re.search(rf"[0-9][^0-9%{re.escape(_GROUPING)}]+[0-9]", text.strip())
    )


def day_text(value: date, code: str) -> str | None:
    """A day as far as its format shows it: 1889, 1889-03; None where it shows the day, or no year."""
    letters = {sign.lower() for sign in _plain_signs(code) if sign.isalpha()}
    if "y" not in letters or letters & set("dhs"):
        return None
    return value.strftime("%Y-%m") if "m" in letters else f"{value.year:04}"


def _day(value: date, code: str) -> str:
    parts: list[str | list[str]] = []
    for kind, text in _tokens(code.split(";")[0]):
        if kind != "sign" or not text.isalpha():
            parts.append(text)
        elif text.lower() in "ymd":
            last = parts[-1] if parts else ""
            if isinstance(last, list) and last[0] == text.lower():
                last.append(text.lower())
            else:
                parts.append([text.lower()])
        elif text.lower() in "hs" and isinstance(value, datetime):
            return ""
        else:
            return ""
    known = {
        "y": f"{value.year:04}", "yy": f"{value.year % 100:02}", "yyyy": f"{value.year:04}", "m": str(value.month),
        "mm": f"{value.month:02}", "d": str(value.day), "dd": f"{value.day:02}",
    }  # fmt: skip
    texts = [part if isinstance(part, str) else known.get("".join(part)) for part in parts]
    found = [text for text in texts if text is not None]
    return "".join(found).strip() if len(found) == len(texts) else ""


def _number(value: Decimal, code: str) -> str:
    sections = _sections(code)
    if not value.is_finite() or any(re.match(r"\[[<>=]", section) for section in sections):
        return ""
    section, sign = sections[0], "-" if value < 0 else ""
    if value < 0 and len(sections) > 1:
        section, sign = sections[1], ""
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    tokens = list(_tokens(section))
    signs = "".join(text for kind, text in tokens if kind == "sign")
    if not re.search("[0#?]", signs) or _UNKNOWN.search(signs) or re.search("[Ee][+-]", section):
        return ""
    value = abs(value) * 100 ** sum(token == ("sign", "%") for token in tokens)
    point = next((place for place, token in enumerate(tokens) if token == ("sign", ".")), len(tokens))
    decimals = sum(kind == "sign" and text in "0#?" for kind, text in tokens[point:])
    whole, _, fraction = f"{value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}".partition(".")
    return (sign + _whole(tokens[:point], whole) + _fraction(tokens[point:], fraction)).strip()


def _whole(tokens: list[tuple[str, str]], digits: str) -> str:
    """The part before the decimal point, filled from the right; what is left over goes to the first place."""
    digits = digits.lstrip("0")
    places = [place for place, (kind, text) in enumerate(tokens) if kind == "sign" and text in "0#?"]
    grouped = any(kind == "sign" and text == "," for kind, text in tokens)
    if grouped:
        padded = digits.rjust(sum(tokens[place][1] == "0" for place in places), "0")
        digits = re.sub(r"(?<=[0-9])(?=(?:[0-9]{3})+$)", ",", padded)
        tokens = [token for place, token in enumerate(tokens) if token != ("sign", ",") and place not in places[1:]]
        return "".join(digits if kind == "sign" and text in "0#?" else text for kind, text in tokens)
    parts = []
    for place in range(len(tokens) - 1, -1, -1):
        _, text = tokens[place]
        if place not in places:
            parts.append(text)
        elif place == places[0]:
            parts.append(digits or ("0" if text == "0" else ""))
        else:
            parts.append(digits[-1:] or ("0" if text == "0" else ""))
            digits = digits[:-1]
    return "".join(reversed(parts))


def _fraction(tokens: list[tuple[str, str]], digits: str) -> str:
    optional = len([1 for kind, text in tokens if kind == "sign" and text in "#?"])
    while optional and digits.endswith("0"):
        digits, optional = digits[:-1], optional - 1
    parts, used = [], 0
    for kind, text in tokens:
        if kind == "sign" and text in "0#?":
            parts.append(digits[used : used + 1])
            used += 1
        else:
            parts.append(text)
    return "".join(parts)


def _tokens(section: str) -> list[tuple[str, str]]:
    """("sign", a sign that means something) or ("text", what is shown as it is)."""
    found = []
    for quoted, escaped, space, _fill, currency, bracket, sign in _TOKEN.findall(section):
        if sign:
            found.append(("sign" if sign in "0#?.,%/@" or sign.isalpha() else "text", sign))
        elif space:
            found.append(("text", " "))
        elif not bracket:  # colours and languages
            found.append(("text", quoted or escaped or currency))
    return found


def _plain_signs(code: str) -> str:
    return "".join(text for kind, text in _tokens(code.split(";")[0]) if kind == "sign")


def _sections(code: str) -> list[str]:
    return re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+', code) or [""]
