"""Which columns a time line goes along: dates and years, never sizes, counts and numbers of an inventory."""

import numpy as np
import pandas as pd
import pytest

from dashboard.compute.arrangements.years import is_measure, time_columns

N, YEAR = 216, 2026
RANDOM = np.random.default_rng(0)
YEARS = RANDOM.integers(1500, 1900, N)


def of(**columns) -> list[str]:
    table = pd.DataFrame(columns)
    kinds = {
        name: "number" if pd.api.types.is_numeric_dtype(values) else "date" if name.startswith("day") else "text"
        for name, values in table.items()
    }
    return time_columns(table, kinds, YEAR)


SIZES = {
    "height_cm": RANDOM.integers(1000, 2000, N),
    "width in pixels": RANDOM.integers(800, 2026, N),
    "Höhe": RANDOM.integers(1200, 1900, N),
    "Bildbreite": RANDOM.integers(1200, 1900, N),
    "inventory_no": YEARS,
    "id": np.arange(1500, 1500 + N),
    "object": np.arange(1500, 1500 + N),  # no word for it, but numbered through
    "sheets": RANDOM.integers(1, 60, N),
    "visitors": RANDOM.integers(0, 900, N),
    "price": RANDOM.uniform(1500, 1900, N),
    "ratio": RANDOM.uniform(1500, 1900, N),
    "date": RANDOM.integers(20200101, 20261231, N),  # days written as one number
}


def test_no_size_count_or_number_of_an_inventory_is_a_time_line():
    assert of(**SIZES) == []


@pytest.mark.parametrize(
    "name",
    ["year", "Year of production", "Jahr", "année", "anno", "dateCreated", "Datierung", "Entstehungsjahr", "quand"],
)
def test_a_column_of_years_is_one_whatever_it_is_called(name):
    assert of(**SIZES, **{name: np.where(np.arange(N) % 9, YEARS, np.nan)}) == [name]


def test_years_before_christ_are_years_with_or_without_their_name():
    before = -RANDOM.integers(1, 2900, N)
    assert of(height_cm=SIZES["height_cm"], year=before) == ["year"]
    assert of(height_cm=SIZES["height_cm"], roman=before) == ["roman"]


def test_dates_are_the_first_choice_and_when_it_was_bought_the_last():
    days = [f"{year}-01-01" for year in YEARS]
    ranges = {"date": ["c. 1620"] * N, "date_from": YEARS, "date_to": YEARS + 10}
    order = of(some=YEARS, acquired_year=YEARS, year=YEARS, day=days, **ranges)
    assert order == ["date", "day", "year", "some", "acquired_year", "date_from", "date_to"]


def test_a_few_wrong_cells_do_not_spoil_a_column():
    mixed = YEARS.astype(float)
    mixed[:5] = [99999, 1850.5, 0, np.nan, 17]
    assert of(made=mixed) == ["made"] and of(first=mixed) == ["first"]


@pytest.mark.parametrize("name", ["height_cm", "imageWidth", "Inv. Nr.", "Größe", "hauteur (cm)", "h", "count"])
def test_names_of_measures(name):
    assert is_measure(name) and not is_measure("year")
