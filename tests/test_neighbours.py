"""Arithmetic on vectors against loops that go from image to image."""

import itertools

import numpy as np
import pytest

from dashboard.compute import neighbours
from dashboard.compute.neighbours import agreement, centrality, direction, links, typicality


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks that do not fit the number of images, and forests that are thinned out many times."""
    monkeypatch.setattr(neighbours, "BLOCK", 28)
    monkeypatch.setattr(neighbours, "PENDING", 40)


def clustered(count: int, dim: int = 12, groups: int = 9, spread: float = 0.25, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(groups, dim))
    found = centres[random.integers(0, groups, count)] + spread * random.normal(size=(count, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def naive_groups(matrix: np.ndarray, threshold: float) -> list[list[int]]:
    """Every pair looked at; groups that a pair joins become one."""
    group = {image: {image} for image in range(len(matrix))}
    for one, other in itertools.combinations(range(len(matrix)), 2):
        if matrix[one] @ matrix[other] >= threshold and group[one] is not group[other]:
            group[one] |= group[other]
            for member in group[other]:
                group[member] = group[one]
    found = {id(each): sorted(each) for each in group.values() if len(each) > 1}.values()
    return sorted(found, key=lambda each: (-len(each), each[0]))


def test_direction_is_the_mean_of_one_minus_the_mean_of_the_other_of_length_one():
    vectors = clustered(7)
    found = direction(vectors[:3], vectors[3:5])
    expected = [
        sum(float(v[i]) for v in vectors[:3]) / 3 - sum(float(v[i]) for v in vectors[3:5]) / 2 for i in range(12)
    ]
    np.testing.assert_allclose(found, np.array(expected) / np.sqrt(sum(e * e for e in expected)), atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(direction(vectors[:1], vectors[:0]), vectors[0], atol=1e-6)
    np.testing.assert_allclose(direction(vectors[:0], vectors[:1]), -vectors[0], atol=1e-6)
    assert direction(vectors[:2], vectors[:2]) is None


@pytest.mark.parametrize(("count", "k"), [(1, 3), (2, 1), (2, 5), (57, 1), (57, 10), (57, 200)])
def test_typicality_is_the_mean_of_the_best(count, k):
    matrix = clustered(count)
    found = typicality(matrix, k)
    for image in range(count):
        others = sorted((float(matrix[image] @ matrix[o]) for o in range(count) if o != image), reverse=True)[:k]
        if others:
            assert found[image] == pytest.approx(sum(others) / len(others), abs=1e-5)
        else:
            assert np.isnan(found[image])


def test_the_planted_stranger_is_the_least_typical():
    matrix = clustered(60, groups=2, spread=0.1)
    matrix[41] = -matrix[:41].mean(0) / np.linalg.norm(matrix[:41].mean(0))
    assert typicality(matrix, 5).argmin() == centrality(matrix).argmin() == 41
    mean = matrix.astype(float).mean(0)
    for image, score in enumerate(centrality(matrix)):
        assert score == pytest.approx(float(matrix[image] @ mean / np.linalg.norm(mean)), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [0, 1, 2, 28, 100])
def test_groups_are_those_that_all_pairs_make_at_every_threshold(count, seed):
    matrix = clustered(count, seed=seed)
    found = links(matrix, 0.6)
    assert len(found.first) <= max(0, count - 1)
    for threshold in (0.6, 0.7, 0.8, 0.9, 0.97, 1.1):
        assert [group.tolist() for group in found.groups(threshold)] == naive_groups(matrix, threshold)


def test_groups_chain_and_duplicates_are_one_group():
    angles = np.deg2rad([0, 10, 20, 90, 90, 90, 200])
    matrix = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = links(matrix, 0.9)
    assert [group.tolist() for group in found.groups(np.cos(np.deg2rad(10.5)))] == [[0, 1, 2], [3, 4, 5]]
    assert [group.tolist() for group in found.groups(0.9999)] == [[3, 4, 5]]


def test_ordinary_is_the_median_over_pairs_of_different_images():
    matrix = clustered(40)
    every = [float(one @ other) for one, other in itertools.combinations(matrix, 2)]
    assert neighbours.ordinary(matrix) == pytest.approx(np.median(every), abs=0.05)
    assert neighbours.ordinary(np.eye(2, dtype=np.float32)) == 0  # never an image with itself
    assert neighbours.ordinary(matrix[:1]) == neighbours.ordinary(matrix[:0]) == 0


def test_random_pairs_have_the_similarities_of_all_pairs():
    """Within four standard errors of a share; of a small collection all pairs are taken."""
    matrix = clustered(300)
    every = np.sort([float(one @ other) for one, other in itertools.combinations(matrix, 2)])
    assert neighbours.pair_similarities(matrix[:200]) == pytest.approx(
        np.sort((matrix[:200] @ matrix[:200].T)[np.triu_indices(200, 1)]), abs=1e-6
    )
    found = neighbours.pair_similarities(matrix)
    assert len(found) == neighbours.PAIRS < len(every) and (np.diff(found) >= 0).all()
    for share in (0.01, 0.5, 0.9, 0.99, 0.999):
        edge = np.quantile(every, share)
        assert abs(np.mean(found < edge) - share) <= 4 * (share * (1 - share) / len(found)) ** 0.5 + 1 / len(every)
    assert (found == neighbours.pair_similarities(matrix)).all()  # seeded
    assert not len(neighbours.pair_similarities(matrix[:1]))


def test_the_closest_two_are_not_the_same():
    matrix = clustered(40)
    matrix[7] = matrix[3]
    one, other = neighbours.closest(matrix)
    scores = np.triu(matrix @ matrix.T, 1)
    scores[3, 7] = 0
    assert scores[one, other] == scores.max() and {one, other} != {3, 7}
    assert neighbours.closest(matrix[:1]) == neighbours.closest(matrix[:0]) == []
    assert len(neighbours.closest(clustered(neighbours.SOME + 9))) == 2


def test_agreement_is_the_share_in_both():
    assert agreement(np.array([1, 2, 3, 4]), np.array([9, 4, 1, 7])) == 0.5
    assert agreement(np.array([1]), np.array([1, 2])) == 0.5
    assert agreement(np.array([]), np.array([])) == 1.0
