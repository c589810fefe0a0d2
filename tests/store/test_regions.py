"""Regions: parts of pictures that are kept, and go when their picture does."""

import pytest

from store import regions, sandbox, write
from store.connection import reading, writing
from store.errors import StoreError
from tests.store.conftest import image


def kept(filled, ids):
    with reading(filled.path) as con:
        return [(row["image_id"], row["x0"], row["y0"], row["x1"], row["y1"], row["note"])
                for row in regions.of(con, ids).to_pylist()]  # fmt: skip


def test_a_region_comes_back_in_pixels_of_the_picture(filled, ids):
    with writing(filled.path) as con:
        first = regions.add(con, ids[0], (0.25, 0.5, 0.75, 1.0), "  the fish ")
        second = regions.add(con, ids[0], (0, 0, 0.5, 0.5))
        regions.add(con, ids[1], (0, 0, 1, 1))
    assert first != second
    assert kept(filled, ids[:1]) == [(ids[0], 160, 240, 480, 480, "the fish"), (ids[0], 0, 0, 320, 240, "")]
    assert len(kept(filled, ids)) == 3 and kept(filled, []) == []


def test_the_same_box_again_changes_the_note_alone(filled, ids):
    with writing(filled.path) as con:
        first = regions.add(con, ids[0], (0.1, 0.2, 0.3, 0.4), "old")
        assert regions.add(con, ids[0], (0.1, 0.2, 0.3, 0.4), "new") == first
    assert [row[5] for row in kept(filled, ids)] == ["new"]


def test_what_is_deleted_is_gone(filled, ids):
    with writing(filled.path) as con:
        number = regions.add(con, ids[0], (0, 0, 0.5, 0.5))
        regions.add(con, ids[0], (0.5, 0.5, 1, 1))
        regions.delete(con, number)
        regions.delete(con, 999)
    assert len(kept(filled, ids)) == 1


@pytest.mark.parametrize(
    "box", [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (-0.1, 0, 0.5, 1), (0, 0, 1.1, 1), (0, 0, float("nan"), 1)]
)
def test_a_box_that_is_none_is_refused(filled, ids, box):
    with pytest.raises(StoreError, match="draw one"), writing(filled.path) as con:
        regions.add(con, ids[0], box)
    assert kept(filled, ids) == []


def test_a_note_has_its_bound_and_a_picture_must_be_there(filled, ids):
    with pytest.raises(StoreError, match="at most 2,000 letters"), writing(filled.path) as con:
        regions.add(con, ids[0], (0, 0, 1, 1), "x" * 2001)
    with pytest.raises(StoreError, match="not in the database any more"), writing(filled.path) as con:
        regions.add(con, 999, (0, 0, 1, 1))


def test_a_forgotten_picture_takes_its_regions_along(filled, ids):
    with writing(filled.path) as con:
        for image_id in ids[:2]:
            regions.add(con, image_id, (0, 0, 0.5, 0.5))
        write.delete_images(con, ids[:1])
        assert con.execute("SELECT DISTINCT image_id FROM region").fetchall() == [(ids[1],)]


def test_a_larger_scan_keeps_them_where_they_are(filled, ids):
    with writing(filled.path) as con:
        path, number = next((path, number) for path, number in filled.ids.items() if number == ids[0])
        regions.add(con, number, (0.25, 0.5, 0.75, 1.0), "the fish")
        again = image(path, content="a larger scan", width=1280, height=960)
        assert write.add_images(con, 1, [again])[path] == number
    assert kept(filled, [number]) == [(number, 320, 480, 960, 960, "the fish")]


def test_people_may_ask_for_them_in_sql(filled, ids):
    with writing(filled.path) as con:
        regions.add(con, ids[0], (0, 0, 0.5, 0.5), "sky")
    query = "SELECT note, (x1 - x0) * (y1 - y0) AS area FROM regions JOIN catalogue USING (image_id)"
    assert sandbox.query(filled.path, query).table.to_pylist() == [{"note": "sky", "area": 320 * 240}]


def test_a_collection_has_the_regions_of_its_pictures_that_are_not_removed(filled, ids):
    with writing(filled.path) as con:
        for image_id in ids[:2]:
            regions.add(con, image_id, (0, 0, 0.5, 0.5))
        con.execute("INSERT INTO removal VALUES (?, 'me', now())", [ids[0]])
    with reading(filled.path) as con:
        ((name,),) = con.execute("SELECT collection FROM images WHERE image_id = ?", [ids[1]]).fetchall()
        assert regions.of(con, collection=name)["image_id"].to_pylist() == [ids[1]]
        assert regions.of(con, collection="another").num_rows == 0
