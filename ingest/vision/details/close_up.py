"""Details that are too small for the key points of a whole picture, which is reduced to SIDE pixels for these: they are
looked for in windows of a large original, in the order in which similar patches speak for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor, log2

import numpy as np

from ingest.vision.details.verification import SIDE, Agreement, KeyPoints, agreement
from ingest.vision.geometry import Frame
from ingest.vision.windows.scan import PixelBox

SEARCHED = 32  # windows of one search: each takes as long as the key points of a picture
PART = 80  # pixels of a part's long side in a window, at least: a smaller one has few key points
OVERLAP = (
    224  # pixels of two windows: what is PART to twice PART wide lies in one of them whole, up to 1.4 times as large
)
POINTS = 8000  # of a window, at most

# The key points of a part (left, top, right, bottom) of an image's original, read at a size (width, height), in pixels
# of that; POINTS at most. None where no original is at hand.
WindowPoints = Callable[[int, PixelBox, tuple[int, int]], KeyPoints | None]


class CloseUps:
    """Looks closer at the pictures of one search, in SEARCHED windows at most; none holds more than SIDE² pixels,
    whatever the size of the original. `points` gives their key points."""

    def __init__(self, points: WindowPoints) -> None:
        self.points = points
        self.remaining = SEARCHED

    def find(
        self,
        image_id: int,
        size: tuple[float, float],
        part: tuple[int, int],
        here: KeyPoints,
        cosines: np.ndarray,
        frame: Frame,
    ) -> Agreement | None:
        """The place in an image's original of this size (width, height) on which key points agree with those `here` of
        a part (width, height), in pixels of the original; None where no window shows one. Windows in which `cosines`
        (part's patches, rows * cols) of the picture's patches, of its `frame`, are great come first."""
        factor = reduction(size, part)
        if factor is None:
            return None
        for window in in_order(windows(size, factor), cosines, frame):
            if not self.remaining:
                return None
            self.remaining -= 1
            left, top, right, bottom = window
            there = self.points(image_id, window, (ceil((right - left) / factor), ceil((bottom - top) / factor)))
            if there is None:
                return None
            found = agreement(here, there)
            if found is not None:
                scale = (right - left) / there.size[0]
                matrix = found.matrix * scale
                matrix[:, 2] += (left, top)
                return replace(found, there=found.there * scale + (left, top), matrix=matrix)
        return None


def reduction(size: tuple[float, float], part: tuple[int, int]) -> int | None:
    """How many times smaller the windows of a picture of this size are read when a part is looked for: a power of 2,
    so that windows serve other parts too. None where the whole picture, at SIDE pixels, shows as much."""
    factor = 2 ** max(0, floor(log2(max(part) / PART)))
    return factor if factor < max(size) / SIDE else None


def windows(size: tuple[float, float], factor: int) -> list[PixelBox]:
    """Windows that cover a picture of this size (width, height): SIDE pixels wide and high when they are read so many
    times smaller, or as large as the picture; neighbours share OVERLAP pixels or more."""
    return [
        (left, top, right, bottom)
        for top, bottom in _spans(int(size[1]), SIDE * factor, OVERLAP * factor)
        for left, right in _spans(int(size[0]), SIDE * factor, OVERLAP * factor)
    ]


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(0, length)]
    count = ceil((length - overlap) / (side - overlap))
    starts = (round(number * (length - side) / (count - 1)) for number in range(count))
    return [(start, start + side) for start in starts]


def in_order(found: list[PixelBox], cosines: np.ndarray, frame: Frame) -> list[PixelBox]:
    """Windows by the patch in each that is most similar to the part as a whole, the mean of `cosines` (part's patches,
    rows * cols); those of one patch from the top."""
    means = cosines.mean(axis=0).reshape(frame.rows, frame.cols)
    x = frame.x0 + (np.arange(frame.cols) + 0.5) * (frame.x1 - frame.x0) / frame.cols
    y = frame.y0 + (np.arange(frame.rows) + 0.5) * (frame.y1 - frame.y0) / frame.rows

    def best(window: PixelBox) -> float:
        left, top, right, bottom = window
        # The nearest patch at least: a window may be smaller than one.
        columns = (x >= left) & (x < right) | (abs(x - (left + right) / 2) == abs(x - (left + right) / 2).min())
        rows = (y >= top) & (y < bottom) | (abs(y - (top + bottom) / 2) == abs(y - (top + bottom) / 2).min())
        return float(means[np.ix_(rows, columns)].max())

    return sorted(found, key=best, reverse=True)
