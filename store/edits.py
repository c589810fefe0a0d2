"""The journal of what people do, by which a session undoes its own edits and does them again.

An edit is what it changed: the rows that it took away and those that it put in, of the tables in KEYS. To undo it is to
put in the former and take away the latter, which is refused where somebody else has changed these rows since. What
writes to the same tables without the journal, as commands do, can be in the way of an undo, and breaks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb

from store import catalogue, rows
from store.errors import StoreError

# The tables whose edits can be undone, each with what no two of its rows share.
KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tag": (("image_id", "tag"),),
    "note": (("note_id",),),
    "region": (("region_id",),),
    "selection": (("selection_id",), ("collection_id", "name")),
    "selection_member": (("selection_id", "image_id"),),
    "head_name": (("run_id", "layer", "head"),),
    "cluster_label": (("projection_id", "level", "cluster"),),
    "cluster_level": (("projection_id", "level"),),
    "removal": (("image_id",),),
    "correction": (("image_id", "key"),),
}
OF_METADATA = "correction"  # after which the catalogue is made to fit
REMEMBERED = 1000  # edits

Connection = duckdb.DuckDBPyConnection


class EditRefused(StoreError):
    """An edit cannot be undone or done again: somebody else has changed the same since."""


@dataclass(frozen=True)
class Author:
    """Whose edit it is: the session that may undo it, and the person's name, '' where it is not known."""

    session: str
    who: str = ""


@dataclass(frozen=True)
class Edit:
    """One edit, in words as "tag “boat” on 12 pictures", and the tables whose rows it changed, where they are known."""

    edit_id: int
    words: str
    tables: tuple[str, ...] = ()


@contextmanager
def recorded(con: Connection, author: Author, words: str, tables: Iterable[str]) -> Iterator[None]:
    """Around what changes some of the tables in KEYS: keeps what it changed. What could be done again no longer can."""
    tables = tuple(tables)
    for table in tables:
        con.execute(f"CREATE OR REPLACE TEMP TABLE before_{table} AS SELECT * FROM {table}")
    yield
    number = rows.next_id(con, "edit")
    changed = 0
    for table in tables:
        for added, now, then in ((True, table, f"before_{table}"), (False, f"before_{table}", table)):
            query = f"""
                INSERT INTO edit_row SELECT ?, ?, ?, to_json(each)
                FROM (SELECT * FROM {now} EXCEPT SELECT * FROM {then}) each
            """
            changed += rows.one(con, query, [number, table, added])[0]
        con.execute(f"DROP TABLE before_{table}")
    if not changed:
        return
    query = "UPDATE edit SET state = 'dropped' WHERE session = ? AND state = 'undone'"
    rows.fetch(con, query, [author.session])
    row = {"edit_id": number, "made_at": rows.now(), "session": author.session, "who": author.who}
    rows.insert(con, "edit", {key: [value] for key, value in (row | {"words": words, "state": "done"}).items()})
    for table in ("edit_row", "edit"):
        rows.fetch(con, f"DELETE FROM {table} WHERE edit_id <= ?", [number - REMEMBERED])


def at_hand(con: Connection, session: str) -> tuple[Edit | None, Edit | None]:
    """The edits that a session would undo and do again next."""
    return _next(con, session, "done", "DESC"), _next(con, session, "undone", "ASC")


def undo(con: Connection, session: str) -> Edit | None:
    """Undo the last edit of a session; None if it has none. Raises EditRefused, after `drop` of which the one before
    it can be undone."""
    return _revert(con, at_hand(con, session)[0], "undone", put_in=False, verb="undone")


def redo(con: Connection, session: str) -> Edit | None:
    """Do again what was undone last. Raises EditRefused."""
    return _revert(con, at_hand(con, session)[1], "done", put_in=True, verb="done again")


def drop(con: Connection, edit_id: int) -> None:
    """Let go of an edit: it stays as it is."""
    rows.fetch(con, "UPDATE edit SET state = 'dropped' WHERE edit_id = ?", [edit_id])


def fresh_id(con: Connection, table: str) -> int:
    """An id that no row has, nor had before an edit took it away."""
    query = "SELECT coalesce(max((cells ->> ?)::BIGINT), 0) + 1 FROM edit_row WHERE table_name = ?"
    return max(rows.next_id(con, table), rows.one(con, query, [f"/{table}_id", table])[0])


def _next(con: Connection, session: str, state: str, order: str) -> Edit | None:
    query = f"SELECT edit_id, words FROM edit WHERE session = ? AND state = ? ORDER BY edit_id {order} LIMIT 1"
    found = rows.first(con, query, [session, state])
    return Edit(*found) if found else None


def _revert(con: Connection, edit: Edit | None, state: str, put_in: bool, verb: str) -> Edit | None:
    """Take away the rows that an edit put in, and put in those that it took away; with `put_in` the other way round."""
    if edit is None:
        return None
    query = "SELECT DISTINCT table_name FROM edit_row WHERE edit_id = ?"
    tables = sorted(table for (table,) in rows.fetch(con, query, [edit.edit_id]))
    for table in tables:
        for name, added in (("gone", not put_in), ("back", put_in)):
            _unpack(con, f"{name}_{table}", table, edit.edit_id, added)
        _check(con, table, edit, verb)
    touched = []
    if OF_METADATA in tables:
        query = f"SELECT key, image_id FROM gone_{OF_METADATA} UNION SELECT key, image_id FROM back_{OF_METADATA}"
        touched = rows.fetch(con, query)
    for table in tables:
        _take_away(con, table)
    for table in tables:
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM back_{table}")
        con.execute(f"DROP TABLE gone_{table}; DROP TABLE back_{table}")
    rows.fetch(con, "UPDATE edit SET state = ? WHERE edit_id = ?", [state, edit.edit_id])
    if touched:
        keys, ids = zip(*touched, strict=True)
        catalogue.refit(con, keys, ids)
    return replace(edit, tables=tuple(tables))


def _unpack(con: Connection, name: str, table: str, edit_id: int, added: bool) -> None:
    """A temporary table of the rows that an edit put in or took away."""
    query = """
        SELECT column_name, data_type FROM duckdb_columns()
        WHERE table_name = ? AND database_name = current_database() ORDER BY column_index
    """
    columns = rows.fetch(con, query, [table])
    cells = ", ".join(
        f"(cells ->> '/{column}')::{kind} AS {column}" if kind != "JSON" else f"(cells -> '/{column}') AS {column}"
        for column, kind in columns
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {cells} FROM edit_row "
        f"WHERE edit_id = {int(edit_id)} AND table_name = '{table}' AND added = {added}"
    )


def _check(con: Connection, table: str, edit: Edit, verb: str) -> None:
    """Raises EditRefused unless the rows are as the edit left them."""
    changed = rows.one(con, f"SELECT count(*) FROM (SELECT * FROM gone_{table} EXCEPT SELECT * FROM {table})")[0]
    for key in KEYS[table]:
        same = " AND ".join(f"b.{column} = t.{column}" for column in key)
        gone = " AND ".join(f"g.{column} = t.{column}" for column in KEYS[table][0])
        query = f"""
            SELECT count(*) FROM back_{table} b JOIN {table} t ON {same}
            WHERE NOT EXISTS (SELECT 1 FROM gone_{table} g WHERE {gone})
        """
        changed += rows.one(con, query)[0]
    if changed:
        raise EditRefused(
            f"“{edit.words}” cannot be {verb}: the same has been changed since by somebody else, or in another "
            "window. It stays as it is now."
        )
    if any("image_id" in key for key in KEYS[table]):
        lost = rows.one(con, f"SELECT count(*) FROM back_{table} WHERE image_id NOT IN (SELECT image_id FROM image)")[0]
        if lost:
            raise EditRefused(f"“{edit.words}” cannot be {verb}: its pictures are not in the database any more.")


def _take_away(con: Connection, table: str) -> None:
    same = " AND ".join(f"{table}.{column} = g.{column}" for column in KEYS[table][0])
    con.execute(f"DELETE FROM {table} USING gone_{table} g WHERE {same}")
