"""Rows in and out: Arrow tables go in whole, rows leave by image."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store.errors import StoreError


def insert(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Any]) -> None:
    """Append columns of equal length (arrays or lists, by name); columns that are not named become NULL."""
    incoming = pa.table(dict(columns))
    if incoming.num_rows:
        con.register("incoming", incoming)
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        con.unregister("incoming")


def update(con: duckdb.DuckDBPyConnection, table: str, key: str, columns: Mapping[str, Any]) -> None:
    """Set columns of the rows that share the value of `key`."""
    incoming = pa.table(dict(columns))
    if incoming.num_rows:
        changes = ", ".join(f"{name} = incoming.{name}" for name in incoming.column_names if name != key)
        con.register("incoming", incoming)
        con.execute(f"UPDATE {table} SET {changes} FROM incoming WHERE {table}.{key} = incoming.{key}")
        con.unregister("incoming")


def delete(con: duckdb.DuckDBPyConnection, table: str, image_ids: Iterable[int], **same: Any) -> None:
    """Remove the rows of these images, and of these values of other columns."""
    ids = sorted({int(i) for i in image_ids})
    if not ids:
        return
    tests = "".join(f" AND {name} = ${name}" for name in same)
    # The range lets DuckDB skip whole row groups; without it every delete would read the ids of all maps.
    chosen = "image_id BETWEEN $low AND $high AND image_id IN (SELECT unnest($ids::BIGINT[]))"
    fetch(con, f"DELETE FROM {table} WHERE {chosen}{tests}", {"low": ids[0], "high": ids[-1], "ids": ids, **same})


def next_id(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """One more than the largest id; there is only ever one writer."""
    return one(con, f"SELECT coalesce(max({table}_id), 0) + 1 FROM {table}")[0]


def fetch(con: duckdb.DuckDBPyConnection, query: str, params: Any = None) -> list[tuple]:
    """Run a statement to its end and return its rows; with an unread result, a connection can do nothing else."""
    return con.execute(query, plain(params)).fetchall()


def first(con: duckdb.DuckDBPyConnection, query: str, params: Any = None) -> tuple | None:
    """The first row, or None."""
    return next(iter(fetch(con, query, params)), None)


def one(con: duckdb.DuckDBPyConnection, query: str, params: Any = None) -> tuple:
    """The row of a query that always has one, as counts and sums have. StoreError if it has none."""
    found = first(con, query, params)
    if found is None:
        raise StoreError("The database has no answer where it must have one; start the command again.")
    return found


def plain(params: Any) -> Any:
    """A statement's parameters, NumPy's numbers among them turned into Python's, the only ones DuckDB takes."""
    if isinstance(params, Mapping):
        return {name: _plain(value) for name, value in params.items()}
    return None if params is None else [_plain(value) for value in params]


def lists(matrix: np.ndarray) -> pa.Array:
    """The rows of a matrix (m, n) as an Arrow column of lists, without copying a C-contiguous one."""
    matrix = np.ascontiguousarray(matrix)
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1]
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(matrix.reshape(-1)))


def to_json(values: Mapping[str, Any], sort_keys: bool = False) -> str:
    """JSON text of a dict; NaN (an empty cell, to pandas) becomes null, NumPy's numbers plain ones, half characters,
    as in names of files of another encoding, question marks."""
    values = {str(key): None if value != value else value for key, value in values.items()}
    text = json.dumps(values, ensure_ascii=False, sort_keys=sort_keys, default=_json)
    return text.encode(errors="replace").decode()


def _json(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def now() -> datetime:
    """The time in UTC, without a zone, as all time stamps of the database are."""
    return datetime.now(UTC).replace(tzinfo=None)
