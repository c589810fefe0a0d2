"""Patch tokens coded small: principal components fitted on the collection, then one byte a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

STEPS = 127
FAR = 6.0  # robust standard deviations of a token's length beyond which it is an outlier
_NORMAL = 1.4826  # the median deviation of normal numbers times this is their standard deviation
SAMPLE = 40_000  # tokens that the components are fitted to, at most


@dataclass(frozen=True)
class PatchCoding:
    """How the patch tokens of a run are made and coded.

    Tokens of block `layer` (from 0), of pictures fitted as `fit` to `size` pixels, a part that is searched for to
    `query_size`. A token (width,) becomes (token - mean) · axesᵀ, `dim` numbers of which the whole has length 1, and
    each of these a byte: the largest of a picture is ±127, and `decode` needs that scale. `mean` (width,) and `axes`
    (dim, width) float32. Tokens longer than `longest` are outliers, which say nothing of their place (Darcet et al.
    2024, Vision Transformers Need Registers). `report` is what was measured when this was chosen.
    """

    layer: int
    fit: str
    size: int
    query_size: int
    mean: np.ndarray
    axes: np.ndarray
    longest: float
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        return len(self.axes)

    def project(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens (n, width) in the components, float32 (n, dim), of length 1."""
        found = (np.asarray(tokens, np.float32) - self.mean) @ self.axes.T
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def outliers(self, tokens: np.ndarray) -> np.ndarray:
        """bool (n,): which of the tokens (n, width) are outliers, or not finite."""
        lengths = np.linalg.norm(np.asarray(tokens, np.float32), axis=1)
        return ~(lengths <= self.longest)


def fit_coding(
    tokens: np.ndarray, dim: int, layer: int, fit: str, size: int, query_size: int, **report: Any
) -> PatchCoding:
    """The coding of a block, fitted to a sample of its tokens (n, width) of the collection. Nothing is random.

    ValueError for no tokens, or none that are finite.
    """
    tokens = np.asarray(tokens, np.float32)
    tokens = tokens[np.isfinite(tokens).all(axis=1)]
    if not len(tokens):
        raise ValueError("the components of patch tokens need at least one picture with finite tokens")
    lengths = np.linalg.norm(tokens, axis=1).astype(np.float64)
    longest = longest_usual(lengths)
    kept = tokens[lengths <= longest]
    kept = kept[:: -(-len(kept) // SAMPLE)].astype(np.float64)
    mean = kept.mean(axis=0)
    # Tokens are compared by their direction from the mean: long ones shall not choose the axes alone.
    centred = kept - mean
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, : min(dim, tokens.shape[1])].T
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1))
    return PatchCoding(layer, fit, size, query_size, mean.astype(np.float32), axes.astype(np.float32), longest, report)


def longest_usual(lengths: np.ndarray) -> float:
    """The length beyond which a token is an outlier among tokens of these `lengths` (n,): six robust standard
    deviations above their median."""
    middle = float(np.median(lengths))
    # Where most lengths are equal the deviation is 0, and rounding alone would make outliers.
    spread = max(_NORMAL * float(np.median(np.abs(lengths - middle))), 0.01 * middle)
    return middle + FAR * spread


def encode(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Codes int8 (n, dim) of vectors (n, dim), and their scale: vectors ≈ codes · scale / 127. No number is off by more
    than scale / 254."""
    vectors = np.asarray(vectors, np.float32)
    scale = float(np.abs(vectors).max()) if vectors.size else 0.0
    return np.rint(vectors * (STEPS / (scale or 1.0))).astype(np.int8), scale


def decode(codes: np.ndarray, scales: np.ndarray | float) -> np.ndarray:
    """Vectors float32 (n, dim) of length 1 of codes int8 (n, dim) and their scales, one number or (n,). The scale takes
    part only where vectors of length 0 are told from others: these stay 0."""
    found = codes.astype(np.float32)
    scales = np.broadcast_to(np.asarray(scales, np.float32), len(found))
    lengths = np.sqrt(np.einsum("ij,ij->i", found, found))
    found *= np.where((scales > 0) & (lengths > 0), 1 / np.maximum(lengths, 1e-12), 0)[:, None]
    return found
