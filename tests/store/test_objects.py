from dataclasses import replace

import numpy as np
import pytest

from store import objects, patches, write
from store.connection import reading, writing
from store.errors import StoreError
from store.objects import ObjectRun, ProposedObjects
from store.records import FrameRecord
from tests.store.conftest import image, run_record
from tests.store.test_patches import RUN as PATCH_RUN

RUN = ObjectRun("lost", "LOST", "tiny", "0" * 64, {"b": [1, 2], "a": None, "options": {"objects": 3}}, {"torch": "2"})


def proposed(image_id: int, count: int = 2, seed: int = 0) -> ProposedObjects:
    rng = np.random.default_rng(seed)
    return ProposedObjects(
        frame=FrameRecord(image_id, -2.5, 0.0, 102.5, 80.0, 4, 6),
        boxes=np.array([[10 * place, 5, 10 * place + 20, 35] for place in range(count)]).reshape(-1, 4),
        scores=rng.random(count).astype(np.float32),
        areas=rng.random(count).astype(np.float32),
        seeds=np.arange(count) + 7,
        cells=[np.arange(place + 3) for place in range(count)],
        thumbnails=[(bytes([255, 216, place]), 20, 30) for place in range(count)],
    )


@pytest.fixture
def db(empty):
    with writing(empty) as con:
        collection = write.add_collection(con, "scans", "/scans")
        ids = write.add_images(con, collection, [image("a.tif"), image("b.tif")])
        run_id = objects.add_run(con, collection, RUN)
    return empty, collection, run_id, ids


def test_objects_come_out_as_they_went_in(db):
    path, _, run_id, ids = db
    found = proposed(ids["a.tif"])
    with writing(path) as con:
        objects.add(con, run_id, found)
        objects.add(con, run_id, proposed(ids["b.tif"], 0))  # searched, and nothing found
    with reading(path) as con:
        table = objects.objects(con, run_id).to_pydict()
        assert objects.done(con, run_id) == set(ids.values())
        (stored,) = objects.runs(con)
        assert objects.runs(con, "other") == []
        assert objects.of_image(con, ids["b.tif"]).num_rows == 0
        own = objects.of_image(con, ids["a.tif"]).to_pydict()
        view = con.execute("SELECT DISTINCT run_id, image_id, method FROM objects").fetchall()
        cells = con.execute("SELECT rank, seed, cells FROM object_cells ORDER BY rank").fetchall()
        frames = con.execute("SELECT * EXCLUDE image_id FROM object_frames").fetchall()
        small = objects.thumbnails(con, run_id, [(ids["a.tif"], 2), (ids["a.tif"], 9), (ids["b.tif"], 1)])
    np.testing.assert_array_equal(np.array([table[name] for name in ("x0", "y0", "x1", "y1")]).T, found.boxes)
    np.testing.assert_array_equal(table["score"], found.scores)
    np.testing.assert_array_equal(table["area"], found.areas)
    assert table["rank"] == [1, 2] and table["image_id"] == [ids["a.tif"]] * 2
    assert view == [(run_id, ids["a.tif"], "lost")] and cells == [(1, 7, [0, 1, 2]), (2, 8, [0, 1, 2, 3])]
    assert frames == [(run_id, -2.5, 0.0, 102.5, 80.0, 4, 6)] * 2
    assert small == {(ids["a.tif"], 2): bytes([255, 216, 1])}
    assert {name: own[name] for name in table if name != "image_id"} == {
        name: column for name, column in table.items() if name != "image_id"
    }
    assert own["run_id"] == [run_id] * 2 and own["title"] == ["LOST"] * 2
    assert (stored.run_id, stored.collection, stored.images, stored.objects) == (run_id, "scans", 2, 2)
    assert (stored.method, stored.settings, stored.versions) == ("lost", RUN.settings, RUN.versions)


def test_again_is_in_place_of_before_and_of_this_run_alone(db):
    path, collection, run_id, ids = db
    with writing(path) as con:
        other = objects.add_run(con, collection, replace(RUN, settings={"options": {"objects": 2}}))
        for number in (run_id, other):
            objects.add(con, number, proposed(ids["a.tif"]))
        objects.add(con, run_id, proposed(ids["a.tif"], 1, seed=4))
        counts = con.execute("SELECT run_id, count(*) FROM objects GROUP BY 1 ORDER BY 1").fetchall()
    assert other != run_id and counts == [(run_id, 1), (other, 2)]


def test_a_run_is_found_again_and_its_number_is_that_of_no_other_run(db):
    path, collection, run_id, _ = db
    with writing(path) as con:
        same = replace(RUN, settings=dict(reversed(RUN.settings.items())), versions={})
        assert objects.find_run(con, collection, same) == run_id == objects.add_run(con, collection, same)
        assert objects.find_run(con, collection, replace(RUN, method="tokencut")) is None
        network = write.add_run(con, collection, run_record())
        more = objects.add_run(con, collection, replace(RUN, method="tokencut"))
        selected = patches.add_patch_run(con, collection, PATCH_RUN)
    assert len({run_id, network, more, selected}) == 4


@pytest.mark.parametrize("forget", ["another picture", "deleted"])
def test_objects_go_with_their_picture(db, forget):
    path, collection, run_id, ids = db
    with writing(path) as con:
        for image_id in ids.values():
            objects.add(con, run_id, proposed(image_id))
        if forget == "deleted":
            write.delete_images(con, [ids["a.tif"]])
        else:
            write.add_images(con, collection, [image("a.tif", content="another")])
        for table in objects.TABLES:
            assert con.execute(f"SELECT DISTINCT image_id FROM {table}").fetchall() == [(ids["b.tif"],)], table


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": np.zeros(3)}, "2 objects need as many scores"),
        ({"cells": [np.arange(2)]}, "2 objects need as many scores"),
        ({"areas": np.array([1, np.nan])}, "must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(db, change, sentence):
    path, _, run_id, ids = db
    with pytest.raises(StoreError, match=sentence), writing(path) as con:
        objects.add(con, run_id, replace(proposed(ids["a.tif"]), **change))
    with pytest.raises(StoreError, match="no run 99 of objects"), writing(path) as con:
        objects.add(con, 99, proposed(ids["a.tif"]))
