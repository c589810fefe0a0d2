"""One typed column for each metadata key, whatever the keys."""

import datetime
import json
import re
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import catalogue, read, write
from store.connection import reading, writing


@pytest.fixture
def types(empty, make):
    """Writes one image for each value under the key `v`; returns the column's type and values."""

    def types(values):
        with writing(empty) as con:
            collection = write.add_collection(con, "c", None)
            write.add_images(con, collection, [make.image(f"{i}.jpg", {"v": value}) for i, value in enumerate(values)])
        with reading(empty) as con:
            ((name, kind, *_),) = con.execute("DESCRIBE SELECT v FROM catalogue").fetchall()
            return kind, read.catalogue(con)["v"].to_pylist()

    return types


DAY = datetime.date(1503, 5, 1)
_DAYS = ((2000, 1, 1), (1900, 12, 31), (10, 1, 1))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1503", 1566, " 7 ", "-44", "0"], "BIGINT", [1503, 1566, 7, -44, 0]),
        (["1503", "", None, "  "], "BIGINT", [1503, None, None, None]),
        (["1.5", "2", 0.25, 1e-05], "DOUBLE", [1.5, 2.0, 0.25, 1e-05]),
        (["1503-05-01", DAY], "DATE", [DAY, DAY]),
        (["1503-05-01", "", None], "DATE", [DAY, None, None]),
        (["007", "008"], "VARCHAR", ["007", "008"]),
        (["1503", "c. 1503"], "VARCHAR", ["1503", "c. 1503"]),
        (["1503-05-01", "1503"], "VARCHAR", ["1503-05-01", "1503"]),
        (["1503-02-30"], "VARCHAR", ["1503-02-30"]),
        (["+49", "12E4"], "VARCHAR", ["+49", "12E4"]),
        (["9" * 19], "VARCHAR", ["9" * 19]),
        (["9" * 18], "BIGINT", [10**18 - 1]),
        (["nan", "inf"], "VARCHAR", ["nan", "inf"]),
        (["1e+999"], "VARCHAR", ["1e+999"]),
        (["0000-01-01"], "VARCHAR", ["0000-01-01"]),
        (["2000-01-01", "1900-12-31", "0010-01-01"], "DATE", [datetime.date(y, m, d) for y, m, d in _DAYS]),
        (["", None], "VARCHAR", [None, None]),
        (["1978.1", "1978.10", "1978.100"], "VARCHAR", ["1978.1", "1978.10", "1978.100"]),
        (["1978.10", "1978.20"], "VARCHAR", ["1978.10", "1978.20"]),
        (["885.1996", "16.1940", "47.2000"], "VARCHAR", ["885.1996", "16.1940", "47.2000"]),
        (["12.50", "13.00", "9.75"], "DECIMAL(18,2)", [12.5, 13.0, 9.75]),
        (["12.50", "13.00", "9"], "VARCHAR", ["12.50", "13.00", "9"]),
        (["1.5", "2.0", "3"], "DOUBLE", [1.5, 2.0, 3.0]),
        (["5E3", "1e5"], "VARCHAR", ["5E3", "1e5"]),
        (["+5", "5"], "VARCHAR", ["+5", "5"]),
        (["9007199254740993", "0.5"], "VARCHAR", ["9007199254740993", "0.5"]),
        (["9007199254740993"], "BIGINT", [9007199254740993]),
        (["9007199254740992", "0.5"], "DOUBLE", [9007199254740992.0, 0.5]),
        (["0.1234567890123456789"], "VARCHAR", ["0.1234567890123456789"]),
        (["12345678901234567890", "1"], "VARCHAR", ["12345678901234567890", "1"]),
        (["1,234", "5"], "VARCHAR", ["1,234", "5"]),
        ([True, False], "VARCHAR", ["true", "false"]),
        (["-0044-03-15"], "VARCHAR", ["-0044-03-15"]),
        ([True, "x"], "VARCHAR", ["true", "x"]),
        ([["a", 1], {"b": None}], "VARCHAR", ['["a",1]', '{"b":null}']),
        ([" 北斎 ", "Ω'\"\\"], "VARCHAR", ["北斎", "Ω'\"\\"]),
    ],
)
def test_a_column_has_the_narrowest_type_that_fits(types, values, kind, expected):
    assert types(values) == (kind, expected)


HOSTILE = [
    "it's",
    'say "hi"',
    "a.b",
    "$",
    "$.a",
    "/x/y",
    "~0",
    "*",
    "a[0]",
    "select",
    "Key; DROP TABLE image; --",
    "with space",
    "",
    "  ",
    "line\nbreak",
    "back\\slash",
    "ключ",
    "🖼",
    "0",
    "%s {x} $1 ?",
    "x" * 300,
]


def test_hostile_keys_are_columns_like_any_other(empty, make):
    metadata = {key: f"value {place}" for place, key in enumerate(HOSTILE)}
    with writing(empty) as con:
        write.add_images(con, write.add_collection(con, "c", None), [make.image("a.jpg", metadata)])
    with reading(empty) as con:
        (row,) = read.catalogue(con).to_pylist()
        names = list(read.metadata_columns(con, "c"))
        for name in names:
            query = f"SELECT {catalogue.quoted(name)} FROM catalogue"
            assert con.execute(query).fetchall() == [(row[name],)]
    assert list(row.values()) == [1, "c", "a.jpg", *metadata.values()]
    assert names == list(row)[3:]
    assert names[:3] == ["it's", 'say "hi"', "a.b"]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["path", "Image_ID", "COLLECTION"], ["path_2", "Image_ID_2", "COLLECTION_2"]),
        (["Title", "title", "TITLE"], ["Title", "title_2", "TITLE_3"]),
        (["a_2", "a", "A"], ["a_2", "a", "A_3"]),
        (["", " "], ["column", "column_2"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE_2"]),
        (["É", "é"], ["É", "é_2"]),
    ],
)
def test_names_that_would_collide_get_a_number(empty, make, keys, names):
    assert catalogue.column_names(keys) == names
    with writing(empty) as con:
        metadata = {key: f"{place}. value" for place, key in enumerate(keys)}
        write.add_images(con, write.add_collection(con, "c", None), [make.image("a.jpg", metadata)])
        (row,) = read.catalogue(con).to_pylist()
    assert row == {"image_id": 1, "collection": "c", "path": "a.jpg"} | dict(zip(names, metadata.values(), strict=True))


def test_columns_follow_later_images_and_changes(empty, make):
    with writing(empty) as con:
        collection = write.add_collection(con, "c", None)

        def add(name, **metadata):
            write.add_images(con, collection, [make.image(name, metadata)])
            return con.execute("SELECT name, type FROM catalogue_column ORDER BY position").fetchall()

        assert add("1.jpg", year="", size="") == [("year", "VARCHAR"), ("size", "VARCHAR")]
        assert add("2.jpg", year="1503") == [("year", "BIGINT"), ("size", "VARCHAR")]
        assert add("3.jpg", year="1504", size="2.5") == [("year", "BIGINT"), ("size", "DOUBLE")]
        assert add("4.jpg", size="3", artist="x") == [("year", "BIGINT"), ("size", "DOUBLE"), ("artist", "VARCHAR")]
        assert add("5.jpg", year="about 1500")[0] == ("year", "VARCHAR")
        assert add("6.jpg", year="1600")[0] == ("year", "VARCHAR")
        write.set_metadata(con, collection, {"5.jpg": {"year": "1500"}})
        assert read.metadata_columns(con) == {"year": "number", "size": "number", "artist": "text"}
        assert read.catalogue(con)["year"].to_pylist() == [None, 1503, 1504, None, 1500, 1600]


def test_decimals_stay_what_they_are_as_pictures_are_added(empty, make):
    with writing(empty) as con:
        collection = write.add_collection(con, "c", None)

        def add(number, value):
            write.add_images(con, collection, [make.image(f"{number}.jpg", {"v": value})])
            return con.execute("SELECT type FROM catalogue_column").fetchall()[0][0]

        kinds = [add(*each) for each in enumerate(["12.00", "13.10", "13.25", "7.5"])]
        assert kinds == ["DECIMAL(18,2)"] * 3 + ["VARCHAR"]
        assert read.catalogue(con)["v"].to_pylist() == ["12.00", "13.10", "13.25", "7.5"]


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.from_regex(r"[-+]?0{0,2}[0-9]{1,4}(\.[0-9]{1,4})?([eE][-+]?[0-9])?", fullmatch=True),
)


@pytest.fixture(scope="module")
def images():
    with duckdb.connect() as con:
        con.execute("CREATE TABLE image (image_id BIGINT, metadata JSON, collection_id INTEGER, path VARCHAR)")
        con.execute("CREATE TABLE corrected (image_id BIGINT, cells JSON)")
        yield con


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(values=st.lists(NUMBERS, min_size=1, max_size=3))
def test_each_cell_survives_the_way_there_and_back(images, values):
    images.execute("DELETE FROM image")
    rows = [json.dumps({"v": value}) for value in values]
    images.execute("INSERT INTO image SELECT 1, unnest(?::VARCHAR[]), 1, ''", [rows])
    ((_, found),) = images.execute(catalogue._INSPECT, {"since": 0}).fetchall()
    kind = catalogue._sql_type(found)
    query = f"SELECT value, TRY_CAST(value AS {kind}) FROM (SELECT unnest(?::VARCHAR[]) AS value)"
    for value, back in images.execute(query, [values]).fetchall():
        assert back is not None and Decimal(repr(back) if isinstance(back, float) else back) == Decimal(value)
        if kind == "DOUBLE":
            assert not re.search(r"\.[0-9]*[1-9]0+$|\.0{2,}$", value)
        else:
            assert str(back) == value


def test_columns_of_one_collection(empty, make):
    with writing(empty) as con:
        for name, metadata in (
            ("one", {"year": "1503", "born": "1452-04-15"}),
            ("two", {"artist": "Hokusai", "year": ""}),
        ):
            write.add_images(con, write.add_collection(con, name, None), [make.image("a.jpg", metadata)])
    with reading(empty) as con:
        assert read.metadata_columns(con) == {"year": "number", "born": "date", "artist": "text"}
        assert read.metadata_columns(con, "one") == {"year": "number", "born": "date"}
        assert read.metadata_columns(con, "two") == {"artist": "text"}
        rows = con.execute("SELECT artist, count(*) FROM catalogue GROUP BY artist ORDER BY 2, 1").fetchall()
        assert sorted(rows, key=str) == [("Hokusai", 1), (None, 1)]
