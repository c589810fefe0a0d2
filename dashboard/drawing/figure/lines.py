"""Lines of text as they will be printed: how wide they are, and where they break."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import cache, lru_cache

from dashboard.drawing.figure import _families, _plain

MM = 25.4 / 72  # of a point
LINE = 1.3  # line height in font sizes
_HINTED = 1.05  # at the screen's resolution letters are drawn on whole pixels, and up to so much wider


@lru_cache(maxsize=20_000)
def width(words: str, points: float, bold: bool = False) -> float:
    """Millimetres of words in one line."""
    known = sum(ord(letter) < 0x2E80 for letter in words)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in words)
    text = "".join(letter for letter in words if ord(letter) < 0x2E80)
    font = _font(bold)
    font.set_text(text)
    return (font.get_width_height()[0] / 64 / 100 + 1.1 * wide + 0.6 * (len(words) - known - wide)) * points * MM


def wrapped(words: str, room: float, points: float, bold: bool = False) -> list[str]:
    """The words in lines of at most `room` mm; a word that is longer than a line is broken. [] for no words."""
    return list(_wrapped(words, round(room / _HINTED, 2), points, bold))


@lru_cache(maxsize=2000)
def _wrapped(words: str, room: float, points: float, bold: bool) -> tuple[str, ...]:
    lines: list[str] = []
    line = ""
    for word in _plain(words).split(" "):
        longer = f"{line} {word}" if line else word
        if width(longer, points, bold) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while width(line, points, bold) > room and len(line) > 1:
            cut = max(1, bisect_right(range(len(line)), room, key=lambda n: width(line[:n], points, bold)) - 1)
            lines.append(line[:cut])
            line = line[cut:]
    return (*lines, line) if line else tuple(lines)


def in_parts(words: str, room: float, points: float) -> list[str]:
    """A title of parts with dots between them in lines that break there, where each part fits into a line."""
    lines: list[str] = []
    for part in _plain(words).split(" · "):
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and len(wrapped(longer, room, points)) == 1:
            lines[-1] = longer
        else:
            lines += wrapped(part, room, points)
    return lines


def height(lines: int, points: float) -> float:
    """Millimetres of so many lines."""
    return lines * points * LINE * MM


@cache
def _font(bold: bool):
    from matplotlib import font_manager
    from matplotlib.font_manager import FontProperties

    found = font_manager.findfont(FontProperties(family=list(_families()), weight="bold" if bold else "normal"))
    # A copy of our own: matplotlib's are shared with what draws at the same time.
    from matplotlib.ft2font import FT2Font

    font = FT2Font(found)
    font.set_size(100, 72)
    return font
