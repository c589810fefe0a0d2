"""What is typical of some pictures, against counting by hand."""

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from dashboard.compute import typical
from dashboard.compute.typical import Middle, Typical


def tail(k: int, n: int, drawn: int, total: int) -> float:
    """P(X ≥ k) in whole numbers."""
    ways = sum(math.comb(n, x) * math.comb(total - n, drawn - x) for x in range(k, min(n, drawn) + 1))
    return ways / math.comb(total, drawn)


def naive(table: pd.DataFrame, inside: np.ndarray, columns: list[str]) -> dict[tuple[str, str], float]:
    """{(column, value): adjusted p} of the values that are commoner inside, one after the other."""
    tests, over = {}, set()
    for column in columns:
        rows = [
            (value, bool(chosen)) for value, chosen in zip(table[column], inside, strict=True) if not pd.isna(value)
        ]
        total, drawn = len(rows), sum(chosen for _, chosen in rows)
        for value in {value for value, _ in rows}:
            n = sum(other == value for other, _ in rows)
            k = sum(other == value and chosen for other, chosen in rows)
            if tail(min(n, drawn), n, drawn, total) <= 0.05:
                tests[column, value] = tail(k, n, drawn, total)
                if k and k / drawn > (n - k) / (total - drawn):
                    over.add((column, value))
    order = sorted(tests, key=tests.get)
    result, least = {}, 1.0
    for rank in range(len(order), 0, -1):
        least = min(least, tests[order[rank - 1]] * len(order) / rank)
        result[order[rank - 1]] = least
    return {key: p for key, p in result.items() if key in over}


@pytest.fixture
def table() -> pd.DataFrame:
    """300 pictures: schools, techniques with gaps, and an artist column with many names."""
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "school": rng.choice(["Italian", "Dutch", "French", "Greek"], 300, p=[0.4, 0.3, 0.2, 0.1]),
            "technique": rng.choice(np.array(["oil", "print", "fresco", None], dtype=object), 300),
            "artist": [f"artist {number}" for number in rng.integers(0, 60, 300)],
        }
    )


KINDS = {"school": "text", "technique": "text", "artist": "text"}


@pytest.mark.parametrize(
    ("k", "n", "drawn", "total"), [(3, 5, 10, 40), (0, 4, 9, 30), (7, 7, 20, 50), (25, 30, 40, 60)]
)
def test_the_tail_is_that_of_whole_numbers(k, n, drawn, total):
    found = typical.upper_tail(np.array([k, k]), np.array([n, n]), drawn, total)
    assert found == pytest.approx([tail(k, n, drawn, total)] * 2, rel=1e-9)


def test_the_p_are_those_of_counting_one_value_after_the_other(table):
    inside = np.random.default_rng(5).random(300) < np.where(table["school"] == "Greek", 0.6, 0.2)
    found = {(one.column, one.value): one.p for one in typical.typical(table, inside, KINDS)}
    expected = naive(table, inside, list(KINDS))
    assert found.keys() == expected.keys()
    assert [found[key] for key in expected] == pytest.approx(list(expected.values()), rel=1e-8)


def test_a_planted_value_comes_first_with_its_counts(table):
    inside = (table["school"] == "Greek").to_numpy()
    first = typical.typical(table, inside, KINDS)[0]
    greek = int(inside.sum())
    assert first == Typical("school", "Greek", greek, greek, 0, 300 - greek, math.inf, first.p)
    assert first.p < 1e-20


def test_pictures_of_which_a_column_says_nothing_are_not_counted(table):
    inside = np.arange(300) < 100
    known = table["technique"].notna().to_numpy()
    for one in typical.typical(table, inside, {"technique": "text"}):
        assert (one.total_inside, one.total_outside) == ((known & inside).sum(), (known & ~inside).sum())


def test_random_selections_are_seldom_surprising(table):
    rng = np.random.default_rng(11)
    false = 0
    for _ in range(400):
        inside = np.zeros(300, bool)
        inside[rng.choice(300, 60, replace=False)] = True
        false += any(one.p <= typical.LEVEL for one in typical.typical(table, inside, KINDS))
    assert false <= 30  # 20 expected at most; 30 and more would come about once in fifty times even if all is exact


def test_titles_and_columns_without_a_contrast_are_left_out(table):
    table["title"] = [f"title {number}" for number in range(300)]
    table["note"] = [None] * 150 + ["seen"] * 150
    kinds = KINDS | {"title": "text", "note": "text", "gone": "text"}
    found = typical.typical(table, np.arange(300) < 150, kinds)
    assert not {one.column for one in found} & {"title", "note", "gone"}
    assert typical.typical(table, np.ones(300, bool), kinds) == []
    assert typical.typical(table, np.zeros(300, bool), kinds) == []
    assert typical.typical(table.head(0), np.zeros(0, bool), kinds) == []


def test_a_mask_of_another_length_is_refused(table):
    with pytest.raises(ValueError, match="300"):
        typical.typical(table, np.ones(10, bool), KINDS)


@pytest.mark.parametrize(
    ("values", "kind", "value"),
    [
        (pd.Series([1401, 1402] * 20 + list(range(1500, 1900, 5)), dtype="Int64"), "number", "up to 1449"),
        (pd.Series([1] * 40 + [2] * 80), "number", "1"),
        (pd.Series([0.11, 0.12] * 20 + list(np.linspace(0.3, 1.4, 80))), "number", "below 0.2"),
        (pd.Series([date(1503, 5, 1)] * 40 + [date(1600 + y, 1, 2) for y in range(80)]), "date", "up to 1519"),
        (pd.Series([date(2021, 3, 1)] * 40 + [date(2021, 5, 2)] * 80), "date", "2021-03"),
    ],
)
def test_numbers_and_dates_are_taken_by_readable_ranges(values, kind, value):
    found = typical.typical(pd.DataFrame({"when": values}), np.arange(120) < 40, {"when": kind})
    assert (found[0].value, found[0].inside, found[0].outside) == (value, 40, 0)


def test_every_number_lies_in_the_range_that_names_it():
    numbers = pd.Series(np.random.default_rng(2).integers(1300, 1950, 3000))
    inside = (numbers >= 1600).to_numpy() & (numbers < 1650).to_numpy()
    found = typical.typical(pd.DataFrame({"year": numbers}), inside, {"year": "number"})
    assert [one.value for one in found] == ["1600–1649"]
    assert found[0].inside == inside.sum() and found[0].outside == 0


def test_numbers_that_one_range_would_hold_are_taken_by_quarters():
    prices = pd.Series(np.r_[np.arange(1, 100), [10_000, 20_000, 30_000]])
    found = typical.typical(pd.DataFrame({"price": prices}), np.arange(102) < 25, {"price": "number"})
    assert found[0].value.startswith("up to 2") and found[0].inside == 25


def test_medians_are_told_of_numbers_and_dates():
    table = pd.DataFrame(
        {
            "year": pd.Series([1500, 1510, 1520, None, 1800, 1900], dtype="Int64"),
            "made": [date(1500, 1, 1), None, date(1502, 1, 1), None, None, None],
            "school": ["a"] * 6,
        }
    )
    inside = np.array([True, True, True, False, False, False])
    kinds = {"year": "number", "made": "date", "school": "text"}
    assert typical.middles(table, inside, kinds) == [Middle("year", 1510, 1800)]


def test_of_a_list_each_part_counts():
    parts = [("sea", "sky")] * 20 + [("sea",)] * 10 + [("field", "sky")] * 30 + [None] * 5
    found = typical.typical(pd.DataFrame({"subject": parts}), np.arange(65) < 30, {"subject": "text"})
    assert [(one.value, one.inside, one.total_inside, one.outside, one.total_outside) for one in found] == [
        ("sea", 30, 30, 0, 30)
    ]
    apart = pd.DataFrame({"subject": [(f"{i}", f"{i + 1}") for i in range(60)]})
    assert typical.typical(apart, np.arange(60) < 30, {"subject": "text"}) == []


# ---- terms ----------------------------------------------------------------------------------------------------------


def of_length_1(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def scored():
    """240 pictures in three groups and none, seven terms of two vocabularies; and what a loop over all scores finds."""
    random = np.random.default_rng(3)
    of = np.repeat([0, 1, 2, 3], 60)
    terms = of_length_1(random.normal(size=(7, 24)))
    vectors = random.normal(size=(240, 24)) + terms[0] * 9  # the first term suits all pictures best
    vectors[of == 1] += 3 * terms[4]
    vectors[of == 2] += 2 * terms[6]
    vectors = of_length_1(vectors)
    scores = vectors.astype(np.float64) @ terms.astype(np.float64).T
    errors = {}
    for group in (1, 2, 3):
        mine = scores[of == group]
        error = scores.std(axis=0, ddof=1) * math.sqrt((1 / 60) * (1 - 60 / 240))
        errors[group] = (mine.mean(axis=0) - scores.mean(axis=0)) / error
    words = [f"term {number}" for number in range(7)]
    return vectors, of, {"motifs": (words[:4], terms[:4]), "styles": (words[4:], terms[4:])}, errors, scores


def test_the_typical_term_is_highest_above_its_mean_in_standard_errors(scored, monkeypatch):
    vectors, of, vocabularies, errors, scores = scored
    monkeypatch.setattr(typical, "CHUNK", 50)
    found = typical.typical_terms(vectors, of, vocabularies)
    assert (scores.mean(axis=0).argmax(), scores[of == 1].mean(axis=0).argmax()) == (0, 0)  # not the highest mean
    assert [(found[group].term, found[group].vocabulary) for group in (1, 2)] == [
        ("term 4", "styles"),
        ("term 6", "styles"),
    ]
    for group, term in found.items():
        assert term.term == f"term {errors[group].argmax()}"
        assert term.errors == pytest.approx(errors[group].max(), rel=1e-4)


def test_a_term_that_varies_little_tells_more_than_one_that_varies_much():
    """Both lie higher in the group, the second by more, but it does so in other pictures too."""
    random = np.random.default_rng(0)
    of = np.repeat([1, 0], [40, 160])
    vectors = np.zeros((200, 3), np.float32)
    vectors[:, 0] = 0.1 * (of == 1) + random.normal(scale=0.02, size=200)
    vectors[:, 1] = 0.15 * (of == 1) + random.normal(scale=0.5, size=200)
    found = typical.typical_terms(vectors, of, {"": (["steady", "wild"], np.eye(3, dtype=np.float32)[:2])})
    assert found[1].term == "steady"


def test_what_may_be_chance_is_no_typical_term(scored):
    vectors, _, vocabularies, _, _ = scored
    shuffled = np.random.default_rng(1).permutation(np.repeat([0, 0, 1, 2], 60))
    same = np.repeat(vectors[:1], 240, axis=0)
    assert typical.typical_terms(same, shuffled, vocabularies) == {}
    assert typical.typical_terms(vectors, np.ones(240, int), vocabularies) == {}
    assert typical.typical_terms(vectors, shuffled, {}) == {}
    chance = [
        typical.typical_terms(vectors, np.random.default_rng(n).permutation(shuffled), vocabularies) for n in range(50)
    ]
    assert sum(map(len, chance)) <= 10  # 100 groups, 1 in 20
