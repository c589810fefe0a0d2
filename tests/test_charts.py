"""Charts that filter each other: their counts are those of a plain computation with pandas, each without its own filter,
and what they ask is what the database finds."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from dashboard.components.charts.filtering import wanted
from dashboard.compute import charts
from dashboard.compute.charts import Asked, days_of, described, numbers_of, parts_of, values_of, years_of
from store import connection, facets, tags, write
from store.conditions import Between, Contains, OneOf, Years
from tests.store.conftest import image

N = 300


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(5)
    first = random.integers(-300, 1900, N).astype(float)
    last = first + random.integers(0, 90, N)
    first[::11], last[::7] = np.nan, np.nan
    first[1], last[1] = 1850, 1700  # the other way round, as in some tables
    days = [str(date(1880, 1, 1) + pd.Timedelta(days=int(day)))[:10] for day in random.integers(0, 30_000, N)]
    height = np.round(random.gamma(2, 40, N), 1)
    height[:2] = 90_000  # millimetres, in a column of centimetres
    return pd.DataFrame(
        {
            "maker": random.choice(["Hokusai", "O'Keeffe", "Dürer; Albrecht", None], N),
            "height": np.where(random.random(N) < 0.1, np.nan, height),
            "year": np.where(random.random(N) < 0.2, np.nan, random.integers(1500, 1900, N)),
            "acquired": np.where(random.random(N) < 0.1, None, days),
            "date": np.where(np.isnan(first) & np.isnan(last), "undated", "c. " + pd.Series(first).astype(str)),
            "date_from": first,
            "date_to": last,
        }
    )


def columns_of(table: pd.DataFrame) -> dict[str, charts.Column]:
    return {
        "maker": values_of("maker", table["maker"]),
        "height": numbers_of("height", table["height"]),
        "year": numbers_of("year", table["year"]),
        "acquired": days_of("acquired", table["acquired"]),
        "date": years_of("date", table["date_from"], table["date_to"]),
    }


ASKED = [
    OneOf("maker", ("Hokusai",)),
    OneOf("maker", ("O'Keeffe", "Dürer; Albrecht"), missing=True),
    OneOf("maker", (), missing=True),
    Between("year", 1600, 1700),
    Between("year", None, 1750, missing=True),
    OneOf("year", (), missing=True),
    Between("height", 20.5, None),
    Between("acquired", date(1900, 1, 1), date(1920, 12, 31)),
    Years("date", 1500, 1600),
    Years("date", None, 0, missing=True),
    Years("date", missing=True),
]


def brute(table: pd.DataFrame, condition) -> np.ndarray:
    """For which rows a condition holds, row by row."""

    def holds(row) -> bool:
        if isinstance(condition, Years):
            first, last = row["date_from"], row["date_to"]
            if pd.isna(first) and pd.isna(last):
                return condition.missing
            first, last = last if pd.isna(first) else first, first if pd.isna(last) else last
            first, last = min(first, last), max(first, last)
            low, high = condition.low, condition.high
            limited = low is not None or high is not None
            return limited and (low is None or last >= low) and (high is None or first <= high)
        value = row[condition.column]
        if pd.isna(value):
            return condition.missing
        if isinstance(condition, OneOf):
            return value in condition.values
        value = date.fromisoformat(value) if condition.column == "acquired" else value
        low, high = condition.low, condition.high
        return (low is None or value >= low) and (high is None or value <= high)

    return np.array([holds(row) for _, row in table.iterrows()])


@pytest.fixture(scope="module")
def database(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("charts") / "c.duckdb"
    facts = [{k: v for k, v in row.items() if not pd.isna(v)} for row in table.to_dict("records")]
    facts = [{k: int(v) if k in ("year", "date_from", "date_to") else v for k, v in row.items()} for row in facts]
    with connection.writing(path) as con:
        collection = write.add_collection(con, "c", None)
        records = [image(f"{i}.jpg", metadata=row) for i, row in enumerate(facts)]
        ids = list(write.add_images(con, collection, records).values())
        tags.add(con, np.array(ids[:5]), ["seen"], "")
    return path, np.array(ids)


@pytest.mark.parametrize("condition", ASKED, ids=str)
def test_a_condition_holds_for_what_pandas_and_the_database_find(table, database, condition):
    column = columns_of(table)[condition.column]
    found = column.holds(condition)
    assert found.tolist() == brute(table, condition).tolist() and 0 < found.sum() < N
    path, ids = database
    with connection.reading(path) as con:
        assert facets.matching(con, "c", [condition]).tolist() == ids[found].tolist()


def test_each_chart_is_counted_with_all_other_filters_but_its_own(table):
    columns = columns_of(table)
    filters = [OneOf("maker", ("Hokusai", "O'Keeffe")), Between("year", 1600, 1800), Years("date", 0, 1500)]
    asked = [Asked(each, columns[each.column].holds(each)) for each in filters]
    sql = np.arange(N) % 3 > 0
    for name, column in columns.items():
        inside = sql.copy()
        for each in filters:
            inside &= brute(table, each) | (each.column == name)
        chart = described(column, [*asked, Asked(None, sql)])
        rows = table[inside]
        if name == "maker":
            counts = {value: left for value, _, left, _ in chart["values"]}
            assert counts == {value: int((rows["maker"] == value).sum()) for value in counts}
            assert [on for *_, on in chart["values"]] == [v in ("Hokusai", "O'Keeffe") for v in counts]
            assert chart["missing"][1] == rows["maker"].isna().sum()
        if name == "year":
            edges = column.edges
            cut = pd.cut(rows["year"], edges, right=False).value_counts(sort=False).tolist()
            assert chart["left"] == cut and sum(chart["total"]) == table["year"].notna().sum()
        if name == "date":  # a range counts in each bin that it meets
            years = rows[["date_from", "date_to"]]
            low, high = years.min(axis=1), years.max(axis=1)
            ends = zip(column.edges[:-1], column.edges[1:], strict=True)
            assert chart["left"] == [int(((low < stop) & (high >= start)).sum()) for start, stop in ends]


@pytest.mark.parametrize("name", ["year", "height", "acquired", "date"])
def test_a_brush_over_a_bin_leaves_as_many_as_its_bar_says(table, name):
    column = columns_of(table)[name]
    last = len(column.edges) - 2
    for bin_ in (0, last // 2, last):
        condition = wanted(column, {"act": "brush", "first": bin_, "last": bin_}, [])
        assert brute(table, condition).sum() == column.totals[bin_]
        chart = described(column, [Asked(condition, column.holds(condition))])
        assert chart["brush"] == [bin_, bin_]
    whole = wanted(column, {"act": "brush", "first": last, "last": 0}, [])
    assert brute(table, whole).sum() == (~column.missing).sum()


@pytest.mark.parametrize(
    "values",
    [
        [0, 0.5, 1, 1.5, 2, 2.5, 3, 10.2],  # on the edges
        [0.1, 0.2, 0.3, 0.7],
        [1_234_567.25, 1_234_567.75, 1_234_568.5],
        [1, 2.5, -3, 1e308],
    ],
    ids=str,
)
def test_each_bin_of_decimal_numbers_is_brushed_alone_and_labelled_apart(values):
    column = numbers_of("price", pd.Series(values * 30))
    for bin_ in range(len(column.edges) - 1):
        condition = column.condition(bin_, bin_)
        found = column.holds(condition)
        assert found.sum() == column.totals[bin_]
        assert described(column, [Asked(condition, found)])["brush"] == [bin_, bin_]
    labels = described(column, [])["labels"]
    assert len(set(labels)) == len(labels)


def test_what_lies_far_outside_does_not_press_the_others_together(table):
    column = columns_of(table)["height"]
    assert len(column.edges) <= charts.MOST + 1 and (column.totals > 0).sum() > 10
    assert described(column, [])["labels"][-1].startswith("from ") and column.totals[-1] >= 2


def test_years_have_bins_of_round_years_and_negative_ones_too(table):
    edges = columns_of(table)["date"].edges
    assert (edges[0] < 0 and set(np.diff(edges)) == {50.0}) or set(np.diff(edges)) == {100.0}
    assert all(edge % 50 == 0 for edge in edges)


def test_clicks_take_values_on_and_off(table):
    column = columns_of(table)["maker"]
    one = wanted(column, {"act": "toggle", "value": "Hokusai"}, [Contains("maker", "o")])
    assert one == OneOf("maker", ("Hokusai",))
    two = wanted(column, {"act": "missing"}, [one])
    assert two == OneOf("maker", ("Hokusai",), True)
    assert wanted(column, {"act": "toggle", "value": "Hokusai"}, [two]) == OneOf("maker", (), True)
    assert wanted(column, {"act": "clear"}, [two]).empty
    dates = columns_of(table)["date"]
    undated = wanted(dates, {"act": "missing"}, [Years("date", 1500, 1600)])
    assert undated == Years("date", 1500, 1600, True)
    assert wanted(dates, {"act": "clear"}, [undated]).empty and wanted(dates, {"act": "missing"}, []) == Years(
        "date", missing=True
    )


def test_several_values_count_for_each_of_them():
    column = parts_of("tag", np.array([3, 5, 8]), np.array([3, 3, 8, 99]), ["sea", "sky", "sea", "lost"])
    assert dict(zip(column.names, column.totals.tolist(), strict=True)) == {"sea": 2, "sky": 1}
    assert column.missing.tolist() == [False, True, False]
    assert column.holds(OneOf("tag", ("sky",))).tolist() == [True, False, False]


def test_tags_are_parts(database):
    path, ids = database
    with connection.reading(path) as con:
        images, parts = facets.parts(con, "tag")
    assert sorted(images.tolist()) == ids[:5].tolist() and set(parts) == {"seen"}


def test_a_column_without_values_has_an_empty_chart():
    chart = described(numbers_of("x", pd.Series([None, None], dtype=object)), [])
    assert (chart["total"], chart["ends"], chart["missing"][0]) == ([], [], 2)
