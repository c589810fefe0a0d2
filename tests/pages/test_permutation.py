"""The permutation test: against a naive one, where a difference is planted, and where there is none."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import stats

from dashboard.compute.contrast import permutation
from dashboard.compute.contrast.permutation import compare, least_p


def groups(size_a: int, size_b: int, places: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values as attention has them: skewed, each place with a spread of its own."""
    random = np.random.default_rng(seed)
    spread = random.uniform(0.1, 3, places)
    return tuple((random.exponential(1, (size, places)) * spread).astype(np.float32) for size in (size_a, size_b))


def naive(a: np.ndarray, b: np.ndarray, divisions) -> tuple[np.ndarray, np.ndarray]:
    """z and corrected p, one division and one place after the other, from the formulas; `divisions` yields the
    indices of the first group."""
    values = np.concatenate([a, b]).astype(np.float64)
    total = len(values)

    def z(chosen: set[int]) -> list[float]:
        found = []
        for place in range(values.shape[1]):
            column = values[:, place]
            one = [column[i] for i in range(total) if i in chosen]
            other = [column[i] for i in range(total) if i not in chosen]
            gap = sum(one) / len(one) - sum(other) / len(other)
            found.append(gap / (column.std(ddof=1) * (total / (len(one) * len(other))) ** 0.5))
        return found

    observed = z(set(range(len(a))))
    greatest = [max(abs(one) for one in z(set(chosen))) for chosen in divisions]
    reached = [sum(great >= abs(one) * (1 - 1e-9) for great in greatest) for one in observed]
    return np.array(observed), (1 + np.array(reached)) / (1 + len(greatest))


@pytest.mark.parametrize(("size_a", "size_b"), [(9, 14), (20, 6), (1, 300)])
def test_equals_the_naive_test_with_the_same_shuffles(size_a, size_b):
    a, b = groups(size_a, size_b)
    b[:, 3] += 2
    found = compare(a, b, shuffles=150, seed=7)
    labels = np.concatenate(list(permutation._shuffled(size_a, size_b, 150, 7)))
    assert labels.shape == (150, size_a + size_b) and (labels.sum(axis=1) == size_a).all()
    z, p = naive(a, b, [np.flatnonzero(row).tolist() for row in labels])
    np.testing.assert_allclose(found.z, z, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.p, p)
    assert found.shuffles == 150 and not found.every


@pytest.mark.parametrize(("size_a", "size_b"), [(3, 4), (4, 4), (1, 6), (1, 1)])
def test_tries_every_division_of_few_pictures(size_a, size_b):
    a, b = groups(size_a, size_b, places=5)
    found = compare(a, b, shuffles=2000)
    others = list(combinations(range(size_a + size_b), size_a))[1:]
    _, p = naive(a, b, others)
    np.testing.assert_array_equal(found.p, p)
    assert found.every and found.shuffles == comb(size_a + size_b, size_a) - 1
    assert found.overall >= least_p(size_a, size_b)


def test_the_difference_of_the_means_is_that_of_numpy():
    a, b = groups(30, 20)
    found = compare(a, b, shuffles=10)
    np.testing.assert_allclose(found.mean_a, a.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(found.difference, a.astype(np.float64).mean(axis=0) - b.astype(np.float64).mean(axis=0))


def test_z_orders_divisions_as_the_t_of_a_pooled_test_does():
    a, b = (part.astype(np.float64) for part in groups(15, 25))
    z, total = compare(a.astype(np.float32), b.astype(np.float32), shuffles=10).z, 40
    pooled = (a.var(axis=0, ddof=1) * 14 + b.var(axis=0, ddof=1) * 24) / 38
    t = (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt(pooled * (1 / 15 + 1 / 25))
    np.testing.assert_allclose((total - 2) * z**2 / (total - 1 - z**2), t**2, rtol=1e-3)


def test_finds_a_planted_difference_where_it_is_and_nowhere_else():
    planted = [3, 70, 71]
    for seed in range(5):
        a, b = groups(40, 60, places=100, seed=seed)
        a[:, planted] += 1.5 * np.concatenate([a, b])[:, planted].std(axis=0)
        found = compare(a, b, shuffles=999, seed=seed)
        assert np.flatnonzero(found.p < 0.05).tolist() == planted
        assert found.overall == 1 / 1000 and found.peak in planted


def test_is_wrong_about_one_in_twenty_where_there_is_no_difference():
    """The patches of a map hang together, so these values do too."""
    random, wrong = np.random.default_rng(1), 0
    for number in range(400):
        maps = random.exponential(1, (22, 30)) + random.exponential(1, (22, 1))
        found = compare(maps[:9].astype(np.float32), maps[9:].astype(np.float32), shuffles=199, seed=number)
        wrong += found.overall <= 0.05
    assert 6 <= wrong <= 36  # 99.99 % of binomial draws of 400 at 0.05 lie between


def test_equal_groups_do_not_differ():
    a, _ = groups(10, 10)
    found = compare(a, a.copy(), shuffles=200)
    assert (found.p == 1).all() and np.abs(found.z).max() < 1e-5


def test_a_place_where_all_values_are_equal_does_not_differ():
    a, b = groups(10, 12)
    a[:, 4], b[:, 4] = 0.1, 0.1
    found = compare(a, b, shuffles=200)
    assert found.z[4] == 0 and found.p[4] == 1


def test_a_small_spread_on_a_large_value_is_still_a_difference():
    a, b = groups(30, 30, places=3)
    raised = compare(a * 1e-3 + 1 + np.float32(2e-3), b * 1e-3 + 1, shuffles=300)
    plain = compare(a * 1e-3 + np.float32(2e-3), b * 1e-3, shuffles=300)
    np.testing.assert_allclose(raised.z, plain.z, atol=0.02)
    np.testing.assert_allclose(raised.p, plain.p, atol=0.02)


def test_neither_scale_nor_order_of_the_groups_matters():
    a, b = groups(12, 30)
    found, other, large = (
        compare(a, b, shuffles=300),
        compare(b, a, shuffles=300),
        compare(a * 1e6, b * 1e6, shuffles=300),
    )
    np.testing.assert_allclose(other.z, -found.z, rtol=1e-4)
    np.testing.assert_allclose(large.p, found.p)


def test_the_same_seed_gives_the_same_and_chunks_do_not_matter(monkeypatch):
    a, b = groups(30, 40)
    whole, again, other = compare(a, b, 300, 5), compare(a, b, 300, 5), compare(a, b, 300, 6)
    monkeypatch.setattr(permutation, "_CHUNK", 500)
    pieces = compare(a, b, 300, 5)
    np.testing.assert_array_equal(whole.p, again.p)
    np.testing.assert_array_equal(whole.p, pieces.p)
    assert (whole.p != other.p).any()


def test_leaves_its_values_alone():
    a, b = groups(6, 9)
    before = a.copy()
    a.flags.writeable = b.flags.writeable = False
    compare(a, b, shuffles=20)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize(("sizes", "least"), [((3, 3), 0.1), ((2, 4), 1 / 15), ((1, 1), 1.0), ((50, 50), 1 / 2001)])
def test_the_least_p_that_can_come_out(sizes, least):
    assert least_p(*sizes) == pytest.approx(least)


def test_the_least_p_comes_out_where_the_difference_is_clear():
    clear = compare(np.full((3, 1), 1, np.float32), np.arange(3, dtype=np.float32)[:, None] * 0.01)
    assert clear.overall == pytest.approx(least_p(3, 3))


@pytest.mark.parametrize(("a", "b"), [((0, 3), (2, 3)), ((2, 3), (2, 4)), ((2,), (2,)), ((2, 0), (2, 0))])
def test_refuses_groups_that_cannot_be_compared(a, b):
    with pytest.raises(ValueError, match="two groups"):
        compare(np.zeros(a), np.zeros(b))


@pytest.mark.parametrize(("size_a", "size_b"), [(2, 4), (3, 3), (5, 1)])
def test_any_division_is_drawn_as_often_as_any_other(size_a, size_b):
    labels = np.concatenate(list(permutation._shuffled(size_a, size_b, 15_000, 1)))
    assert labels.shape == (15_000, size_a + size_b) and (labels.sum(axis=1) == size_a).all()
    _, counts = np.unique(labels @ 2 ** np.arange(size_a + size_b), return_counts=True)
    assert len(counts) == comb(size_a + size_b, size_a) and stats.chisquare(counts).pvalue > 0.001


def test_several_families_are_tested_by_the_same_divisions():
    (a, b), (c, d) = groups(12, 30), groups(12, 30, places=3)
    both = permutation.compare_each([(a, b), (c, d)], 300, 4)
    for found, alone in zip(both, (compare(a, b, 300, 4), compare(c, d, 300, 4)), strict=True):
        np.testing.assert_array_equal(found.p, alone.p)
        np.testing.assert_array_equal(found.z, alone.z)
    with pytest.raises(ValueError, match="same pictures"):
        permutation.compare_each([(a, b), (c[1:], d)], 300, 4)
