"""Two groups of pictures: which pictures are in them, and what they are called."""

from datetime import date

import pandas as pd
import pytest

from dashboard.views.aggregate import grouping, groups
from dashboard.views.aggregate.groups import Condition, Group


@pytest.fixture
def catalogue() -> pd.DataFrame:
    years = pd.array([1600, 1650, None, 1700, 1750], dtype="Int64")
    genres = ["portrait", None, "portrait", "still life", "landscape"]
    days = [date(2020, 1, 1), None, date(2020, 6, 1), date(2021, 1, 1), date(1500, 3, 4)]
    return pd.DataFrame({"image_id": [5, 1, 2, 3, 4], "year": years, "genre": genres, "day": days})


def members(catalogue, a: Group, b: Group | None = None) -> tuple:
    pair = groups.divide(catalogue, a, b or Group())
    return pair.a.tolist(), pair.b.tolist(), pair.both, pair.unknown


def test_all_others_are_known_not_to_be_in_the_group(catalogue):
    portraits = Condition("genre", "text", ("portrait",))
    early = Condition("year", "number", (1600, 1650))
    assert members(catalogue, Group((portraits,))) == ([2, 5], [3, 4], 0, 1)
    assert members(catalogue, Group((portraits, early))) == ([5], [3, 4], 0, 2)  # 1 has no genre, 2 no year


def test_ranges_hold_both_ends_and_nothing_unknown(catalogue):
    assert members(catalogue, Group((Condition("year", "number", (1650, 1700)),))) == ([1, 3], [4, 5], 0, 1)
    spring = Condition("day", "date", (date(1500, 1, 1), date(2020, 1, 1)))
    assert members(catalogue, Group((spring,))) == ([4, 5], [2, 3], 0, 1)


def test_a_picture_of_both_groups_counts_in_the_first(catalogue):
    early, late = (Condition("year", "number", ends) for ends in ((1600, 1700), (1650, 1800)))
    assert members(catalogue, Group((early,)), Group((late,))) == ([1, 3, 5], [4], 2, 0)


def test_of_a_list_any_part_may_hold(catalogue):
    parts = pd.Series([("sea", "sky"), None, ("sky",), ("sea",), ("field", "sea")], dtype=object)
    by_parts = catalogue.assign(subject=parts)
    sea, sky = (Group((Condition("subject", "text", (value,)),)) for value in ("sea", "sky"))
    assert members(by_parts, sea) == ([3, 4, 5], [2], 0, 1)
    assert members(by_parts, sea, sky) == ([3, 4, 5], [2], 1, 0)


def test_groups_are_named():
    genre, year = Condition("genre", "text", ("portrait", "still life")), Condition("year", "number", (1600, 1700))
    day = Condition("day", "date", (date(2020, 1, 1), date(2020, 1, 1)))
    assert Group((genre, year)).words() == "genre portrait or still life, year 1600 to 1700"
    assert Group((day,)).words() == "day 2020-01-01" and Group().words() == "all other pictures"
    assert Condition("x", "text", tuple("abcdefg")).words() == "x a or b or c or d or e or 2 others"


@pytest.mark.parametrize(
    ("values", "lower", "upper"), [([3, 1, 2, 4], (1, 2), (3, 4)), ([1, 1, 1], (1, 1), (1, 1)), ([5], (5, 5), (5, 5))]
)
def test_ranges_start_as_halves(values, lower, upper):
    assert grouping.halves(pd.Series(values)) == (lower, upper)
