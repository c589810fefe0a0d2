"""Which maps of a grid share a scale, and what the ends of each scale are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.vision.overlay import ABSOLUTE_RANGE

# Which maps share a scale.
SCALES = {
    "figure": "one for all",
    "row": "one a picture",
    "column": "one a column",
    "panel": "one a map",
    "absolute": "fixed, 0 to 8 ×",
}
COMPARABLE = {
    "figure": "One scale for all maps: equal colours mean equal values.",
    "row": "Each row has a scale of its own: colours can be compared within a row, not between rows.",
    "column": "Each column has a scale of its own: colours can be compared within a column, not between columns.",
    "panel": "Each map runs from its own least to its own greatest value: colours cannot be compared between maps.",
    "absolute": "The same scale in every figure, from 0 to 8 times what each patch would have if all had the same.",
}
CLIPPED = 99  # of the patches that share a scale, the per cent below its upper end where the brightest are clipped


@dataclass(frozen=True)
class OnScale:
    """A map's values (rows, cols) in 0..1 for the colours, and what 0 and 1 stand for, in the map's own unit."""

    values: np.ndarray
    low: float
    high: float


_GROUPS: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "figure": lambda row, column: (),
    "row": lambda row, column: (row,),
    "column": lambda row, column: (column,),
    "panel": lambda row, column: (row, column),
    "absolute": lambda row, column: (),
}


def on_scale(
    maps: Sequence[Sequence[tuple[np.ndarray, np.ndarray] | None]], scale: str, clip: bool = False
) -> list[list[OnScale | None]]:
    """Each map of a grid on its scale, a key of SCALES; None stays None.

    A map is (weights (rows, cols), cells (rows, cols) bool): only patches in `cells` count for a scale, so that padding
    does not. With `clip` the upper end is the CLIPPED-th percentile of the patches that share the scale, so that a few
    outliers do not darken all others. A scale on which all is the same is 0 everywhere.
    """
    group = _GROUPS[scale]
    pooled: dict[tuple[int, ...], list[np.ndarray]] = {}
    for row, line in enumerate(maps):
        for column, one in enumerate(line):
            if one is not None:
                weights, cells = one
                pooled.setdefault(group(row, column), []).append(weights[cells & np.isfinite(weights)])
    ends = {key: _ends(np.concatenate(found), scale, clip) for key, found in pooled.items()}
    return [
        [None if one is None else _placed(one[0], *ends[group(row, column)]) for column, one in enumerate(line)]
        for row, line in enumerate(maps)
    ]


def _ends(weights: np.ndarray, scale: str, clip: bool) -> tuple[float, float]:
    if scale == "absolute":
        return ABSOLUTE_RANGE
    if not weights.size:
        return 0.0, 0.0
    high = np.percentile(weights, CLIPPED) if clip else weights.max()
    return float(weights.min()), float(high)


def _placed(weights: np.ndarray, low: float, high: float) -> OnScale:
    # A spread within the rounding of float32 is no structure: it must not be blown up to full contrast.
    flat = high - low <= 1e-6 * max(abs(low), abs(high))
    values = np.zeros_like(weights) if flat else np.clip((weights - low) / (high - low), 0, 1)
    return OnScale(np.where(np.isfinite(weights), values, np.nan).astype(np.float32), low, high)
