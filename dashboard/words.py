"""Somebody's metadata as words on a page."""

from collections.abc import Mapping
from typing import Any

MAKERS = ("artist", "creator", "author", "maker", "photographer", "painter")
DATES = ("year", "date", "created", "dated")


def caption(metadata: Mapping[str, Any], title: str = "") -> str:
    """One line under a picture: who made it and when, or else the first two other things known about it."""
    lower = {key.lower(): value for key, value in metadata.items() if value not in (None, "", title)}
    named = [next((lower[key] for key in keys if key in lower), None) for keys in (MAKERS, DATES)]
    said = [str(value) for value in named if value is not None]
    rest = [str(value) for value in lower.values() if isinstance(value, str | int | float)]
    return ", ".join(said or rest[:2])


def plain(text: str) -> str:
    """The text in Markdown that does nothing with it."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-.!|~$:" else letter for letter in text)
