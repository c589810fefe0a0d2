"""What an address of the Image API asks for: region, size, rotation, quality and format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor

from ingest.vision.windows.scan import PixelBox

MAX_AREA = 16_777_216  # pixels of a picture that is sent
MAX_SIDE = 16_384  # pixels
QUALITIES = ("default", "color", "gray", "bitonal")
FORMATS = {"jpg": "image/jpeg", "png": "image/png"}

_NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})"
_PERCENT = re.compile(rf"pct:({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")
_PIXELS = re.compile(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})")
_SIZE = re.compile(r"(!?)([0-9]{0,9}),([0-9]{0,9})")
_SCALE = re.compile(rf"pct:({_NUMBER})")
_ROTATION = re.compile(rf"(!?)({_NUMBER})")

Size = tuple[int, int]


class ImageError(Exception):
    """A picture that is not to be had: the `status` of HTTP, and a sentence that says why."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Parameters:
    """A part of a picture, `box` (left, top, right, bottom in pixels), at `size` (width, height), then mirrored, then
    turned clockwise by `degrees`; with the `canonical` words for it, REGION/SIZE/ROTATION/QUALITY.FORMAT."""

    box: PixelBox
    size: Size
    mirrored: bool
    degrees: int
    quality: str
    format: str
    canonical: str


def parse(region: str, size: str, rotation: str, last: str, whole: Size) -> Parameters:
    """The parameters of an address for a picture of `whole` (width, height) pixels; `last` is quality.format.

    ImageError 400 for what the Image API does not know or forbids, 501 for angles that are no multiple of 90.
    """
    box = _region(region, whole)
    extent = (box[2] - box[0], box[3] - box[1])
    scaled = _size(size, extent)
    mirrored, degrees = _rotation(rotation)
    quality, _, ending = last.rpartition(".")
    if quality not in QUALITIES:
        raise ImageError(400, f"The quality is one of {', '.join(QUALITIES)}.")
    if ending not in FORMATS:
        raise ImageError(400, f"The format is one of {', '.join(FORMATS)}.")
    words = (
        "full" if box == (0, 0, *whole) else ",".join(map(str, (*box[:2], *extent))),
        _canonical_size(scaled, extent),
        f"{'!' * mirrored}{degrees}",
        f"{'default' if quality == 'color' else quality}.{ending}",
    )
    return Parameters(box, scaled, mirrored, degrees, quality, ending, "/".join(words))


def largest(extent: Size) -> Size:
    """The size at which a part of this extent is sent at most: its own, within the limits."""
    return _scaled(extent, min(1.0, _limit(extent)))


def fits(size: Size) -> bool:
    """Whether a picture of this size is sent."""
    return max(size) <= MAX_SIDE and size[0] * size[1] <= MAX_AREA


def _limit(extent: Size) -> float:
    """By how much a part may be enlarged."""
    width, height = extent
    scale = min(MAX_SIDE / max(extent), (MAX_AREA / (width * height)) ** 0.5)
    # Rounded down where rounding up would lead beyond the limit.
    return scale if fits(_scaled(extent, scale)) else min(floor(width * scale) / width, floor(height * scale) / height)


def _scaled(extent: Size, scale: float) -> Size:
    return max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale))


def _canonical_size(size: Size, extent: Size) -> str:
    if size == largest(extent):
        return "max"
    larger = size[0] > extent[0] or size[1] > extent[1]
    return f"{'^' * larger}{size[0]},{size[1]}"


def _region(text: str, whole: Size) -> PixelBox:
    width, height = whole
    if text == "full":
        return 0, 0, width, height
    if text == "square":
        side = min(whole)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
    if match := _PERCENT.fullmatch(text):
        x, y, w, h = (float(each) / 100 for each in match.groups())
        edges = (x * width, y * height, (x + w) * width, (y + h) * height)
        left, top, right, bottom = (round(edge) for edge in edges)
        right, bottom = max(right, left + ceil(min(w, 1))), max(bottom, top + ceil(min(h, 1)))
    elif match := _PIXELS.fullmatch(text):
        left, top, w, h = map(int, match.groups())
        right, bottom = left + w, top + h
    else:
        raise ImageError(400, "The region is full, square, x,y,w,h or pct:x,y,w,h.")
    right, bottom = min(right, width), min(bottom, height)
    if right <= left or bottom <= top:
        raise ImageError(400, f"The region {text} holds nothing of the picture of {width} × {height} pixels.")
    return left, top, right, bottom


def _size(text: str, extent: Size) -> Size:
    upwards, words = text.startswith("^"), text.removeprefix("^")
    if words == "max":
        return _scaled(extent, _limit(extent)) if upwards else largest(extent)
    found = _asked_size(words, extent, upwards)
    if not upwards and (found[0] > extent[0] or found[1] > extent[1]):
        region = f"{extent[0]} × {extent[1]} pixels"
        raise ImageError(400, f"The size {text} is larger than the region of {region}: write ^{text} to enlarge it.")
    if not fits(found):
        raise ImageError(400, f"The size {text} is larger than the {MAX_AREA:,} pixels that are sent at once.")
    return found


def _asked_size(words: str, extent: Size, upwards: bool) -> Size:
    width, height = extent
    if match := _SCALE.fullmatch(words):
        if float(match[1]) > 0:
            return _scaled(extent, float(match[1]) / 100)
    elif match := _SIZE.fullmatch(words):
        within, w, h = match[1], int(match[2] or 0), int(match[3] or 0)
        if within and w and h:
            scale = min(w / width, h / height, _limit(extent))
            return _scaled(extent, scale if upwards else min(scale, 1.0))
        if not within and (w or h) and "0" not in (match[2], match[3]):
            return w or max(1, round(width * h / height)), h or max(1, round(height * w / width))
    raise ImageError(400, "The size is max, w,h, w, with a comma, ,h, !w,h or pct:n, each perhaps after ^.")


def _rotation(text: str) -> tuple[bool, int]:
    match = _ROTATION.fullmatch(text)
    if not match or not 0 <= float(match[2]) <= 360:
        raise ImageError(400, "The rotation is a number from 0 to 360, after ! mirrored.")
    degrees = float(match[2])
    if degrees % 90:
        raise ImageError(501, "Pictures are turned by 0, 90, 180 or 270 degrees only.")
    return bool(match[1]), int(degrees) % 360
