"""Nearest neighbours of vectors by cosine, by faiss: for layouts of many pictures.

umap-learn would find them with pynndescent, whose search numba compiles anew in each process, which takes longer than
the search itself up to some 100,000 vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EXACT = 20_000  # vectors up to which each is compared with each
FOUND = 0.98  # of the nearest that are to be found among more
TRIED = 256  # vectors that this is tried with


def nearest(vectors: np.ndarray, asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of vectors (n, dim) to each of those `asked` (m, dim): their places (m, k) int64, the nearest
    first, and their cosines (m, k) float32. Above EXACT vectors as many cells of an inverted file are searched as find
    FOUND of the nearest of some."""
    import faiss

    base, queries = _unit(vectors), _unit(asked)
    count, dim = base.shape
    k = min(k, count)
    exact: Any = faiss.IndexFlatIP(dim)
    exact.add(base)
    if count <= EXACT:
        return exact.search(queries, k)[::-1]
    cells = int(4 * np.sqrt(count))
    index: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 64, 1  # of fewer it would warn on its own
    index.train(base)
    index.add(base)
    some = queries[:: max(1, len(queries) // TRIED)]
    _, best = exact.search(some, k)
    index.nprobe = 8
    while index.nprobe < cells and _shared(index.search(some, k)[1], best) < FOUND:
        index.nprobe = min(2 * index.nprobe, cells)
    cosines, places = index.search(queries, k)
    missing = places < 0  # the cells hold fewer than k: the nearest once more
    return np.where(missing, places[:, :1], places), np.where(missing, cosines[:, :1], cosines)


def _shared(found: np.ndarray, best: np.ndarray) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, best, strict=True)]))


def among_themselves(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of each of n vectors, itself first, as umap-learn takes them: places (n, k) int32 and cosine
    distances (n, k) float32."""
    places, cosines = nearest(vectors, vectors, k)
    own = np.arange(len(places))
    at = np.where((places == own[:, None]).any(axis=1), (places == own[:, None]).argmax(axis=1), k - 1)
    # Whatever is as near as the vector itself comes after it.
    order = np.argsort(np.where(np.arange(k) == at[:, None], -1, np.arange(k)), axis=1, kind="stable")
    places, distances = np.take_along_axis(places, order, 1), 1 - np.take_along_axis(cosines, order, 1)
    places[:, 0], distances[:, 0] = own, 0
    return places.astype(np.int32), np.maximum(distances, 0).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
