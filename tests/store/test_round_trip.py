"""What goes in comes out."""

import json

import numpy as np
import pytest

from store import companding, read, rows, schema, write
from store.connection import reading, writing
from store.errors import StoreError
from store.maps import AttentionMaps, CodedMaps
from store.records import FrameRecord, HeadStats, Results
from tests.support.search import nearest


def test_collections(filled):
    with reading(filled.path) as con:
        (row,) = read.collections(con).to_pylist()
    assert (row["collection_id"], row["name"], row["source"]) == (filled.collection, "Gemälde", "/pictures")
    assert (row["images"], row["failures"]) == (5, 1)


def test_images_of_all_of_one_collection_and_of_some_ids(filled, make):
    with writing(filled.path) as con:
        other = write.add_collection(con, "other", None)
        write.add_images(con, other, [make.image("folder/a.jpg")])
    with reading(filled.path) as con:
        assert read.images(con).num_rows == 6
        assert read.images(con, "other").column("collection").to_pylist() == ["other"]
        assert read.images(con, "nobody").num_rows == 0
        rows = read.images(con, "Gemälde", ids=[5, np.int64(2), 99]).to_pylist()
        assert read.images(con, ids=[]).num_rows == 0
    assert [(row["image_id"], row["path"], row["title"]) for row in rows] == [
        (2, "folder/b.jpg", "Bild b"),
        (5, "folder/é.jpg", "Bild é"),
    ]
    assert (rows[0]["width"], rows[0]["height"]) == (640, 480)
    assert json.loads(rows[0]["metadata"]) == {"title": "Bild b", "year": 1801}


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        ({"Titel": "Der Hase", "artist": "Dürer"}, "Der Hase"),
        ({"caption": "below", "TITLE": "above"}, "above"),
        ({"name": "  ", "label": "second"}, "second"),
        ({"name": None, "title": ""}, "plate.12"),
        ({}, "plate.12"),
    ],
)
def test_titles(empty, make, metadata, title):
    with writing(empty) as con:
        write.add_images(con, write.add_collection(con, "c", None), [make.image("a/plate.12.jpg", metadata)])
    with reading(empty) as con:
        assert read.images(con)["title"].to_pylist() == [title]


def test_a_dot_file_has_a_title_too(empty, make):
    with writing(empty) as con:
        write.add_images(con, write.add_collection(con, "c", None), [make.image("a/.jpg")])
    with reading(empty) as con:
        assert read.images(con)["title"].to_pylist() == ["a/.jpg"]


def test_metadata_keeps_types_unicode_and_nulls(empty, make):
    metadata = {"Künstler": "歌川広重 🖼", "year": 1857, "share": 0.25, "seen": True, "none": None, "list": ["a", 1]}
    gaps = {"cell": float("nan"), "count": np.int64(3), "half": "\ud800"}
    with writing(empty) as con:
        collection = write.add_collection(con, "c", None)
        write.add_images(con, collection, [make.image("é/🖼.jpg", metadata | gaps)])
    with reading(empty) as con:
        image_id, sha256, size, modified, stored, counted = read.known(con, collection)["é/🖼.jpg"]
    assert stored == metadata | {"cell": None, "count": 3, "half": "?"}
    assert (image_id, size, modified, len(sha256), counted) == (1, 1234, 1700000000.25, 64, True)


def test_thumbnails(filled):
    with reading(filled.path) as con:
        assert read.thumbnail(con, 2) == b"\xff\xd8folder/b.jpg"
        assert read.thumbnail(con, 99) is None
        assert read.thumbnails(con, [1, 5, 99]) == {
            1: b"\xff\xd8folder/a.jpg",
            5: "\xff\xd8".encode("latin-1") + "folder/é.jpg".encode(),
        }


def test_runs(filled):
    with reading(filled.path) as con:
        row = read.run(con, filled.run)
        assert read.run(con, 99) is None
        assert read.runs(con, "Gemälde") == [row]
        assert read.runs(con, "other") == []
    assert row.settings == {"model": "tiny"} and row.versions == {"torch": "2"}
    assert (row.backbone, row.layers, row.heads, row.dim, row.patch) == ("tiny", 3, 2, 8, 14)
    assert (row.prefix_tokens, row.fit, row.size, row.collection) == (1, "crop", 70, "Gemälde")
    assert (row.images, row.title, row.measured) == (5, "tiny", None)


def test_a_query_that_must_have_a_row_says_so_where_it_has_none(filled):
    with reading(filled.path) as con:
        assert rows.one(con, "SELECT count(*) FROM image WHERE path = ?", ["nowhere"]) == (0,)
        with pytest.raises(StoreError, match="no answer"):
            rows.one(con, "SELECT path FROM image WHERE path = ?", ["nowhere"])


def test_frames(filled):
    with reading(filled.path) as con:
        assert read.frame(con, filled.run, 3) == FrameRecord(3, 80.0, 0.5, 560.0, 480.0, 3, 5)
        assert read.frame(con, filled.run, 99) is None


def test_maps_of_a_grid_that_is_not_square(filled):
    block = filled.results.maps[0]
    mine = block.image_ids == 4
    expected = companding.decode(*companding.encode(block.weights[mine].reshape(6, 15))).reshape(6, 3, 5)
    with reading(filled.path) as con:
        stack = read.maps(con, filled.run, 4, "cls")
        some = read.maps(con, filled.run, 4, "cls", layers=[0, 2], heads=[1])
        assert read.maps(con, filled.run, 4, "cls", layers=[9]) is None
        assert read.maps(con, filled.run, 4, "cls", target="class:281") is None
    assert (*stack.grid, stack.weights.dtype) == (3, 5, np.float32)
    assert stack.layers.tolist() == [0, 0, 1, 1, 2, 2] and stack.heads.tolist() == [0, 1, 0, 1, 0, 1]
    assert (stack.weights == expected).all()
    assert np.abs(stack.weights - block.weights[mine]).max() < 0.004
    assert (some.weights == expected[[1, 5]]).all()


def test_maps_without_heads(filled):
    with reading(filled.path) as con:
        stack = read.maps(con, filled.run, 1, "rollout")
        assert con.execute("SELECT DISTINCT head FROM attention WHERE method = 'rollout'").fetchall() == [(None,)]
    assert stack.heads.tolist() == [-1, -1, -1] and stack.layers.tolist() == [0, 1, 2]


def test_sql_decodes_as_python_does(filled):
    query = "SELECT weights FROM attention WHERE image_id = 4 AND method = 'cls' ORDER BY layer, head"
    with reading(filled.path) as con:
        stack = read.maps(con, filled.run, 4, "cls")
        weights = np.array([row for (row,) in con.execute(query).fetchall()], np.float32)
    np.testing.assert_allclose(weights, stack.weights.reshape(6, 15), rtol=1e-6)


def test_methods_and_what_is_done(filled, make):
    with writing(filled.path) as con:
        sixth = write.add_images(con, filled.collection, [make.image("f.jpg")])["f.jpg"]
        only_feature = make.results([sixth])
        write.add_results(con, filled.run, Results(only_feature.image_ids, only_feature.vectors))
    with reading(filled.path) as con:
        rows = [tuple(row.values()) for row in read.methods(con, filled.run).to_pylist()]
        assert rows == [("cls", "", 30), ("rollout", "", 15)]
        assert read.done(con, filled.run, ["cls", "rollout"]) == {1, 2, 3, 4, 5}
        assert read.done(con, filled.run, []) == {1, 2, 3, 4, 5, sixth}
        assert read.done(con, filled.run, ["cls", "daam"]) == set()


def test_head_stats(filled):
    stats = filled.results.head_stats[0]
    with reading(filled.path) as con:
        table = read.head_stats(con, filled.run, 2)
        assert read.head_stats(con, filled.run).num_rows == 30
    np.testing.assert_array_equal(table["entropy"].to_numpy(), stats.values["entropy"][stats.image_ids == 2])
    assert table["distance"].null_count == table.num_rows == 6


def test_projections_and_points(filled):
    with reading(filled.path) as con:
        (row,) = read.projections(con, filled.run).to_pylist()
        points = read.points(con, row["projection_id"])
        assert read.projections(con, 99).num_rows == 0
    assert (row["method"], json.loads(row["settings"]), row["points"]) == ("pca", {"seed": 0}, 5)
    assert points["image_id"].to_pylist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(points["y"].to_numpy(), np.arange(1, 10, 2) / 7)


def test_failures(filled):
    with reading(filled.path) as con:
        (row,) = read.failures(con, "Gemälde").to_pylist()
        assert read.failures(con, "other").num_rows == 0
    assert (row["path"], row["stage"], row["error"]) == ("broken.jpg", "decode", "cut off")
    with writing(filled.path) as con:
        write.clear_failures(con, filled.collection, ["other.jpg"])
        assert read.failures(con).num_rows == 1
        write.clear_failures(con, filled.collection, ["broken.jpg"])
        assert read.failures(con).num_rows == 0


def test_numpys_numbers_are_as_good_as_pythons(filled):
    run, image = np.int64(filled.run), np.int32(2)
    with writing(filled.path) as con:
        write.add_results(con, run, filled.results)
        write.add_projection(con, run, "tsne", {"seed": np.int64(1)}, np.array([1, 2]), np.zeros((2, 2)))
        write.add_failures(con, np.int64(filled.collection), [("x.jpg", "decode", "cut off")])
        assert read.run(con, run).run_id == filled.run
        assert read.frame(con, run, image).image_id == 2
        assert read.maps(con, run, image, "cls", layers=np.array([1]), heads=[np.int8(0)]).layers.tolist() == [1]
        assert read.thumbnail(con, image) == b"\xff\xd8folder/b.jpg"
        assert nearest(con, run, image, np.int16(2)).num_rows == 2


def test_the_list_of_what_sql_can_use(filled):
    with reading(filled.path) as con:
        rows = {row["name"]: row for row in schema.usable(con).to_pylist()}
    assert rows["nearest"] == {"kind": "macro", "name": "nearest", "parts": ["run_id", "image_id", "k"]}
    assert rows["catalogue"]["parts"][-1] == "year BIGINT"
    assert {"images", "attention", "attention_map"} <= set(rows) and "image" not in rows


def test_an_empty_database_answers_everything(empty):
    with reading(empty) as con:
        for table in (read.collections, read.images, read.catalogue, read.projections, read.failures):
            assert table(con).num_rows == 0
        for table in (read.methods, read.head_stats, read.points):
            assert table(con, 1).num_rows == 0
        assert read.runs(con) == []
        assert read.metadata_columns(con) == {} and read.metadata_columns(con, "c") == {}
        assert read.run(con, 1) is None and read.frame(con, 1, 1) is None and read.maps(con, 1, 1, "cls") is None
        assert read.thumbnails(con, []) == {} and read.known(con, 1) == {} and read.done(con, 1, ["cls"]) == set()


def _maps(**changes):
    one = {"weights": np.full((1, 2, 2), 0.25, np.float32), "layers": np.zeros(1), "heads": np.zeros(1)}
    return AttentionMaps(**one | {"image_ids": np.ones(1, np.int64), "method": "cls"} | changes)


def _coded(**changes):
    one = {"codes": np.zeros((1, 2, 2), np.uint8), "scales": np.ones(1, np.float32), "minima": np.zeros(1, np.float32)}
    which = {"layers": np.zeros(1), "heads": np.zeros(1), "image_ids": np.ones(1, np.int64), "method": "cls"}
    return CodedMaps(**one | which | changes)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (Results([1, 2], vectors=np.ones((1, 8))), r"expects vectors of shape \(2, 8\)"),
        (Results([1], vectors=np.ones((1, 9))), r"shape \(1, 8\); these have \(1, 9\)"),
        (Results([1], vectors=np.full((1, 8), np.nan)), "finite"),
        (Results([1], maps=[_maps(weights=np.ones((1, 4)))]), r"'cls' have \(1, 4\), \(1,\), \(1,\) and \(1,\)"),
        (Results([1], maps=[_maps(image_ids=np.array([1, 2]))]), r"an image; these of .* and \(2,\)"),
        (Results([1], maps=[_maps(weights=np.full((1, 2, 2), -1.0))]), "finite weights of 0 and more"),
        (
            Results([1], maps=[_coded(codes=np.zeros((1, 4), np.uint8))]),
            r"'cls' have \(1, 4\), \(1,\), \(1,\) and \(1,\)",
        ),
        (Results([1], maps=[_coded(heads=np.zeros(2))]), r"an image; these of .*, \(2,\) and \(1,\)"),
        (Results([1], maps=[_coded(codes=np.zeros((1, 2, 2)))]), r"Coded maps are bytes.* are float64 \(1, 2, 2\)"),
        (Results([1], maps=[_coded(minima=np.zeros(2, np.float32))]), r"a scale and a minimum.* \(1,\) and \(2,\)"),
        (Results([1], maps=[_coded(scales=np.full(1, np.nan, np.float32))]), "finite and 0 or more"),
        (Results([1], maps=[_coded(minima=np.full(1, -1, np.float32))]), "finite and 0 or more"),
        (Results([1], head_stats=[HeadStats([1], [0], [0], {"sharpness": [1.0]})]), "no column for sharpness"),
    ],
)
def test_results_that_do_not_fit_are_refused(filled, found, sentence):
    with pytest.raises(StoreError, match=sentence), writing(filled.path) as con:
        write.add_results(con, filled.run, found)


def test_results_of_an_unknown_run_and_a_layout_of_the_wrong_shape(filled):
    with pytest.raises(StoreError, match="no run 99"), writing(filled.path) as con:
        write.add_results(con, 99, Results([1]))
    with pytest.raises(StoreError, match=r"shape \(2, 2\)"), writing(filled.path) as con:
        write.add_projection(con, filled.run, "pca", {}, [1, 2], np.zeros((2, 3)))
