"""What a command says it took for what: dates that it does not understand, lists, numbers that stay text."""

import csv

import duckdb
import pytest

COLUMNS = {
    "AccessionNumber": ["1978.1", "1978.10", "1978.100", "1979.20", "", "", "", "", ""],
    "date": ["before 1750", "c. 1520", "500 B.C.", "n.d.", "Qing", "1650 or later", "1520/..", "", "1889"],
    "subject": ["Sea; Sky", "Sky", "Sea; Field", "Field", "", "Sea;Sky", "Sky", "", "Field"],
    "number": ["1500", "1501", "", "-44", "123456789012345678", "", "", "", ""],
}


@pytest.fixture
def described(folder):
    """The folder of nine with a table of columns that are easily taken for something else."""
    with open(folder / "metadata.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    with open(folder / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file", *COLUMNS], *zip(names, *COLUMNS.values(), strict=True)])
    return folder


def test_the_last_lines_say_what_was_taken_for_what(described, command):
    result = command("scan", described, "--json")
    assert "1 of 7 dates in the column date is not understood (“Qing”)" in result.err
    assert "subject (divided by “;”)" in result.err
    counts = result.counts
    assert counts["lists"] == {"subject": ";"}
    assert counts["metadata"]["dates_not_understood"] == {"date": {"count": 1, "of": 7, "examples": ["Qing"]}}
    with duckdb.connect(str(command.db), read_only=True) as con:
        rows = con.execute("SELECT date, date_from, date_to FROM catalogue").fetchall()
        assert {date: ends for date, *ends in rows if date} == {
            "before 1750": [None, 1750], "c. 1520": [1515, 1525], "500 B.C.": [-500, -500], "n.d.": [None, None],
            "Qing": [None, None], "1650 or later": [1650, None], "1520/..": [1520, None], "1889": [1889, 1889],
        }  # fmt: skip
        found = con.execute("SELECT value, count(*) FROM keywords GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
        assert found == [("Sky", 4), ("Field", 3), ("Sea", 3)]


def test_exports_hold_what_the_table_holds(described, command, tmp_path):
    command("run", described, "--model", "tiny:dinov2", "--project", "none")
    assert command("export", tmp_path / "out.csv").code == 0
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in COLUMNS:
        found = sorted(row[name].lstrip("'") for row in rows)
        assert found == sorted(COLUMNS[name])
    assert command("export", tmp_path / "out.parquet").code == 0
    with duckdb.connect() as con:
        kinds = dict(row[:2] for row in con.execute(f"DESCRIBE FROM '{tmp_path / 'out.parquet'}'").fetchall())
        assert (kinds["AccessionNumber"], kinds["number"], kinds["date_to"]) == ("VARCHAR", "BIGINT", "BIGINT")
        (total,) = con.execute(f"SELECT max(number) FROM '{tmp_path / 'out.parquet'}'").fetchone()
        assert total == 123456789012345678
