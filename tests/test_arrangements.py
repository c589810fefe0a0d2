"""Grid, blocks and time line: nobody covers anybody, values lie where they say, neighbours stay neighbours."""

from datetime import date

import numpy as np
import pytest

from dashboard.compute import arrangements
from dashboard.compute.arrangements import BLOCKS, Dated, cells, grid, groups, timeline

DEGENERATE = [np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((9, 2)), np.column_stack([np.arange(7.0), np.zeros(7)])]


def clusters(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(0, 20, (12, 2))[random.integers(12, size=n)] + random.normal(size=(n, 2)) * 0.4


def closest(xy: np.ndarray) -> float:
    """The least distance, in cells, at which two square pictures of side 1 stand from each other: 1 if they touch."""
    order = np.argsort(xy[:, 0], kind="stable")
    least, x, y = np.inf, xy[order, 0], xy[order, 1]
    for shift in range(1, len(xy)):
        apart = x[shift:] - x[:-shift]
        if (apart >= 1).all():
            break
        least = min(least, np.maximum(apart, np.abs(y[shift:] - y[:-shift])).min())
    return least


def kept(before: np.ndarray, after: np.ndarray, k: int = 10) -> float:
    """The share of the k nearest neighbours of each point that are among its k nearest afterwards."""

    def near(xy: np.ndarray) -> np.ndarray:
        distance = ((xy[:, None] - xy[None]) ** 2).sum(-1)
        np.fill_diagonal(distance, np.inf)
        return np.argsort(distance, axis=1)[:, :k]

    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(near(before), near(after), strict=True)]))


@pytest.mark.parametrize("n", [2, 3, 29, 300, 1501, 4000])
def test_a_grid_gives_everybody_a_cell_and_has_no_holes(n):
    columns = 1 + n // 7
    for exact in (0, 400):
        found = cells(clusters(n), columns, exact)
        assert sorted(map(tuple, found[:, ::-1].tolist())) == [divmod(i, columns) for i in range(n)]


@pytest.mark.parametrize("n", [100, 1400])
def test_a_grid_keeps_far_more_neighbours_than_a_random_one(n):
    xy = clusters(n)
    made = grid(xy).xy
    by_chance = kept(xy, np.random.default_rng(1).permutation(made))
    assert kept(xy, made) > max(0.45, 3 * by_chance), (kept(xy, made), by_chance)


def test_a_small_grid_is_the_best_there_is():
    """Against all orders of six points on two rows."""
    from itertools import permutations

    xy = np.random.default_rng(4).normal(size=(6, 2))
    there = (xy - xy.min(0)) / np.ptp(xy, axis=0) * [2, 1]
    every = np.array([(i % 3, 1 - i // 3) for i in range(6)])
    best = min(((there - every[list(order)]) ** 2).sum() for order in permutations(range(6)))
    column, row = cells(xy, 3).T
    assert ((there - np.stack([column, 1 - row], axis=1)) ** 2).sum() == pytest.approx(best)


def test_up_stays_up_and_right_stays_right():
    xy = np.array([[x, y] for x in range(40) for y in range(30)], float)
    for exact in (0, 5000):
        column, row = cells(xy, 40, exact).T
        assert (column == xy[:, 0]).all() and (row == 29 - xy[:, 1]).all()


@pytest.mark.parametrize("xy", DEGENERATE)
def test_points_in_one_place_get_places_of_their_own(xy):
    values = [None, *range(len(xy) - 1)] if len(xy) else []
    for made in (grid(xy), groups(xy, values), timeline(xy, values)):
        assert made.xy.shape == (len(xy), 2) and np.isfinite(made.xy).all()
        assert len(xy) < 2 or closest(made.xy) >= 1 - 1e-4


def test_each_value_has_a_block_with_its_pictures_and_no_others():
    xy, random = clusters(700), np.random.default_rng(2)
    values = [None if i < 0 else f"v{i}" for i in random.integers(-1, 12, 700)]
    made = groups(xy, values, "no artist")
    assert [block.text for block in made.blocks][-1] == "no artist"
    counts = [block.count for block in made.blocks[:-1]]
    assert counts == sorted(counts, reverse=True) and len(counts) == 12
    for block in made.blocks:
        x, y = made.xy.T
        inside = (block.x0 < x) & (x < block.x1) & (block.y0 < y) & (y < block.y1)
        wanted = None if block.text == "no artist" else block.text
        assert inside.tolist() == [value == wanted for value in values]
        assert inside.sum() == block.count
    assert closest(made.xy) >= 1 - 1e-4
    wide, high = np.ptp(made.xy, axis=0)
    assert 0.9 < wide / high < 2


def test_blocks_leave_room_for_their_names():
    made = groups(clusters(300), [i % 5 for i in range(300)])
    for one in made.blocks:
        above = [other.y0 - one.y1 for other in made.blocks if other.y0 >= one.y1 and other.x0 < one.x1 > one.x0]
        assert all(room > 0.02 * np.ptp(made.xy[:, 1]) for room in above)


def test_the_rarest_of_many_values_share_a_block():
    values = [f"v{i}" for i in range(5000) for _ in range(1 + (i < 98))]
    made = groups(clusters(len(values)), values)
    assert len(made.blocks) == BLOCKS
    assert (made.blocks[-1].text, made.blocks[-1].count) == ("4,901 other values", 4901)
    assert sum(block.count for block in made.blocks) == len(values)


def test_neighbours_stay_neighbours_inside_a_block():
    xy = clusters(600)
    values = np.arange(600) % 3
    made = groups(xy, values.tolist()).xy
    for value in range(3):
        one = values == value
        assert kept(xy[one], made[one]) > 0.4


def test_a_time_line_is_true_to_scale_and_nobody_covers_anybody():
    random = np.random.default_rng(0)
    years = [None if random.random() < 0.1 else float(random.integers(1500, 1900)) for _ in range(900)]
    made = timeline(clusters(900), years, none="no year")
    axis, x = made.axis, made.xy[:, 0]
    known = np.array([year is not None for year in years])
    texts = axis.low + (x - axis.x0) / (axis.x1 - axis.x0) * (axis.high - axis.low)
    wrong = np.abs(texts[known] - np.array([year for year in years if year is not None]))
    assert wrong.max() < 0.5  # those of one year stand side by side within it
    by_year = np.argsort(np.array([np.inf if year is None else year for year in years]), kind="stable")
    assert (np.diff(x[by_year][: known.sum()]) > -2).all()
    assert closest(made.xy) >= 1 - 1e-4
    (block,) = made.blocks
    assert (block.text, block.count) == ("no year", int((~known).sum()))
    assert x[~known].min() > x[known].max() + 1
    inside = (made.xy > [block.x0, block.y0]).all(1) & (made.xy < [block.x1, block.y1]).all(1)
    assert (inside == ~known).all()


def test_different_values_lie_in_their_order_exactly():
    values = np.random.default_rng(5).uniform(-3, 8, 500)
    made = timeline(clusters(500), values.tolist())
    assert (np.diff(made.xy[np.argsort(values), 0]) > 0).all()
    places = made.axis.x0 + (values - made.axis.low) * (made.axis.x1 - made.axis.x0) / np.ptp(values)
    assert made.xy[:, 0] == pytest.approx(places, abs=1e-3)
    assert closest(made.xy) >= 1 - 1e-4


def test_dates_lie_where_their_day_says():
    dates = [date(1900, 1, 1), "1900-12-31", None, date(1901, 12, 31)]
    made = timeline(clusters(4), dates, "date")
    assert (made.axis.kind, made.axis.high - made.axis.low) == ("date", 729)
    assert made.axis.low == date(1900, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
    first, second, _, last = made.xy[:, 0]
    assert (second - first) / (last - first) == pytest.approx(364 / 729, rel=1e-4)


def test_neighbours_of_the_projection_stack_near_each_other():
    xy = np.column_stack([np.zeros(400), np.random.default_rng(3).normal(size=400)])
    made = timeline(xy, np.repeat(np.arange(8) * 10, 50).tolist())
    for year in range(8):
        mine = slice(50 * year, 50 * year + 50)
        assert np.corrcoef(xy[mine, 1], made.xy[mine, 1])[0, 1] > 0.8


@pytest.mark.parametrize("values", [[None] * 6, [1700] * 6, [None, 5, 5, 5, 5, 5]])
def test_a_time_line_of_one_value_or_none_still_has_places(values):
    made = timeline(clusters(6), values)
    assert closest(made.xy) >= 1 - 1e-4
    assert (made.axis is None) == (values[1] is None)


def test_half_of_all_in_one_year_does_not_pull_the_line_to_a_thread():
    years = [1900] * 3000 + list(range(1500, 2000)) * 6
    made = timeline(clusters(6000), years)
    wide, high = np.ptp(made.xy, axis=0)
    assert 0.7 < wide / high < 4


def test_text_is_no_number():
    assert np.isnan(arrangements.as_numbers(["about 1830", None, ""], "number")).all()


def test_open_ends_lie_at_the_end_that_is_known_and_are_marked():
    values = [Dated(1600), Dated(1750, -1), Dated(1650, 1), Dated(None), 1700]
    made = timeline(clusters(5), values)
    assert made.open.tolist() == [0, -1, 1, 0, 0]
    assert np.argsort(made.xy[[0, 2, 4, 1], 0]).tolist() == [0, 1, 2, 3]
    assert [block.count for block in made.blocks] == [1] and (made.axis.low, made.axis.high) == (1600, 1750)
    assert timeline(clusters(2), [1600, 1700]).open is None


def test_a_picture_with_several_values_lies_with_the_first():
    made = groups(clusters(5), [("sea", "sky"), ("sky",), ("sky", "sea"), None, ("sea",)])
    assert [(block.text, block.count) for block in made.blocks] == [
        ("sea (3 in all)", 2), ("sky (3 in all)", 2), ("no value", 1),
    ]  # fmt: skip
