"""Notes: what is written of a picture, changed, deleted, and gone when the picture is."""

import pytest

from store import notes, sandbox, write
from store.connection import reading, writing
from store.errors import StoreError


def written(filled, ids) -> list[tuple[int, str]]:
    with reading(filled.path) as con:
        return [(row["image_id"], row["note"]) for row in notes.of(con, ids).to_pylist()]


def test_notes_are_added_changed_and_deleted(filled, ids):
    with writing(filled.path) as con:
        first = notes.add(con, ids[0], "  a signature, lower left \n")
        second = notes.add(con, ids[0], "another hand?")
        notes.add(con, ids[1], "sold in 1911")
        notes.change(con, second, "another hand")
    assert written(filled, ids) == [
        (ids[0], "a signature, lower left"),
        (ids[0], "another hand"),
        (ids[1], "sold in 1911"),
    ]
    with writing(filled.path) as con:
        notes.delete(con, first)
        notes.delete(con, 999)
    assert written(filled, ids[:1]) == [(ids[0], "another hand")]
    rows = sandbox.query(filled.path, "SELECT image_id, note FROM notes ORDER BY note_id").table.to_pylist()
    assert [row["note"] for row in rows] == ["another hand", "sold in 1911"]


def test_what_is_refused_changes_nothing(filled, ids):
    with writing(filled.path) as con:
        number = notes.add(con, ids[0], "kept")
    for words, sentence in (("  ", "type something"), ("x" * (notes.LONGEST + 1), "type a shorter one")):
        with pytest.raises(StoreError, match=sentence), writing(filled.path) as con:
            notes.change(con, number, words)
    with pytest.raises(StoreError, match="not in the database"), writing(filled.path) as con:
        notes.add(con, 999, "of nothing")
    with pytest.raises(StoreError, match="deleted meanwhile"), writing(filled.path) as con:
        notes.change(con, 999, "late")
    assert written(filled, ids) == [(ids[0], "kept")]


def test_a_picture_that_is_pruned_takes_its_notes_along(filled, ids):
    with writing(filled.path) as con:
        notes.add(con, ids[0], "gone")
        notes.add(con, ids[1], "stays")
        write.delete_images(con, [ids[0]])
    assert written(filled, ids) == [(ids[1], "stays")]
