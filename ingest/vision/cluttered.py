"""Cluttered digits: one digit somewhere on a canvas, among pieces of other digits.

After Mnih and others (2014, Recurrent Models of Visual Attention, arXiv 1406.6247) and the study of self-supervised
attention at https://github.com/ge75her/Interpretability-of-self-attention-maps-in-self-supervised-representation-learning,
whose measures are the defaults. Nothing here reads a file or remembers a state: a training may draw clutter anew for
each view, and keep or change the digit's place independently of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

KINDS = ("grey", "binary", "textured")
BINARY = 0.5  # of a piece's brightest pixel: from here on a pixel belongs to the digit, and is white where it is binary
OCTAVES = (4, 8, 16, 32)  # cells of noise along the canvas's longer side, each half as bright as the one before


@dataclass(frozen=True)
class Clutter:
    """What cluttered pictures are like. ValueError for what does not go together.

    `canvas` (width, height) and `digit`, the side of a digit, in pixels; the digit's centre lies within ± `offset` of
    the free margin around the canvas's centre (0: always in the middle, 1: anywhere). `distractors` square pieces of
    `distractor` pixels are cut from other digits. `kind`: grey as the digits are, binary (black and white), or textured
    (grey, added to a ground of cloudy noise up to `texture` of white).
    """

    canvas: tuple[int, int] = (100, 100)
    digit: int = 28
    offset: float = 2 / 3
    distractors: int = 6
    distractor: int = 9
    kind: str = "grey"
    texture: float = 0.5

    def __post_init__(self) -> None:
        width, height = self.canvas
        if not 1 <= self.digit <= min(self.canvas):
            raise ValueError(f"A digit of {self.digit} pixels does not fit on a canvas of {width} × {height}.")
        if self.distractors and not 1 <= self.distractor <= self.digit:
            raise ValueError(
                f"A distractor is cut from a digit of {self.digit} pixels, so its side is 1 to {self.digit}, not "
                f"{self.distractor}."
            )
        if self.distractors < 0:
            raise ValueError(f"The number of distractors is 0 or more, not {self.distractors}.")
        if self.kind not in KINDS:
            raise ValueError(f"There are no pictures {self.kind!r}; there are {', '.join(KINDS)}.")
        if not (0 <= self.offset <= 1 and 0 <= self.texture <= 1):
            raise ValueError(f"Offset and texture are shares from 0 to 1, not {self.offset:g} and {self.texture:g}.")


def cluttered(
    digit: np.ndarray,
    others: Sequence[np.ndarray] | np.ndarray,
    settings: Clutter,
    place: np.random.Generator,
    clutter: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """A picture (height, width) uint8 and the digit's mask (height, width) bool.

    `digit` (side, side) uint8 with side = settings.digit, white on black; `others` (n, side, side) are the digits that
    distractors are cut from. The digit's place depends on `place` alone, ground and distractors on `clutter` alone: two
    views with the same generator for one of them share it, whatever the other does. Pieces are added up and clipped at
    white. The mask holds the digit's pixels of at least half its greatest brightness: the same for every kind.
    """
    side, (width, height) = settings.digit, settings.canvas
    if digit.shape != (side, side):
        raise ValueError(f"expected a digit of {side} × {side} pixels, got {digit.shape}")
    total = ground(settings, clutter)
    for _ in range(settings.distractors):
        other = others[int(clutter.integers(len(others)))]
        y, x = clutter.integers(side - settings.distractor + 1, size=2).tolist()
        piece = other[y : y + settings.distractor, x : x + settings.distractor]
        _add(total, _as_kind(piece, settings.kind, int(other.max())), _anywhere(clutter, settings))
    x, y = corner(settings, place)
    _add(total, _as_kind(digit, settings.kind, int(digit.max())), (x, y))
    mask = np.zeros((height, width), bool)
    mask[y : y + side, x : x + side] = _lit(digit, int(digit.max()))
    return np.minimum(total, 255).astype(np.uint8), mask


def corner(settings: Clutter, place: np.random.Generator) -> tuple[int, int]:
    """The digit's left upper corner (x, y): uniform within the offset around the middle."""
    free = [extent - settings.digit for extent in settings.canvas]
    least = [int(margin * (1 - settings.offset) / 2) for margin in free]
    x, y = (int(place.integers(low, margin - low + 1)) for low, margin in zip(least, free, strict=True))
    return x, y


def ground(settings: Clutter, clutter: np.random.Generator) -> np.ndarray:
    """What lies under the pieces (height, width) int32: black, or noise of several sizes, up to `texture` of white."""
    width, height = settings.canvas
    if settings.kind != "textured":
        return np.zeros((height, width), np.int32)
    noise = np.zeros((height, width), np.float32)
    for octave, cells in enumerate(OCTAVES):
        shape = [max(2, round(cells * extent / max(settings.canvas))) for extent in (height, width)]
        coarse = Image.fromarray(clutter.random(shape, np.float32))
        noise += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    noise -= noise.min()
    return np.rint(noise * (255 * settings.texture / max(float(noise.max()), 1e-6))).astype(np.int32)


def _anywhere(clutter: np.random.Generator, settings: Clutter) -> tuple[int, int]:
    x, y = (int(clutter.integers(extent - settings.distractor + 1)) for extent in settings.canvas)
    return x, y


def _lit(piece: np.ndarray, brightest: int) -> np.ndarray:
    return (piece >= BINARY * brightest) & (piece > 0)


def _as_kind(piece: np.ndarray, kind: str, brightest: int) -> np.ndarray:
    return np.where(_lit(piece, brightest), 255, 0) if kind == "binary" else piece


def _add(total: np.ndarray, piece: np.ndarray, corner: tuple[int, int]) -> None:
    x, y = corner
    total[y : y + piece.shape[0], x : x + piece.shape[1]] += piece
