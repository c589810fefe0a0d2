"""Pictures of what was found: a place marked, two pictures side by side with their matching points, similarity in
colours."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from dashboard.views.details import finding
from dashboard.views.details.finding import Query
from ingest.vision.colour_maps import colour_table
from ingest.vision.details.search import Hit
from ingest.vision.geometry import Box, Frame
from ingest.vision.overlay import overlay

ROUND = 0.6  # of a box's sides: how much of its surroundings a crop shows on each side
HEIGHT, GAP, WIDTH = 1280, 48, 2  # pixels of a pair, and of its lines
COLOURS = "inferno"
MARK, SHADE = (255, 196, 0), (0, 0, 0)
MOST = 60  # matching points that are drawn: more hide the pictures
DPI = 300


def surroundings(box: Box) -> Box:
    """A place (x0, y0, x1, y1) with what lies round it; it may reach beyond the picture."""
    x0, y0, x1, y1 = box
    more = ROUND * max(x1 - x0, y1 - y0)
    return x0 - more, y0 - more, x1 + more, y1 + more


def marked(picture: Image.Image, box: Box) -> Image.Image:
    """The picture with a box drawn on it."""
    found = picture.copy()
    draw, width = ImageDraw.Draw(found), max(2, round(max(picture.size) / 200))
    x0, y0, x1, y1 = box
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=SHADE, width=width + 2)
    draw.rectangle((x0, y0, x1, y1), outline=MARK, width=width)
    return found


def pair(query: Query, hit: Hit, other: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture that was searched with and the one of the hit, which is `other`, of an original of this size (width,
    height), side by side: the part and its place marked, matching points joined."""
    here, there = _height(query.picture), _height(other)
    scale_here, scale_there = here.width / query.size[0], there.width / size[0]
    left = marked(here, _scaled(query.edges, scale_here))
    right = marked(there, _scaled(hit.box, scale_there))
    sheet = Image.new("RGB", (left.width + GAP + right.width, HEIGHT), (255, 255, 255))
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + GAP, 0))
    draw, points = ImageDraw.Draw(sheet), finding.joined(query, hit)
    points = points * (scale_here, scale_here, scale_there, scale_there) + (0, 0, left.width + GAP, 0)
    for number in np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(int).tolist():
        ax, ay, bx, by = points[number]
        draw.line((ax, ay, bx, by), fill=MARK, width=WIDTH)
        for x, y in ((ax, ay), (bx, by)):
            draw.ellipse((x - 3 * WIDTH, y - 3 * WIDTH, x + 3 * WIDTH, y + 3 * WIDTH), outline=SHADE, fill=MARK)
    return sheet


def heat(
    picture: Image.Image, cosines: np.ndarray, frame: Frame, size: tuple[int, int], ends: tuple[float, float]
) -> Image.Image:
    """Cosines (rows, cols), NaN for none, over the picture of an original of this size (width, height): the darker, the
    less alike, between the two `ends`."""
    low, high = ends
    shares = np.clip((cosines - low) / max(high - low, 1e-9), 0, 1)
    return overlay(picture, shares, frame, size, colour_table(COLOURS), opacity=0.6)


def for_print(sheet: Image.Image) -> bytes:
    """A PNG at 300 dpi."""
    file = io.BytesIO()
    sheet.save(file, "PNG", dpi=(DPI, DPI))
    return file.getvalue()


def _height(picture: Image.Image) -> Image.Image:
    return picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.LANCZOS)


def _scaled(box: Sequence[float], factor: float) -> Box:
    x0, y0, x1, y1 = (edge * factor for edge in box)
    return x0, y0, x1, y1
