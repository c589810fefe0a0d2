"""Parts of a collection's own pictures, changed as copies and photographs change them: to measure a search with."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from ingest.vision.geometry import Box

SIDES = (0.08, 0.25)  # of the picture's
RESCALED = (0.7, 1.4)
TURNED = 5.0  # degrees to either side
QUALITY = 60  # of the JPEG
LEAST = 16  # pixels of a side


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of the picture at `place` in a sequence, its `box` (x0, y0, x1, y1) there in pixels, as it looks after
    the `change`."""

    place: int
    box: Box
    picture: Image.Image
    change: str


def _tinted(picture: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.grayscale(picture), (40, 20, 0), (255, 235, 190))


def _edges(picture: Image.Image) -> Image.Image:
    return ImageOps.invert(ImageOps.grayscale(picture).filter(ImageFilter.FIND_EDGES)).convert("RGB")


Change = Callable[[Image.Image], Image.Image]
# What keeps the drawing of a picture and changes its colours or its sharpness.
DEGRADED: dict[str, Change] = {
    "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
    "tinted": _tinted,
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 60)),
}
# What leaves few of its pixels as they were.
REDRAWN: dict[str, Change] = {
    "edges": _edges,
    "posterised": lambda picture: ImageOps.posterize(picture, 1),
    "median": lambda picture: picture.filter(ImageFilter.MedianFilter(2 * (max(picture.size) // 50) + 3)),
    "mirrored": ImageOps.mirror,
}


def random_crops(
    pictures: Sequence[Image.Image], count: int, changes: dict[str, Change], seed: int = 0, every: int = 2
) -> list[Crop]:
    """So many crops of random pictures, sizes and places: turned, rescaled, and saved as JPEG; every `every`-th is
    changed too, by each of the `changes` in turn. The same seed gives the same crops."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        place = int(random.integers(len(pictures)))
        picture = pictures[place]
        shares, corner = random.uniform(*SIDES, size=2), random.uniform(size=2)
        turn, scale = random.uniform(-TURNED, TURNED), random.uniform(*RESCALED)
        width, height = (
            min(side, max(LEAST, round(side * share))) for side, share in zip(picture.size, shares, strict=True)
        )
        x, y = (int(at * (side - own)) for at, side, own in zip(corner, picture.size, (width, height), strict=True))
        box = (x, y, x + width, y + height)
        kinds = list(changes)
        change = kinds[number // every % len(kinds)] if kinds and number % every == every - 1 else "plain"
        cut = _turned(picture, box, turn).resize(
            (max(8, round(width * scale)), max(8, round(height * scale))), Image.Resampling.BICUBIC
        )
        found.append(Crop(place, box, _saved(changes[change](cut) if change != "plain" else cut), change))
    return found


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def _turned(picture: Image.Image, box: tuple[int, int, int, int], degrees: float) -> Image.Image:
    """What lies in the box when the picture is turned round the box's middle."""
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return picture.rotate(degrees, Image.Resampling.BICUBIC, center=middle).crop(box)


def _saved(picture: Image.Image) -> Image.Image:
    """The picture after it was saved as JPEG."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=QUALITY)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
