"""How precise a term's labels are at each threshold, from a sample of pictures that somebody has marked.

The pictures that have a score of the term are ranked, and parted into strata by halves: the lower half, half of the
rest above it, and so on, so that a few sure pictures are drawn from as often as many unsure ones. A round draws from
each stratum, and more from those at the threshold; inside a stratum each picture that is not marked yet is drawn with
the same chance, whatever was drawn before. So the marks of a stratum are a simple random sample of it, and those of
them above a threshold one of its pictures there: the mean over strata, weighted by the pictures that each has above
the threshold, is unbiased.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

STRATA = 10  # at most
ROUND = 20  # pictures that are drawn at a time
PLACES = 80  # thresholds
Z = 1.959964  # of the 95 % interval


@dataclass(frozen=True)
class Precision:
    """Of the `labelled` best pictures the share that is right, with its 95 % interval, from `marked` of them."""

    labelled: int
    share: float
    low: float
    high: float
    marked: int


def strata(pictures: int, most: int = STRATA) -> np.ndarray:
    """The stratum (n,) of each rank from the best on, 0 for the best: the last holds the lower half, and so on."""
    edges = sorted({math.ceil(pictures / 2**power) for power in range(most)})
    return np.searchsorted(edges, np.arange(pictures), side="right")


def draw(labelled: int, marked: np.ndarray, seed: int, count: int = ROUND) -> np.ndarray:
    """The ranks (at most `count`,) of pictures to mark, shuffled: half of them from the strata at the threshold,
    that of the last of the `labelled` best pictures and that of the next, the others from all strata in turn.
    `marked` bool (n,) says which are marked already."""
    random = np.random.default_rng(seed)
    of = strata(len(marked))
    left = [list(random.permutation(np.flatnonzero((of == each) & ~marked))) for each in range(of.max(initial=-1) + 1)]
    here = dict.fromkeys(of[np.clip([labelled - 1, labelled], 0, len(of) - 1)].tolist()) if len(of) else {}
    chosen = _in_turn(left, list(range(len(left))), count - count // 2)
    chosen += _in_turn(left, list(here), count - len(chosen))
    chosen += _in_turn(left, list(range(len(left))), count - len(chosen))
    return random.permutation(np.array(chosen, dtype=int))


def precision(labelled: int, marks: Mapping[int, bool], pictures: int) -> Precision | None:
    """The precision of the `labelled` best of so many pictures, of `marks` {rank from 0: right}; None where a stratum
    of these has no mark.

    The interval is Wilson's (1927), of the sample that is as good as a simple one would be: as large as the share's
    variance over that of the estimate (Korn & Graubard 1998). Of each stratum's own share (r + 1) / (n + 2) is taken in
    it, so that few equal marks do not pass for certainty. Strata are finite: what is marked whole adds no variance.
    """
    of = strata(pictures)[:labelled]
    ranks = np.array([rank for rank in marks if rank < labelled], dtype=int)
    right = np.array([marks[rank] for rank in ranks], dtype=float)
    size = np.bincount(of)
    drawn = np.bincount(of[ranks], minlength=len(size))
    if not labelled or (drawn[size > 0] == 0).any():
        return None
    some = size > 0
    size, drawn, right_of = size[some], drawn[some], np.bincount(of[ranks], right, minlength=len(some))[some]
    weight = size / labelled
    share = float(weight @ (right_of / drawn))
    smooth = (right_of + 1) / (drawn + 2)
    unknown = (size - drawn) / np.maximum(size - 1, 1)
    variance = float(weight**2 @ (unknown * smooth * (1 - smooth) / drawn))
    mean = float(weight @ smooth)
    interval = wilson(share, mean * (1 - mean) / variance if variance else math.inf)
    return Precision(labelled, share, *interval, len(ranks))


def curve(marks: Mapping[int, bool], pictures: int) -> list[Precision]:
    """The precision at each threshold at which it is known, of at most PLACES, ever further apart. Which these are does
    not depend on the marks, which would bias it."""
    places = steps(pictures, PLACES)
    return [found for place in places if (found := precision(place, marks, pictures)) is not None]


def steps(pictures: int, most: int) -> list[int]:
    """At most so many whole numbers from 1 to `pictures`, ever further apart."""
    return sorted({*np.geomspace(1, pictures, most).round().astype(int).tolist()}) if pictures else []


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share that was seen in `count` draws (Wilson 1927), which need not be a whole number."""
    if math.isinf(count):
        return share, share
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _in_turn(left: list[list[int]], order: list[int], count: int) -> list[int]:
    """Up to `count` of these lists' last entries, one of each in turn, taken out of them."""
    found: list[int] = []
    while len(found) < count and any(left[each] for each in order):
        found += [left[each].pop() for each in order if left[each]][: count - len(found)]
    return found
