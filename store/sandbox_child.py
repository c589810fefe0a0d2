"""The process in which a typed query runs: `python -m store.sandbox_child`, started by `store.sandbox`.

Reads its order from standard input as JSON and answers on standard output. The connection is read-only and reaches no
file but the database (`store.connection.READER`); the operating system holds the process to its memory and lets it
write no file; and the parsed statement is walked before it runs: only queries, only functions that compute.
"""

import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from store import pivots
from store.answers import fetch as fetch_answer
from store.connection import READER
from store.errors import SqlFailed, SqlRefused, StoreError
from store.rows import fetch, one

LONGEST = 20_000  # characters of SQL
LARGEST = 64 * 2**20  # bytes of an answer
MEMORY = 3 * 2**30  # bytes of the whole process
MESSAGE = 2_000  # characters of DuckDB's complaint, which can quote a value of any length
STOPPED = 75  # the exit code of a process that ran out of time

QUERIES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}

# Functions in FROM are refused unless named here: others read files, raw memory or the settings, or run more SQL.
# The database's own macros (`nearest` and the like) are let through as well.
TABLE_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
FUNCTIONS_REFUSED = {"current_setting", "getenv", "json_serialize_plan", "pg_sleep", "sleep_ms", "write_log"}
TABLES_REFUSED = re.compile(r"(duckdb|pragma|pg)_", re.IGNORECASE)  # the system's views: settings, paths, extensions

_GAP = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_OPTIONS = rf"\({_GAP}(?:ANALYZE|FORMAT\s+\w+)\b{_GAP}(?:,{_GAP}(?:ANALYZE|FORMAT\s+\w+)\b{_GAP})*\)"
_EXPLAIN = re.compile(rf"\A{_GAP}EXPLAIN\b{_GAP}(?:ANALYZE\b{_GAP})?(?:{_OPTIONS})?", re.IGNORECASE | re.DOTALL)


def main() -> None:
    """Answer one order."""
    order = json.load(sys.stdin)
    _limit(order["seconds"])
    clock = threading.Timer(order["seconds"], os._exit, [STOPPED])  # DuckDB computes outside Python's lock
    clock.daemon = True
    clock.start()
    body = b""
    try:
        header, body = _answer(Path(order["path"]), order["sql"], order["rows"])
    except StoreError as error:
        header = {"error": type(error).__name__, "message": str(error)}
    except (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError):
        message = "The query needs more memory than it may use. Ask for fewer rows or columns."
        header = {"error": "SqlFailed", "message": message}
    except (duckdb.Error, pa.ArrowException, RecursionError) as error:
        header = {"error": "SqlFailed", "message": f"DuckDB cannot run this query: {_short(str(error))}"}
    clock.cancel()
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + body)


def examine(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises SqlRefused unless the text is one statement that only reads, and duckdb.Error if it is no SQL at all."""
    if len(sql) > LONGEST:
        raise SqlRefused(f"This query has {len(sql)} characters; at most {LONGEST} are allowed. Shorten it.")
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise SqlRefused(f"Type one SQL statement; this text has {len(statements)}.")
    kind, text = _kind(statements[0]), statements[0].query
    query = "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
    table_functions = TABLE_FUNCTIONS | {name for (name,) in fetch(con, query)}
    if kind == "MULTI":  # a PIVOT whose columns come from the data
        pivots.examine(con, text, TABLES_REFUSED, table_functions, FUNCTIONS_REFUSED)
        return
    if kind == "EXPLAIN":
        text = _EXPLAIN.sub("", text, count=1)
    parsed = json.loads(one(con, "SELECT json_serialize_sql(?::VARCHAR)", [text])[0])
    if parsed["error"]:
        raise SqlRefused(
            f"A statement of the kind {kind} cannot run here, where the database is only read: "
            "begin with SELECT, FROM, WITH, VALUES, TABLE, PIVOT, UNPIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN."
        )
    for node in _nodes(parsed):
        _examine_node(node, table_functions)


def _kind(statement: duckdb.Statement) -> str:
    try:
        return statement.type.name
    except ValueError:  # DuckDB knows more kinds than its Python does, UPDATE EXTENSIONS among them
        return "OTHER"


def _answer(path: Path, sql: str, rows: int) -> tuple[dict, bytes]:
    with duckdb.connect(str(path), read_only=True, config={**READER, "memory_limit": "2GB"}) as con:
        examine(con, sql)
        start = time.monotonic()
        typed, shown = fetch_answer(con.sql(sql).limit(rows + 1))
        seconds = time.monotonic() - start
    if typed.nbytes + shown.nbytes > LARGEST:
        raise SqlFailed(f"The answer is larger than {LARGEST >> 20} MB. Ask for fewer rows or narrower columns.")
    sink = pa.BufferOutputStream()
    for table in (typed, shown):
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.slice(0, rows))
    return {"truncated": typed.num_rows > rows, "seconds": seconds}, sink.getvalue().to_pybytes()


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE else f"{message[:MESSAGE]} …"


def _nodes(tree: Any) -> Iterator[dict]:
    """Every dict of a JSON tree."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _examine_node(node: dict, table_functions: set[str]) -> None:
    kind = str(node.get("type"))
    if kind.endswith("_NODE") and kind not in QUERIES:
        raise SqlRefused("The database can only be read here; this query would change it.")
    if kind == "TABLE_FUNCTION":
        name = node["function"].get("function_name", "").lower()
        if name not in table_functions:
            raise SqlRefused(f"The function {name or 'in FROM'} cannot be used here: queries read this database alone.")
    if node.get("class") == "FUNCTION" and node.get("function_name", "").lower() in FUNCTIONS_REFUSED:
        raise SqlRefused(f"The function {node['function_name']} cannot be used here.")
    if kind in ("BASE_TABLE", "SHOW_REF") and TABLES_REFUSED.match(node.get("table_name", "")):
        raise SqlRefused(f"The system table {node['table_name']} cannot be read here. SHOW TABLES lists what can.")


def _limit(seconds: float) -> None:
    """Bind this process by the means of the operating system, where it has them."""
    try:
        import resource
    except ImportError:  # Windows: DuckDB's own memory limit and the clock of the process that started this one
        return
    processor = math.ceil(seconds + 1) * (os.cpu_count() or 1)
    for name, most in (("DATA", MEMORY), ("FSIZE", 0), ("CORE", 0), ("CPU", processor)):
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
