"""Maps as one byte a weight: a square-root code with a scale for each map.

Attention is peaked: most weights are a hundredth of the largest and less, and a linear 8-bit code would turn them into
0. The root spends its 256 steps where the weights are:

    q = round(255 * sqrt(a / max)),    a' = max * (q / 255)**2

The root of a weight is off by at most half a step, so |a - a'| <= max * (sqrt(a / max) / 255 + 1 / (4 * 255**2)), which
is at most 0.4 % of the largest weight, and for a weight of a hundredth of it 0.04 %.
"""

import numpy as np

from store.errors import StoreError

STEPS = 255


def encode(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (m, P) uint8 and scales (m,) float32 of weights (m, P), which must be finite and not negative."""
    weights = np.asarray(weights, dtype=np.float32)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise StoreError("A map must hold finite weights of 0 and more; this one holds negative, infinite or NaN ones.")
    scales = weights.max(axis=1, initial=0.0)
    shares = weights / np.where(scales > 0, scales, 1)[:, None]
    return np.rint(STEPS * np.sqrt(shares)).astype(np.uint8), scales


def decode(codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Weights (m, P) float32 of codes (m, P) uint8 and scales (m,); an error bound stands at the head of this file."""
    roots = codes.astype(np.float32) / np.float32(STEPS)
    return roots * roots * np.asarray(scales, dtype=np.float32)[:, None]
