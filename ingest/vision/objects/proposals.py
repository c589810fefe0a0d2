"""The methods by their names, and the objects of a picture, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import numpy as np

from ingest.vision.geometry import Frame
from ingest.vision.objects.graph import Part, unit_rows
from ingest.vision.objects.keys import PatchKeys
from ingest.vision.objects.lost import lost
from ingest.vision.objects.tokencut import tokencut

LEAST = 0.01  # of the patches: a further object that is smaller is none
CORNERS = 3  # of the four of a picture: a further part that holds so many is its background


@dataclass(frozen=True)
class ObjectMethod:
    """A way to find an object: `find` takes keys (n, width), cells (rows, cols) and the options that are named in
    `options`, with their usual values. Where `outliers` is false, outlier tokens are left out."""

    key: str
    title: str
    find: Callable[..., Part | None]
    options: Mapping[str, Any]
    outliers: bool


METHODS = {
    each.key: each
    for each in (
        ObjectMethod("tokencut", "TokenCut", tokencut, {"tau": 0.2}, outliers=True),
        ObjectMethod("lost", "LOST", lost, {"k_patches": 100}, outliers=False),
    )
}


@dataclass(frozen=True)
class Proposal:
    """An object that is suggested: `mask` bool (rows, cols), the patches that it is made of, and the `seed` (row, col)
    that it began with.

    `score` is how much more alike the patches of the object are to each other than to the rest: the mean cosine of the
    keys of its pairs of patches (0 for a single patch) minus that of its patches with all others, -2 to 2. `area` is
    its share of the patches that show picture, 0 to 1.
    """

    mask: np.ndarray
    seed: tuple[int, int]
    score: float
    area: float

    def box(self, frame: Frame, width: int, height: int) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1), the whole pixels of the upright original (`width` × `height`) that the patches touch."""
        across, down = frame.column_edges(), frame.row_edges()
        cols, rows = np.flatnonzero(self.mask.any(axis=0)), np.flatnonzero(self.mask.any(axis=1))
        x0, x1 = _whole(across[cols[0]], across[cols[-1] + 1], width)
        y0, y1 = _whole(down[rows[0]], down[rows[-1] + 1], height)
        return x0, y0, x1, y1


def object_settings(method: str, **options: Any) -> dict[str, Any]:
    """The options of a method, None standing for the usual. ValueError, with a sentence, for a method that is not
    there, options that are not its own, or values that cannot be."""
    if method not in METHODS:
        raise ValueError(f"objects are found by {' or '.join(METHODS)}, not {method!r}")
    usual = METHODS[method].options
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in usual:
            own = ", ".join(f"--{each.replace('_', '-')}" for each in usual)
            raise ValueError(f"{METHODS[method].title} has no --{name.replace('_', '-')}; it has {own}")
    chosen = {**usual, **given}
    if not -1 <= chosen.get("tau", 0) < 1:
        raise ValueError(f"--tau is a cosine from -1 to less than 1, not {chosen['tau']}")
    if chosen.get("k_patches", 1) < 1:
        raise ValueError(f"--k-patches is 1 or more, not {chosen['k_patches']}")
    return chosen


def propose(keys: PatchKeys, method: str, count: int = 1, centre: bool = True, **options: Any) -> list[Proposal]:
    """Up to `count` objects of a picture, in the order in which they are found; none where its patches are all alike.

    The first is the one of the paper. Each further one is found among the patches that the objects before it have left,
    as MaskCut does for TokenCut (Wang et al. 2023, Cut and Learn for Unsupervised Object Detection): what is smaller
    than a hundredth of the patches, or holds three corners of the picture, is passed over.

    With `centre` the mean of the picture's keys is taken from each. The softmax does not notice what all keys have in
    common, so that networks are free to make it as long as they like: in DINOv2 it is so long that the keys of any two
    patches correlate, and without it neither method sees anything. The papers, on DINO, leave the keys as they are.

    ValueError as `object_settings`, or for a `count` below 1.
    """
    if count < 1:
        raise ValueError(f"--objects is 1 or more, not {count}")
    chosen, options = METHODS[method], object_settings(method, **options)
    remaining = keys.cells if chosen.outliers else keys.cells & ~keys.outliers
    if not remaining.any():
        return []
    if centre:
        keys = replace(keys, values=keys.values - keys.values[remaining.ravel()].mean(axis=0))
    found: list[Proposal] = []
    for attempt in range(count):
        part = chosen.find(keys.values[remaining.ravel()], remaining, **options)
        if part is None:
            break
        if attempt == 0 or _is_object(part.mask, keys.cells):
            found.append(_described(part, keys))
        remaining = remaining & ~part.mask
    return found


def _is_object(mask: np.ndarray, cells: np.ndarray) -> bool:
    corners = mask[[0, 0, -1, -1], [0, -1, 0, -1]].sum()
    return corners < CORNERS and mask.sum() >= LEAST * cells.sum()


def _described(part: Part, keys: PatchKeys) -> Proposal:
    inside = part.mask[keys.cells]
    unit = unit_rows(keys.values[keys.cells.ravel()].astype(np.float64))
    own, others = unit[inside], unit[~inside]
    total, count = own.sum(axis=0), len(own)
    among = (total @ total - (own**2).sum()) / (count * (count - 1)) if count > 1 else 0.0
    beyond = total @ others.sum(axis=0) / (count * len(others)) if len(others) else 0.0
    return Proposal(part.mask, part.seed, float(among - beyond), count / len(unit))


def _whole(low: float, high: float, length: int) -> tuple[int, int]:
    """Whole pixels from the one that holds `low` to the one that ends at or after `high`, within 0..length. What the
    arithmetic of floats adds to an edge between pixels is none."""
    first = min(max(floor(low + 1e-6), 0), length - 1)
    return first, max(first + 1, min(ceil(high - 1e-6), length))
