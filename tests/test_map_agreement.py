"""How much two maps agree about neighbours, against float64 arithmetic from picture to picture."""

import numpy as np
import pytest

from dashboard.compute.neighbours import maps
from store import vectors


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks that do not fit the number of pictures."""
    for module in (vectors, maps):
        monkeypatch.setattr(module, "SCORES", 700)


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def naive(distance: np.ndarray, k: int) -> np.ndarray:
    """The k nearest others of each, equals in their order."""
    n = len(distance)
    return np.array([sorted(set(range(n)) - {i}, key=lambda j: (distance[i, j], j))[:k] for i in range(n)])


def cosines(matrix: np.ndarray) -> np.ndarray:
    """Minus the cosine of each pair, as far as float32 tells them apart."""
    wide = matrix.astype(np.float64)
    wide /= np.sqrt((wide**2).sum(1))[:, None]
    return -(wide[:, None] * wide[None]).sum(2).astype(np.float32)


def compared(one, other, k, searching=maps.in_features, dim=12, ids=None):
    """The agreement of two maps of the same pictures."""
    ids = np.arange(len(one)) if ids is None else ids
    return maps.agreement(ids, ids, k, lambda both: (searching(one), searching(other)), dim)


@pytest.mark.parametrize("spread", [1.0, 1e-3], ids=["apart", "nearly the same"])
@pytest.mark.parametrize(("n", "k"), [(53, 1), (97, 10), (30, 28)])
def test_the_nearest_of_many_are_those_of_each_in_float64(n, k, spread):
    random = np.random.default_rng(n)
    matrix = unit(random.normal(size=7) + spread * random.normal(size=(n, 7)))
    rows = np.sort(random.permutation(n)[: n // 2])
    found, _ = vectors.neighbours(matrix, rows, k)
    np.testing.assert_array_equal(found, naive(cosines(matrix), k)[rows])
    one = vectors.nearest(np.arange(n), matrix, matrix[rows[0]], k, np.arange(n) != rows[0])
    np.testing.assert_array_equal(found[0], one[0])


def test_copies_are_neighbours_in_the_order_of_their_numbers_and_it_is_noted_where_that_decides():
    matrix = unit(np.random.default_rng(1).normal(size=(40, 5)))
    matrix[[4, 11, 12, 30, 39]] = matrix[4]
    found, tied = vectors.neighbours(matrix, np.arange(40), 3)
    np.testing.assert_array_equal(found, naive(cosines(matrix), 3))
    assert found[30].tolist() == [4, 11, 12] and tied[[4, 11, 12, 30, 39]].all()
    assert not vectors.neighbours(matrix, np.array([30]), 4)[1].any()  # all of the copies, and none left out


@pytest.mark.parametrize("searching", [maps.in_features, maps.in_plane])
def test_the_same_twice_agrees_wholly_and_a_shuffled_one_as_chance_has_it(searching):
    random = np.random.default_rng(2)
    points = random.normal(size=(400, 2 if searching is maps.in_plane else 12))
    points = points if searching is maps.in_plane else unit(points)
    same, other = (compared(points, each, 10, searching) for each in (points, points[random.permutation(400)]))
    assert (same.share == 1).all() and same.tied == 0 and same.counts().tolist() == [0] * 10 + [400]
    assert other.chance == pytest.approx(10 * 10 / 399)
    assert other.shared.mean() == pytest.approx(other.chance, abs=4 * np.sqrt(other.chance / 400))


def test_each_picture_has_the_share_that_a_loop_counts():
    random = np.random.default_rng(3)
    one = random.normal(size=(80, 12))
    one, other = unit(one), unit(one + 0.8 * random.normal(size=one.shape))
    found = compared(one, other, 7)
    both = [set(a) & set(b) for a, b in zip(naive(cosines(one), 7), naive(cosines(other), 7), strict=True)]
    assert found.shared.tolist() == [len(each) for each in both]
    assert found.counts().tolist() == np.bincount(list(map(len, both)), minlength=8).tolist()
    some = np.arange(5, 60)
    least = found.extremes(some, 4, most=False)
    assert least.tolist() == sorted(some, key=lambda i: (len(both[i]), i))[:4]
    assert found.extremes(some, 1, most=True).tolist() == [min(some, key=lambda i: (-len(both[i]), i))]


def test_cells_of_a_grid_are_equally_near_and_two_such_grids_agree():
    grid = np.stack(np.meshgrid(range(6), range(5)), axis=-1).reshape(-1, 2).astype(float)
    rows = np.arange(len(grid))
    found, tied = maps.in_plane(grid)(rows, 3)
    distance = np.array([[(a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 for b in grid] for a in grid])
    np.testing.assert_array_equal(found, naive(distance, 3))
    corner, edge, inner = 0, 1, 7  # have 2, 3 and 4 at the distance of a cell
    assert tied[[corner, edge, inner]].tolist() == [False, False, True]
    agreed = compared(grid, grid, 3, maps.in_plane)
    assert (agreed.share == 1).all() and agreed.tied == int(tied.sum())


def test_only_pictures_of_both_are_compared_with_each_other():
    random = np.random.default_rng(4)
    xy = {int(i): random.normal(size=2) for i in range(3, 33)}
    first, second = np.array([i for i in xy if i % 5]), np.array([i for i in xy if i % 7])
    asked = []

    def searches(ids):
        asked.append(ids.tolist())
        return [maps.in_plane(np.array([xy[i] for i in ids]))] * 2

    found = maps.agreement(first, second, 4, searches, 2)
    both = [i for i in xy if i % 5 and i % 7]
    assert asked == [both] and found.ids.tolist() == both and (found.shared == 4).all()
    assert (found.only_first, found.only_second) == (len(first) - len(both), len(second) - len(both))
    shares = found.among(np.array([2, 5, 7, 8, 99]))
    assert np.isnan(shares[[0, 1, 2, 4]]).all() and shares[3] == 1


def test_of_too_many_some_are_measured_among_all(monkeypatch):
    random = np.random.default_rng(5)
    one, other = (unit(random.normal(size=(90, 12))) for _ in range(2))
    whole = compared(one, other, 5)
    monkeypatch.setattr(maps, "LEAST", 17)
    monkeypatch.setattr(maps, "WORK", 1)
    some = compared(one, other, 5)
    assert some.measured.sum() == 17 and some.counts().sum() == 17
    np.testing.assert_array_equal(some.shared[some.measured], whole.shared[some.measured])
    assert set(some.extremes(some.ids, 90, False)) == set(some.ids[some.measured])
    np.testing.assert_array_equal(compared(one, other, 5).measured, some.measured)  # the same ones each time


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pictures_have_no_neighbourhoods(count):
    assert compared(np.zeros((count, 2)), np.zeros((count, 2)), 5, maps.in_plane) is None


def test_neighbours_are_fewer_than_all_others():
    points = np.random.default_rng(6).normal(size=(5, 2))
    assert compared(points, points, 10, maps.in_plane).k == 3
