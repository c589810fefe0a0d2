"""Copies: pictures whose vectors no layout can tell apart, such as one file twice, placeholders, still frames.

The layouts see the cosine between two vectors, which a float32 knows to 6e-8. Vectors nearer than that are neighbours
at the distance 0, as exact copies are: they fill each other's neighbourhoods and push the real neighbours out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COSINE = 1e-7  # the cosine distance up to which a vector is a copy of another
NEAR = float(np.sqrt(2 * COSINE))  # the same as a distance between two vectors of length 1: 1 - cos = distance² / 2
SLACK = 1.05  # for the rounding of a float32 product: the exact distance decides
DIRECTIONS = 8
AT_ONCE = 4096  # differences that are held in memory


@dataclass(frozen=True)
class Distinct:
    """Which of n vectors are distinct: `firsts` (m,) int64, ascending, and `of` (n,) int64, the place among these of
    the one that each vector is, or is a copy of."""

    firsts: np.ndarray
    of: np.ndarray

    @property
    def copies(self) -> int:
        """How many vectors are copies of an earlier one."""
        return len(self.of) - len(self.firsts)


def distinct(vectors: np.ndarray) -> Distinct:
    """The distinct ones of vectors (n, dim), all finite: no two of them are within NEAR of each other, as a share of
    the longer one, and every other vector is that near to the first distinct one that it is a copy of."""
    original = originals(np.ascontiguousarray(vectors))
    firsts, of = np.unique(original, return_inverse=True)
    return Distinct(firsts.astype(np.int64), of.reshape(-1).astype(np.int64))


def originals(vectors: np.ndarray) -> np.ndarray:
    """For each of n vectors the number (n,) int64 of the one it is a copy of, itself where it is distinct: of vectors
    near each other the first stays, whatever the others' order."""
    n, dim = vectors.shape
    if n < 2 or not dim:
        return np.zeros(n, dtype=np.int64) if n and not dim else np.arange(n)
    rows = vectors.view(np.dtype((np.void, vectors.dtype.itemsize * dim))).ravel()
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)  # bytes: exact copies, however many
    kept = np.sort(first)
    near = _near(vectors[kept])
    place = np.searchsorted(kept, first)  # of each set of equal rows among those kept
    return kept[near[place[which.reshape(-1)]]]


def _near(vectors: np.ndarray) -> np.ndarray:
    """The same for vectors of which no two are equal byte by byte.

    In a few directions at right angles two vectors are never farther apart than they are as a whole, and hardly any
    others come that near: a tree over these finds who is worth a comparison.
    """
    from scipy.spatial import KDTree

    n, dim = vectors.shape
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    reach = SLACK * NEAR * (float(lengths.max()) or 1.0)
    # Another seed would change nothing but the time.
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, min(DIRECTIONS, dim))))
    shadow = (vectors @ axes.astype(vectors.dtype)).astype(np.float64)
    tree = KDTree(shadow, balanced_tree=False, compact_nodes=False)  # quick where many points nearly coincide
    apart, _ = tree.query(shadow, 2, distance_upper_bound=reach)
    original, taken = np.arange(n), np.zeros(n, dtype=bool)
    for here in np.flatnonzero(np.isfinite(apart[:, 1])).tolist():
        if taken[here]:
            continue
        ball = np.asarray(tree.query_ball_point(shadow[here], reach))
        ball = ball[(ball > here) & ~taken[ball]]
        copies = ball[_within(vectors, lengths, here, ball)]
        original[copies] = here
        taken[copies] = True
    return original


def _within(vectors: np.ndarray, lengths: np.ndarray, here: int, others: np.ndarray) -> np.ndarray:
    """Which of the others (m,) are copies of the vector `here`: (m,) bool."""
    found = np.zeros(len(others), dtype=bool)
    middle = vectors[here].astype(np.float64)
    for start in range(0, len(others), AT_ONCE):
        part = others[start : start + AT_ONCE]
        apart = np.linalg.norm(vectors[part] - middle, axis=1)
        found[start : start + AT_ONCE] = apart <= NEAR * np.maximum(lengths[here], lengths[part])
    return found
