"""Atlas pages: which picture lies where, and when they are made."""

import io

import numpy as np
import pytest
from PIL import Image

from ingest import atlas as pages
from ingest.projections import project
from store import atlas, write
from store.connection import reading, writing
from store.records import ImageRecord, Results, Run


def image(number: int, colour: tuple[int, int, int], jpeg: bytes | None = None) -> ImageRecord:
    data = io.BytesIO()
    Image.new("RGB", (90, 40 + number), colour).save(data, "JPEG", quality=95)
    small = data.getvalue() if jpeg is None else jpeg
    return ImageRecord(f"{number}.jpg", f"{number}{colour}", 900, 400, 1, 0.0, {}, small, 90, 40 + number)


def colour(number: int) -> tuple[int, int, int]:
    return (number * 37 % 256, number * 91 % 256, number * 53 % 256)


def made(path, count: int, broken: int | None = None) -> int:
    with writing(path) as con:
        collection = write.add_collection(con, "c", None)
        records = [image(i, colour(i), b"no picture" if i == broken else None) for i in range(count)]
        ids = np.array(list(write.add_images(con, collection, records).values()))
        run = write.add_run(con, collection, Run("b", "w", 1, 1, 4, 14, 1, "crop", 56, {}, {}))
        vectors = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
        write.add_results(con, run, Results(ids, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))
    return run


def cell(con, layout: atlas.Layout, side: int, place: int) -> np.ndarray:
    """The mean colour of a cell, away from its edges."""
    across = atlas.columns(side)
    data = atlas.page(con, layout.collection_id, layout.atlas, side, place // across**2)
    sheet = np.asarray(Image.open(io.BytesIO(data)))
    row, column = divmod(place % across**2, across)
    inner = sheet[row * side : (row + 1) * side, column * side : (column + 1) * side][4:-4, 4:-4]
    return inner.reshape(-1, 3).mean(0)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_each_picture_lies_in_its_cell_at_every_size(tmp_path, count):
    path = tmp_path / "a.duckdb"
    run = made(path, count)
    assert project(path, run, ["pca"]).made == ["pca"]
    with reading(path) as con:
        layout = atlas.layout(con, 1)
        assert layout.places.tolist() == list(range(count))
        for side in atlas.CELLS:
            for place, image_id in enumerate(layout.ids.tolist()):
                assert cell(con, layout, side, place) == pytest.approx(colour(image_id - 1), abs=12)


def test_many_pictures_fill_several_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(atlas, "SIDE", 128)  # 2 × 2 pictures on a near page, 8 × 8 on a far one
    monkeypatch.setattr(pages, "AT_ONCE", 2)
    path = tmp_path / "a.duckdb"
    run = made(path, 21)
    project(path, run, ["pca"])
    with reading(path) as con:
        layout = atlas.layout(con, 1)
        found = [atlas.page(con, 1, layout.atlas, 64, number) is not None for number in range(7)]
        assert found == [True] * 6 + [False]
        for place in (0, 7, 8, 20):
            expected = colour(int(layout.ids[place]) - 1)
            assert cell(con, layout, 64, place) == pytest.approx(expected, abs=12)
            assert cell(con, layout, 16, place) == pytest.approx(expected, abs=12)


def test_a_broken_thumbnail_leaves_its_cell_empty(tmp_path):
    path = tmp_path / "a.duckdb"
    run = made(path, 3, broken=1)
    project(path, run, ["pca"])
    with reading(path) as con:
        layout = atlas.layout(con, 1)
        assert cell(con, layout, 64, layout.ids.tolist().index(2)) == pytest.approx(pages.EMPTY, abs=3)


def test_an_atlas_is_made_again_only_for_other_pictures(tmp_path):
    path, texts = tmp_path / "a.duckdb", []
    run = made(path, 4)
    project(path, run, ["pca"], texts.append)
    assert any("4 small pictures" in line for line in texts)
    assert not pages.make(path, run)
    with writing(path) as con:
        write.set_metadata(con, 1, {"0.jpg": {"title": "a name"}})
    assert not pages.make(path, run)
    with reading(path) as con:
        before = atlas.layout(con, 1).atlas
    with writing(path) as con:
        write.add_images(con, 1, [image(2, (255, 0, 0))])
    assert pages.make(path, run)
    with reading(path) as con:
        layout = atlas.layout(con, 1)
        assert layout.atlas != before
        assert layout.ids.tolist().count(3) == 0  # another picture, which the layout does not have yet
        assert con.execute("SELECT count(*) FROM atlas_place").fetchall() == [(4,)]


def test_pictures_without_a_layout_have_an_atlas_too(tmp_path):
    path = tmp_path / "a.duckdb"
    run = made(path, 5)
    assert pages.make(path, run)
    with reading(path) as con:
        assert con.execute("SELECT count(*) FROM atlas_place").fetchall() == [(5,)]


def test_a_collection_of_nothing_has_none(tmp_path):
    path = tmp_path / "a.duckdb"
    assert not pages.make(path, made(path, 0))
