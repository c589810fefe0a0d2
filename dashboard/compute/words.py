"""Somebody's metadata as words on a page."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# Streamlit still makes icons of :material/home:, arrows of -> and links of www.example.org where all is escaped: it
# looks for them in what Markdown has left. A character of no width between their letters prevents it.
_JOINER = "\u2060"
_ACTIVE = re.compile(r"\\:(?=\S)|@(?=\S)|\bwww(?=\\\.)|\\?[-<>~=](?=\\?[-<>=])", re.IGNORECASE)

MAKERS = ("artist", "creator", "author", "maker", "photographer", "painter")
DATES = ("year", "date", "created", "dated")


def caption(metadata: Mapping[str, Any], title: str = "") -> str:
    """One line under a picture: who made it and when, or else the first two other things known about it."""
    lower = {key.lower(): value for key, value in metadata.items() if value not in (None, "", title)}
    named = [next((lower[key] for key in keys if key in lower), None) for keys in (MAKERS, DATES)]
    values = [str(value) for value in named if value is not None]
    rest = [str(value) for value in lower.values() if isinstance(value, str | int | float)]
    return ", ".join(values or rest[:2])


def named(labels: Mapping[T, str]) -> Callable[[T], str]:
    """What Streamlit's controls call an option, where `labels` says it; any other is called as it is."""
    return lambda option: labels.get(option, str(option))


def plain(text: str) -> str:
    """The text in one line of Markdown that does nothing with it."""
    line = re.sub(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+", " ", text).strip()
    escaped = "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-.!|~$:&" else letter for letter in line)
    return _ACTIVE.sub(lambda match: match[0] + _JOINER, escaped)


def lines(text: str) -> str:
    """The same, in as many lines as the text has."""
    # A character of no width at its beginning: below other words a line of = would make a heading of them.
    return "  \n".join(_JOINER + plain(line) for line in text.splitlines())
