"""Selections: sets of pictures of a collection that people keep by a name.

What changes them is for a connection that writes.
"""

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from store import edits, rows
from store.errors import StoreError
from store.present import PRESENT

LONGEST = 100  # letters of a name

Connection = duckdb.DuckDBPyConnection


def saved(con: Connection, collection: str) -> pa.Table:
    """selection_id, name, note, images (how many), created_at (UTC): all of a collection, by name."""
    query = """
        SELECT s.selection_id, s.name, coalesce(s.note, '') AS note, count(m.image_id) AS images, s.created_at
        FROM selection s JOIN collection c USING (collection_id)
        LEFT JOIN (SELECT * FROM selection_member ANTI JOIN removal USING (image_id)) m USING (selection_id)
        WHERE c.name = $collection GROUP BY s.selection_id, s.name, s.note, s.created_at ORDER BY lower(s.name), s.name
    """
    return con.sql(query, params={"collection": collection}).to_arrow_table()


def members(con: Connection, collection: str, name: str) -> np.ndarray | None:
    """The pictures of a selection (n,) int64, ascending; None if there is none of this name."""
    number = _number(con, collection, name)
    if number is None:
        return None
    query = f"SELECT image_id FROM selection_member WHERE selection_id = $number AND {PRESENT} ORDER BY image_id"
    return con.sql(query, params={"number": number}).to_arrow_table()["image_id"].to_numpy()


def save(
    con: Connection, collection: str, name: str, ids: Iterable[int], note: str = "", replace: bool = False
) -> None:
    """Keep pictures by a name; ids that are not of the collection are passed over.

    StoreError for a name without letters, one too long, one that is taken (unless it may be replaced), and for a
    collection that does not exist.
    """
    name, owner = clean(name), _collection(con, collection)
    number = _number(con, collection, name)
    if number is not None and not replace:
        raise StoreError(f"There is a selection “{name}” already; type another name, or replace that one.")
    if number is not None:
        delete(con, collection, name)
    number = edits.fresh_id(con, "selection")
    row = {"selection_id": number, "collection_id": owner, "name": name, "note": note.strip(), "created_at": rows.now()}
    rows.insert(con, "selection", {key: [value] for key, value in row.items()})
    chosen = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64)
    con.register("chosen", pa.table({"image_id": chosen}))
    query = """
        INSERT INTO selection_member BY NAME SELECT $number AS selection_id, image_id
        FROM (SELECT DISTINCT image_id FROM chosen) JOIN image USING (image_id)
        WHERE collection_id = $owner ORDER BY image_id
    """
    rows.fetch(con, query, {"number": number, "owner": owner})
    con.unregister("chosen")


def rename(con: Connection, collection: str, name: str, to: str, note: str = "") -> None:
    """Give a selection another name and note. StoreError if there is none of this name, or the other is taken."""
    number, to = _number(con, collection, name), clean(to)
    if number is None:
        raise StoreError(_gone(name))
    if to != name and _number(con, collection, to) is not None:
        raise StoreError(f"There is a selection “{to}” already; type another name.")
    rows.fetch(con, "UPDATE selection SET name = ?, note = ? WHERE selection_id = ?", [to, note.strip(), number])


def delete(con: Connection, collection: str, name: str) -> None:
    """Forget a selection; the pictures stay. StoreError if there is none of this name."""
    number = _number(con, collection, name)
    if number is None:
        raise StoreError(_gone(name))
    rows.fetch(con, "DELETE FROM selection_member WHERE selection_id = ?", [number])
    rows.fetch(con, "DELETE FROM selection WHERE selection_id = ?", [number])


def by_name(collection: str, name: str) -> str:
    """The statement, for a person to read and change, that asks for the pictures of a selection."""
    inner = f"SELECT image_id FROM selections\n    WHERE collection = {_text(collection)} AND name = {_text(name)}"
    return f"SELECT * FROM catalogue\nWHERE image_id IN (\n    {inner}\n)\nORDER BY image_id"


def by_tag(collection: str, tag: str) -> str:
    """The statement that asks for the pictures of a collection with a tag."""
    inner = f"SELECT image_id FROM tags WHERE tag = {_text(tag)}"
    return (
        f"SELECT * FROM catalogue\nWHERE collection = {_text(collection)}\n    AND image_id IN ({inner})\n"
        "ORDER BY image_id"
    )


def by_ids(collection: str, ids: np.ndarray, known: np.ndarray) -> str:
    """The statement that asks for some pictures of a collection by their ids: `ids` and `known`, all that there are,
    both (n,) ascending. Ids that follow each other in the collection are told as a range."""
    places = np.searchsorted(known, ids)
    starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    ends = np.r_[starts[1:], len(ids)] - 1 if len(ids) else starts
    single = [int(ids[a]) for a, b in zip(starts, ends, strict=True) if b - a < 2 for a in range(a, b + 1)]
    ranges = [(int(ids[a]), int(ids[b])) for a, b in zip(starts, ends, strict=True) if b - a >= 2]
    tests = [f"image_id BETWEEN {low} AND {high}" for low, high in ranges]
    if single or not tests:
        tests.append(f"image_id IN ({', '.join(map(str, single)) or 'NULL'})")
    some = "\n        OR ".join(tests)
    return f"SELECT * FROM catalogue\nWHERE collection = {_text(collection)}\n    AND ({some})\nORDER BY image_id"


def clean(name: str) -> str:
    """A name with single spaces. StoreError if it has no letters or more than LONGEST."""
    name = " ".join(name.split())
    if not name:
        raise StoreError("A selection is saved under a name; type one.")
    if len(name) > LONGEST:
        raise StoreError(f"A name has at most {LONGEST} letters, and this one has {len(name)}; type a shorter one.")
    return name


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _gone(name: str) -> str:
    return f"There is no selection “{name}” in this collection any more; choose another."


def _collection(con: Connection, collection: str) -> int:
    found = rows.first(con, "SELECT collection_id FROM collection WHERE name = ?", [collection])
    if found is None:
        raise StoreError(f"There is no collection “{collection}” in this database; choose another.")
    return found[0]


def _number(con: Connection, collection: str, name: str) -> int | None:
    query = """
        SELECT s.selection_id FROM selection s JOIN collection c USING (collection_id) WHERE c.name = ? AND s.name = ?
    """
    found = rows.first(con, query, [collection, name])
    return found[0] if found else None
