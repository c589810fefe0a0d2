"""Cluttered digits as a folder of pictures, with the mask, the box and the name of each digit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest.synth.digits import SPLITS, load_digits
from ingest.synth.writing import Drawn, write_set
from ingest.vision.cluttered import Clutter, cluttered


@dataclass(frozen=True)
class ClutteredSet:
    """What the pictures are like, a folder with MNIST's files (None: scikit-learn's digits), and a seed."""

    clutter: Clutter = field(default_factory=Clutter)
    digits: Path | None = None
    seed: int = 0

    def parameters(self) -> dict[str, Any]:
        own = {**asdict(self.clutter), "canvas": list(self.clutter.canvas)}
        return {"set": "cluttered", **own, "digits": str(self.digits or "scikit-learn"), "seed": self.seed}


def drawer(settings: ClutteredSet, split: str) -> Callable[[int], Drawn]:
    """What draws the pictures of a split. Picture i is the same whichever others are made; the digits go round."""
    source = load_digits(split, settings.digits)
    clutter, first = settings.clutter, [settings.seed, SPLITS.index(split)]
    digits = np.stack([source.resized(index, clutter.digit) for index in range(len(source.labels))])

    def draw(index: int) -> Drawn:
        chosen = index % len(digits)
        generators = (np.random.default_rng([*first, index, part]) for part in range(2))
        pixels, mask = cluttered(digits[chosen], digits, clutter, *generators)
        return Drawn(pixels, {"digit": str(source.labels[chosen]), **_described(mask, clutter)}, mask)

    return draw


def write_cluttered(
    folder: Path,
    settings: ClutteredSet,
    counts: Mapping[str, int],
    advance: Callable[[int], object] = lambda number: None,
) -> dict[str, int]:
    """Write `counts` pictures of each split, with masks and metadata.csv; how many are new. SourceError if the folder
    holds pictures made with other settings."""
    return write_set(folder, settings.parameters(), counts, lambda split: drawer(settings, split), advance)


def _described(mask: np.ndarray, clutter: Clutter) -> dict[str, Any]:
    return {"boxes": json.dumps(boxes_of(mask)), "mask_share": f"{mask.mean():.4g}", "background": clutter.kind}


def boxes_of(mask: np.ndarray) -> list[list[int]]:
    """The box [x, y, width, height] around a mask's pixels, in a list; an empty one for an empty mask."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    x, y = int(cols[0]), int(rows[0])
    return [[x, y, int(cols[-1]) + 1 - x, int(rows[-1]) + 1 - y]]
