"""Megapixel MNIST: five digits somewhere on a large dark canvas, among strokes that are none.

After Katharopoulos and Fleuret (https://github.com/idiap/attention-sampling), with the Bezier noise and the scalable
digits of https://github.com/MRiffiAslett/ips_MaxRiffiAslett.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import SourceError
from ingest.synth.digits import SPLITS, Digits, load_digits, resize
from ingest.synth.noise import KINDS
from ingest.synth.writing import Drawn, write_set

DIGITS, EQUAL = 5, 3  # digits a picture, and how many of them are the same
TASKS = ("majority", "max", "top", "multi")
_TRIES, _STARTS = 200, 200


@dataclass(frozen=True)
class Megapixel:
    """What the pictures are like: canvas (width, height), sides of digits and of noise in pixels, how many pieces of
    noise, of which kind and how thick (pixels on a grid of 28), a folder with MNIST's files, a seed."""

    canvas: tuple[int, int] = (1500, 1500)
    digit: int = 28
    noise: int = 50
    kind: str = "bezier"
    noise_size: int | None = None
    thickness: float = 1.925
    digits: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        width, height = self.canvas
        if self.digit < 1 or (width // self.digit) * (height // self.digit) < DIGITS:
            raise SourceError(self._too_small())
        if self.noise and self.noise_side > min(self.canvas):
            raise SourceError(
                f"Noise of {self.noise_side} pixels does not fit on a canvas of {width} × {height}; take smaller noise."
            )
        if self.kind not in KINDS:
            raise SourceError(f"There is no noise {self.kind!r}; there is {' and '.join(KINDS)}.")
        if not (self.thickness > 0 and self.noise >= 0):
            raise SourceError(f"Noise has a thickness above 0 and a number of 0 or more, not {self.thickness:g}.")

    @property
    def noise_side(self) -> int:
        return self.noise_size or self.digit

    @property
    def ratio(self) -> float:
        """Object-to-image ratio: the area of one digit over that of the canvas."""
        return self.digit**2 / (self.canvas[0] * self.canvas[1])

    def _too_small(self) -> str:
        width, height = self.canvas
        return (
            f"{DIGITS} digits of {self.digit} pixels do not fit beside each other on a canvas of {width} × {height}; "
            "take a larger canvas or smaller digits."
        )


def side_of_ratio(percent: float, canvas: tuple[int, int]) -> int:
    """The side of a digit in pixels that covers `percent` % of a canvas (width, height), rounded; at least 1."""
    return max(1, round(math.sqrt(percent / 100 * canvas[0] * canvas[1])))


@dataclass(frozen=True)
class Sample:
    """One picture: pixels (height, width) uint8; its digits, and where they lie (x, y, width, height)."""

    pixels: np.ndarray
    digits: tuple[int, ...]
    boxes: tuple[tuple[int, int, int, int], ...]

    def labels(self) -> dict[str, str]:
        """The four tasks: the digit that is there three times, the largest, the topmost, all that are there."""
        top = min(range(DIGITS), key=lambda i: self.boxes[i][1])
        return {
            "majority": str(max(set(self.digits), key=self.digits.count)),
            "max": str(max(self.digits)),
            "top": str(self.digits[top]),
            "multi": "; ".join(map(str, sorted(set(self.digits)))),
        }


class Generator:
    """Makes the pictures of one split. Picture i is the same whichever others are made."""

    def __init__(self, settings: Megapixel, split: str) -> None:
        self.settings, self.place = settings, SPLITS.index(split)
        self.digits: Digits = load_digits(split, settings.digits)
        rng = np.random.default_rng([settings.seed, self.place, 0])
        draw = KINDS[settings.kind]
        drawn = (draw(rng, settings.thickness) for _ in range(settings.noise))
        self.noise = [resize(each, settings.noise_side) for each in drawn]

    def sample(self, index: int) -> Sample:
        """SourceError if the digits find no place beside each other."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, self.place, 1 + index])
        chosen = self._choose(rng)
        corners = self._corners(rng)
        pixels = np.zeros(settings.canvas[::-1], np.uint8)
        for _ in range(settings.noise):
            self._paste(pixels, self.noise[rng.integers(len(self.noise))], self._anywhere(rng, settings.noise_side))
        for place, corner in zip(chosen, corners, strict=True):
            self._paste(pixels, self.digits.resized(place, settings.digit), corner)
        boxes = tuple((x, y, settings.digit, settings.digit) for x, y in corners)
        return Sample(pixels, tuple(int(self.digits.labels[place]) for place in chosen), boxes)

    def _choose(self, rng: np.random.Generator) -> list[int]:
        target, labels = rng.integers(10), self.digits.labels
        same = rng.choice(np.flatnonzero(labels == target), EQUAL)
        return [*same, *rng.choice(np.flatnonzero(labels != target), DIGITS - EQUAL)]

    def _corners(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Left upper corners (x, y) of squares that do not overlap."""
        side = self.settings.digit
        for _ in range(_STARTS):
            corners: list[tuple[int, int]] = []
            for _ in range(_TRIES):
                x, y = self._anywhere(rng, side)
                if all(abs(x - a) >= side or abs(y - b) >= side for a, b in corners):
                    corners.append((x, y))
                if len(corners) == DIGITS:
                    return corners
        raise SourceError(self.settings._too_small())

    def _anywhere(self, rng: np.random.Generator, side: int) -> tuple[int, int]:
        width, height = self.settings.canvas
        return int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))

    @staticmethod
    def _paste(pixels: np.ndarray, piece: np.ndarray, corner: tuple[int, int]) -> None:
        x, y = corner
        pixels[y : y + piece.shape[0], x : x + piece.shape[1]] = piece


def write_megapixel(
    folder: Path, settings: Megapixel, counts: dict[str, int], advance: Callable[[int], object] = lambda number: None
) -> dict[str, int]:
    """Write `counts` pictures of each split as folder/SPLIT/00000.png, their labels and boxes as metadata.csv, and the
    settings as parameters.json. Pictures that are there already stay. Returns how many are new.

    SourceError if the folder holds pictures made with other settings.
    """
    parameters = {**asdict(settings), "canvas": list(settings.canvas), "digits": str(settings.digits or "scikit-learn")}

    def drawer(split: str) -> Callable[[int], Drawn]:
        generator = Generator(settings, split)

        def draw(index: int) -> Drawn:
            sample = generator.sample(index)
            return Drawn(sample.pixels, _row(sample, settings))

        return draw

    return write_set(folder, parameters, counts, drawer, advance)


def _row(sample: Sample, settings: Megapixel) -> dict[str, Any]:
    return {
        **sample.labels(),
        "digits": json.dumps(sample.digits),
        "boxes": json.dumps(sample.boxes),
        "digit_size": settings.digit,
        "object_ratio": f"{100 * settings.ratio:.4g}",
        "noise": settings.noise,
    }
