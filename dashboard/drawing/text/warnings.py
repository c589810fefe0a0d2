"""When a map should not be taken for what it seems: sentences for a page, in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboard.drawing.panels import Scene, percent
from store.maps import AttentionMaps

LITTLE = 0.2  # share of a token's attention on patches below which a map shows a small remainder
OUTLIERS = 0.01  # share of patches with an abnormal norm from which on they are worth a word
PADDING = 0.05  # share of a map's mass that lies on no picture


def warnings(method: Any, maps: AttentionMaps, scene: Scene, prefix: int, outliers: float | None = None) -> list[str]:
    """What is to be known before these maps are read; empty where nothing is the matter.

    `maps` as the method gave them, `method` its entry in the registry, `prefix` the number of special tokens,
    `outliers` the share of patch tokens with an abnormal norm, if it is known.
    """
    cells = scene.cells()
    sentences = []
    if maps.unit == "share" and method is not None and method.of_one_token and prefix:
        sentences += _little(np.where(cells, maps.weights, 0).sum(axis=(1, 2)), prefix)
    total = maps.weights.sum()
    if not cells.all() and total > 0:
        beside = float(maps.weights[:, ~cells].sum() / total)
        if beside > PADDING:
            sentences.append(
                f"{percent(beside)} of what these maps give to patches lies on the plain ground around the picture, "
                "which was added to make it square and is not drawn."
            )
    if outliers is not None and outliers > OUTLIERS:
        sentences.append(
            f"{percent(outliers)} of this picture's patches have become outlier tokens, in which the network keeps "
            "notes of its own: single bright patches in empty places are likely to be these, no things in the picture."
        )
    empty = int((np.where(cells, maps.weights, 0).sum(axis=(1, 2)) <= 0).sum())
    if empty:
        which = "These maps are" if empty == len(maps.weights) else "One map is" if empty == 1 else f"{empty} maps are"
        sentences.append(f"{which} empty: no patch there speaks for what is explained.")
    return sentences


def _little(masses: np.ndarray, prefix: int) -> list[str]:
    few = int((masses < LITTLE).sum())
    if not few:
        return []
    where = "the CLS token itself" if prefix == 1 else "the CLS token, registers and other special tokens"
    which = "all maps" if few == len(masses) else "one map" if few == 1 else f"{few} of the {len(masses)} maps"
    which = "this map" if len(masses) == 1 else which
    return [
        f"In {which} less than {percent(LITTLE)} of the attention lies on patches; the rest lies on {where}. "
        "What the colours show there is a small remainder."
    ]
