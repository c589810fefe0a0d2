"""SQL that somebody types who wants to write, to read files, to change the settings, or to bring the machine down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from store import sandbox
from store.errors import SqlFailed, SqlRefused, SqlTimeout

SECONDS, ROWS = 4.0, 1000
SECRET = "the-secret-of-the-torture-chamber"

# {file} is a file with a secret in it, {folder} where it lies; {db} the database's own file, {other} another database.
# What is marked * is answered: bounded, and with nothing in it that would be somebody's secret.
ATTACKS: dict[str, tuple[str, ...]] = {
    "write": (
        "INSERT INTO tag VALUES (1, 'x', NULL, now())",
        "INSERT INTO image BY NAME SELECT * FROM image",
        "UPDATE image SET path = 'x'",
        "DELETE FROM image",
        "TRUNCATE image",
        "MERGE INTO image USING image AS i ON true WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM image RETURNING *) SELECT * FROM gone",
        "SELECT * FROM (DELETE FROM image RETURNING *)",
        "EXPLAIN ANALYZE DELETE FROM image",
        "EXPLAIN /* */ ANALYZE INSERT INTO tag VALUES (1, 'x', NULL, now())",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE TEMP TABLE image AS SELECT 1",
        "CREATE OR REPLACE VIEW images AS SELECT 1",
        "CREATE MACRO nearest(a, b, c) AS TABLE SELECT 1",
        "CREATE SEQUENCE s",
        "CREATE INDEX i ON image (path)",
        "CREATE SCHEMA s",
        "CREATE TYPE t AS ENUM ('a')",
        "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')",
        "DROP VIEW images",
        "DROP TABLE image CASCADE",
        "ALTER TABLE image RENAME TO pictures",
        "COMMENT ON TABLE image IS 'x'",
        "COPY image TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{file}'",
        "COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)",
        "COPY image FROM '{file}'",
        "COPY FROM DATABASE memory TO bilderatlas",
        "EXPORT DATABASE '{folder}/out'",
        "IMPORT DATABASE '{folder}/out'",
        "VACUUM",
        "CHECKPOINT",
        "FORCE CHECKPOINT",
        "SELECT 1; DELETE FROM image",
        "SELECT 1 /* ; */; /* */ DROP TABLE image --",
        "BEGIN; DELETE FROM image; COMMIT",
        "PREPARE p AS DELETE FROM image",
        "EXECUTE p",
        "SELECT nextval('s')",
        "SELECT write_log('x')",
    ),
    "read files": (
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_csv_auto('{file}', header = false)",
        "SELECT * FROM READ_TEXT('{file}')",
        "SELECT * FROM \"read_blob\"('{file}')",
        "SELECT * FROM system.main.read_text('{file}')",
        "SELECT * FROM read_json('{file}')",
        "SELECT * FROM read_ndjson_objects('{file}')",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM parquet_metadata('{file}')",
        "SELECT * FROM parquet_scan(['{file}'])",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM read_duckdb('{other}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT (SELECT count(*) FROM glob('/*'))",
        "SELECT * FROM images WHERE path IN (SELECT file FROM glob('/etc/*'))",
        "SELECT * FROM images, LATERAL read_text(path)",
        "SELECT (SELECT content FROM read_text(path)) FROM images",
        "SELECT CASE WHEN true THEN (SELECT max(content) FROM read_text('{file}')) END",
        "SELECT [x FOR x IN (SELECT list(content) FROM read_text('{file}'))]",
        "SELECT * FROM images ORDER BY (SELECT max(content) FROM read_text('{file}'))",
        "SELECT * FROM images LIMIT (SELECT count(*) FROM read_text('{file}'))",
        "WITH a AS MATERIALIZED (FROM read_text('{file}')) FROM a",
        "WITH RECURSIVE r AS (SELECT 'a' AS c UNION ALL SELECT content FROM read_text('{file}')) FROM r",
        "FROM (PIVOT (FROM read_text('{file}')) ON size USING count(*))",
        "SUMMARIZE SELECT * FROM read_text('{file}')",
        "DESCRIBE SELECT * FROM read_csv('{file}')",
        "DESCRIBE '{file}'",
        "SUMMARIZE '{file}'",
        "SELECT * FROM '{file}'",
        "SELECT * FROM '{folder}/*.csv'",
        "FROM 'file://{file}'",
        'FROM "{other}"',
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM query('FROM read_text(''{file}'')')",
        "SELECT * FROM query_table('{file}')",
        "SELECT * FROM query_table(['{file}', 'images'])",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{file}'')'))",
        "SELECT * FROM from_substrait('x'::BLOB)",
        "SELECT * FROM arrow_scan(1, 2, 3)",
        "SELECT * FROM pandas_scan(94000000000000)",
        "SELECT getenv('HOME')",
        "SELECT main.getenv('PATH')",
        "SELECT list_transform(['HOME'], lambda n: getenv(n))",
    ),
    "attach and load": (
        "ATTACH '{other}'",
        "ATTACH ':memory:' AS m",
        "ATTACH '{db}' AS again (READ_WRITE)",
        "ATTACH 'sqlite:{file}' AS s (TYPE sqlite)",
        "DETACH bilderatlas",
        "USE memory",
        "INSTALL httpfs",
        "FORCE INSTALL spatial FROM community",
        "LOAD httpfs",
        "LOAD '{file}'",
        "UPDATE EXTENSIONS",
        "SELECT * FROM duckdb_extensions()",
    ),
    "settings": (
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET GLOBAL temp_directory = '{folder}'",
        "SET VARIABLE x = 1",
        "RESET threads",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "PRAGMA profiling_output = '{folder}/out.json'",
        "CALL pragma_version()",
        "CALL enable_logging()",
        "SELECT current_setting('secret_directory')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_databases",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_memory()",
        "SELECT * FROM duckdb_logs",
        "SELECT * FROM pg_catalog.pg_settings",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_storage_info('image')",
        "*SHOW DATABASES",
        "SHOW duckdb_databases",
    ),
    "memory": (
        "SELECT repeat('x', 4000000000)",
        "SELECT repeat('x', 100000) FROM range(1000)",
        "SELECT list(n) FROM range(10000000000) t(n)",
        "SELECT list_reduce(range(1000000000), lambda x, y: x + y)",
        "SELECT sum(n) FROM (SELECT unnest(range(1000000000)) AS n)",
        "SELECT string_agg(repeat(n::VARCHAR, 1000), '') FROM range(100000000) t(n)",
        "SELECT n, count(*) FROM (SELECT n % 1000000007 AS n FROM range(1000000000) t(n)) GROUP BY n ORDER BY 2",
        "*SELECT * FROM range(1000000000) t(n) ORDER BY hash(n)",
        "SELECT error(repeat('x', 300000000))",
        "SELECT repeat('x', 300000000)::INTEGER",
        "SELECT lpad('', 2000000000, 'x')",
        "SELECT rpad('x', 900000000, 'y') || rpad('x', 900000000, 'y') || rpad('x', 900000000, 'y')",
        "SELECT array_agg(i) OVER (ORDER BY i) FROM range(1000000) t(i)",
        "SELECT bitstring('1', 2147483647)",
        "SELECT " + "(" * 9000 + "1" + ")" * 9000,
        "SELECT " + "[" * 5000 + "1" + "]" * 5000,
        "SELECT " + "+".join(["1"] * 9000),
        "SELECT " + "NOT " * 4900 + "true",
    ),
    "time": (
        "SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
        "*SELECT regexp_matches(repeat('a', 5000000), '(a*)*b')",
        "SELECT count(*) FROM images a, images b, images c, images d, images e, images f, images g, images h, images i, images j, images k, images l, images m, images n, images o, images p",
        "SELECT pg_sleep(100)",
        "SELECT max(sleep_ms(1000)) FROM range(100)",
    ),
    "rows": (
        "*SELECT * FROM range(1000000000)",
        "*SELECT range AS n FROM range(1000000000000)",
        "*SELECT unnest(range(1000000))",
        "*SELECT * FROM images a, images b, range(1000000)",
        "*WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 20000) FROM r",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of a statement: 'refused', 'failed', 'stopped' or 'bounded'; `fault` says what should not be."""

    kind: str
    sql: str
    outcome: str
    seconds: float
    fault: str = ""


def attacks(db: Path, folder: Path) -> list[tuple[str, str]]:
    """(kind, statement) of all, about files of this folder."""
    return [(kind, filled(sql, db, folder)) for kind, statements in ATTACKS.items() for sql in statements]


def filled(sql: str, db: Path, folder: Path) -> str:
    """A statement about the files of this folder."""
    names = {"file": folder / "secret.csv", "folder": folder, "db": db, "other": folder / "other.duckdb"}
    for name, path in names.items():
        sql = sql.replace(f"{{{name}}}", str(path))
    return sql


def lay_out(folder: Path) -> None:
    """A secret, as text and in a database, that nobody should get to see."""
    import duckdb

    (folder / "secret.csv").write_text(f"word,size\n{SECRET},1\n")
    with duckdb.connect(str(folder / "other.duckdb")) as con:
        con.execute(f"CREATE TABLE secret AS SELECT '{SECRET}' AS word")


def attack(db: Path, kind: str, sql: str) -> Outcome:
    """Type one statement."""
    harmless, sql = sql.startswith("*"), sql.removeprefix("*")
    began, fault, texts = time.monotonic(), "", ""
    try:
        answer = sandbox.query(db, sql, SECONDS, ROWS)
        outcome, texts = "bounded", str(answer.table.to_pydict())
        if not harmless:
            fault = "it was answered"
        elif answer.table.num_rows > ROWS:
            fault = f"{answer.table.num_rows} rows came"
    except SqlRefused as error:
        outcome, texts = "refused", str(error)
    except SqlTimeout as error:
        outcome, texts = "stopped", str(error)
    except SqlFailed as error:
        outcome, texts = "failed", str(error)
    if SECRET in texts:
        fault = "it told the secret"
    if len(texts) > 10_000 and outcome != "bounded":
        fault = f"its message has {len(texts)} characters"
    return Outcome(kind, sql, outcome, time.monotonic() - began, fault)
