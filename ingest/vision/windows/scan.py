"""A picture at several resolutions, of which parts are read: the common part of all formats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from PIL import Image

from ingest.vision.bad_image import BadImage
from ingest.vision.opening import UPRIGHT, readable_errors

BAND = 4_000_000  # pixels that are read, coloured and made smaller at once
OVERVIEW = 8_000_000  # pixels of a small copy that is made of a picture which has none
FAR = 32_000_000  # pixels from which a part is rather read from that copy

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom in pixels

# What leads from an upright place to one of the file: whether x and y change places, then which of them are counted
# from the other side.
_WAY_BACK = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True)
class Level:
    """The picture at one resolution, as it lies in the file: (width, height), and `part`, which returns a box within it
    in RGB, each side so many times smaller."""

    size: tuple[int, int]
    part: Callable[[PixelBox, int], Image.Image]


class Scan:
    """An open picture. Any thread may read; they take turns.

    `size` is the upright picture's (width, height) in pixels. The file is closed when nobody holds the scan any more.
    """

    def __init__(self, levels: Sequence[Level], orientation: int = 1):
        self._levels = list(levels)
        self._orientation = orientation if orientation in UPRIGHT else 1
        self._lock = threading.Lock()
        width, height = self._levels[0].size
        self.size = (height, width) if _WAY_BACK[self._orientation][0] else (width, height)
        self.bytes = 0  # of pixels that it holds

    def read(self, box: PixelBox, size: tuple[int, int]) -> Image.Image:
        """The part `box` (left, top, right, bottom in upright pixels) in RGB at `size` (width, height).

        ValueError for a box that does not lie in the picture, BadImage where the file is damaged.
        """
        left, top, right, bottom = box
        if not (0 <= left < right <= self.size[0] and 0 <= top < bottom <= self.size[1] and min(size) > 0):
            raise ValueError(f"no part of a picture of {self.size[0]} × {self.size[1]} pixels: {box} at {size}")
        swapped = _WAY_BACK[self._orientation][0]
        with self._lock, readable_errors():
            part = self._part(self._in_file(box), (size[1], size[0]) if swapped else size)
        turn = UPRIGHT.get(self._orientation)
        return part if turn is None else part.transpose(turn)

    def _in_file(self, box: PixelBox) -> PixelBox:
        swap, from_right, from_bottom = _WAY_BACK[self._orientation]
        width, height = self._levels[0].size
        left, top, right, bottom = (box[1], box[0], box[3], box[2]) if swap else box
        if from_right:
            left, right = width - right, width - left
        if from_bottom:
            top, bottom = height - bottom, height - top
        return left, top, right, bottom

    def _part(self, box: PixelBox, size: tuple[int, int]) -> Image.Image:
        level = self._level(box, size)
        across, down = (own / full for own, full in zip(level.size, self._levels[0].size, strict=True))
        exact = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        left, top = min(floor(exact[0] + 1e-6), level.size[0] - 1), min(floor(exact[1] + 1e-6), level.size[1] - 1)
        right = min(max(ceil(exact[2] - 1e-6), left + 1), level.size[0])
        bottom = min(max(ceil(exact[3] - 1e-6), top + 1), level.size[1])
        factor = max(1, min((right - left) // size[0], (bottom - top) // size[1]))
        small = level.part((left, top, right, bottom), factor)
        if small.size == size:
            return small
        x0, x1 = (min(max((edge - left) / factor, 0.0), small.width) for edge in exact[::2])
        y0, y1 = (min(max((edge - top) / factor, 0.0), small.height) for edge in exact[1::2])
        return small.resize(size, Image.Resampling.BICUBIC, box=(x0, y0, x1, y1))

    def _level(self, box: PixelBox, size: tuple[int, int]) -> Level:
        """The smallest resolution that has the detail asked for."""
        scale = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        found = self._fitting(scale)
        shrunk = found.size[0] / self._levels[0].size[0]
        if (box[2] - box[0]) * (box[3] - box[1]) * shrunk**2 > FAR and scale * shrunk >= self._factor(found):
            self._levels.append(self._overview(found))
            found = self._fitting(scale)
        return found

    def _fitting(self, scale: float) -> Level:
        width = self._levels[0].size[0]
        fine = [level for level in self._levels if level.size[0] * scale >= width * 0.99]
        return min(fine or self._levels[:1], key=lambda level: level.size[0])

    def _factor(self, level: Level) -> int:
        return ceil((level.size[0] * level.size[1] / OVERVIEW) ** 0.5)

    def _overview(self, level: Level) -> Level:
        """A small copy of a level, kept: to make one takes long."""
        made = picture_level(level.part((0, 0, *level.size), self._factor(level)))
        self.bytes += 3 * made.size[0] * made.size[1]
        return made


class ScanPart(Scan):
    """A part of an open picture, (left, top, right, bottom) in its upright pixels, as a picture of its own."""

    def __init__(self, scan: Scan, box: PixelBox):
        self._scan, self._box = scan, box
        self.size = (box[2] - box[0], box[3] - box[1])
        self.bytes = scan.bytes

    def read(self, box: PixelBox, size: tuple[int, int]) -> Image.Image:
        left, top, right, bottom = box
        if not (0 <= left < right <= self.size[0] and 0 <= top < bottom <= self.size[1]):
            raise ValueError(f"no part of a picture of {self.size[0]} × {self.size[1]} pixels: {box}")
        across, down = self._box[:2]
        part = self._scan.read((left + across, top + down, right + across, bottom + down), size)
        self.bytes = self._scan.bytes
        return part


def whole(image: Image.Image) -> Scan:
    """A decoded upright RGB picture as a scan."""
    scan = Scan([picture_level(image)])
    scan.bytes = 3 * image.width * image.height
    return scan


def picture_level(image: Image.Image) -> Level:
    """An RGB picture in memory as a level."""
    return Level(image.size, lambda box, factor: image.crop(box) if factor == 1 else image.reduce(factor, box))


def file_level(
    size: tuple[int, int],
    rows: int,
    read: Callable[[PixelBox], np.ndarray],
    coloured: Callable[[np.ndarray], Image.Image],
) -> Level:
    """A level in a file that packs so many `rows` together: `read` returns the numbers (rows, cols, channels) of a box,
    `coloured` makes an RGB picture of them."""

    def part(box: PixelBox, factor: int) -> Image.Image:
        left, top, right, bottom = box
        if factor == 1 and (right - left) * (bottom - top) <= 4 * BAND:
            return coloured(read(box))
        out = Image.new("RGB", (ceil((right - left) / factor), ceil((bottom - top) / factor)))
        waiting, row = np.empty(0), 0
        for start, end in _bands(rows, top, bottom, right - left):
            numbers = read((left, start, right, end))
            numbers = np.concatenate([waiting, numbers]) if len(waiting) else numbers
            ready = len(numbers) if end == bottom else len(numbers) // factor * factor
            waiting = numbers[ready:]
            if ready:
                small = coloured(numbers[:ready]).reduce(factor)
                out.paste(small, (0, row))
                row += small.height
        return out

    return Level(size, part)


def _bands(rows: int, top: int, bottom: int, width: int) -> Iterator[tuple[int, int]]:
    """From top to bottom in steps of at most BAND pixels if the file allows it, cut where the file's own parts end."""
    step = rows * max(1, BAND // (rows * width))
    start = top
    while start < bottom:
        end = min(bottom, (start // step + 1) * step)
        yield start, end
        start = end


def same_shape(small: tuple[int, int], large: tuple[int, int]) -> bool:
    """Whether a picture may be a smaller copy of the whole of another: its sides are as long to each other, but for
    rounding."""
    factor = large[0] / small[0]
    return factor > 1 and abs(small[1] - large[1] / factor) <= 1 + small[1] / small[0]


def check(fits: bool, what: str) -> None:
    """BadImage for what cannot be read in parts."""
    if not fits:
        raise BadImage(f"This picture cannot be read in parts: {what}.")
