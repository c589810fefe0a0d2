"""The order of an atlas, its pages, and layouts in that order."""

import numpy as np
import pytest

from store import atlas, write
from store.connection import reading, writing
from store.records import ImageRecord, Run


def image(number: int, sha: str = "") -> ImageRecord:
    return ImageRecord(f"{number}.jpg", sha or f"sha{number}", 30 + number, 20, 9, 0.0, {}, b"jpeg", 3, 2)


@pytest.fixture
def db(tmp_path):
    """Six images with a layout of four of them, the fifth and the second not among them."""
    path = tmp_path / "a.duckdb"
    with writing(path) as con:
        collection = write.add_collection(con, "c", None)
        ids = np.array(list(write.add_images(con, collection, map(image, range(6))).values()))
        run = write.add_run(con, collection, Run("b", "w", 1, 1, 2, 14, 1, "crop", 56, {}, {}))
        write.add_projection(con, run, "umap", {}, ids[[0, 2, 3, 5]], np.array([[0, 0], [1, 0], [0, 1], [4, 4.0]]))
    return path


def cells(xy: np.ndarray, halvings: int) -> list[tuple[int, ...]]:
    extent = np.ptp(xy, axis=0).max()
    found = ((xy - xy.min(0)) / extent * (2**atlas.LEVELS - 1)).astype(int) >> (atlas.LEVELS - halvings)
    return list(map(tuple, found.tolist()))


def test_every_beginning_of_the_order_is_spread_over_the_plane():
    random = np.random.default_rng(0)
    xy = np.vstack([random.normal(0, 0.01, (3000, 2)), random.uniform(-5, 5, (300, 2))])
    order = atlas.order(xy)
    assert sorted(order) == list(range(len(xy)))
    for halvings in range(8):
        filled = len(set(cells(xy, halvings)))
        # All squares of this size that hold any point are visited before any is visited twice.
        assert len(set(cells(xy, halvings)[i] for i in order[:filled])) == filled
    assert (atlas.order(xy) == order).all()


@pytest.mark.parametrize(
    "xy", [np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((9, 2)), np.column_stack([np.arange(7), np.zeros(7)])]
)
def test_degenerate_planes_have_an_order_too(xy):
    assert sorted(atlas.order(xy)) == list(range(len(xy)))


def test_pages_come_back_by_version_cell_and_number(db):
    pages = {(16, 0): b"far", (64, 0): b"near", (64, 1): b"nearer"}
    with writing(db) as con:
        version = atlas.replace(con, 1, "what", np.array([3, 1, 2]), pages)
    with reading(db) as con:
        assert [atlas.page(con, 1, version, *which) for which in pages] == list(pages.values())
        assert atlas.page(con, 1, version, 16, 1) is None
        assert atlas.page(con, 1, version, 17, 0) is None
        assert atlas.page(con, 1, version, 64, 2**24) is None
        assert atlas.page(con, 1, "other", 64, 0) is None
        assert atlas.page(con, 2, version, 64, 0) is None


def test_another_atlas_takes_the_place_of_the_first_and_leaves_those_of_other_collections(db):
    with writing(db) as con:
        other = write.add_collection(con, "d", None)
        kept = atlas.replace(con, other, "that", np.array([9]), {(16, 0): b"kept"})
        first = atlas.replace(con, 1, "what", np.array([3, 1]), {(16, 0): b"old", (64, 7): b"old"})
    with writing(db) as con:
        second = atlas.replace(con, 1, "more", np.array([3, 1, 2]), {(16, 0): b"new"})
    assert first != second
    with reading(db) as con:
        assert atlas.page(con, 1, second, 16, 0) == b"new"
        assert atlas.page(con, 1, first, 16, 0) is None
        assert atlas.page(con, other, kept, 16, 0) == b"kept"
        assert atlas.drawn(con, 1) == "more"
        assert con.execute("SELECT count(*) FROM atlas_page").fetchall() == [(2,)]
        assert con.execute("SELECT count(*) FROM atlas_place").fetchall() == [(4,)]


def test_what_an_atlas_shows_changes_with_the_pictures(db):
    with reading(db) as con:
        before = atlas.pictures(con, 1)
    with writing(db) as con:
        write.add_images(con, 1, [image(2)])
        assert atlas.pictures(con, 1) == before
        write.add_images(con, 1, [image(2, "another picture")])
        replaced = atlas.pictures(con, 1)
        write.add_images(con, 1, [image(6)])
        assert len({before, replaced, atlas.pictures(con, 1)}) == 3
        assert atlas.pictures(con, 99) == ""
    assert before


def test_a_layout_without_an_atlas_comes_in_the_order_an_atlas_would_have(db):
    with reading(db) as con:
        layout = atlas.layout(con, 1)
        assert atlas.layout(con, 99) is None
        assert atlas.layout(con, 1).version == layout.version
    assert (layout.places, layout.atlas, layout.collection_id) == (None, "", 1)
    assert sorted(layout.ids) == [1, 3, 4, 6]
    assert (layout.sizes[layout.ids == 3] == (32, 20)).all()
    assert layout.xy[layout.ids == 6].tolist() == [[4, 4]]


def test_a_layout_follows_the_atlas_and_has_gaps_where_it_lacks_pictures(db):
    with reading(db) as con:
        before = atlas.layout(con, 1).version
    with writing(db) as con:
        version = atlas.replace(con, 1, "what", np.array([6, 5, 4, 3, 2, 1]), {})
    with reading(db) as con:
        layout = atlas.layout(con, 1)
    assert layout.ids.tolist() == [6, 4, 3, 1]
    assert layout.places.tolist() == [0, 2, 3, 5]
    assert layout.atlas == version and layout.version != before


def test_an_atlas_that_lacks_a_picture_of_the_layout_is_no_atlas_of_it(db):
    with writing(db) as con:
        atlas.replace(con, 1, "what", np.array([6, 4, 3]), {})
    with reading(db) as con:
        layout = atlas.layout(con, 1)
    assert layout.places is None and sorted(layout.ids) == [1, 3, 4, 6]


def test_a_moved_point_gives_the_layout_another_version(db):
    with reading(db) as con:
        before = atlas.layout(con, 1)
    with writing(db) as con:
        write.add_projection(con, 1, "umap", {}, before.ids, before.xy + np.array([0, 1]))
    with reading(db) as con:
        assert atlas.layout(con, 1).version != before.version
