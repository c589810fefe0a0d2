"""What tables have said of pictures: each row under the name of its picture, and how each table was read."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from store import rows
from store.records import TableRows

Connection = duckdb.DuckDBPyConnection


def table_rows(con: Connection, collection_id: int) -> dict[str, TableRows]:
    """{path: what tables have said of the picture}; pictures of which no table has said anything are left out."""
    query = "SELECT path, source, cells::VARCHAR FROM table_row WHERE collection_id = ? ORDER BY path, position"
    found: dict[str, TableRows] = {}
    for path, source, cells in rows.fetch(con, query, [collection_id]):
        stated = found.setdefault(path, TableRows({}, {}))
        if source:
            stated.rows[source] = json.loads(cells)
        else:
            stated.hidden.update(json.loads(cells))
    return found


def set_table_rows(con: Connection, collection_id: int, stated: Mapping[str, TableRows]) -> None:
    """What tables say of these pictures, in place of what they said."""
    _delete(con, collection_id, stated)
    lines = [
        (path, source, position, cells)
        for path, each in stated.items()
        for position, (source, cells) in enumerate([("", each.hidden), *each.rows.items()])
        if source or cells
    ]
    columns = {
        "collection_id": [collection_id] * len(lines),
        "path": [path for path, _, _, _ in lines],
        "source": [source for _, source, _, _ in lines],
        "position": pa.array([position for _, _, position, _ in lines], pa.int32()),
        "cells": [rows.to_json(cells) for _, _, _, cells in lines],
    }
    rows.insert(con, "table_row", columns)


def rename_table_rows(con: Connection, collection_id: int, names: Mapping[str, str]) -> None:
    """What was said of pictures, {old path: new path}, is said of them under another name."""
    if not names:
        return
    _delete(con, collection_id, set(names.values()) - names.keys())
    con.register("incoming", pa.table({"old": list(names), "new": list(names.values())}))
    query = "UPDATE table_row SET path = incoming.new FROM incoming WHERE collection_id = ? AND path = incoming.old"
    rows.fetch(con, query, [collection_id])
    con.unregister("incoming")


def delete_table_rows(con: Connection, image_ids: Iterable[int]) -> None:
    """Forget what tables have said of images."""
    query = """
        DELETE FROM table_row USING image
        WHERE image.image_id IN (SELECT unnest(?::BIGINT[])) AND table_row.collection_id = image.collection_id
            AND table_row.path = image.path
    """
    rows.fetch(con, query, [list(image_ids)])


def set_reading(con: Connection, collection_id: int, source: str, reading: Mapping[str, Any]) -> None:
    """Note how a table was read."""
    delete_reading(con, collection_id, source)
    text = rows.to_json(reading)
    rows.fetch(con, "INSERT INTO table_reading VALUES (?, ?, ?, ?)", [collection_id, source, rows.now(), text])


def delete_reading(con: Connection, collection_id: int, source: str) -> None:
    """Forget how a table was read, which is there no more."""
    rows.fetch(con, "DELETE FROM table_reading WHERE collection_id = ? AND source = ?", [collection_id, source])


def table_readings(con: Connection) -> pa.Table:
    """collection, source, read_at, reading (JSON text), the newest first."""
    query = "SELECT collection, source, read_at, reading::VARCHAR AS reading FROM table_readings ORDER BY read_at DESC"
    return con.sql(query).to_arrow_table()


def sources(con: Connection, collection_id: int) -> list[str]:
    """The tables that have described a collection."""
    query = "SELECT source FROM table_reading WHERE collection_id = ? ORDER BY read_at"
    return [source for (source,) in rows.fetch(con, query, [collection_id])]


def _delete(con: Connection, collection_id: int, paths: Iterable[str]) -> None:
    query = "DELETE FROM table_row WHERE collection_id = ? AND path IN (SELECT unnest(?::VARCHAR[]))"
    rows.fetch(con, query, [collection_id, list(paths)])
