import numpy as np
import pytest

from store.grids import common, onto


def maps(rows, cols, count=3):
    return np.random.default_rng(rows * cols).random((count, rows, cols)).astype(np.float32)


@pytest.mark.parametrize("old", [(4, 6), (1, 20), (13, 19), (60, 3)])
@pytest.mark.parametrize("new", [(4, 6), (15, 15), (1, 1), (2, 9)])
def test_sums_stay_and_evenness_stays(old, new):
    weights = maps(*old)
    found = onto(weights, *new)
    assert found.shape == (3, *new) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum((1, 2)), weights.sum((1, 2)), rtol=1e-5)
    even = onto(np.full((1, *old), 1 / (old[0] * old[1]), np.float32), *new)
    np.testing.assert_allclose(even, 1 / (new[0] * new[1]), rtol=1e-5)


def test_the_same_grid_is_left_as_it_is():
    weights = maps(4, 6)
    assert onto(weights, 4, 6) is weights


def test_a_multiple_of_the_grid_divides_each_patch():
    weights = maps(2, 3)
    np.testing.assert_allclose(onto(weights, 4, 9), weights.repeat(2, 1).repeat(3, 2) / 6, rtol=1e-6)
    np.testing.assert_allclose(onto(onto(weights, 4, 9), 2, 3), weights, rtol=1e-6)


def test_a_patch_comes_to_lie_where_it_was():
    """Three columns on two: the middle one is divided between both."""
    found = onto(np.array([[[1, 10, 100]]], np.float32), 1, 2)
    np.testing.assert_allclose(found, [[[6, 105]]])


def test_the_centre_of_mass_stays_within_a_patch():
    weights = np.zeros((1, 12, 21), np.float32)
    weights[0, 9, 2] = 1
    found = onto(weights, 15, 15)[0]
    down, across = found.sum(1) @ (np.arange(15) + 0.5) / 15, found.sum(0) @ (np.arange(15) + 0.5) / 15
    assert (down, across) == pytest.approx((9.5 / 12, 2.5 / 21), abs=0.5 / 15)


def test_the_common_grid():
    assert common([(4, 6), (4, 6)]) == (4, 6)
    assert common([(13, 19), (19, 13), (16, 16)]) == (16, 16)
    assert common([(13, 19), (19, 13)]) == (16, 16)
    assert common([(1, 1), (4, 5), (5, 4)]) == (5, 5)
    assert common([(3, 3), (1, 2)]) == (3, 3)
