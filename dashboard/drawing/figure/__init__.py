"""A figure for print: the panels as the page shows them, with titles, colour bar and caption, as PNG or SVG.

Drawn with matplotlib's Figure objects alone, without pyplot, so that several sessions can draw at once.
"""

from __future__ import annotations

import io
import math
import textwrap
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

DPI = 300  # what printers ask for; a panel's pixels are placed one to one at this resolution

_GAP, _MARGIN = 0.08, 0.15  # inches
_NARROWEST = 1.2  # inches for a panel with its title
_TITLE, _LABEL, _SMALL = 10, 6.5, 6.5  # points
_LINE = 1.35  # line height of the caption, in font sizes
# DejaVu Sans comes with matplotlib; the others, where the machine has them, know the scripts that it lacks.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
    "IPAGothic",
    "Arial Unicode MS",
)


@dataclass(frozen=True)
class ColourBar:
    """A colour table (256, 3) uint8, the words at its two ends, and marks between them: (place in 0..1, words).
    `label` says what the colours mean."""

    lut: np.ndarray
    low: str
    high: str
    label: str
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Plate:
    """What a figure shows: pictures of one size with their titles in rows of `columns`, and what they are.

    `original`, when given, stands to the left of the panels. `caption` is one paragraph.
    """

    title: str
    panels: tuple[tuple[str, Image.Image], ...]
    columns: int
    bar: ColourBar
    caption: str
    original: Image.Image | None = None
    original_title: str = ""


def png(plate: Plate) -> bytes:
    """The figure as a PNG file at 300 dpi; the panels' pixels are in it unchanged. ValueError without panels."""
    file = io.BytesIO()
    _draw(plate).savefig(file, format="png", dpi=DPI, metadata=_about(plate))
    return file.getvalue()


def svg(plate: Plate) -> bytes:
    """The figure as an SVG file: words stay words, pictures are embedded. ValueError without panels."""
    import matplotlib

    # Text as text, so that it can be searched and set in another typeface. The value is the same at every call,
    # so it does not matter to other threads when it is set.
    matplotlib.rcParams["svg.fonttype"] = "none"
    file = io.BytesIO()
    _draw(plate).savefig(file, format="svg", metadata={**_about(plate), "Date": None})
    return file.getvalue()


def _about(plate: Plate) -> dict[str, str]:
    return {"Title": _plain(plate.title), "Description": _plain(plate.caption)}


def _draw(plate: Plate):
    from matplotlib.figure import Figure

    if not plate.panels:
        raise ValueError("a figure needs at least one panel: choose a layer and a head")
    width, height = (edge / DPI for edge in plate.panels[0][1].size)
    columns = max(1, min(plate.columns, len(plate.panels)))
    rows = math.ceil(len(plate.panels) / columns)
    pitch = max(width, _NARROWEST)
    labels = [_wrapped(label, pitch, _LABEL) for label, _ in plate.panels]
    head = (0.25 + _LINE * max(label.count("\n") + 1 for label in labels)) * _LABEL / 72  # a panel's title above it
    left = _left_width(plate, width)
    grid_width = columns * (pitch + _GAP) - _GAP
    total_width = 2 * _MARGIN + left + grid_width
    # A single small panel must not squeeze the words into a column of two letters.
    total_width = max(total_width, 3.6)
    caption = _wrapped(plate.caption, total_width - 2 * _MARGIN, _SMALL)
    title = _wrapped(plate.title, total_width - 2 * _MARGIN, _TITLE)
    title_height = (title.count("\n") + 1) * _TITLE * _LINE / 72
    caption_height = (caption.count("\n") + 1) * _SMALL * _LINE / 72
    bar_width = left - 2 * _GAP if left else min(2.8, total_width - 2 * _MARGIN)
    bar_label = _wrapped(plate.bar.label, bar_width, _SMALL)
    bar_height = 0.17 + (bar_label.count("\n") + 2) * _SMALL * _LINE / 72
    panels_height = rows * (head + height + _GAP) - _GAP
    left_height = head + _original_height(plate, left) + bar_height if left else bar_height
    body = max(panels_height, left_height) if left else panels_height + bar_height + _GAP
    total_height = 2 * _MARGIN + title_height + body + _GAP + caption_height
    # Whole pixels, or the panels would land between two and be resampled.
    pixels = (math.ceil(total_width * DPI), math.ceil(total_height * DPI))
    sheet = _Sheet(Figure(figsize=(pixels[0] / DPI, pixels[1] / DPI), dpi=DPI, facecolor="white"), pixels)

    sheet.text(_MARGIN, _MARGIN, title, _TITLE, weight="bold")
    top = _MARGIN + title_height
    for index, (label, (_, picture)) in enumerate(zip(labels, plate.panels, strict=True)):
        row, column = divmod(index, columns)
        x = _MARGIN + left + column * (pitch + _GAP)
        y = top + row * (head + height + _GAP)
        sheet.text(x, y, label, _LABEL)
        sheet.picture(x, y + head, picture)
    if left and plate.original is not None:
        sheet.text(_MARGIN, top, _plain(plate.original_title), _LABEL)
        sheet.picture(
            _MARGIN, top + head, plate.original, (_original_width(plate, left), _original_height(plate, left))
        )
        panels_height = head + _original_height(plate, left)
    sheet.bar(plate.bar, bar_label, _MARGIN, top + panels_height + 0.12, bar_width)
    sheet.text(_MARGIN, top + body + _GAP, caption, _SMALL)
    return sheet.figure


def _left_width(plate: Plate, panel: float) -> float:
    """Inches kept for the original beside the panels, the gap included; 0 without one."""
    return max(panel, 1.9) + 2 * _GAP if plate.original is not None else 0.0


def _original_width(plate: Plate, left: float) -> float:
    """Inches of the original: as wide as its place, or less where it would be much taller than a panel."""
    if plate.original is None:
        return 0.0
    tallest = 2 * plate.panels[0][1].height / DPI
    return min(left - 2 * _GAP, tallest * plate.original.width / plate.original.height)


def _original_height(plate: Plate, left: float) -> float:
    if plate.original is None:
        return 0.0
    return _original_width(plate, left) * plate.original.height / plate.original.width


class _Sheet:
    """A Figure addressed in inches from its upper left corner, with positions rounded to whole pixels."""

    def __init__(self, figure, pixels: tuple[int, int]):
        self.figure = figure
        self.pixels = pixels

    def _axes(self, x: float, y: float, width: int, height: int):
        left, top = round(x * DPI), round(y * DPI)
        w, h = self.pixels
        axes = self.figure.add_axes((left / w, (h - top - height) / h, width / w, height / h))
        axes.set_axis_off()
        return axes

    def picture(self, x: float, y: float, picture: Image.Image, size: tuple[float, float] | None = None) -> None:
        """Without `size` one pixel of the picture is one pixel of the PNG."""
        width, height = picture.size if size is None else (round(edge * DPI) for edge in size)
        axes = self._axes(x, y, width, height)
        # "none": SVG then embeds the pixels as they are; any other choice would resample them to 72 dpi.
        axes.imshow(
            np.asarray(picture.convert("RGB")),
            aspect="auto",
            interpolation="none" if size is None else "antialiased",
        )

    def text(self, x: float, y: float, words: str, size: float, **style) -> None:
        """Lines of `size` points that start at the top `y`; each stands on a line of its own reckoning."""
        for number, line in enumerate(words.split("\n")):
            baseline = y + (0.95 + number * _LINE) * size / 72
            # parse_math=False: a price in dollars in a title is no formula.
            self.figure.text(
                x * DPI / self.pixels[0],
                1 - baseline * DPI / self.pixels[1],
                line,
                fontsize=size,
                family=list(_families()),
                va="baseline",
                parse_math=False,
                color="black",
                **style,
            )

    def bar(self, bar: ColourBar, label: str, x: float, y: float, width: float) -> None:
        axes = self._axes(x, y, round(width * DPI), round(0.09 * DPI))
        axes.imshow(np.asarray(bar.lut, np.uint8)[None], aspect="auto", interpolation="nearest")
        below = y + 0.11
        self.text(x, below, _plain(bar.low), _SMALL)
        self.text(x + width, below, _plain(bar.high), _SMALL, ha="right")
        for place, words in bar.marks:
            self.text(x + place * width, below, _plain(words), _SMALL, ha="center")
        self.text(x, below + _SMALL * _LINE / 72, label, _SMALL)


@cache
def _families() -> tuple[str, ...]:
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return tuple(family for family in _FAMILIES if family in known) or ("sans-serif",)


def _plain(words: str) -> str:
    """One line without control characters: XML has no place for them."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())


def _wrapped(words: str, inches: float, size: float) -> str:
    """`words` in lines that fit, reckoned from DejaVu Sans' average width; East Asian signs are wider."""
    words = _plain(words)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in words)
    em = 0.58 + 0.42 * wide / max(1, len(words))
    return "\n".join(textwrap.wrap(words, max(12, int(inches * 72 / (size * em))))) or " "
