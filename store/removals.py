"""Pictures that were removed from their collection: out of sight, while all that is known of them stays until `prune`.
A picture that was removed is not read again, so that a later run does not bring it back."""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from store import read, rows
from store.errors import StoreError
from store.present import DESCRIBED

Connection = duckdb.DuckDBPyConnection

# What `prune` leaves of a removed picture: its name, so that it does not come back, and its thumbnail, so that it can.
STAYS = {"image", "thumbnail", "removal", "edit_row"}


def remove(con: Connection, ids: Iterable[int], who: str = "") -> int:
    """Take pictures out of sight; returns how many were in sight. StoreError if none was."""
    query = """
        INSERT INTO removal SELECT image_id, ?, ? FROM image
        WHERE image_id IN (SELECT unnest(?::BIGINT[])) AND image_id NOT IN (SELECT image_id FROM removal)
    """
    count = rows.one(con, query, [who, rows.now(), [int(each) for each in ids]])[0]
    if not count:
        raise StoreError("These pictures are not in the collection any more; choose others.")
    return count


def restore(con: Connection, ids: Iterable[int]) -> None:
    """Bring pictures back."""
    rows.delete(con, "removal", ids)


def removed(con: Connection, collection: str | None = None) -> pa.Table:
    """image_id, collection, path, title, sha256, who ('' where it is not known), removed_at of what was removed, the
    newest first."""
    where = "" if collection is None else "WHERE collection = $collection"
    query = f"""
        SELECT image_id, collection, path, {read.title(con)} AS title, sha256, who, removed_at
        FROM removals JOIN (SELECT image_id, metadata FROM {DESCRIBED}) USING (image_id)
        JOIN (SELECT image_id, sha256 FROM image) USING (image_id)
        {where} ORDER BY removed_at DESC, image_id
    """
    return con.sql(query, params={} if collection is None else {"collection": collection}).to_arrow_table()


def paths(con: Connection, collection_id: int) -> set[str]:
    """The names of a collection's pictures that were removed."""
    query = "SELECT path FROM image JOIN removal USING (image_id) WHERE collection_id = ?"
    return {path for (path,) in rows.fetch(con, query, [collection_id])}


def prune(con: Connection, collection_id: int) -> list[str]:
    """Forget what is known of a collection's removed pictures, all but STAYS; returns the names of those of which
    anything was."""
    query = "SELECT image_id, path FROM image JOIN removal USING (image_id) WHERE collection_id = ? ORDER BY path"
    known = dict(rows.fetch(con, query, [collection_id]))
    query = """
        SELECT c.table_name FROM duckdb_columns() c JOIN duckdb_tables() t USING (table_oid)
        WHERE c.column_name = 'image_id' AND NOT t.internal AND t.database_name = current_database()
    """
    found: set[int] = set()
    for (table,) in rows.fetch(con, query):
        if table not in STAYS:
            query = f"SELECT DISTINCT image_id FROM {table} WHERE image_id IN (SELECT unnest(?::BIGINT[]))"
            found |= {image_id for (image_id,) in rows.fetch(con, query, [list(known)])}
            rows.delete(con, table, known)
    return [path for image_id, path in known.items() if image_id in found]
