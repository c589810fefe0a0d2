"""Whether the patches that a network selects lie where the objects are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from ingest.vision.patches import PatchGrid

CONTAINS = 0.25  # of the patch or of the object, whichever is smaller


@dataclass(frozen=True)
class Localisation:
    """Of the selected patches the share that contains an object, and of the objects the share that a selected patch
    contains; beside each what as many patches drawn at random would give on average."""

    patches: float
    patches_random: float
    objects: float
    objects_random: float


def localise(grid: PatchGrid, selected: Sequence[int], boxes: Sequence[Sequence[float]]) -> Localisation:
    """Of one picture: boxes are (x, y, width, height) in pixels, at least one. A patch contains an object if they share
    a quarter of the smaller one's area."""
    contains = containing(grid, boxes)
    chosen, count = contains[list(selected)], len(grid)
    missed = hypergeom.pmf(0, count, contains.sum(axis=0), len(selected))
    return Localisation(
        float(chosen.any(axis=1).mean()),
        float(contains.any(axis=1).mean()),
        float(chosen.any(axis=0).mean()),
        float(1 - np.mean(missed)),
    )


def containing(grid: PatchGrid, boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """Whether each patch contains each object, (patches, objects)."""
    patches = np.array([grid.box(index) for index in range(len(grid))], float)
    objects = np.array(boxes, float)
    ends = objects[:, :2] + objects[:, 2:]
    shared = np.minimum(patches[:, None, 2:], ends) - np.maximum(patches[:, None, :2], objects[:, :2])
    area = np.clip(shared, 0, None).prod(axis=-1)
    smaller = np.minimum(grid.size[0] * grid.size[1], objects[:, 2:].prod(axis=-1))
    return area >= CONTAINS * smaller
