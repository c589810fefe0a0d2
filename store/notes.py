"""Notes: what people write down of a picture as a whole. What changes them is for a connection that writes."""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from store import edits, rows
from store.errors import StoreError

LONGEST = 10_000  # letters of a note

Connection = duckdb.DuckDBPyConnection


def of(con: Connection, ids: Iterable[int]) -> pa.Table:
    """The rows of the view `notes` of these pictures: note_id, image_id, note, created_at (UTC); by picture, in the
    order in which they were written."""
    query = "SELECT * FROM notes WHERE image_id IN (SELECT unnest($ids::BIGINT[])) ORDER BY image_id, note_id"
    return con.sql(query, params={"ids": [int(image_id) for image_id in ids]}).to_arrow_table()


def add(con: Connection, image_id: int, note: str) -> int:
    """Save a note on a picture and return its note_id. StoreError for a picture that is not there, and for a note that
    is empty or too long."""
    note = clean(note)
    if rows.first(con, "SELECT 1 FROM image WHERE image_id = ?", [image_id]) is None:
        raise StoreError("This picture is not in the database any more; choose another one.")
    number = edits.fresh_id(con, "note")
    row = {"note_id": number, "image_id": image_id, "note": note, "created_at": rows.now()}
    rows.insert(con, "note", {name: [value] for name, value in row.items()})
    return number


def change(con: Connection, note_id: int, note: str) -> None:
    """Give a note other words. StoreError as of `add`, and for a note that was deleted."""
    found = rows.fetch(con, "UPDATE note SET note = ? WHERE note_id = ? RETURNING note_id", [clean(note), note_id])
    if not found:
        raise StoreError("This note was deleted meanwhile; write it as a new one.")


def delete(con: Connection, note_id: int) -> None:
    """Delete a note; one that is gone already is no reason to complain."""
    rows.fetch(con, "DELETE FROM note WHERE note_id = ?", [note_id])


def clean(note: str) -> str:
    """A note without space around it. StoreError if nothing is left, or more than LONGEST letters."""
    note = note.strip()
    if not note:
        raise StoreError("The note is empty; type something first.")
    if len(note) > LONGEST:
        raise StoreError(f"A note has at most {LONGEST:,} letters, and this one has {len(note):,}; type a shorter one.")
    return note
