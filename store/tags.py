"""Tags: words that people give to pictures, each once a picture, with a note if they like.

What changes them is for a connection that writes; ids of pictures that do not exist are passed over.
"""

from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows
from store.errors import StoreError

LONGEST = 100  # letters of a tag

Connection = duckdb.DuckDBPyConnection


def known(con: Connection, collection: str | None = None) -> pa.Table:
    """tag, images (how many have it): every tag in use, by name."""
    query = f"SELECT tag, count(*) AS images FROM tags {_of(collection)} GROUP BY tag ORDER BY lower(tag), tag"
    return con.sql(query, params=_named(collection=collection)).to_arrow_table()


def among(con: Connection, ids: Iterable[int]) -> pa.Table:
    """tag, images, notes (the different notes that these pictures have with it): the commonest tag first."""
    with _Chosen(con, ids):
        return con.sql(
            """
            SELECT tag, count(*) AS images, coalesce(list_sort(list(DISTINCT note) FILTER (note <> '')), []) AS notes
            FROM tag JOIN chosen USING (image_id) GROUP BY tag ORDER BY images DESC, lower(tag), tag
            """
        ).to_arrow_table()


def of(con: Connection, ids: Iterable[int]) -> pa.Table:
    """image_id, tags (list of texts, by name, empty for a picture without any): one row for each id, in their order."""
    with _Chosen(con, ids):
        return con.sql(
            """
            SELECT c.image_id, coalesce(list_sort(list(t.tag) FILTER (t.tag IS NOT NULL)), []) AS tags
            FROM chosen c LEFT JOIN tag t USING (image_id) GROUP BY c.image_id, c.place ORDER BY c.place
            """
        ).to_arrow_table()


def images(con: Connection, tag: str, collection: str | None = None) -> np.ndarray:
    """The pictures with a tag (n,) int64, ascending."""
    query = f"SELECT image_id FROM tags {_of(collection, 'tag = $tag')} ORDER BY image_id"
    return con.sql(query, params=_named(collection=collection, tag=tag)).to_arrow_table()["image_id"].to_numpy()


def add(con: Connection, ids: Iterable[int], tags: Iterable[str], note: str = "") -> int:
    """Give pictures these tags and return how many pairs of picture and tag are new. A note takes the place of the one
    that a picture has with the tag; without one, that stays. StoreError for a tag without letters or too long."""
    tags, note = list(dict.fromkeys(clean(tag) for tag in tags)), note.strip()
    fresh = 0
    with _Chosen(con, ids):
        for tag in tags:
            if note:
                _set_note(con, tag, note)
            query = """
                INSERT INTO tag BY NAME SELECT image_id, $tag AS tag, $note AS note, $now::TIMESTAMP AS created_at
                FROM (SELECT DISTINCT image_id FROM chosen) JOIN image USING (image_id)
                WHERE image_id NOT IN (SELECT image_id FROM tag WHERE tag = $tag)
            """
            fresh += rows.one(con, query, {"tag": tag, "note": note or None, "now": rows.now()})[0]
    return fresh


def set_note(con: Connection, ids: Iterable[int], tag: str, note: str) -> None:
    """Give these pictures this note with a tag that they have; an empty one takes the note away."""
    with _Chosen(con, ids):
        _set_note(con, tag, note.strip())


def remove(con: Connection, ids: Iterable[int], tag: str) -> None:
    """Take a tag, and its notes, from these pictures."""
    with _Chosen(con, ids):
        rows.fetch(con, "DELETE FROM tag WHERE tag = ? AND image_id IN (SELECT image_id FROM chosen)", [tag])


def clean(tag: str) -> str:
    """A tag with single spaces. StoreError if it has no letters or more than LONGEST."""
    tag = " ".join(tag.split())
    if not tag:
        raise StoreError("A tag needs at least one letter; type a word.")
    if len(tag) > LONGEST:
        raise StoreError(
            f"A tag has at most {LONGEST} letters, and this one has {len(tag)}; put the rest into the note."
        )
    return tag


class _Chosen:
    """Pictures as a table `chosen` (image_id, place) for as long as a statement needs them."""

    def __init__(self, con: Connection, ids: Iterable[int]):
        self.con = con
        self.ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64)

    def __enter__(self) -> None:
        self.con.register("chosen", pa.table({"image_id": self.ids, "place": np.arange(len(self.ids))}))

    def __exit__(self, *problem: Any) -> None:
        self.con.unregister("chosen")


def _set_note(con: Connection, tag: str, note: str) -> None:
    query = "UPDATE tag SET note = ? WHERE tag = ? AND image_id IN (SELECT image_id FROM chosen)"
    rows.fetch(con, query, [note or None, tag])


def _of(collection: str | None, *tests: str) -> str:
    if collection is not None:
        tests += ("image_id IN (SELECT image_id FROM images WHERE collection = $collection)",)
    return f"WHERE {' AND '.join(tests)}" if tests else ""


def _named(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
