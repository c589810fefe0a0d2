"""What DuckDB answers, as it prints it and as other programs take it."""

import io
from datetime import date

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from store import answers, pivots, sandbox_child
from store.connection import reading
from store.errors import SqlRefused

AS_PRINTED = [
    "DATE '-0044-03-15'",
    "DATE '0044-03-15 (BC)'",
    "'infinity'::DATE",
    "DATE '9999-12-31' + 1",
    "340282366920938463463374607431768211455::UHUGEINT",
    "(-170141183460469231731687303715884105728)::HUGEINT",
    "(-12)::HUGEINT",
    "99999999999999999999999999999999999999::HUGEINT",
    "18446744073709551615::UBIGINT",
    "9007199254740993",
    "(-123456789012345678901234567890123456789012345678901234567890)::BIGNUM",
    "12345678901234567890123456789012345678::DECIMAL(38, 0)",
    "(-0.5)::DECIMAL(38, 20)",
    "1.50::DECIMAL(9, 2)",
    "0.1::FLOAT",
    "1e-10",
    "1e300",
    "'nan'::DOUBLE",
    "'-inf'::FLOAT",
    "INTERVAL '1 year 2 months -3 days 4.5 seconds'",
    "INTERVAL (-3) DAY",
    "'10101'::BIT",
    "TIME '24:00:00'",
    "TIME_NS '12:34:56.123456789'",
    "TIMETZ '12:00:00+01'",
    "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'",
    "TIMESTAMPTZ '2020-01-01 00:00:00+02'",
    "TIMESTAMP_S '2020-01-01 00:00:00'",
    "'infinity'::TIMESTAMP",
    "'-infinity'::TIMESTAMPTZ",
    "'infinity'::TIMESTAMP_NS",
    "TIMESTAMP '290000-01-01 00:00:00'",
    "DATE '-0100-01-01' + TIME '10:00:00'",
    "'aabbccdd-0000-1111-2222-333344445555'::UUID",
    "'\\xAA\\x00b'::BLOB",
    "'b'::ENUM ('a', 'b')",
    "{'a': [1, NULL]}::VARIANT",
    "'POINT(1 2)'::GEOMETRY",
    "{'x': 1, 'when': DATE '-0044-03-15'}",
    "['a, b', 'c''d', NULL]",
    "[0.1::FLOAT]",
    "[[1], []]",
    "[INTERVAL 1 DAY]",
    "[1.5, 2]::FLOAT[2]",
    "MAP {'k': 1.5}",
    "union_value(num := 2)",
    "ROW(1, 'a')",
    "'{\"a\": 1}'::JSON",
    "NULL",
    "NULL::INTERVAL",
    "[]",
    "'Bär'",
]


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        yield con


@pytest.mark.parametrize("value", AS_PRINTED)
def test_a_value_is_shown_as_duckdb_prints_it_and_can_be_taken_away(con, value):
    relation = con.sql(f"SELECT {value} AS v")
    printed = relation.project("#1::VARCHAR").fetchall()[0][0]
    typed, shown = answers.fetch(relation)
    own = shown["v"].to_pylist()[0]
    assert own is printed is None or str(own) == printed
    back = parquet.read_table(_written(typed))
    assert back["v"].to_pylist() == typed["v"].to_pylist() or "nan" in printed
    assert typed.schema.field("v").metadata[answers.DUCKDB_TYPE].decode() == str(relation.types[0])


def _written(table: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    parquet.write_table(table, file)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("value", "kind", "python"),
    [
        ("sum(range) FROM range(4)", pa.int64(), 6),
        ("DATE '1503-10-01'", pa.date32(), date(1503, 10, 1)),
        ("[1, 2]::TINYINT[]", pa.list_(pa.field("l", pa.int8())), [1, 2]),
        ("{'a': 'x'}", pa.struct({"a": pa.string()}), {"a": "x"}),
        ("2.5::DECIMAL(4, 1)", pa.decimal128(4, 1), None),
        ("'\\xAA'::BLOB", pa.binary(), b"\xaa"),
        ("true", pa.bool_(), True),
    ],
)
def test_types_that_other_programs_have_are_kept(con, value, kind, python):
    typed, _ = answers.fetch(con.sql(f"SELECT {value}"))
    assert typed.schema.types[0] == kind
    assert python is None or typed[0].to_pylist() == [python]


def test_one_value_that_does_not_fit_makes_text_of_its_column_alone(con):
    rows = "VALUES (DATE '1900-01-01', 1.5::DOUBLE, 3::HUGEINT), (DATE '-0001-01-01', 'nan', 2::HUGEINT), (NULL, NULL, NULL)"
    typed, shown = answers.fetch(con.sql(f"SELECT * FROM ({rows})"))
    assert shown[0].to_pylist() == ["1900-01-01", "0002-01-01 (BC)", None] == typed[0].to_pylist()
    assert shown[1].to_pylist() == ["1.5", "nan", None] and typed.schema.types[1] == pa.float64()
    assert shown[2].to_pylist() == [3, 2, None]


def test_a_query_runs_once_for_both_tables(con):
    typed, shown = answers.fetch(con.sql("SELECT random() AS r, uuid() AS u FROM range(3)"))
    assert typed["r"].to_pylist() == shown["r"].to_pylist() and typed["u"].to_pylist() == shown["u"].to_pylist()


# ---- PIVOT ----------------------------------------------------------------------------------------------------------

ALLOWED = [
    "PIVOT catalogue ON year USING count(*)",
    "PIVOT catalogue ON year IN (1800, 1801) USING count(*) GROUP BY collection ORDER BY ALL LIMIT 3",
    "PIVOT catalogue ON year IN (SELECT max(year) FROM catalogue)",
    "FROM (PIVOT catalogue ON year)",
    "WITH p AS (PIVOT catalogue ON year USING count(*)) SELECT * FROM p",
    "(PIVOT nearest(1, 1, 3) ON image_id);",
    'PIVOT (SELECT \'x;y\' AS "set", 1 AS n) ON "set" USING sum(n) -- update',
    "DESCRIBE PIVOT catalogue ON year",
    "SUMMARIZE PIVOT catalogue ON year",
    "EXPLAIN ANALYZE PIVOT catalogue ON year",
    "UNPIVOT images ON width, height INTO NAME side VALUE pixels",
    "SELECT * FROM images UNPIVOT (pixels FOR side IN (width, height))",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN /* so */ (ANALYZE, FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
    "SHOW ALL TABLES",
    "DESC images",
]

REFUSED = [
    "CREATE TABLE x AS PIVOT images ON path",
    "INSERT INTO tag PIVOT images ON path",
    "COPY (PIVOT images ON path) TO 'x.csv'",
    "WITH gone AS (DELETE FROM image RETURNING *) PIVOT gone ON path",
    "PREPARE p AS PIVOT images ON path",
    "EXPLAIN COPY (PIVOT images ON path) TO 'x.csv'",
    "EXPLAIN ANALYZE INSERT INTO tag PIVOT images ON path",
    "EXPLAIN (FORMAT json) DELETE FROM image",
    "SET VARIABLE x = (PIVOT images ON path)",
    "CALL range((SELECT 1 FROM (PIVOT images ON path)))",
    "UPDATE image SET path = (SELECT 1 FROM (PIVOT images ON path))",
    "PIVOT read_text('/etc/passwd') ON size",
    "PIVOT \"read_text\" /* x */ ('/etc/passwd') ON size",
    "PIVOT images ON path IN (SELECT content FROM system.main.READ_TEXT('/etc/passwd'))",
    "PIVOT (SELECT getenv('HOME') AS home) ON home",
    "PIVOT (SELECT current_setting('x') AS a) ON a",
    "PIVOT duckdb_settings() ON name",
    "PIVOT duckdb_databases ON path",
    "PIVOT 'duckdb_databases' ON path",
    "PIVOT pg_catalog.pg_settings ON name",
    "FROM (PIVOT query('SELECT 1') ON a)",
    "PIVOT images ON path; DROP TABLE image",
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    from tests.pages import database

    path = tmp_path_factory.mktemp("answers") / "small.duckdb"
    database.make(path, database.NAMES[:2])
    with reading(path) as con:
        yield con


@pytest.mark.parametrize("sql", ALLOWED)
def test_statements_that_only_read_run(stored, sql):
    sandbox_child.examine(stored, sql)
    answers.fetch(stored.sql(sql).limit(3))


@pytest.mark.parametrize("sql", REFUSED)
def test_a_pivot_is_no_way_to_write_or_to_read_files(stored, sql):
    with pytest.raises(SqlRefused, match=r"\.$"):
        sandbox_child.examine(stored, sql)


def test_words_of_a_statement():
    found = [(word.text, word.quoted, word.called) for word in pivots.words('Ü, "a""B" /* x */ (\'é"\')')]
    assert found == [
        ("ü", False, False),
        (",", False, False),
        ('a"b', True, True),
        ("(", False, False),
        ('é"', False, False),
        (")", False, False),
    ]
