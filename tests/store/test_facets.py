"""Facets of the catalogue, held against plain Python over the same metadata."""

import unicodedata
from collections import Counter
from datetime import date

import numpy as np
import pytest

from store import facets, tags, write
from store.connection import reading, writing
from store.errors import StoreError
from store.facets import Between, Contains, OneOf

QUOTED = 'the "order" of\'s; --'


def filled(path, make, rows: list[dict], collection: str = "c") -> list[int]:
    """A collection with these metadata; the ids of its images."""
    with writing(path) as con:
        number = write.add_collection(con, collection, "/pictures")
        records = [make.image(f"{collection}/{place}.jpg", row) for place, row in enumerate(rows)]
        return list(write.add_images(con, number, records).values())


def random_rows(count: int) -> list[dict]:
    rng = np.random.default_rng(3)
    artists = [
        "Hokusai",
        "hokusai",
        "Paul Cézanne",
        "O'Keeffe",
        'a "b"',
        "100 %",
        "",
        None,
        "'; DROP TABLE image; --",
        "_",
    ]
    return [
        {
            "artist": artists[rng.integers(len(artists))],
            "year": [None, int(rng.integers(-300, 2000))][int(rng.random() < 0.8)],
            "height": round(float(rng.normal(0, 50)), 2) if rng.random() < 0.9 else None,
            "acquired": f"{rng.integers(1500, 2000)}-0{rng.integers(1, 9)}-11" if rng.random() < 0.9 else "",
            QUOTED: f"x{rng.integers(5)}",
            "image_id": f"theirs {rng.integers(3)}",
        }
        for _ in range(count)
    ]


def plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


def holds(condition, row: dict) -> bool:
    """The condition, without SQL."""
    key = "image_id" if condition.column == "image_id_2" else condition.column
    value = row.get(key)
    value = None if value in ("", None) else date.fromisoformat(value) if key == "acquired" else value
    if isinstance(condition, Contains):
        return value is not None and plain(condition.text) in plain(str(value))
    if value is None:
        return condition.missing
    if isinstance(condition, OneOf):
        return str(value) in condition.values
    low, high = condition.low, condition.high
    return (low is None or value >= low) and (high is None or value <= high)


CONDITIONS = [
    (OneOf("artist", ("Hokusai", "Paul Cézanne")),),
    (OneOf("artist", ("'; DROP TABLE image; --", "O'Keeffe", "none such")),),
    (OneOf("artist", ('a "b"',), missing=True),),
    (OneOf("artist", (), missing=True),),
    (OneOf("year", ("1500", "-3")),),
    (Between("year", -100, 1200),),
    (Between("year", 1700, None), Contains("artist", "HOKU")),
    (Between("year", None, 0, missing=True), Between("height", -10.5, 20)),
    (Between("acquired", date(1600, 1, 1), date(1700, 12, 31)), OneOf(QUOTED, ("x1", "x2"))),
    (Between("acquired", None, date(1555, 5, 5), missing=True),),
    (Contains("artist", "cezanne"),),
    (Contains("artist", "CÉZ"), Between("year", None, None)),
    (Contains("artist", "%"),),
    (Contains("artist", "_"),),
    (Contains("artist", "'"), OneOf("image_id_2", ("theirs 1",))),
    (Contains("year", "18"),),
    (),
]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    from tests.store import conftest

    class Make:
        image = staticmethod(conftest.image)

    path, rows = tmp_path_factory.mktemp("facets") / "many.duckdb", random_rows(600)
    filled(path, Make, rows[:50], "other")
    return path, rows, filled(path, Make, rows)


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_matching_is_what_plain_python_finds_and_the_statement_gives_the_same(many, conditions):
    path, rows, ids = many
    wanted = [image_id for image_id, row in zip(ids, rows, strict=True) if all(holds(each, row) for each in conditions)]
    with reading(path) as con:
        found = facets.matching(con, "c", conditions)
        rows = con.execute(facets.statement(con, "c", conditions)).fetchall()
    assert found.tolist() == wanted and found.dtype == np.int64
    assert sorted(image_id for (image_id,) in rows) == wanted


def test_the_conditions_choose_some_and_not_all(many):
    """So that the test above could fail."""
    with reading(many[0]) as con:
        counts = [len(facets.matching(con, "c", conditions)) for conditions in CONDITIONS[:-1]]
    assert all(0 < count < 600 for count in counts)


def test_a_statement_takes_a_typed_condition_whatever_it_ends_with(many):
    with reading(many[0]) as con:
        statement = facets.statement(con, "c", (Between("year", 0, None),), "year < 100 OR year > 1900 -- so")
        assert con.execute(f"SELECT count(*) FROM ({statement}) WHERE image_id <= 50").fetchone()[0] == 0  # the other's
        wanted = con.execute(
            "SELECT count(*) FROM catalogue WHERE collection = 'c' AND year >= 0 AND (year < 100 OR year > 1900)"
        ).fetchone()[0]
        assert 0 < wanted == len(con.execute(statement).fetchall())


def test_categories_are_counted_and_the_most_frequent_come_first(many):
    path, rows, _ = many
    counts = Counter(row["artist"] for row in rows if row["artist"])
    with reading(path) as con:
        found = facets.categories(con, "c", "artist")
        few = facets.categories(con, "c", "artist", most=2, also=["100 %", "nobody"])
        searched = facets.categories(con, "c", "artist", search="HOKUSAÏ")
    assert dict(found.values) == counts and found.distinct == len(counts)
    assert [images for _, images in found.values] == sorted(counts.values(), reverse=True)
    assert found.missing == sum(not row["artist"] for row in rows)
    assert {value for value, _ in few.values} == {value for value, _ in found.values[:2]} | {"100 %"}
    assert few.distinct == len(counts)
    assert {value for value, _ in searched.values} == {"Hokusai", "hokusai"} and searched.distinct == 2


@pytest.mark.parametrize("column", ["year", "height", "acquired"])
@pytest.mark.parametrize("bins", [1, 7, 30])
def test_the_bins_of_a_spread_hold_every_value_once(many, column, bins):
    path, rows, _ = many
    with reading(path) as con:
        found = facets.spread(con, "c", column, bins)
    values = [row[column] for row in rows if row[column] not in ("", None)]
    values = [date.fromisoformat(value) for value in values] if column == "acquired" else values
    assert (found.low, found.high, found.missing) == (min(values), max(values), len(rows) - len(values))
    assert len(found.counts) <= bins and len(found.edges) == len(found.counts) + 1
    assert sum(found.counts) == len(values)
    for place, count in enumerate(found.counts):
        low, high = found.edges[place : place + 2]
        last = place == len(found.counts) - 1
        inside = sum(low <= value and (value < high or last) for value in values)
        assert count == inside if column != "height" else abs(count - inside) <= 1  # an edge between two floats


def test_tags_are_a_column_with_several_values(empty, make):
    ids = filled(empty, make, [{"artist": name} for name in "abcd"])
    filled(empty, make, [{"artist": "x"}], "other")
    with writing(empty) as con:
        assert facets.columns(con, "c") == {"artist": "text"}  # no tag is in use yet
        tags.add(con, ids[:2], ["waves", "Été"])
        tags.add(con, ids[1:3], ["boats"])
        tags.add(con, [ids[3] + 1], ["of the other"])
    wanted = {
        OneOf("tag", ("waves",)): ids[:2],
        OneOf("tag", ("waves", "boats")): ids[:3],
        OneOf("tag", ("boats",), missing=True): ids[1:],
        OneOf("tag", missing=True): ids[3:],
        Contains("tag", "ete"): ids[:2],
    }
    with reading(empty) as con:
        assert facets.columns(con, "c") == {"artist": "text", "tag": "text"}
        for condition, found in wanted.items():
            assert facets.matching(con, "c", [condition]).tolist() == found
            assert sorted(con.execute(facets.statement(con, "c", [condition])).fetchall()) == [
                (each,) for each in found
            ]
        assert facets.categories(con, "c", "tag") == facets.Categories((("boats", 2), ("waves", 2), ("Été", 2)), 3, 1)
        assert facets.categories(con, "c", "tag", "ete").values == (("Été", 2),)
        assert facets.spread(con, "c", "tag") is None


def test_whole_numbers_are_binned_evenly(empty, make):
    filled(empty, make, [{"rating": place % 6} for place in range(60)])
    with reading(empty) as con:
        found = facets.spread(con, "c", "rating")
    assert found.counts == (10,) * 6 and found.edges == tuple(range(7))


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([7], 7, 7),
        ([0.5, 0.5], 0.5, 0.5),
        ([10**17, -(10**17), 5], -(10**17), 10**17),
        (["0001-01-01", "9999-12-31"], date(1, 1, 1), date(9999, 12, 31)),
        ([1e300, -1e300, 0.25], -1e300, 1e300),
    ],
    ids=str,
)
def test_extreme_values_have_a_spread(empty, make, values, low, high):
    filled(empty, make, [{"x": value} for value in values])
    with reading(empty) as con:
        found = facets.spread(con, "c", "x")
        assert (found.low, found.high) == (low, high)
        assert sum(found.counts) == len(values)
        assert len(facets.matching(con, "c", [Between("x", low, high)])) == len(values)


def test_text_has_no_spread_nor_range_and_a_column_must_be_there(many):
    with reading(many[0]) as con:
        assert facets.spread(con, "c", "artist") is None
        with pytest.raises(StoreError, match="no range"):
            facets.matching(con, "c", [Between("artist", 1, 2)])
        for ask in (facets.categories, facets.spread):
            with pytest.raises(StoreError, match="no column"):
                ask(con, "c", 'x" FROM image; --')
        with pytest.raises(StoreError, match="no column"):
            facets.matching(con, "c", [OneOf("path", ("a",))])  # a column of ours, not of the metadata


def test_a_column_without_values_in_a_collection(empty, make):
    filled(empty, make, [{"year": 5, "artist": "a"}], "first")
    filled(empty, make, [{}, {}])
    with reading(empty) as con:
        assert facets.spread(con, "c", "year") is None
        assert facets.categories(con, "c", "artist") == facets.Categories((), 0, 2)
        assert facets.grouping(con, "c") == [] and facets.grouping(con, "first") == ["year", "artist"]


def test_grouping_leaves_out_what_each_image_has_of_its_own(empty, make):
    filled(empty, make, [{"title": f"t{n}", "half": f"h{n // 2}", "few": f"f{n % 3}", "number": n} for n in range(40)])
    with reading(empty) as con:
        assert facets.grouping(con, "c") == ["half", "few", "number"]


def test_there_are_no_images_in_no_collection(empty):
    with reading(empty) as con:
        assert facets.grouping(con, "c") == [] and facets.matching(con, "c", []).tolist() == []
