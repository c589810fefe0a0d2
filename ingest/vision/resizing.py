"""A picture's pixels, and smaller copies of them.

Pillow's and torch's antialiased filters give the same pixels, to a grey level or two: both widen the filter by the
scale, first across, then down, in whole numbers. Torch's is five to eight times as quick.
"""

from __future__ import annotations

import math
import warnings
from functools import cached_property

import numpy as np
from PIL import Image

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
BY_TORCH = ("bilinear", "bicubic")
_LONGEST_REACH = 3  # pixels of the smaller grid to either side: Lanczos
_LARGER = 8  # times the part that is wanted: up to there the whole is resized for it
# Beyond these a second copy of the pixels costs more memory than the time it saves is worth.
MOST_COPIED = 60_000_000

# Pillow's pixels are handed over as they lie, and are read alone.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


class Pixels:
    """A picture in RGB, from Pillow or as an array uint8 (height, width, 3), each made of the other where it is needed,
    once."""

    def __init__(self, picture: Image.Image | np.ndarray) -> None:
        if isinstance(picture, Image.Image):
            self.width, self.height = picture.size
        else:
            self.height, self.width = picture.shape[:2]
            picture = np.ascontiguousarray(picture)
        self._picture = picture

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @cached_property
    def array(self) -> np.ndarray:
        """uint8 (height, width, 3)"""
        if isinstance(self._picture, np.ndarray):
            return self._picture
        return np.asarray(self.image)

    @cached_property
    def image(self) -> Image.Image:
        """Of mode RGB."""
        if isinstance(self._picture, np.ndarray):
            return Image.fromarray(self._picture)
        return self._picture if self._picture.mode == "RGB" else self._picture.convert("RGB")

    def resized(self, width: int, height: int, interpolation: str = "bicubic") -> np.ndarray:
        """uint8 (height, width, 3), by one of RESAMPLING."""
        if (width, height) == self.size:
            return self.array
        if interpolation not in BY_TORCH or self.width * self.height > MOST_COPIED:
            return np.asarray(self.image.resize((width, height), RESAMPLING[interpolation]))
        import torch  # here: who only looks at pictures that are small already waits for nothing

        planes = torch.from_numpy(self.array).permute(2, 0, 1)[None]
        small = torch.nn.functional.interpolate(planes, size=(height, width), mode=interpolation, antialias=True)
        return small[0].permute(1, 2, 0).numpy()

    def part(self, width: int, height: int, box: tuple[int, int, int, int], interpolation: str) -> np.ndarray:
        """The pixels within a box of whole pixels (left, top, right, bottom) of the picture resized to `width` ×
        `height`."""
        left, top, right, bottom = box
        cols, rows = right - left, bottom - top
        if width * height <= _LARGER * cols * rows:
            return self.resized(width, height, interpolation)[top:bottom, left:right]
        x0, x1 = left * self.width / width, right * self.width / width
        y0, y1 = top * self.height / height, bottom * self.height / height
        # Only the part that is wanted is resized, and the filter still reaches over the cut, as if all had been.
        # First across, then down, as Pillow does for a whole picture: for a box it may choose the other order, and
        # rounding in between then differs by some grey levels.
        image, resample = self.image, RESAMPLING[interpolation]
        reach = math.ceil(_LONGEST_REACH * max(1, self.height / height)) + 1
        first, last = max(0, int(y0) - reach), min(self.height, math.ceil(y1) + reach)
        band = image.crop((0, first, self.width, last)) if (first, last) != (0, self.height) else image
        across = band.resize((cols, band.height), resample, box=(x0, 0, x1, band.height))
        return np.asarray(across.resize((cols, rows), resample, box=(0, y0 - first, cols, y1 - first)))
