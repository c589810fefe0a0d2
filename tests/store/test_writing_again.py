"""Repeating changes nothing, replacing replaces, failing undoes."""

import dataclasses

import numpy as np
import pytest

from store import read, search, write
from store.connection import reading, writing
from store.maps import AttentionMaps
from store.records import Results

TABLES = ("images", "features", "frames", "attention", "head_stats", "projections", "points", "failures", "runs")


def counts(con):
    return {table: con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in TABLES}


def test_the_whole_ingest_twice(filled, make):
    with reading(filled.path) as con:
        before, images = counts(con), read.images(con).to_pylist()
    with writing(filled.path) as con:
        assert write.add_collection(con, "Gemälde", "/elsewhere") == filled.collection
        records = [make.image(path, {}) for path in filled.ids]
        assert write.add_images(con, filled.collection, records) == filled.ids
        assert write.add_run(con, filled.collection, make.run(versions={"torch": "3"})) == filled.run
        write.add_results(con, filled.run, filled.results)
        assert write.add_projection(con, filled.run, "pca", {"seed": 0}, [1, 2, 3, 4, 5], np.zeros((5, 2))) == 1
        write.add_failures(con, filled.collection, [("broken.jpg", "decode", "cut off again")] * 2)
    with reading(filled.path) as con:
        assert counts(con) == before
        assert read.images(con).to_pylist() == images
        assert read.points(con, 1)["x"].to_pylist() == [0] * 5
        assert read.failures(con)["error"].to_pylist() == ["cut off again"]


def test_what_was_measured_of_a_network_does_not_tell_runs_apart(filled, make):
    settings = make.run().settings
    with writing(filled.path) as con:
        measured = make.run(settings=settings | {"measured": {"special": 1}})
        assert write.add_run(con, filled.collection, measured) == filled.run
        other = make.run(settings=settings | {"feature": "another", "measured": {"special": 1}})
        new = write.add_run(con, filled.collection, other)
        assert new != filled.run
        plain = make.run(settings=settings | {"feature": "another"})
        assert write.add_run(con, filled.collection, plain) == new


def test_one_path_twice_in_one_call_is_one_image(empty, make):
    with writing(empty) as con:
        collection = write.add_collection(con, "c", None)
        ids = write.add_images(con, collection, [make.image("a.jpg"), make.image("a.jpg", {"title": "last"})])
        assert ids == {"a.jpg": 1}
        assert read.images(con)["title"].to_pylist() == ["last"]
        assert len(read.thumbnails(con, [1, 2])) == 1


def test_the_same_path_in_two_collections_is_two_images(empty, make):
    with writing(empty) as con:
        first, second = (write.add_collection(con, name, None) for name in ("one", "two"))
        assert write.add_images(con, first, [make.image("a.jpg")]) == {"a.jpg": 1}
        assert write.add_images(con, second, [make.image("a.jpg")]) == {"a.jpg": 2}


def test_another_picture_under_a_known_path_keeps_the_id_and_loses_the_findings(filled, make):
    other = make.image("folder/b.jpg", content="other", width=10, height=20, thumbnail=b"new")
    with writing(filled.path) as con:
        assert write.add_images(con, filled.collection, [other]) == {"folder/b.jpg": 2}
    with reading(filled.path) as con:
        (row,) = read.images(con, ids=[2]).to_pylist()
        assert (row["width"], row["height"], row["title"]) == (10, 20, "Bild b")  # metadata was not given again
        assert read.thumbnail(con, 2) == b"new"
        assert read.known(con, filled.collection)["folder/b.jpg"][1] == other.sha256
        for table in ("features", "frames", "attention", "head_stats", "points"):
            ids = con.execute(f"SELECT DISTINCT image_id FROM {table} ORDER BY 1").fetchall()
            assert ids == [(1,), (3,), (4,), (5,)], table
        assert read.done(con, filled.run, ["cls"]) == {1, 3, 4, 5}


def test_a_touched_file_keeps_its_findings_and_learns_its_new_time(filled, make):
    touched = make.image("folder/b.jpg", modified=1800000000.5)
    with writing(filled.path) as con:
        before = counts(con)
        write.add_images(con, filled.collection, [touched])
        assert counts(con) == before
        assert read.known(con, filled.collection)["folder/b.jpg"][3] == 1800000000.5
        assert con.execute("SELECT count(*) FROM thumbnail WHERE image_id = 2").fetchall() == [(1,)]


def test_set_metadata_counts_what_it_changed(filled):
    with writing(filled.path) as con:
        changed_in_url = {
            "folder/a.jpg": {"title": "Bild a", "year": 1800},
            "folder/b.jpg": {"artist": "x"},
            "nowhere.jpg": {"a": 1},
        }
        assert write.set_metadata(con, filled.collection, changed_in_url) == 1
        assert write.set_metadata(con, filled.collection, changed_in_url) == 0
        assert write.set_metadata(con, filled.collection, {}) == 0
        assert read.known(con, filled.collection)["folder/b.jpg"][4] == {"artist": "x"}
        assert read.catalogue(con, ids=[1, 2])["artist"].to_pylist() == [None, "x"]


@pytest.mark.parametrize(
    "change", [{"backbone": "b"}, {"weights_sha256": "1"}, {"fit": "pad"}, {"size": 84}, {"settings": {"model": "x"}}]
)
def test_what_makes_another_run(filled, make, change):
    with writing(filled.path) as con:
        another = write.add_run(con, filled.collection, make.run(**change))
        assert another == filled.run + 1
        assert write.add_run(con, filled.collection, make.run(**change)) == another


def test_the_order_of_settings_does_not_make_another_run(filled, make):
    with writing(filled.path) as con:
        first = write.add_run(con, filled.collection, make.run(settings={"a": 1, "b": {"c": 2, "d": 3}}))
        assert write.add_run(con, filled.collection, make.run(settings={"b": {"d": 3, "c": 2}, "a": 1})) == first


def test_new_maps_replace_those_of_the_same_method_and_target_alone(filled, make):
    fresh = make.results([1, 2], seed=9)
    block = dataclasses.replace(fresh.maps[0], target="class:281")
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results(fresh.image_ids, maps=[block]))
        write.add_results(con, filled.run, Results(fresh.image_ids, maps=[fresh.maps[1]]))
        rows = [tuple(row.values()) for row in read.methods(con, filled.run).to_pylist()]
        assert rows == [("cls", "", 30), ("cls", "class:281", 12), ("rollout", "", 15)]
        replaced, kept = (read.maps(con, filled.run, image, "rollout").weights for image in (1, 3))
        assert len(read.done(con, filled.run, [])) == 5  # features stayed
    np.testing.assert_allclose(replaced, fresh.maps[1].weights[:3], atol=0.004)
    np.testing.assert_allclose(kept, filled.results.maps[1].weights[6:9], atol=0.004)


def test_blocks_of_several_grids_come_in_one_call(filled, make):
    tall, wide = make.results([1, 2], rows=5, cols=2).maps[0], make.results([3], rows=2, cols=5).maps[0]
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results([1, 2, 3], maps=[tall, wide]))
        assert read.maps(con, filled.run, 2, "cls").weights.shape == (6, 5, 2)
        assert read.maps(con, filled.run, 3, "cls").weights.shape == (6, 2, 5)
        assert read.maps(con, filled.run, 4, "cls").weights.shape == (6, 3, 5)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_undoes_everything(filled, make, error):
    with reading(filled.path) as con:
        before = counts(con)
    with pytest.raises(error), writing(filled.path) as con:
        collection = write.add_collection(con, "other", None)
        write.add_images(con, collection, [make.image("new.jpg", {"new_key": 1})])
        write.add_images(con, filled.collection, [make.image("folder/a.jpg", content="other")])
        write.add_results(con, filled.run, make.results([3], seed=5))
        raise error
    with reading(filled.path) as con:
        assert counts(con) == before
        assert read.collections(con).num_rows == 1
        assert "new_key" not in read.catalogue(con).column_names
        ids, vectors = search.features(con, filled.run)
    np.testing.assert_array_equal(vectors, filled.results.vectors)
    assert ids.tolist() == [1, 2, 3, 4, 5]


def test_the_file_does_not_grow_by_repetition(filled):
    sizes = []
    for _ in range(6):
        with writing(filled.path) as con:
            write.add_results(con, filled.run, filled.results)
        sizes.append(filled.path.stat().st_size)
    assert sizes[-1] <= sizes[1] * 1.2


@pytest.mark.parametrize("bulk", [False, True])
def test_maps_take_little_more_than_a_byte_a_weight(empty, make, bulk):
    """72 maps of 16 × 16 for each of 192 images, committed 64 at a time: at most 1.2 bytes a weight, all else included."""
    rng = np.random.default_rng(0)
    before = empty.stat().st_size
    for start in range(1, 193, 64):
        ids = np.repeat(np.arange(start, start + 64), 72)
        cells = make.softmax(rng, len(ids), 256)
        with writing(empty, bulk=bulk) as con:
            run = write.add_run(con, 1, make.run())
            layers, heads = np.tile(np.repeat(np.arange(12), 6), 64), np.tile(np.arange(6), 12 * 64)
            block = AttentionMaps(cells.reshape(-1, 16, 16), layers, heads, ids, "cls")
            write.add_results(con, run, Results(np.unique(ids), maps=[block]))
    assert (empty.stat().st_size - before) / (192 * 72 * 256) < 1.2


def test_a_collection_moves_and_a_layout_goes(filled):
    with writing(filled.path) as con:
        write.move_collection(con, filled.collection, "/new place")
        other = write.add_projection(con, filled.run, "tsne", {}, [1, 2], np.ones((2, 2)))
        write.drop_projection(con, 1)
    with reading(filled.path) as con:
        assert read.collections(con)["source"].to_pylist() == ["/new place"]
        assert read.projections(con)["projection_id"].to_pylist() == [other]
        assert read.points(con, 1).num_rows == 0 and read.points(con, other).num_rows == 2
