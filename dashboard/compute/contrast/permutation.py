"""Whether two groups of maps differ by more than chance: a permutation test, corrected for the many patches.

If it makes no difference which group a picture is in, then any other division of the same pictures into two groups of
these sizes was as likely as the one at hand. So the labels are shuffled many times, and each time the difference of the
means is taken again in every patch:

    z[j] = (mean_a[j] - mean_b[j]) / (s[j] * sqrt(N / (n_a * n_b))),    N = n_a + n_b,

s[j] being the standard deviation of all N values around their mean. The denominator is exactly how far the difference
of the means spreads over all divisions of the N values, so every patch counts alike, and z orders the divisions as the
t of a pooled t-test does: t² = (N - 2) z² / (N - 1 - z²). It is the same for every shuffle, and a matrix product does.

p is corrected by the maximum statistic (Westfall & Young 1993; Nichols & Holmes 2002): a patch's |z| is compared with
the greatest |z| of any patch in each shuffle, p = (1 + those that reach it) / (1 + shuffles). The chance that any patch
at all comes out with p < 0.05, where there is no difference, is then 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import numpy as np

SHUFFLES, SEED = 2000, 0
_CHUNK = 8_000_000  # labels shuffled at a time, 4 bytes each
_TIE = 1e-5  # relative: what float32 leaves of two equal |z|; ties count against a difference


@dataclass(frozen=True)
class Comparison:
    """Two groups compared in P places: their means, z, and p, corrected for the P places, each (P,) float64.

    `shuffles` is how many other divisions were tried, `every` says that there are no more.
    """

    mean_a: np.ndarray
    mean_b: np.ndarray
    z: np.ndarray
    p: np.ndarray
    shuffles: int
    every: bool

    @property
    def difference(self) -> np.ndarray:
        """(P,): the mean of the first group minus that of the second."""
        return self.mean_a - self.mean_b

    @property
    def overall(self) -> float:
        """p of the largest difference, and so of there being any."""
        return float(self.p.min())

    @property
    def peak(self) -> int:
        """The place whose difference is the least likely by chance."""
        return int(np.abs(self.z).argmax())


def compare(a: np.ndarray, b: np.ndarray, shuffles: int = SHUFFLES, seed: int = SEED) -> Comparison:
    """The two-sided permutation test of values a (n_a, P) against b (n_b, P).

    Where there are no more than `shuffles` divisions, each is tried once and p is exact; else `shuffles` are drawn with
    `seed`. A place where all values are equal has z = 0 and p = 1. ValueError for an empty group or another P.
    """
    return compare_each([(a, b)], shuffles, seed)[0]


def compare_each(
    families: Sequence[tuple[np.ndarray, np.ndarray]], shuffles: int = SHUFFLES, seed: int = SEED
) -> list[Comparison]:
    """The same test of several families of values of the same pictures, by the same divisions; each is corrected for
    its own places."""
    for a, b in families:
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not len(a) or not len(b) or not a.shape[1]:
            raise ValueError(f"expected two groups of values (n, P) with one P, got {a.shape} and {b.shape}")
    sizes = {(len(a), len(b)) for a, b in families}
    if len(sizes) != 1:
        raise ValueError(f"expected groups of the same pictures, got groups of {sorted(sizes)}")
    [(size_a, size_b)] = sizes
    factor = np.sqrt((size_a + size_b) / (size_a * size_b))
    values = [_standardised(a, b) for a, b in families]
    every = _divisions_to(shuffles, size_a, size_b) <= shuffles + 1
    greatest: list[list[np.ndarray]] = [[] for _ in families]
    for labels in _divisions(size_a, size_b) if every else _shuffled(size_a, size_b, shuffles, seed):
        for each, found in zip(values, greatest, strict=True):
            found.append(np.abs(labels @ each).max(axis=1) * factor)
    comparisons = []
    for (a, b), each, found in zip(families, values, greatest, strict=True):
        z = each[:size_a].sum(axis=0, dtype=np.float64) * factor
        of_chance = np.sort(np.concatenate(found)) if found else np.empty(0)
        reached = np.searchsorted(of_chance, np.abs(z) * (1 - _TIE))
        p = (1 + len(of_chance) - reached) / (1 + len(of_chance))
        means = a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64)
        comparisons.append(Comparison(*means, z, p, len(of_chance), every))
    return comparisons


def least_p(size_a: int, size_b: int, shuffles: int = SHUFFLES) -> float:
    """The smallest p that groups of these sizes can reach, with however clear a difference.

    Where both are as large, each division has a mirror image with the same differences.
    """
    divisions = _divisions_to(shuffles, size_a, size_b)
    if divisions - 1 > shuffles:
        return 1 / (1 + shuffles)
    return min(1.0, (2 if size_a == size_b else 1) / divisions)


def _divisions_to(shuffles: int, size_a: int, size_b: int) -> int:
    """How many divisions into groups of these sizes there are, or any number above `shuffles` + 1 where there are
    more: it may have as many digits as there are pictures."""
    total = size_a + size_b
    return total if total > shuffles + 1 and size_a and size_b else comb(total, size_a)


def _standardised(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Both groups (N, P) float32, each place with mean 0 and standard deviation 1, or 0 where all values are equal.

    With mean 0, the sum over one group says all about the difference of the means.
    """
    values = np.concatenate([a, b]).astype(np.float32, copy=False)
    size = np.abs(values).max(axis=0)
    for _ in range(2):  # once more for what rounding left
        values -= values.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = np.sqrt(np.einsum("ij,ij->j", values, values, dtype=np.float64) / (len(values) - 1))
    constant = spread <= 1e-6 * size  # no more than rounding leaves of equal values
    values *= np.where(constant, 0, 1 / np.where(constant, 1, spread)).astype(np.float32)
    return values


def _shuffled(size_a: int, size_b: int, shuffles: int, seed: int) -> Iterator[np.ndarray]:
    """Labels (k, N) float32, 1 for the first group, in chunks, `shuffles` in all.

    Each picture is put into the first group with about the probability of a shuffled label. That gives about as many as
    are wanted, any set of that size as likely as any other; as many by lot as are too many or too few change sides. At
    100,000 pictures this takes a fifth of the time of shuffling all labels.
    """
    random, total = np.random.default_rng(seed), size_a + size_b
    threshold = np.uint16(round(size_a / total * 65535))
    step = max(1, _CHUNK // total)
    for start in range(0, shuffles, step):
        labels = np.empty((min(step, shuffles - start), total), np.float32)
        for row in labels:
            first = np.frombuffer(random.bytes(2 * total), np.uint16) < threshold
            surplus = int(first.sum()) - size_a
            if surplus:
                ones = np.flatnonzero(first if surplus > 0 else ~first)
                first[random.choice(ones, abs(surplus), replace=False, shuffle=False)] = surplus < 0
            row[:] = first
        yield labels


def _divisions(size_a: int, size_b: int) -> Iterator[np.ndarray]:
    """Labels as of `_shuffled` of every division but the one at hand, the first that `combinations` gives."""
    others = islice(combinations(range(size_a + size_b), size_a), 1, None)
    while chunk := list(islice(others, 1000)):
        labels = np.zeros((len(chunk), size_a + size_b), np.float32)
        np.put_along_axis(labels, np.array(chunk), 1, axis=1)
        yield labels
