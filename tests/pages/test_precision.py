"""The precision of a term's labels, from samples of pictures whose right marks are planted."""

import numpy as np
import pytest

from dashboard.views.vocabulary.precision import curve, draw, precision, strata, wilson


def planted(pictures: int, seed: int) -> np.ndarray:
    """Which pictures a term is right for, from the surest on: ever fewer."""
    chance = 0.97 / (1 + np.exp((np.arange(pictures) - pictures / 6) / (pictures / 20)))
    return np.random.default_rng(seed).random(pictures) < chance


def marked(right: np.ndarray, labelled: int, seed: int, rounds: int = 1) -> dict[int, bool]:
    """What somebody marks who is right, in so many rounds."""
    known: dict[int, bool] = {}
    for number in range(rounds):
        seen = np.isin(np.arange(len(right)), list(known))
        known |= {int(rank): bool(right[rank]) for rank in draw(labelled, seen, 1000 * number + seed)}
    return known


def test_strata_part_by_halves():
    assert np.bincount(strata(29)).tolist() == [1, 1, 2, 4, 7, 14]
    assert np.bincount(strata(100_000))[-3:].tolist() == [12_500, 25_000, 50_000]
    assert np.bincount(strata(100_000)).size == 10
    assert strata(1).tolist() == [0] and strata(0).size == 0


def test_a_round_has_half_of_its_pictures_at_the_threshold_and_none_twice():
    of, none = strata(5000), np.zeros(5000, bool)
    first = draw(600, none, 7)
    assert len(set(first)) == 20 and first.tolist() == draw(600, none, 7).tolist() != sorted(first)
    assert set(of[first]) == set(of) and np.isin(of[first], of[[599, 600]]).sum() >= 10
    assert not set(draw(600, np.isin(np.arange(5000), first), 8)) & set(first)
    assert sorted(draw(2, np.zeros(5, bool), 0)) == [0, 1, 2, 3, 4] and not draw(2, np.ones(5, bool), 0).size
    assert not draw(0, np.zeros(0, bool), 0).size


@pytest.mark.parametrize(("labelled", "rounds"), [(250, 1), (250, 3), (700, 1), (60, 2)])
def test_the_weighted_precision_is_unbiased_and_its_interval_covers(labelled, rounds):
    right = planted(2000, 1)
    truth = right[:labelled].mean()
    found = [precision(labelled, marked(right, labelled, seed, rounds), len(right)) for seed in range(500)]
    known = [each for each in found if each is not None]
    shares = np.array([each.share for each in known])
    assert len(known) > 300
    assert abs(shares.mean() - truth) < 4 * shares.std() / len(known) ** 0.5 + 1e-9
    assert np.mean([each.low <= truth <= each.high for each in known]) > 0.93


def test_an_unweighted_share_would_be_biased():
    right = planted(2000, 1)
    plain = [np.mean([y for rank, y in marked(right, 700, seed).items() if rank < 700]) for seed in range(200)]
    assert abs(np.mean(plain) - right[:700].mean()) > 0.05


def test_with_every_picture_marked_nothing_is_uncertain():
    right = planted(40, 3)
    marks = dict(enumerate(map(bool, right)))
    for each in curve(marks, 40):
        assert each.share == each.low == each.high == pytest.approx(right[: each.labelled].mean())
    assert {1, 2, 3, 20, 40} <= {each.labelled for each in curve(marks, 40)}


def test_thresholds_below_which_nothing_is_marked_are_left_out():
    assert precision(10, {0: True}, 40) is None and precision(0, {}, 40) is None
    assert curve({}, 40) == [] and [each.labelled for each in curve({0: True, 1: False}, 40)] == [1, 2]


@pytest.mark.parametrize(("right", "count", "low", "high"), [(10, 10, 0.7225, 1.0), (8, 10, 0.4902, 0.9433)])
def test_wilsons_interval(right, count, low, high):
    assert wilson(right / count, count) == pytest.approx((low, high), abs=1e-4)  # as in Newcombe 1998
