from dataclasses import replace

import numpy as np
import pytest

from store import patches, write
from store.connection import reading, writing
from store.errors import StoreError
from store.patches import PatchRun, SelectedPatches
from tests.store.conftest import image, run_record

RUN = PatchRun("rarity", "Rarity", "tiny", "0" * 64, {"b": [1, 2], "a": None, "options": {"top": 3}}, {"torch": "2"})


def selected(image_id: int, count: int = 3, seed: int = 0) -> SelectedPatches:
    rng = np.random.default_rng(seed)
    boxes = np.array([[10 * place, 5, 10 * place + 20, 35] for place in range(count)])
    scores = np.sort(rng.random(count))[::-1].astype(np.float32)
    small = [(bytes([255, 216, place]), 20, 30) for place in range(count)]
    return SelectedPatches(image_id, (4, 7), (30, 20), boxes, scores, rng.random((count, 5)).astype(np.float32), small)


@pytest.fixture
def db(empty):
    with writing(empty) as con:
        collection = write.add_collection(con, "scans", "/scans")
        ids = write.add_images(con, collection, [image("a.tif"), image("b.tif")])
        run_id = patches.add_patch_run(con, collection, RUN)
    return empty, collection, run_id, ids


def test_patches_come_out_as_they_went_in(db):
    path, _, run_id, ids = db
    found = selected(ids["a.tif"])
    with writing(path) as con:
        patches.add_patches(con, run_id, found)
    with reading(path) as con:
        table = patches.patches(con, run_id, ids["a.tif"]).to_pydict()
        vectors = con.execute("SELECT vector FROM patch_vectors ORDER BY rank").fetchall()
        assert patches.grid(con, run_id, ids["a.tif"]) == (4, 7, 30, 20)
        assert patches.grid(con, run_id, ids["b.tif"]) is None
        assert patches.done(con, run_id) == {ids["a.tif"]}
        (stored,) = patches.patch_runs(con)
    np.testing.assert_array_equal(np.array([table[name] for name in ("x0", "y0", "x1", "y1")]).T, found.boxes)
    np.testing.assert_array_equal(table["score"], found.scores)
    np.testing.assert_array_equal([row for (row,) in vectors], found.vectors)
    assert table["rank"] == [1, 2, 3] and table["data"] == [data for data, *_ in found.thumbnails]
    assert (stored.run_id, stored.collection, stored.images) == (run_id, "scans", 1)
    assert (stored.scorer, stored.settings, stored.versions) == ("rarity", RUN.settings, RUN.versions)


def test_again_is_in_place_of_before_and_of_this_run_alone(db):
    path, collection, run_id, ids = db
    with writing(path) as con:
        other = patches.add_patch_run(con, collection, replace(RUN, settings={"options": {"top": 2}}))
        for number in (run_id, other):
            patches.add_patches(con, number, selected(ids["a.tif"]))
        patches.add_patches(con, run_id, selected(ids["a.tif"], 1, seed=4))
        counts = con.execute("SELECT run_id, count(*) FROM patches GROUP BY 1 ORDER BY 1").fetchall()
    assert other != run_id and counts == [(run_id, 1), (other, 3)]


def test_a_run_is_found_again_and_its_number_is_that_of_no_other_run(db):
    path, collection, run_id, _ = db
    with writing(path) as con:
        same = replace(RUN, settings=dict(reversed(RUN.settings.items())), versions={})
        assert patches.find_patch_run(con, collection, same) == run_id == patches.add_patch_run(con, collection, same)
        assert patches.find_patch_run(con, collection, replace(RUN, scorer="attention")) is None
        network = write.add_run(con, collection, run_record())
        more = patches.add_patch_run(con, collection, replace(RUN, scorer="attention"))
    assert len({run_id, network, more}) == 3


def test_a_sample_comes_out_as_it_went_in(db):
    path, _, run_id, ids = db
    vectors = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    with writing(path) as con:
        patches.add_sample(con, run_id, ids["b.tif"], np.array([4, 9]), vectors[:2])
        patches.add_sample(con, run_id, ids["a.tif"], np.array([1]), vectors[2:])
    with reading(path) as con:
        images, places, found = patches.sample(con, run_id)
        assert [len(each) for each in patches.sample(con, run_id + 1)] == [0, 0, 0]
    assert images.tolist() == [ids["a.tif"], ids["b.tif"], ids["b.tif"]] and places.tolist() == [1, 4, 9]
    np.testing.assert_array_equal(found, vectors[[2, 0, 1]])


@pytest.mark.parametrize("forget", ["another picture", "deleted"])
def test_patches_go_with_their_picture(db, forget):
    path, collection, run_id, ids = db
    with writing(path) as con:
        for image_id in ids.values():
            patches.add_patches(con, run_id, selected(image_id))
            patches.add_sample(con, run_id, image_id, np.array([0]), np.ones((1, 4), np.float32))
        if forget == "deleted":
            write.delete_images(con, [ids["a.tif"]])
        else:
            write.add_images(con, collection, [image("a.tif", content="another")])
        tables = ("patch_grid", "selected_patch", "selected_patch_vector", "selected_patch_thumbnail", "patch_sample")
        for table in tables:
            assert con.execute(f"SELECT DISTINCT image_id FROM {table}").fetchall() == [(ids["b.tif"],)], table


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": np.zeros(2)}, "3 patches need as many scores"),
        ({"scores": np.array([1, 0, np.nan])}, "must be finite"),
        ({"vectors": np.full((3, 5), np.inf)}, "must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(db, change, sentence):
    path, _, run_id, ids = db
    with pytest.raises(StoreError, match=sentence), writing(path) as con:
        patches.add_patches(con, run_id, replace(selected(ids["a.tif"]), **change))
    with pytest.raises(StoreError, match="no run 99 of patches"), writing(path) as con:
        patches.add_patches(con, 99, selected(ids["a.tif"]))


def test_failures_are_forgotten_at_one_stage(db):
    path, collection, *_ = db
    with writing(path) as con:
        write.add_failures(con, collection, [("c.tif", "run", "too large"), ("c.tif", "patches", "too small")])
        write.clear_failures(con, collection, ["c.tif"], "patches")
        assert con.execute("SELECT stage FROM failures").fetchall() == [("run",)]
