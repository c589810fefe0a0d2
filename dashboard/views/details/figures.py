"""Pictures of what was found: a place in its surroundings, and two pictures side by side with their matching points."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from dashboard.drawing.panels import fitted
from dashboard.views.details.finding import Query
from ingest.vision.colour_maps import colour_table
from ingest.vision.details.search import Hit
from ingest.vision.geometry import Box, Frame
from ingest.vision.overlay import overlay

ROUND = 0.6  # of a box's sides: how much of its surroundings a crop shows on each side
HEIGHT, GAP = 640, 24  # pixels of a pair
MARK, SHADE = (255, 196, 0), (0, 0, 0)
MOST = 60  # matching points that are drawn: more hide the pictures
DPI = 300


def in_context(picture: Image.Image, box: Box, side: int) -> Image.Image:
    """A place (x0, y0, x1, y1) in pixels of a picture, marked, with what lies round it."""
    x0, y0, x1, y1 = box
    more = ROUND * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - more)), max(0, int(y0 - more))
    right, bottom = min(picture.width, round(x1 + more)), min(picture.height, round(y1 + more))
    cut = picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
    shown = fitted(cut, side, enlarge=True)
    scale = shown.width / cut.width
    return marked(shown, ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale))


def marked(picture: Image.Image, box: Box) -> Image.Image:
    """The picture with a box drawn on it."""
    found = picture.copy()
    draw, width = ImageDraw.Draw(found), max(2, round(max(picture.size) / 200))
    x0, y0, x1, y1 = box
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=SHADE, width=width + 2)
    draw.rectangle((x0, y0, x1, y1), outline=MARK, width=width)
    return found


def pair(query: Query, hit: Hit, other: Image.Image, original_width: int) -> Image.Image:
    """The picture that was searched with and the one of the hit, which is `other` as it is kept, side by side: the part
    and its place marked, matching points joined."""
    own = query.picture
    here, there = _height(own), _height(other)
    scale_here, scale_there = here.width / own.width, there.width / original_width
    part = _part_box(query, own)
    left = marked(here, _scaled(part, scale_here))
    right = marked(there, _scaled(hit.box, scale_there))
    sheet = Image.new("RGB", (left.width + GAP + right.width, HEIGHT), (255, 255, 255))
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + GAP, 0))
    if hit.agreement is not None:
        draw = ImageDraw.Draw(sheet)
        starts = hit.agreement.here.copy()
        if hit.mirrored:  # its points lie in the mirror image of the part
            starts[:, 0] = (part[2] - part[0]) - starts[:, 0]
        starts = (starts + part[:2]) * scale_here
        ends = hit.agreement.there * scale_there + (left.width + GAP, 0)
        for number in np.linspace(0, len(starts) - 1, min(MOST, len(starts))).astype(int).tolist():
            (ax, ay), (bx, by) = starts[number], ends[number]
            draw.line((ax, ay, bx, by), fill=MARK, width=1)
            for x, y in ((ax, ay), (bx, by)):
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=SHADE, fill=MARK)
    return sheet


def heat(picture: Image.Image, cosines: np.ndarray, frame: Frame, size: tuple[int, int]) -> Image.Image:
    """Cosines (rows, cols), NaN for none, over the picture of an original of this size (width, height): the darker, the
    less alike, between the least and the greatest of them."""
    finite = np.isfinite(cosines)
    low, high = (float(end(cosines[finite])) for end in (np.min, np.max)) if finite.any() else (0.0, 0.0)
    shares = (cosines - low) / max(high - low, 1e-9)
    return overlay(fitted(picture, HEIGHT), shares, frame, size, colour_table("inferno"), opacity=0.6)


def for_print(sheet: Image.Image) -> bytes:
    """A PNG at 300 dpi."""
    file = io.BytesIO()
    sheet.save(file, "PNG", dpi=(DPI, DPI))
    return file.getvalue()


def _part_box(query: Query, own: Image.Image) -> Box:
    """The part in pixels of its picture, as it was cut."""
    if query.box is None:
        return 0.0, 0.0, float(own.width), float(own.height)
    x0, y0, _, _ = query.box
    left, top = min(int(x0 * own.width), own.width - 1), min(int(y0 * own.height), own.height - 1)
    part = query.part
    return float(left), float(top), float(left + part.width), float(top + part.height)


def _height(picture: Image.Image) -> Image.Image:
    return picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.LANCZOS)


def _scaled(box: Box, factor: float) -> Box:
    x0, y0, x1, y1 = (edge * factor for edge in box)
    return x0, y0, x1, y1
