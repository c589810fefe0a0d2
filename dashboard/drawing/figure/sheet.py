"""A sheet of paper with pictures and words on it, in millimetres from its upper left corner, and its files."""

from __future__ import annotations

import base64
import io
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image

from dashboard.drawing.figure import DPI, _families, _plain
from dashboard.drawing.figure.lines import LINE, MM

INCH = 25.4
_FALLBACK = "DejaVu Sans, Verdana, Arial, Helvetica, sans-serif"  # for who opens an SVG file
_LOCK = threading.Lock()  # what fonts a PDF file embeds is a setting of the whole process


@dataclass(frozen=True)
class Words:
    """A line of text: where its baseline stands, its size in points, and whether x is its start, middle or end."""

    x: float
    y: float
    text: str
    points: float
    bold: bool = False
    anchor: str = "start"


@dataclass(frozen=True)
class Bitmap:
    """A picture with its upper left corner and its size in mm. A `photo` may be compressed as photographs are; `name`
    is that of its file, where it has one, and `alt` says what it shows."""

    x: float
    y: float
    width: float
    height: float
    picture: Image.Image
    name: str
    photo: bool = False
    alt: str = ""


@dataclass(frozen=True)
class Area:
    """A rectangle of one grey, 0 black to 1 white."""

    x: float
    y: float
    width: float
    height: float
    grey: float


@dataclass(frozen=True)
class Sheet:
    """`width` and `height` in mm, what is on it, and what it is; bitmaps have `dpi` pixels an inch at most."""

    width: float
    height: float
    items: tuple[Words | Bitmap | Area, ...]
    title: str
    caption: str
    dpi: int = DPI

    @property
    def bitmaps(self) -> list[Bitmap]:
        return [item for item in self.items if isinstance(item, Bitmap)]


def snapped(mm: float, dpi: int) -> float:
    """The nearest place in mm at which a pixel begins, so that no bitmap is resampled."""
    return round(mm * dpi / INCH) * INCH / dpi


def png(sheet: Sheet) -> bytes:
    """The sheet as PNG at its own resolution."""
    return _saved(sheet, "png", _about(sheet, "Description"))


def pdf(sheet: Sheet) -> bytes:
    """The sheet as one page of PDF: its size is the page's, words are words, their fonts embedded, and bitmaps have the
    pixels that the sheet has."""
    import matplotlib

    # TrueType, as publishers ask for.
    with _LOCK, matplotlib.rc_context({"pdf.fonttype": 42, "pdf.compression": 9}):
        return _saved(sheet, "pdf", {**_about(sheet, "Subject"), "Creator": "Bilderatlas"})


def svg(sheet: Sheet) -> bytes:
    """The sheet as SVG with its bitmaps in it: photographs as JPEG, what has edges as PNG."""

    def embedded(bitmap: Bitmap) -> str:
        data, ending = _encoded(bitmap)
        return f"data:image/{'jpeg' if ending == 'jpg' else ending};base64,{base64.b64encode(data).decode()}"

    return _svg(sheet, embedded)


def linked_svg(sheet: Sheet, stem: str) -> bytes:
    """A ZIP file with the same SVG, the bitmaps as files of their own beside it, and the caption as text."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:

        def linked(bitmap: Bitmap) -> str:
            data, ending = _encoded(bitmap)
            name = f"bitmaps/{bitmap.name}.{ending}"
            archive.writestr(f"{stem}/{name}", data, zipfile.ZIP_STORED)
            return name

        archive.writestr(f"{stem}/{stem}.svg", _svg(sheet, linked))
        archive.writestr(f"{stem}/caption.txt", sheet.caption)
    return file.getvalue()


def _about(sheet: Sheet, description: str) -> dict[str, str]:
    return {"Title": _plain(sheet.title), description: _plain(sheet.caption)}


def _saved(sheet: Sheet, kind: str, about: dict[str, str]) -> bytes:
    file = io.BytesIO()
    _drawn(sheet).savefig(file, format=kind, dpi=sheet.dpi, metadata=about)
    return file.getvalue()


def _drawn(sheet: Sheet):
    """As a Figure of matplotlib, without pyplot, so that several sessions can draw at once."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    wide, high = (round(mm * sheet.dpi / INCH) for mm in (sheet.width, sheet.height))
    figure = Figure(figsize=(wide / sheet.dpi, high / sheet.dpi), dpi=sheet.dpi, facecolor="white")
    across, down = INCH * wide / sheet.dpi, INCH * high / sheet.dpi
    for item in sheet.items:
        if isinstance(item, Words):
            figure.text(
                item.x / across,
                1 - item.y / down,
                _plain(item.text),
                fontsize=item.points,
                family=list(_families()),
                weight="bold" if item.bold else "normal",
                ha={"start": "left", "middle": "center", "end": "right"}[item.anchor],
                va="baseline",
                parse_math=False,  # a price in dollars in a title is no formula
                color="black",
            )
            continue
        place = (item.x / across, 1 - (item.y + item.height) / down, item.width / across, item.height / down)
        if isinstance(item, Area):
            shade = Rectangle(
                place[:2], *place[2:], transform=figure.transFigure, facecolor=str(item.grey), linewidth=0
            )
            figure.add_artist(shade)
        else:
            axes = figure.add_axes(place)
            axes.set_axis_off()
            axes.imshow(np.asarray(item.picture.convert("RGB")), aspect="auto", interpolation="none")
    return figure


def _svg(sheet: Sheet, address: Callable[[Bitmap], str]) -> bytes:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{sheet.width:.3f}mm" height="{sheet.height:.3f}mm" '
        f'viewBox="0 0 {sheet.width:.3f} {sheet.height:.3f}" font-family="{_FALLBACK}">',
        f"<title>{escape(_plain(sheet.title))}</title>",
        f"<desc>{escape(_plain(sheet.caption))}</desc>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    lines += [_element(item, address) for item in sheet.items]
    return "\n".join([*lines, "</svg>"]).encode()


def _element(item: Words | Bitmap | Area, address: Callable[[Bitmap], str]) -> str:
    if isinstance(item, Words):
        weight = ' font-weight="bold"' if item.bold else ""
        style = f'font-size="{item.points * MM:.3f}" text-anchor="{item.anchor}"{weight}'
        return f'<text x="{item.x:.3f}" y="{item.y:.3f}" {style}>{escape(_plain(item.text))}</text>'
    box = f'x="{item.x:.3f}" y="{item.y:.3f}" width="{item.width:.3f}" height="{item.height:.3f}"'
    if isinstance(item, Area):
        shade = f"{round(255 * item.grey):02x}"
        return f'<rect {box} fill="#{3 * shade}"/>'
    href = quoteattr(address(item))
    title = f"<title>{escape(_plain(item.alt))}</title>" if item.alt else ""
    # xlink: Word and older versions of Illustrator know no other.
    return f'<image {box} preserveAspectRatio="none" xlink:href={href}>{title}</image>'


def _encoded(bitmap: Bitmap) -> tuple[bytes, str]:
    file, picture = io.BytesIO(), bitmap.picture.convert("RGB")
    if bitmap.photo:
        picture.save(file, "JPEG", quality=92, subsampling=0)
    else:
        picture.save(file, "PNG")
    return file.getvalue(), "jpg" if bitmap.photo else "png"


def text_block(x: float, top: float, lines: list[str], points: float, bold: bool = False, anchor: str = "start"):
    """Lines one below the other as items, the first below `top`."""
    step = points * LINE * MM
    return [
        Words(x, top + number * step + 0.95 * points * MM, line, points, bold, anchor)
        for number, line in enumerate(lines)
    ]
