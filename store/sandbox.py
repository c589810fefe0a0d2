"""SQL that anyone may type: one reading statement with limits of time, memory and size.

It runs in a process of its own (`store.sandbox_child`). DuckDB can be interrupted between rows but not inside one
function call, and its memory limit does not count every string: `SELECT list_reduce(range(1e9::BIGINT), …)` goes on for
minutes and takes 20 GB. A process can be killed, and the operating system keeps it within its memory.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from store import errors
from store.connection import reading
from store.sandbox_child import STOPPED

STARTING = 10.0  # seconds that the process may take to start on a busy machine, beside those of the query


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query, at most as many as asked for; `truncated` says that there are more. `seconds` is what the
    query took, without the start of its process. `shown` has the same rows as `table` as DuckDB prints them
    (`store.answers.fetch`)."""

    table: pa.Table
    shown: pa.Table
    truncated: bool
    seconds: float


def query(path: Path | str, sql: str, seconds: float = 10.0, rows: int = 1000) -> QueryResult:
    """Run one SELECT, EXPLAIN, DESCRIBE, SUMMARIZE or SHOW for at most `seconds` and fetch at most `rows` rows.

    Raises SqlRefused, SqlFailed or SqlTimeout with a sentence to show, and what `store.connection.reading` raises.
    """
    sql = sql.encode(errors="replace").decode()  # half characters, which no SQL can hold, become question marks
    order = {"path": str(Path(path).resolve()), "sql": sql, "rows": rows, "seconds": seconds}
    with reading(path):  # finds what is wrong with the file, and keeps writers away until the process has answered
        header, body = _run(json.dumps(order).encode(), seconds)
    if "error" in header:
        raise getattr(errors, header["error"])(header["message"])
    stream = pa.BufferReader(body)
    table, shown = (pa.ipc.open_stream(stream).read_all() for _ in range(2))
    return QueryResult(table, shown, header["truncated"], header["seconds"])


def matching(path: Path | str, condition: str, seconds: float = 60.0) -> list[int]:
    """The ids of the images for which somebody's SQL condition on the catalogue holds, such as `artist = 'Hokusai'`.

    Raises what `query` raises.
    """
    answer = query(path, f"SELECT image_id FROM catalogue WHERE ({condition}\n) ORDER BY image_id", seconds, 10_000_000)
    return answer.table["image_id"].to_pylist()


def _run(order: bytes, seconds: float) -> tuple[dict, bytes]:
    """What the process says: a line of JSON, then the two tables as Arrow streams."""
    command = [sys.executable, "-m", "store.sandbox_child"]
    root = Path(__file__).parents[1]
    late = errors.SqlTimeout(f"The query took longer than {seconds:g} seconds and was stopped.")
    try:
        done = subprocess.run(command, input=order, cwd=root, capture_output=True, timeout=seconds + STARTING)
    except subprocess.TimeoutExpired as error:
        raise late from error
    if done.returncode == STOPPED:
        raise late
    if done.returncode:
        raise errors.SqlFailed("The query needed more memory or time than it may use. Ask for fewer rows or columns.")
    header, _, body = done.stdout.partition(b"\n")
    return json.loads(header), body
