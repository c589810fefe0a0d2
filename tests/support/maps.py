"""Attention maps for tests, from what a test has at hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from store.maps import FUSED, AttentionMaps, no_heads


def stored_maps(
    method: str, target: str, rows: int, cols: int, image_ids: Any, layers: Any, heads: Any | None, weights: np.ndarray
) -> AttentionMaps:
    """Maps for the database from flat weights (m, rows * cols); heads None where they are fused."""
    heads = no_heads(len(weights)) if heads is None else np.asarray(heads)
    weights = np.asarray(weights).reshape(-1, rows, cols)
    return AttentionMaps(weights, np.asarray(layers), heads, np.asarray(image_ids), method, target)


def shown_maps(
    layers: Sequence[int],
    heads: Sequence[int | None],
    titles: Sequence[str],
    weights: np.ndarray,
    unit: Any = "share",
) -> AttentionMaps:
    """Maps as a page draws them; of each its head, None where heads are fused."""
    numbers = np.array([FUSED if head is None else head for head in heads])
    return AttentionMaps(weights, np.array(layers), numbers, unit=unit, titles=tuple(titles))
