"""Tags on pictures: once each, with notes that can be changed, and all there after a restart."""

import numpy as np
import pytest

from store import tags
from store.connection import reading, writing
from store.errors import StoreError


def rows(filled, query: str = "SELECT image_id, tag, note FROM tags ORDER BY ALL") -> list[tuple]:
    with reading(filled.path) as con:
        return con.execute(query).fetchall()


def test_tags_are_there_when_the_file_is_opened_again(filled, ids):
    with writing(filled.path) as con:
        assert tags.add(con, ids[:2], ["sea", "  Mount   Fuji "], "seen in Basel") == 4
    assert rows(filled) == [(i, tag, "seen in Basel") for i in ids[:2] for tag in ("Mount Fuji", "sea")]


def test_a_tag_is_once_a_picture_and_adding_again_changes_the_note_alone(filled, ids):
    with writing(filled.path) as con:
        tags.add(con, ids[:2], ["sea"], "first")
        assert tags.add(con, [ids[1], ids[1], ids[2]], ["sea"]) == 1
        assert tags.add(con, ids[1:2], ["sea"], "second") == 0
    assert rows(filled) == [(ids[0], "sea", "first"), (ids[1], "sea", "second"), (ids[2], "sea", None)]


def test_removing_leaves_other_pictures_and_other_tags(filled, ids):
    with writing(filled.path) as con:
        tags.add(con, ids, ["sea", "boat"])
        tags.remove(con, ids[1:], "sea")
    assert rows(filled) == [(ids[0], "boat", None), (ids[0], "sea", None), *((i, "boat", None) for i in ids[1:])]


def test_a_note_can_be_changed_and_taken_away(filled, ids):
    with writing(filled.path) as con:
        tags.add(con, ids[:3], ["sea"], "old")
        tags.set_note(con, ids[:1], "sea", " new ")
        tags.set_note(con, ids[1:2], "sea", " ")
    assert [note for _, _, note in rows(filled)] == ["new", None, "old"]


def test_what_is_tagged_is_counted(filled, ids):
    with writing(filled.path) as con:
        tags.add(con, ids, ["sea"])
        tags.add(con, ids[:2], ["boat"], "a")
        tags.add(con, ids[1:2], ["boat"], "b")
    with reading(filled.path) as con:
        assert tags.known(con).to_pylist() == [{"tag": "boat", "images": 2}, {"tag": "sea", "images": 5}]
        assert tags.known(con, "Gemälde").num_rows == 2 and tags.known(con, "another").num_rows == 0
        assert tags.among(con, ids[1:3]).to_pylist() == [
            {"tag": "sea", "images": 2, "notes": []},
            {"tag": "boat", "images": 1, "notes": ["b"]},
        ]
        assert tags.among(con, ids[:2])["notes"].to_pylist() == [["a", "b"], []]
        assert tags.images(con, "boat").tolist() == ids[:2]
        assert tags.images(con, "boat", "another").tolist() == []


def test_tags_come_by_picture_in_the_order_asked_for(filled, ids):
    with writing(filled.path) as con:
        tags.add(con, ids[:2], ["sea"])
        tags.add(con, ids[:1], ["boat"])
    with reading(filled.path) as con:
        found = tags.of(con, np.array([ids[3], ids[0], ids[1]]))
    assert found.to_pylist() == [
        {"image_id": ids[3], "tags": []},
        {"image_id": ids[0], "tags": ["boat", "sea"]},
        {"image_id": ids[1], "tags": ["sea"]},
    ]


def test_pictures_that_do_not_exist_get_no_tags(filled, ids):
    with writing(filled.path) as con:
        assert tags.add(con, [ids[0], 999], ["sea"]) == 1
        assert tags.add(con, [], ["sea"]) == 0


@pytest.mark.parametrize("tag", ["", "  \n", "x" * 101])
def test_a_tag_without_letters_or_too_long_is_refused_and_nothing_is_remote(filled, ids, tag):
    with pytest.raises(StoreError, match="letter"), writing(filled.path) as con:
        tags.add(con, ids, ["sea", tag])
    assert rows(filled) == []


def test_tags_with_quotes_are_text(filled, ids):
    tag = "L'Estaque'; DROP TABLE tag; --"
    with writing(filled.path) as con:
        tags.add(con, ids[:1], [tag])
    with reading(filled.path) as con:
        assert tags.images(con, tag).tolist() == ids[:1]
