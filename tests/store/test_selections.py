"""Selections kept by a name: saved, opened, renamed, replaced, forgotten."""

import numpy as np
import pytest

from store import selections, write
from store.connection import reading, writing
from store.errors import StoreError

HOME = "Gemälde"


def members(filled, name: str) -> list[int] | None:
    with reading(filled.path) as con:
        found = selections.members(con, HOME, name)
    return None if found is None else found.tolist()


def test_a_selection_is_there_when_the_file_is_opened_again(filled, ids):
    with writing(filled.path) as con:
        selections.save(con, HOME, " Waves  at sea ", np.array([ids[3], ids[0], ids[0]]), " for chapter 2 ")
        selections.save(con, HOME, "boats", ids[1:3])
    assert members(filled, "Waves at sea") == [ids[0], ids[3]]
    with reading(filled.path) as con:
        found = selections.saved(con, HOME).select(["name", "note", "images"]).to_pylist()
        shape = con.execute(
            "SELECT image_id FROM selections WHERE collection = ? AND name = 'boats'", [HOME]
        ).fetchall()
    assert found == [
        {"name": "boats", "note": "", "images": 2},
        {"name": "Waves at sea", "note": "for chapter 2", "images": 2},
    ]
    assert sorted(shape) == [(ids[1],), (ids[2],)]


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(filled, ids):
    with writing(filled.path) as con:
        selections.save(con, HOME, "sea", ids[:1])
    with pytest.raises(StoreError, match="already"), writing(filled.path) as con:
        selections.save(con, HOME, "sea", ids[1:])
    assert members(filled, "sea") == ids[:1]
    with writing(filled.path) as con:
        selections.save(con, HOME, "sea", ids[1:], replace=True)
        assert selections.saved(con, HOME).num_rows == 1
    assert members(filled, "sea") == ids[1:]


def test_renaming_keeps_the_pictures(filled, ids):
    with writing(filled.path) as con:
        selections.save(con, HOME, "sea", ids[:2], "a")
        selections.save(con, HOME, "land", ids[2:])
        selections.rename(con, HOME, "sea", "the sea", "b")
        selections.rename(con, HOME, "land", "land", "c")
    assert (members(filled, "sea"), members(filled, "the sea")) == (None, ids[:2])
    with reading(filled.path) as con:
        assert selections.saved(con, HOME)["note"].to_pylist() == ["c", "b"]
    with pytest.raises(StoreError, match="already"), writing(filled.path) as con:
        selections.rename(con, HOME, "land", "the sea")
    with pytest.raises(StoreError, match="no selection"), writing(filled.path) as con:
        selections.rename(con, HOME, "sky", "air")


def test_deleting_forgets_the_selection_and_not_the_pictures(filled, ids):
    with writing(filled.path) as con:
        selections.save(con, HOME, "sea", ids[:2])
        selections.save(con, HOME, "land", ids[:2])
        selections.delete(con, HOME, "sea")
    assert (members(filled, "sea"), members(filled, "land")) == (None, ids[:2])
    with reading(filled.path) as con:
        assert con.execute("SELECT count(*) FROM images").fetchone() == (5,)
    with pytest.raises(StoreError, match="no selection"), writing(filled.path) as con:
        selections.delete(con, HOME, "sea")


def test_names_belong_to_a_collection(filled, ids, make):
    with writing(filled.path) as con:
        other = write.add_collection(con, "Prints", "/prints")
        theirs = list(write.add_images(con, other, [make.image("p.jpg")]).values())
        selections.save(con, "Prints", "sea", theirs + ids)
        selections.save(con, HOME, "sea", ids)
        assert selections.members(con, "Prints", "sea").tolist() == theirs
    assert members(filled, "sea") == ids
    with pytest.raises(StoreError, match="no collection"), writing(filled.path) as con:
        selections.save(con, "Drawings", "sea", ids)


@pytest.mark.parametrize("name", ["", " \t", "x" * 101])
def test_a_name_without_letters_or_too_long_is_refused(filled, ids, name):
    with pytest.raises(StoreError, match="type"), writing(filled.path) as con:
        selections.save(con, HOME, name, ids)
