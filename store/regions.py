"""Regions: parts of pictures that people keep, each with a note if they like.

Boxes are (x0, y0, x1, y1), edges as shares of the picture's sides on the way in, in its pixels on the way out. What
changes regions is for a connection that writes.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from store import edits, rows
from store.errors import StoreError
from store.manifest import Place

LONGEST = 2000  # letters of a note

Connection = duckdb.DuckDBPyConnection
Box = tuple[float, float, float, float]


def of(con: Connection, ids: Iterable[int] | None = None, collection: str | None = None) -> pa.Table:
    """The rows of the view `regions` of these pictures, or of those of a collection that are not removed: region_id,
    image_id, x0, y0, x1, y1 (pixels), note ('' where there is none), created_at (UTC); by picture, in the order in
    which they were kept."""
    query = """
        SELECT * REPLACE (coalesce(note, '') AS note) FROM regions
        WHERE ($ids::BIGINT[] IS NULL OR image_id IN (SELECT unnest($ids::BIGINT[])))
            AND ($collection::VARCHAR IS NULL OR image_id IN (
                SELECT image_id FROM images WHERE collection = $collection
            ))
        ORDER BY image_id, region_id
    """
    listed = None if ids is None else [int(image_id) for image_id in ids]
    return con.sql(query, params={"ids": listed, "collection": collection}).to_arrow_table()


def places(con: Connection, ids: Iterable[int]) -> dict[int, list[Place]]:
    """{image_id: regions as places of a manifest} of those of these pictures that have any."""
    found: dict[int, list[Place]] = {}
    for row in of(con, ids).to_pylist():
        box = (row["x0"], row["y0"], row["x1"], row["y1"])
        found.setdefault(row["image_id"], []).append(Place(box, row["note"]))
    return found


def add(con: Connection, image_id: int, box: Box, note: str = "") -> int:
    """Keep a part of a picture and return its region_id; the same part again gets the new note.

    StoreError for a picture that is not there, a box that is none, and a note that is too long.
    """
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise StoreError("A region is a box inside the picture; draw one.")
    note = clean(note)
    if rows.first(con, "SELECT 1 FROM image WHERE image_id = ?", [image_id]) is None:
        raise StoreError("This picture is not in the database any more; choose another one.")
    query = "SELECT region_id FROM region WHERE image_id = ? AND x0 = ? AND y0 = ? AND x1 = ? AND y1 = ?"
    same = rows.first(con, query, [image_id, x0, y0, x1, y1])
    if same is not None:
        rows.fetch(con, "UPDATE region SET note = ? WHERE region_id = ?", [note or None, same[0]])
        return same[0]
    number = edits.fresh_id(con, "region")
    row = {"region_id": number, "image_id": image_id, "x0": x0, "y0": y0, "x1": x1, "y1": y1}
    row |= {"note": note or None, "created_at": rows.now()}
    rows.insert(con, "region", {name: [value] for name, value in row.items()})
    return number


def delete(con: Connection, region_id: int) -> None:
    """Forget a region; one that is gone already is no reason to complain."""
    rows.fetch(con, "DELETE FROM region WHERE region_id = ?", [region_id])


def clean(note: str) -> str:
    """A note without space around it. StoreError if it has more than LONGEST letters."""
    note = note.strip()
    if len(note) > LONGEST:
        raise StoreError(f"A note has at most {LONGEST:,} letters, and this one has {len(note):,}; type a shorter one.")
    return note
