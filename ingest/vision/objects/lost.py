"""LOST: the patch that is like the fewest others is of an object, and so are those that are like it.

Siméoni et al. 2021, Localizing Objects with Self-Supervised Transformers and no Labels.
"""

from __future__ import annotations

import numpy as np

from ingest.vision.objects.graph import Part, component


def lost(keys: np.ndarray, cells: np.ndarray, k_patches: int = 100) -> Part | None:
    """The object that LOST sees: keys float32 (n, width) of the n patches where `cells` bool (rows, cols) is true, in
    reading order.

    A patch's degree is how many others its key correlates with positively (product > 0). The seed is the patch of the
    least degree, the first of several; of the `k_patches` patches of least degree those that correlate positively with
    the seed are taken with it, and the object is what correlates positively with the sum of their keys, as far as it
    hangs together with the seed. None where that is every patch, or no patch correlates with any.
    """
    if len(keys) < 2:
        return None
    products = keys @ keys.T
    positive = products > 0
    np.fill_diagonal(positive, False)
    degrees = positive.sum(axis=1)
    if not degrees.any():
        return None
    order = np.argsort(degrees, kind="stable")
    seed = int(order[0])
    similar = order[:k_patches][products[seed, order[:k_patches]] > 0]
    chosen = products[similar].sum(axis=0) > 0
    if not chosen[seed] or chosen.all():
        return None
    return component(chosen, cells, seed)
