"""What is near to what among a run's vectors: arithmetic on examples, the least typical, near-duplicates, agreement.

Vectors (n, dim) are float32 and L2-normalised, one row for each image; images go by the numbers of their rows. Products
are made block by block, so that memory depends on the number of images and not on its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 2048  # rows and columns of a product: 16 MB
PAIRS = 20_000  # of images, by which it is said what a similarity means
SOME = 512  # images among which `closest` looks
SAME = 1 - 1e-4  # from this cosine on two images count as the same
PENDING = 4_000_000  # pairs held before those that join nothing new are dropped


def direction(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray | None:
    """The vector (dim,) float32 to search with for examples (p, dim) and counter-examples (m, dim): the mean of the
    positives minus the mean of the negatives, made of length 1 again. None where nothing is left of it."""
    found = np.zeros(max(positives.shape[-1], negatives.shape[-1]))
    if len(positives):
        found += positives.mean(0, dtype=np.float64)
    if len(negatives):
        found -= negatives.mean(0, dtype=np.float64)
    length = np.linalg.norm(found)
    return None if length < 1e-6 else (found / length).astype(np.float32)


def typicality(matrix: np.ndarray, k: int) -> np.ndarray:
    """Of each image its mean cosine similarity (n,) float32 to its k nearest others; NaN where there are none."""
    count = len(matrix)
    k = min(k, count - 1)
    found = np.full(count, np.nan, np.float32)
    if k < 1:
        return found
    for start in range(0, count, BLOCK // 4):
        rows = slice(start, min(start + BLOCK // 4, count))
        scores = matrix[rows] @ matrix.T
        scores[np.arange(len(scores)), np.arange(rows.start, rows.stop)] = -2  # an image is no neighbour of its own
        found[rows] = np.partition(scores, count - k, axis=1)[:, count - k :].mean(1)
    return found


def centrality(matrix: np.ndarray) -> np.ndarray:
    """Of each image its cosine similarity (n,) float32 to the centroid of all."""
    centre = direction(matrix, matrix[:0])
    return np.zeros(len(matrix), np.float32) if centre is None else matrix @ centre


def pair_similarities(matrix: np.ndarray) -> np.ndarray:
    """The cosine similarities (m,) float32, ascending, of all pairs of two images, or of PAIRS random ones where there
    are more; none for fewer than two images. Of a share s of all pairs, the share of so many random ones has a standard
    error of sqrt(s (1 - s) / PAIRS): 0.07 percent at 99 percent."""
    count = len(matrix)
    if count * (count - 1) // 2 <= PAIRS:
        one, other = np.triu_indices(count, 1)
    else:
        random = np.random.default_rng(0)
        one = random.integers(0, count, PAIRS)
        other = (one + random.integers(1, count, PAIRS)) % count
    parts = [slice(start, start + BLOCK) for start in range(0, len(one), BLOCK)]
    found = [np.einsum("ij,ij->i", matrix[one[part]], matrix[other[part]]) for part in parts]
    return np.sort(np.concatenate([np.empty(0, np.float32), *found]))


def ordinary(matrix: np.ndarray) -> float:
    """The median cosine similarity of two images that have nothing to do with each other but their collection; 0 for
    fewer than two images."""
    pairs = pair_similarities(matrix)
    return float(np.median(pairs)) if len(pairs) else 0.0


def closest(matrix: np.ndarray) -> list[int]:
    """The rows of the two images that are nearest to each other without being the same, of at most 512 random ones;
    none where there are not two."""
    rows = np.arange(len(matrix))
    if len(rows) > SOME:
        rows = np.sort(np.random.default_rng(0).choice(rows, SOME, replace=False))
    scores = matrix[rows] @ matrix[rows].T
    scores[np.tri(len(rows), dtype=bool) | (scores > SAME)] = -2
    if scores.max(initial=-2) == -2:
        return []
    return [int(rows[place]) for place in np.unravel_index(scores.argmax(), scores.shape)]


@dataclass(frozen=True)
class Links:
    """Pairs of images, `first` and `second` (m,) int64 with `similarity` (m,) float32: of all pairs from `least` on
    those that a maximum spanning forest needs. It has the same connected groups at every threshold from `least` on
    as all the pairs, and at most n - 1 of them."""

    count: int
    least: float
    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray

    def groups(self, threshold: float) -> list[np.ndarray]:
        """Images that pairs of at least this similarity join, directly or through others: ascending numbers, the
        largest group first, of equal ones that of the lowest number."""
        from scipy.sparse.csgraph import connected_components

        strong = self.similarity >= threshold
        graph = _graph(self.count, self.first[strong], self.second[strong], self.similarity[strong])
        _, label = connected_components(graph, directed=False)
        members = np.unique(np.concatenate([self.first[strong], self.second[strong]]))
        order = members[np.argsort(label[members], kind="stable")]
        cuts = np.flatnonzero(np.diff(label[order])) + 1
        found = [np.sort(group) for group in np.split(order, cuts)] if len(order) else []
        return sorted(found, key=lambda group: (-len(group), group[0]))


def links(matrix: np.ndarray, least: float) -> Links:
    """The links between all images whose cosine similarity is at least `least`."""
    kept = _nothing()
    pending, waiting = [kept], 0
    for found in _pairs(matrix, least):
        pending.append(found)
        waiting += len(found[0])
        if waiting > PENDING:
            kept = _forest(len(matrix), pending)
            pending, waiting = [kept], 0
    return Links(len(matrix), least, *_forest(len(matrix), pending))


Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def _nothing() -> Pairs:
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)


def _pairs(matrix: np.ndarray, least: float) -> Iterator[Pairs]:
    for top in range(0, len(matrix), BLOCK):
        for left in range(top, len(matrix), BLOCK):
            scores = matrix[top : top + BLOCK] @ matrix[left : left + BLOCK].T
            close = scores >= least
            if top == left:
                close = np.triu(close, 1)
            if close.any():
                row, column = np.nonzero(close)
                yield row + top, column + left, scores[row, column]


def _forest(count: int, pending: list[Pairs]) -> Pairs:
    from scipy.sparse.csgraph import minimum_spanning_tree

    first, second, similarity = (np.concatenate(parts) for parts in zip(*pending, strict=True))
    if not len(first):
        return _nothing()
    tree = minimum_spanning_tree(_graph(count, first, second, 2 - similarity.astype(np.float64))).tocoo()
    return tree.row.astype(np.int64), tree.col.astype(np.int64), (2 - tree.data).astype(np.float32)


def _graph(count: int, first: np.ndarray, second: np.ndarray, weights: np.ndarray):
    from scipy.sparse import csr_array

    return csr_array((weights, (first, second)), shape=(count, count))


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """The share of the longer of two lists of ids that is in both; 1 for two empty ones."""
    longer = max(len(first), len(second))
    return len(np.intersect1d(first, second)) / longer if longer else 1.0
