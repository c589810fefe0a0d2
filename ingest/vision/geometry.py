"""Which pixels of a picture a network sees, and where each of its patches lies in the upright original.

Coordinates are in pixels, x to the right and y down; a pixel is a unit square, so that the picture spans
0..width and 0..height and the centre of its first pixel is at (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np
from PIL import Image

from ingest.vision.preprocessing import Placement, Preprocessing
from ingest.vision.resizing import RESAMPLING, Pixels

FITS = {
    "model": "what the network's own processor does, whichever way that is",
    "crop": "the short side resized, the centre cut out as a square",
    "stretch": "the whole picture squeezed into the square",
    "pad": "the whole picture, centred on a ground of the mean colour",
    "aspect": "the whole picture in its own shape, cut into as many patches at most as the square has",
}
SQUARE_FITS = ("crop", "stretch", "pad")
MOST = 16  # times as many patches as the square has: more are refused, since attention grows with their square

Box = tuple[float, float, float, float]


class Unfit(ValueError):
    """A picture that cannot be fitted to a network's input so; the message says why, and what to type instead."""


@dataclass(frozen=True)
class InputRule:
    """How a backbone wants its input.

    A square of `size` pixels, with the fit `crop` cut from the centre of a picture whose short side was resized to
    `resize` pixels; `interpolation` is the filter of all resizing. Values of 0..255 are multiplied by `rescale`, then
    `mean` is subtracted and divided by `std`, each of three channels. Patches of `patch` pixels. `own` is what the
    network's processor does with the shape, None where that is `crop`. ValueError for sizes that do not go together.
    """

    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    _: KW_ONLY
    patch: int
    interpolation: str = "bicubic"
    rescale: float = 1 / 255
    own: Preprocessing | None = None

    def __post_init__(self) -> None:
        if self.patch < 1 or self.size < self.patch:
            raise ValueError(f"a square of {self.size} pixels cannot hold a patch of {self.patch} pixels")
        if self.resize < self.size:
            raise ValueError(
                f"a centre of {self.size} pixels cannot be cut from a short side of {self.resize} pixels: "
                "resize must be at least size"
            )
        if self.interpolation not in RESAMPLING:
            raise ValueError(f"interpolation is one of {', '.join(RESAMPLING)}, not {self.interpolation!r}")

    @property
    def preprocessing(self) -> Preprocessing:
        """What the network's own processor does with the shape of a picture."""
        return self.own or Preprocessing("short", self.resize, crop=(self.size, self.size))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in whole patches of the input that the network's own processor makes: the square where each
        picture has a shape of its own."""
        height, width = self.preprocessing.output or (self.size, self.size)
        return max(1, height // self.patch) * self.patch, max(1, width // self.patch) * self.patch

    @property
    def ground(self) -> list[int]:
        """The colour (red, green, blue) in 0..255 that is 0 after normalisation."""
        return [min(255, max(0, round(channel / self.rescale))) for channel in self.mean]

    def varies(self, fit: str) -> bool:
        """Whether pictures fitted so have inputs of several shapes."""
        return fit == "aspect" or (fit == "model" and self.preprocessing.output is None)


@dataclass(frozen=True)
class Frame:
    """The rectangle of the upright original that the network saw, and its grid: edges in pixels, as floats.

    With fit `pad` the rectangle reaches beyond the picture: edges can be negative or larger than its sides.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    rows: int
    cols: int

    def cell_box(self, row: int, col: int) -> Box:
        """(x0, y0, x1, y1) of one patch, in pixels of the original. IndexError outside the grid."""
        if not (0 <= row < self.rows and 0 <= col < self.cols):
            raise IndexError(f"cell ({row}, {col}) lies outside the grid of {self.rows} × {self.cols}")
        xs, ys = self.column_edges(), self.row_edges()
        return float(xs[col]), float(ys[row]), float(xs[col + 1]), float(ys[row + 1])

    def picture_cells(self, width: float, height: float) -> np.ndarray:
        """bool (rows, cols): patches centred in a picture of `width` × `height`; the rest is padding.

        A picture thinner than a patch may hold no centre at all: the nearest row or column of patches stands
        in, so that at least one patch always counts.
        """
        return np.outer(_inside(self.row_edges(), height), _inside(self.column_edges(), width))

    def column_edges(self) -> np.ndarray:
        """x of the cols + 1 vertical grid lines, float64."""
        return np.linspace(self.x0, self.x1, self.cols + 1)

    def row_edges(self) -> np.ndarray:
        """y of the rows + 1 horizontal grid lines, float64."""
        return np.linspace(self.y0, self.y1, self.rows + 1)


def _inside(edges: np.ndarray, length: float) -> np.ndarray:
    centres = (edges[:-1] + edges[1:]) / 2
    inside = (centres >= 0) & (centres < length)
    if not inside.any():
        inside[np.abs(centres - length / 2).argmin()] = True
    return inside


def fit_image(
    image: Image.Image | Pixels,
    rule: InputRule,
    fit: str = "crop",
    size: int | None = None,
    original: tuple[int, int] | None = None,
) -> tuple[np.ndarray, Frame]:
    """The network's input, uint8 (side, side, 3), not yet normalised, and the Frame that it shows.

    `size` replaces the rule's side (a multiple of the patch); the short side of `crop` grows in proportion.
    Where the rule's own side is no multiple of the patch, the last pixels are in no patch, and not in the Frame either.
    With `model` the input is what the network's own processor makes, as far as it is of whole patches; `size` then
    changes its sides in proportion. With `aspect` the input is (rows * patch, cols * patch, 3) for the `aspect_grid` of
    the picture, and the Frame is the picture itself. Where pictures have grids of their own and the picture is a
    smaller copy, the width and height of the `original` make sure that both have the same. ValueError if `fit` is
    unknown or `size` does not suit the patch; Unfit for a picture that its network cannot take so.
    """
    side, short = square(rule, size)
    image = image if isinstance(image, Pixels) else Pixels(image)
    if fit == "aspect":
        rows, cols = aspect_grid(*(original or image.size), (side // rule.patch) ** 2)
        whole = image.resized(cols * rule.patch, rows * rule.patch, rule.interpolation)
        return whole, Frame(0.0, 0.0, float(image.width), float(image.height), rows, cols)
    if fit == "model":
        return _as_processed(image, rule, side, original or image.size)
    place = {"crop": _crop, "stretch": _stretch, "pad": _pad}.get(fit)
    if place is None:
        raise ValueError(f"fit is one of {', '.join(FITS)}, not {fit!r}")
    array, (left, top), (width, height) = place(image, rule, side, short)
    # A pixel i of the input starts at (left + i) in a picture of width × height, which is a scaled copy of
    # the original. Multiplying before dividing keeps the edges of the picture exact: w · width / width == w.
    cells = side // rule.patch
    seen = cells * rule.patch
    frame = Frame(
        x0=left * image.width / width,
        y0=top * image.height / height,
        x1=(left + seen) * image.width / width,
        y1=(top + seen) * image.height / height,
        rows=cells,
        cols=cells,
    )
    return array, frame


def describe_fit(rule: InputRule, fit: str, size: int | None = None) -> str:
    """What becomes of a picture's shape, in words."""
    side, short = square(rule, size)
    if fit == "model":
        return rule.preprocessing.scaled(side / rule.size, rule.patch).describe()
    if fit == "aspect":
        return f"the whole picture in its own shape, in {(side // rule.patch) ** 2} patches at most"
    return {
        "crop": f"the short side resized to {short} pixels, the centre of {side} × {side} pixels cut out",
        "stretch": f"the whole picture squeezed to {side} × {side} pixels",
        "pad": f"the whole picture on a ground of {side} × {side} pixels",
    }[fit]


def aspect_grid(width: int, height: int, budget: int) -> tuple[int, int]:
    """(rows, cols) of the grid in the shape of a picture: as many patches as `budget` allows, at least 1 a side.

    The short side gets a whole number of patches and the long one the number that is nearest to the same scale, so
    that the picture is stretched or squeezed by half a patch of its long side at most: by less than 3.5 % with a budget
    of 16 × 16. Only a strip that is longer than `budget` times its width is squeezed more than that.
    """
    narrow, long = sorted((width, height))
    # Halves are rounded down: of two grids as near to the shape the one that leaves room for one patch more.
    nearest = lambda across: (2 * across * long + narrow - 1) // (2 * narrow)  # noqa: E731
    most = max((n for n in range(1, math.isqrt(budget) + 1) if n * nearest(n) <= budget), default=1)
    along = min(nearest(most), budget)
    return (most, along) if width >= height else (along, most)


def square(rule: InputRule, size: int | None = None) -> tuple[int, int]:
    """The side of the input and the short side before the centre cut, in pixels; `size` as for fit_image."""
    if size is None:
        return rule.size, rule.resize
    if size <= 0 or size % rule.patch:
        below = max(rule.patch, int(size) // rule.patch * rule.patch)
        raise ValueError(
            f"the size must be a multiple of this model's patch of {rule.patch} pixels, and {size} is not: "
            f"try {below} or {below + rule.patch}"
        )
    return size, round(rule.resize * size / rule.size)


def _as_processed(image: Pixels, rule: InputRule, side: int, original: tuple[int, int]) -> tuple[np.ndarray, Frame]:
    own, patch = rule.preprocessing.scaled(side / rule.size, rule.patch), rule.patch
    try:
        # A smaller copy of a picture stands for the picture where the processor goes by pixels.
        placement = own.place(*(original if own.output is None else image.size), patch)
    except ValueError as error:
        raise Unfit(str(error)) from error
    rows, cols = placement.rows // patch, placement.cols // patch
    if not rows or not cols:
        raise Unfit(
            f"{own.describe()} leaves {placement.cols} × {placement.rows} pixels, less than a patch of {patch} pixels; "
            "take another --fit"
        )
    if own.output is None and rows * cols > MOST * (side // patch) ** 2:
        raise Unfit(
            f"{own.describe()} makes {rows * cols} patches of it, more than {MOST} times the usual "
            f"{(side // patch) ** 2}; take another --fit, such as aspect, or a smaller copy"
        )
    placement = placement._replace(rows=rows * patch, cols=cols * patch)
    ground = rule.ground if own.mean_ground or own.pad else [0, 0, 0]
    across, down = image.width / placement.width, image.height / placement.height
    frame = Frame(
        x0=placement.left * across,
        y0=placement.top * down,
        x1=(placement.left + placement.cols) * image.width / placement.width,
        y1=(placement.top + placement.rows) * image.height / placement.height,
        rows=rows,
        cols=cols,
    )
    return _window(image, placement, rule.interpolation, ground), frame


def _crop(image: Pixels, rule: InputRule, side: int, short: int):
    width, height = _short_side(image.size, short)
    left, top = (width - side) // 2, (height - side) // 2
    seen = _window(image, Placement(width, height, left, top, side, side), rule.interpolation, [0, 0, 0])
    return seen, (left, top), (width, height)


def _window(image: Pixels, at: Placement, interpolation: str, ground: list[int]) -> np.ndarray:
    """The pixels uint8 (rows, cols, 3) of a window on the resized picture."""
    left, top = max(0, at.left), max(0, at.top)
    right, bottom = min(at.width, at.left + at.cols), min(at.height, at.top + at.rows)
    part = image.part(at.width, at.height, (left, top, right, bottom), interpolation)
    if part.shape[:2] == (at.rows, at.cols):
        return part
    array = np.empty((at.rows, at.cols, 3), np.uint8)
    array[:] = ground
    array[top - at.top : bottom - at.top, left - at.left : right - at.left] = part
    return array


def _short_side(size: tuple[int, int], short: int) -> tuple[int, int]:
    """Both sides after the short one is resized, rounded down as transformers' processors do."""
    width, height = size
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short


def _stretch(image: Pixels, rule: InputRule, side: int, short: int):
    return image.resized(side, side, rule.interpolation), (0, 0), (side, side)


def _pad(image: Pixels, rule: InputRule, side: int, short: int):
    long = max(image.size)
    width, height = (max(1, round(edge * side / long)) for edge in image.size)
    left, top = (side - width) // 2, (side - height) // 2
    array = np.empty((side, side, 3), np.uint8)
    array[:] = rule.ground
    array[top : top + height, left : left + width] = image.resized(width, height, rule.interpolation)
    return array, (-left, -top), (width, height)
