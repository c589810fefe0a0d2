"""Images that go by another name keep all they have; forgotten ones leave nothing behind."""

import pytest

from store import read, write
from store.connection import reading, writing
from store.rows import fetch


def held(con, image_id):
    """{table: rows of this image}, of every table that names images."""
    named = fetch(con, "SELECT table_name FROM duckdb_columns() WHERE column_name = 'image_id' AND NOT internal")
    tables = {table for (table,) in named}
    return {
        table: count
        for table in tables
        if (count := fetch(con, f'SELECT count(*) FROM "{table}" WHERE image_id = {image_id}')[0][0])
    }


def test_a_new_name_keeps_everything(filled):
    image_id = filled.ids["folder/a.jpg"]
    with writing(filled.path) as con:
        before = held(con, image_id)
        write.rename_images(con, filled.collection, {"folder/a.jpg": "elsewhere/b.jpg", "unknown.jpg": "x.jpg"})
        assert held(con, image_id) == before and len(before) > 5
        known = read.known(con, filled.collection)
    assert known["elsewhere/b.jpg"][0] == image_id and "folder/a.jpg" not in known and len(known) == 5


def test_two_images_can_swap_names(filled):
    a, b = "folder/a.jpg", "folder/b.jpg"
    with writing(filled.path) as con:
        write.rename_images(con, filled.collection, {a: b, b: a})
        known = read.known(con, filled.collection)
    assert (known[a][0], known[b][0]) == (filled.ids[b], filled.ids[a])


def test_a_new_time_stamp(filled):
    with writing(filled.path) as con:
        before = read.known(con, filled.collection)
        write.touch_images(con, filled.collection, {"folder/a.jpg": 12.5, "unknown.jpg": 1.0})
        after = read.known(con, filled.collection)
    assert after["folder/a.jpg"][3] == 12.5
    assert {name: row for name, row in after.items() if name != "folder/a.jpg"} == {
        name: row for name, row in before.items() if name != "folder/a.jpg"
    }


def test_a_forgotten_image_leaves_nothing_and_the_others_all(filled):
    gone, kept = filled.ids["folder/a.jpg"], filled.ids["folder/b.jpg"]
    with writing(filled.path) as con:
        for image_id in (gone, kept):
            con.execute("INSERT INTO tag VALUES (?, 'x', NULL, now())", [image_id])
        before = held(con, kept)
        write.delete_images(con, [gone, 999_999])
        assert held(con, gone) == {}
        assert held(con, kept) == before and {"tag", "feature", "stored_map", "point", "thumbnail", "image"} <= set(
            before
        )
        assert len(read.known(con, filled.collection)) == 4


def test_columns_that_only_a_forgotten_image_had_go_with_it(filled):
    with writing(filled.path) as con:
        write.set_metadata(con, filled.collection, {"folder/a.jpg": {"painter": "Anna"}})
        assert "painter" in read.metadata_columns(con)
        write.delete_images(con, [filled.ids["folder/a.jpg"]])
    with reading(filled.path) as con:
        assert "painter" not in read.metadata_columns(con)


@pytest.mark.parametrize("ids", [[], (), iter([])])
def test_nothing_to_forget(filled, ids):
    with writing(filled.path) as con:
        write.delete_images(con, ids)
        assert len(read.known(con, filled.collection)) == 5
