"""What many pictures say of a map together: means with intervals, and what is left after looking at many maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE, RESAMPLES = 0.95, 1000
BLOCK = 20_000_000  # numbers that are resampled at a time: 160 MB
CHOOSING, HELD_OUT, ALL = "choosing", "held-out", "all"


@dataclass(frozen=True)
class Summary:
    """Of k maps, each (k,): the mean over pictures, the interval of it by bootstrap, how many pictures, and the p-value
    of being no better than chance (NaN where that is not asked, or of a single picture)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    images: np.ndarray
    p_value: np.ndarray


def summarise(values: np.ndarray, chance: np.ndarray, higher: bool | None = True, seed: int = 0) -> Summary:
    """A Summary of measures (k, n) of k maps on n pictures, and of chance (n,) or (k, n) on the same ones. A picture
    whose measure is NaN for a map has none and is left out. `higher` says whether more is better; None: neither is, and
    nothing is tested."""
    chance = np.broadcast_to(chance, values.shape)
    there = ~np.isnan(values).any(axis=0)
    values, chance = values[:, there], chance[:, there]
    count = values.shape[1]
    nothing = np.full(len(values), np.nan)
    if not count:
        return Summary(nothing, nothing, nothing, np.zeros(len(values), int), nothing)
    low, high = interval(values, seed)
    p = nothing
    if higher is not None and count > 1:
        p = better(values - chance if higher else chance - values)
    return Summary(values.mean(axis=1), low, high, np.full(len(values), count), p)


def interval(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The bootstrap interval (CONFIDENCE, by percentiles) of the mean of values (k, n) over pictures; NaN of a single
    picture. The same resampled pictures serve all k."""
    count = values.shape[1]
    if count < 2:
        nothing = np.full(len(values), np.nan)
        return nothing, nothing

    def means(pictures: np.ndarray, axis: int = -1) -> np.ndarray:
        """(k, …) of drawn pictures (…, n): how often each was drawn, times its value."""
        drawn = pictures.reshape(-1, count).astype(int)
        places = drawn + count * np.arange(len(drawn))[:, None]
        times = np.bincount(places.ravel(), minlength=count * len(drawn)).reshape(len(drawn), count)
        return (values @ times.T / count).reshape(len(values), *pictures.shape[:-1])

    found = stats.bootstrap(
        (np.arange(count),),
        means,
        n_resamples=RESAMPLES,
        batch=max(1, BLOCK // count),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return found.low, found.high


def better(differences: np.ndarray) -> np.ndarray:
    """p-values (k,) of differences (k, n) from chance, picture by picture: by the one-sided paired t-test of a mean
    above 0. Where all differences are the same that test is undefined: there the sign test's, 0.5^n if
    they are above 0, else 1."""
    same = np.ptp(differences, axis=1) <= 1e-12
    with np.errstate(all="ignore"):
        p = stats.ttest_1samp(np.where(same[:, None], np.arange(differences.shape[1]), differences), 0, axis=1)
        p = stats.t.sf(p.statistic, differences.shape[1] - 1)
    return np.where(same, np.where(differences[:, 0] > 1e-12, 0.5 ** differences.shape[1], 1.0), p)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (k,) corrected for having looked k times (Holm 1979): each times the number of those that are not
    smaller, and never below a smaller one's."""
    order = np.argsort(p, kind="stable")
    corrected = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    found = np.empty_like(p)
    found[order] = corrected
    return found


def halves(count: int, seed: int = 0) -> np.ndarray:
    """bool (count,): the half of the pictures by which a map is chosen, drawn by the seed; the other is held out."""
    chosen = np.zeros(count, bool)
    chosen[np.random.default_rng(seed).permutation(count)[: (count + 1) // 2]] = True
    return chosen
