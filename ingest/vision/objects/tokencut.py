"""TokenCut: the patches are cut in two where they are least alike, and the side that stands out is the object.

Wang et al. 2022, Self-Supervised Transformers for Unsupervised Object Discovery using Normalized Cut.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from ingest.vision.objects.graph import Part, component, unit_rows

UNLIKE = 1e-5  # the weight of an edge between patches that are not alike
WHOLE = 1e-6  # how near to 1 the second eigenvalue lies where no cut is better than another


def tokencut(keys: np.ndarray, cells: np.ndarray, tau: float = 0.2) -> Part | None:
    """The object that TokenCut sees: keys float32 (n, width) of the n patches where `cells` bool (rows, cols) is true,
    in reading order.

    Patches are joined by an edge of weight 1 where the cosine of their keys is above `tau`, else of 1e-5. The second
    eigenvector y of (D - W) y = λ D y is split at its mean; the object is the side of the patch with the largest |y|,
    as far as it hangs together with that patch. None where no cut is better than another: all patches alike, or none.
    """
    found = bipartition(keys, tau)
    if found is None:
        return None
    seed = int(np.argmax(np.abs(found)))
    chosen = found > found.mean()
    return component(chosen if chosen[seed] else ~chosen, cells, seed)


def bipartition(keys: np.ndarray, tau: float) -> np.ndarray | None:
    """The second generalized eigenvector y float64 (n,) of the graph of these keys; None where it has no edge, or its
    eigenvalue is 1."""
    if len(keys) < 2:
        return None
    unit = unit_rows(keys)
    joined = unit @ unit.T > tau
    if np.count_nonzero(joined) == np.count_nonzero(joined.diagonal()):
        return None
    weights = np.where(joined, 1.0, UNLIKE)
    # D^-½ W D^-½ z = (1 - λ) z has the same solutions, y = D^-½ z, and is an ordinary symmetric problem.
    scale = 1 / np.sqrt(weights.sum(axis=1))
    weights *= scale[:, None]
    weights *= scale
    places = [len(keys) - 2, len(keys) - 2]
    found = eigh(weights, subset_by_index=places, overwrite_a=True, check_finite=False)
    value, vector = float(found[0][0]), np.asarray(found[1])[:, 0]
    return None if value < WHOLE else vector * scale
