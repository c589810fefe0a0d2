"""Maps as one byte a weight: a square-root code between the least and the greatest weight of each map.

Attention is peaked: most weights are a hundredth of the largest and less, and a linear 8-bit code would turn them into
0. The root spends its 256 steps where the weights are. Other maps are nearly even: all of their weights lie close to
each other and far from 0, so the steps begin at the least of them. With m the least weight of a map, M the greatest and
R = M - m, which are stored as `minimum` and `scale`:

    q = round(255 * sqrt((a - m) / R)),    a' = m + R * (q / 255)**2

Let s = (a - m) / R, in 0..1. Its root is off by at most half a step, so s is off by
|sqrt(s) - q / 255| * (sqrt(s) + q / 255) <= 1/510 * (2 * sqrt(s) + 1/510), and

    |a - a'| <= R * (sqrt(s) / 255 + 1 / 510**2) <= 0.393 % of the range R, hence of M too,

and 0.04 % of M for a weight of a hundredth of it. The least and the greatest weight, zeros that are the least, and maps
of one value come back as they were. A linear code would be off by at most 0.2 % of the range, but by that much
everywhere: where most weights are a hundredth of the largest, by a fifth of each.

What float32 adds: R and the product are rounded to 24 bits, which is nothing beside a step, but the sum is rounded to a
float32 near a, as a itself was. Of a range that spans few float32 numbers (below 1e-6 of the maximum some sixteen at
most) that is no loss: the code then falls short of half the distance v between two of them, and rounding finds a again.
That holds while 0.393 % of R is less than v / 2; beyond, rounding adds at most v / 2 <= 0.393 % of R. So the error of
what `decode` returns is below 0.8 % of the range and below 0.4 % of the maximum for every map of float32 numbers, be it
of two neighbouring ones; as soon as R spans ten thousand of them, which is a range of 0.1 % of the maximum, it is below
0.4 % of the range.

Databases from before had no `minimum`: theirs counts as 0, and their maps are decoded as ever, bit by bit.

In the database eight codes are a word, the first in its lowest byte: a map is a list of words, with zeros after its
last code. Databases from before have the codes themselves.
"""

import numpy as np
import pyarrow as pa

from store.errors import StoreError

STEPS = 255
WORD = np.dtype("<u8")
COLUMNS = "scale, minimum, codes, words"  # of `stored_map`, for `weights_of`
GREATEST = np.finfo(np.float32).max


def encode(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes (m, P) uint8, scales (m,) and minima (m,) float32 of weights (m, P). StoreError for weights that are
    negative or not finite as float32."""
    weights = np.asarray(weights, dtype=np.float32)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise StoreError("A map must hold finite weights of 0 and more; this one holds negative, infinite or NaN ones.")
    if not weights.shape[1]:
        nothing = np.zeros(len(weights), np.float32)
        return weights.astype(np.uint8), nothing, nothing
    minima = weights.min(axis=1)
    above = weights - minima[:, None]
    scales = above.max(axis=1)
    shares = above / np.where(scales > 0, scales, 1)[:, None]
    return np.rint(STEPS * np.sqrt(shares)).astype(np.uint8), scales, minima


def to_words(codes: np.ndarray) -> np.ndarray:
    """Words (m, ⌈P / 8⌉) of codes (m, P) uint8."""
    padding = -codes.shape[1] % WORD.itemsize
    padded = np.pad(codes, ((0, 0), (0, padding))) if padding else np.ascontiguousarray(codes)
    return padded.view(WORD)


def weights_of(maps: pa.Table | pa.RecordBatch, cells: int) -> np.ndarray:
    """Weights (m, cells) float32 of stored maps that all have so many cells, from their COLUMNS."""
    batches = maps.to_batches() if isinstance(maps, pa.Table) else [maps]
    codes = np.concatenate([np.empty((0, cells), np.uint8), *(_codes(batch, cells) for batch in batches)])
    return decode(codes, maps["scale"].to_numpy(), maps["minimum"].to_numpy())


def _codes(batch: pa.RecordBatch, cells: int) -> np.ndarray:
    """Codes (m, cells) uint8 of stored maps, those of which are words and those of before."""
    words, older = batch["words"], batch["codes"]
    if not words.null_count:
        return _from_words(words, cells)
    if not older.null_count:
        return older.flatten().to_numpy().reshape(-1, cells)
    codes, in_words = np.empty((len(batch), cells), np.uint8), words.is_valid().to_numpy(zero_copy_only=False)
    codes[in_words] = _from_words(words.drop_null(), cells)
    codes[~in_words] = older.drop_null().flatten().to_numpy().reshape(-1, cells)
    return codes


def _from_words(words: pa.Array, cells: int) -> np.ndarray:
    values = words.flatten().to_numpy().astype(WORD, copy=False)
    return values.reshape(len(words), -(-cells // WORD.itemsize)).view(np.uint8)[:, :cells]


def decode(codes: np.ndarray, scales: np.ndarray, minima: np.ndarray) -> np.ndarray:
    """Weights (m, P) float32 of codes (m, P) uint8, scales (m,) and minima (m,); an error bound stands at the head of
    this file."""
    roots = codes.astype(np.float32) / np.float32(STEPS)
    above = roots * roots * np.asarray(scales, dtype=np.float32)[:, None]
    with np.errstate(over="ignore"):  # the greatest numbers that there are: their range was rounded, up perhaps
        weights = above + np.asarray(minima, dtype=np.float32)[:, None]
    return np.minimum(weights, GREATEST, out=weights)
