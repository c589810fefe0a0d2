"""What anyone may type: reading statements run, all else is refused or bounded."""

import time

import pytest

from store import sandbox, sandbox_child
from store.connection import reading
from store.errors import DatabaseMissing, SqlFailed, SqlRefused, SqlTimeout, StoreError

ALLOWED = [
    "SELECT 1",
    "SELECT title, year FROM catalogue WHERE year > 1801 ORDER BY year DESC;",
    "FROM images",
    "TABLE runs",
    "VALUES (1, 'a')",
    "WITH a AS (SELECT 1 AS n) SELECT * FROM a",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
    "SELECT image_id FROM images UNION SELECT 7 EXCEPT SELECT 1",
    "SELECT * FROM nearest(1, 1, 3)",
    "SELECT * FROM attention_map(1, 1, 'cls', 0, 0)",
    "SELECT i.path, n.similarity FROM images i, LATERAL nearest(1, 1, 3) n WHERE n.image_id = i.image_id",
    "SELECT unnest([1, 2, 3]) FROM range(3)",
    "SELECT list_transform(weights, lambda w: w * 2) FROM attention",
    "SELECT key FROM images, json_each(metadata)",
    "SELECT row_number() OVER (ORDER BY path) FROM images",
    "SELECT * FROM (PIVOT catalogue ON year IN (1800, 1801) USING count(*))",
    "EXPLAIN SELECT * FROM images",
    "  -- how?\n/* so */ explain analyze SELECT count(*) FROM images",
    "DESCRIBE images",
    "SUMMARIZE catalogue",
    "SHOW TABLES",
    "SELECT 'DROP TABLE image; COPY x TO y; read_csv(1)' AS text",
    'SELECT "at", error FROM failures',
]

REFUSED = [
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE image",
    "INSERT INTO tag VALUES (1, 'x', NULL, now())",
    "UPDATE image SET path = 'x'",
    "DELETE FROM image",
    "WITH gone AS (DELETE FROM image RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM image",
    "EXPLAIN /* */ COPY image TO 'out.csv'",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "DROP VIEW images",
    "ALTER TABLE image ADD COLUMN x INTEGER",
    "COPY image TO 'out.csv'",
    "EXPORT DATABASE 'out'",
    "ATTACH 'other.duckdb'",
    "DETACH filled",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "RESET threads",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM READ_TEXT('/etc/hostname')",
    "SELECT * FROM \"read_blob\"('/etc/hostname')",
    "SELECT * FROM system.main.read_text('/etc/hostname')",
    "SELECT (SELECT count(*) FROM glob('/*'))",
    "SELECT * FROM images WHERE path IN (SELECT file FROM glob('/etc/*'))",
    "WITH a AS (SELECT * FROM parquet_scan('x.parquet')) SELECT * FROM a",
    "SELECT * FROM query('SELECT * FROM duckdb_settings()')",
    "SELECT * FROM query_table('duckdb_settings')",
    "SELECT * FROM histogram('duckdb_settings', value)",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_databases",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM pragma_database_list",
    "SHOW duckdb_databases",
    "SELECT current_setting('secret_directory')",
    "SELECT main.current_setting('secret_directory')",
    "SELECT getenv('HOME')",
    "SELECT pg_sleep(100)",
    "SELECT max(sleep_ms(1000)) FROM range(100)",
    "SELECT " + "1, " * 10_000 + "1",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_reading_statements_run(filled, sql):
    with reading(filled.path) as con:
        sandbox_child.examine(con, sql)
        con.sql(sql).limit(3).to_arrow_table()


@pytest.mark.parametrize("sql", REFUSED)
def test_other_statements_are_refused_in_a_sentence(filled, sql):
    with reading(filled.path) as con, pytest.raises(SqlRefused, match=r"\.$"):
        sandbox_child.examine(con, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))",  # one call, which no interrupt reaches
    ],
)
def test_endless_queries_are_stopped(filled, sql):
    start = time.monotonic()
    with pytest.raises(SqlTimeout, match=r"longer than 0\.5 seconds"):
        sandbox.query(filled.path, sql, seconds=0.5)
    assert time.monotonic() - start < sandbox.STARTING + 0.5  # or it ran on until nobody waited any longer


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_reduce(range(1000000000), lambda x, y: x + y)",
        "SELECT sum(n) FROM (SELECT unnest(range(1000000000)) AS n)",
        "SELECT list(n) FROM range(10000000000) t(n)",
        "SELECT repeat('x', 4000000000)",
        "SELECT repeat('x', 100000) FROM range(1000)",
    ],
)
def test_greedy_queries_fail_or_are_stopped(filled, sql):
    with pytest.raises((SqlFailed, SqlTimeout), match="memory|larger than|stopped"):
        sandbox.query(filled.path, sql, seconds=4)


def test_an_answer(filled):
    answer = sandbox.query(filled.path, "SELECT path, year FROM catalogue ORDER BY year -- by year")
    assert answer.table["path"].to_pylist()[::4] == ["folder/a.jpg", "folder/é.jpg"]
    assert answer.table["year"].to_pylist() == [1800, 1801, 1802, 1803, 1804]
    assert not answer.truncated and 0 < answer.seconds < 5


@pytest.mark.parametrize(("rows", "truncated"), [(4, True), (5, False), (6, False), (0, True)])
def test_more_rows_than_asked_for(filled, rows, truncated):
    answer = sandbox.query(filled.path, "SELECT image_id FROM images ORDER BY 1", rows=rows)
    assert (answer.table.num_rows, answer.truncated) == (min(rows, 5), truncated)


def test_a_huge_result_is_never_made(filled):
    answer = sandbox.query(filled.path, "SELECT range AS n FROM range(1000000000000)", rows=10)
    assert answer.table["n"].to_pylist() == list(range(10)) and answer.truncated


def test_no_rows_and_equal_names(filled):
    table = sandbox.query(filled.path, "SELECT 1 AS a, 2 AS a WHERE false").table
    assert table.num_rows == 0 and len(set(table.column_names)) == 2


def test_explain_and_describe_through_the_process(filled):
    assert sandbox.query(filled.path, "EXPLAIN SELECT * FROM images").table.num_rows > 0
    assert "image_id" in sandbox.query(filled.path, "DESCRIBE images").table["column_name"].to_pylist()


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nonsense FROM images", "SELECT 1/", "SELECT \x00", "\ud800"])
def test_mistakes_are_explained(filled, sql):
    with pytest.raises(SqlFailed, match="DuckDB cannot run this query"):
        sandbox.query(filled.path, sql)


@pytest.mark.parametrize("sql", ["SELECT * FROM '/etc/passwd'", "FROM 'nothing.csv'", "SHOW secret_directory"])
def test_files_and_settings_look_the_same_whether_they_exist_or_not(filled, sql):
    with pytest.raises(StoreError) as caught:
        sandbox.query(filled.path, sql)
    assert "root:" not in str(caught.value) and ".duckdb/" not in str(caught.value)


def test_refusals_and_missing_files_come_through(filled, tmp_path):
    with pytest.raises(SqlRefused, match="DELETE"):
        sandbox.query(filled.path, "DELETE FROM image")
    with pytest.raises(DatabaseMissing):
        sandbox.query(tmp_path / "none.duckdb", "SELECT 1")


def test_a_relative_path(filled, monkeypatch):
    monkeypatch.chdir(filled.path.parent)
    assert sandbox.query(filled.path.name, "SELECT count(*) AS n FROM images").table["n"].to_pylist() == [5]
