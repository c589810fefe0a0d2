"""`objects … --as-collection`, and `run objects:3`: what was found, as pictures that are parts of others."""

import io
import json

import duckdb
import numpy as np
import pytest
import tifffile
from PIL import Image

from dashboard.data import iiif
from ingest.open_picture import opened
from ingest.sources.registry import list_collection
from ingest.vision import originals, windows
from ingest.vision.backbones import load
from ingest.vision.bad_image import BadImage
from ingest.vision.embedding import embed
from ingest.vision.paths import box_name, file_and_part, named_box, named_page
from store import objects, write
from store.connection import writing
from store.objects import ObjectRun, ProposedObjects
from store.records import FrameRecord
from tests.support import commands
from tests.support.films import grey, write_film
from tests.support.pictures import noise

BOXES = [(20, 10, 90, 70), (5, 40, 33, 88)]
SMALL = ("--model", "tiny:dinov2", "--project", "none", "--methods", "cls")


def rows(db, query):
    with duckdb.connect(str(db), read_only=True) as con:
        return con.execute(query).fetchall()


def propose(db, collection: int = 1, boxes=BOXES) -> int:
    """A run of objects with these boxes in each of a collection's pictures, as `objects` stores them."""
    ids = rows(db, f"SELECT image_id FROM image WHERE collection_id = {collection} ORDER BY image_id")
    with writing(db) as con:
        run_id = objects.add_run(con, collection, ObjectRun("lost", "LOST · tiny", "tiny", "0" * 64, {"options": {}}))
        for (image_id,) in ids:
            count = len(boxes)
            frame = FrameRecord(image_id, 0, 0, 100, 100, 4, 4)
            small = [(b"\xff\xd8", 1, 1)] * count
            scores, seeds = np.full(count, 0.5), np.zeros(count)
            found = ProposedObjects(frame, np.array(boxes), scores, scores, seeds, [np.arange(2)] * count, small)
            objects.add(con, run_id, found)
    return run_id


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """The folder, the database with objects in all its pictures, and the run that found them."""
    folder = tmp_path_factory.mktemp("parts") / "scans"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", np.asarray(noise(150, 130, 1)), tile=(64, 64), photometric="rgb")
    turned = Image.Exif()
    turned[0x0112] = 6
    noise(130, 110, 2).save(folder / "b.jpg", exif=turned, quality=95)
    pages = [np.asarray(noise(100, 90, seed)) for seed in (3, 4)]
    tifffile.imwrite(folder / "c.tif", np.stack(pages), photometric="rgb")
    (folder / "metadata.csv").write_text("file,artist\na.tif,Hokusai\nb.jpg,Dürer\n")
    db = folder.parent / "test.duckdb"
    commands.run("scan", folder, db=db)
    return folder, db, propose(db)


@pytest.fixture(scope="module")
def done(collection):
    """What `run objects:N` said."""
    folder, db, run_id = collection
    return (
        folder,
        db,
        run_id,
        commands.run("run", f"objects:{run_id}", "--collection", "crops", *SMALL, "--json", db=db),
    )


def crops(db) -> list[dict]:
    query = (
        "SELECT image_id, path, sha256, width, height, metadata FROM images WHERE collection = 'crops' ORDER BY path"
    )
    names = ("image_id", "path", "sha256", "width", "height")
    return [dict(zip(names, row, strict=False)) | {"metadata": json.loads(row[5])} for row in rows(db, query)]


@pytest.mark.parametrize(
    ("whole", "name"),
    [
        ("a b.jpg", "a b.jpg#xywh=20,10,70,60"),
        ("box/b.pdf#page=3", "box/b.pdf#page=3&xywh=20,10,70,60"),
        ("film.mp4#t=1.500", "film.mp4#t=1.500&xywh=20,10,70,60"),
        ("odd#xywh=no.jpg", "odd#xywh=no.jpg#xywh=20,10,70,60"),
    ],
)
def test_names_of_parts_lead_back_to_the_picture_and_the_box(whole, name):
    assert box_name(whole, BOXES[0]) == name and named_box(name) == (whole, BOXES[0])
    assert file_and_part(name)[0] == file_and_part(whole)[0] and named_page(name) is None
    assert named_box(whole) is None
    inner = box_name(name, (1, 2, 11, 22))  # a part of a part is a part of the whole
    assert named_box(inner) == (whole, (21, 12, 31, 32))


def test_each_object_is_a_picture_with_what_is_known_of_its_own(done):
    _, db, run_id, result = done
    assert result.code == 0 and (result.counts["new"], result.counts["failed"]) == (8, 0)
    found = {each["path"]: each for each in crops(db)}
    assert set(found) == {
        f"{name}xywh={box}"
        for name in ("a.tif#", "b.jpg#", "c.tif#page=1&", "c.tif#page=2&")
        for box in ("20,10,70,60", "5,40,28,48")
    }
    one = found["a.tif#xywh=5,40,28,48"]
    assert (one["width"], one["height"]) == (28, 48)
    parent = dict(rows(db, "SELECT path, image_id FROM images WHERE collection = 'scans'"))["a.tif"]
    assert one["metadata"] == {
        "title": "a.tif, object 2",
        "artist": "Hokusai",
        "parent": parent,
        "parent_file": "a.tif",
        "parent_xywh": "5,40,28,48",
        "object": 2,
        "object_run": run_id,
        "object_method": "lost",
        "object_score": 0.5,
    }
    assert len({each["sha256"] for each in found.values()}) == 8
    where = "SELECT count(*) FROM catalogue WHERE collection = 'crops' AND artist = 'Dürer'"
    assert rows(db, where) == [(2,)]


def test_everything_that_opens_an_original_opens_the_part(done):
    folder, db, *_ = done
    for each in crops(db):
        whole, box = named_box(each["path"])
        expected = np.asarray(originals.original(folder, whole).crop(box))
        np.testing.assert_array_equal(np.asarray(originals.original(folder, each["path"])), expected)
        scan = windows.opened(originals.place_of(folder, each["path"]))
        assert scan.size == (each["width"], each["height"])
        np.testing.assert_array_equal(np.asarray(scan.read((0, 0, *scan.size), scan.size)), expected)
        np.testing.assert_array_equal(np.asarray(scan.read((4, 6, 14, 26), (10, 20))), expected[6:26, 4:14])
        with pytest.raises(ValueError, match="no part of a picture of"):
            scan.read((0, 0, scan.size[0] + 1, 5), (5, 5))
        served = iiif.image(db, each["image_id"], ("full", "max", "0", "default.png"), "")
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(served.data)).convert("RGB")), expected)
        assert iiif.info(db, each["image_id"], "x")["width"] == each["width"]


def test_features_and_maps_are_those_of_the_part(done):
    folder, db, *_ = done
    backbone = load("tiny:dinov2")
    vectors = dict(rows(db, "SELECT path, vector FROM features JOIN images USING (image_id)"))
    assert len(vectors) == 8
    fit = rows(db, "SELECT fit FROM runs")[0][0]
    for path, vector in vectors.items():
        np.testing.assert_allclose(vector, embed(backbone, [originals.original(folder, path)], fit)[0], atol=2e-4)
    assert rows(db, "SELECT count(DISTINCT image_id) FROM attention") == [(8,)]


def test_again_there_is_nothing_to_do_and_stored_parts_are_read_again(done):
    _, db, run_id, _ = done
    again = commands.run("run", f"objects:{run_id}", "--collection", "crops", *SMALL, "--json", db=db).counts
    assert (again["new"], again["already"]) == (0, 8)
    tasks = list_collection(db, "crops").tasks
    known = {each["path"]: each["sha256"] for each in crops(db)}
    assert {task.name: task.read().sha256 for task in tasks} == known
    assert {task.name: opened(task).fingerprint()[0] for task in tasks} == known
    explained = commands.run("explain", "--methods", "rollout", "--json", db=db).counts
    assert explained["new"] == 8 and explained["collection"] == "crops"
    # A network that searches large pictures, or objects, finds parts of the parts.
    inner = commands.run("patches", f"objects:{run_id}", "--collection", "crops", "--model", "tiny:dinov2",
                         "--patch-size", "28", "--top", "1", "--json", db=db).counts  # fmt: skip
    assert (inner["new"], inner["failed"]) == (8, 0)


def test_one_bad_parent_stops_nothing_and_files_that_are_gone_take_their_parts_along(collection, tmp_path):
    folder, *_ = collection
    copies, db = tmp_path / "scans", tmp_path / "test.duckdb"
    copies.mkdir()
    for name in ("a.tif", "b.jpg", "c.tif"):
        (copies / name).write_bytes((folder / name).read_bytes())
    commands.run("scan", copies, db=db)
    run_id = propose(db)
    (copies / "a.tif").write_bytes(b"")
    result = commands.run("scan", f"objects:{run_id}", "--json", db=db)
    assert result.counts["collection"] == "scans objects"
    assert (result.counts["new"], result.counts["failed"]) == (6, 2)
    failed = dict(rows(db, "SELECT path, error FROM failures WHERE collection = 'scans objects'"))
    assert failed == {f"a.tif#xywh={box}": "The file is empty." for box in ("20,10,70,60", "5,40,28,48")}
    (copies / "new.png").write_bytes(b"")
    status = {each["name"]: each["files"] for each in commands.run("status", "--json", db=db).counts["collections"]}
    assert status["scans"]["new"] == ["new.png"] and status["scans objects"]["new"] == []
    (copies / "b.jpg").unlink()
    pruned = commands.run("prune", "--collection", "scans objects", "--yes", "--json", db=db).counts
    assert pruned["pruned"] == ["b.jpg#xywh=20,10,70,60", "b.jpg#xywh=5,40,28,48"] and pruned["left"] == 4


def test_parts_keep_what_is_known_of_them_when_their_picture_is_renamed(collection, tmp_path):
    folder, *_ = collection
    copies, db = tmp_path / "scans", tmp_path / "test.duckdb"
    copies.mkdir()
    for name in ("a.tif", "b.jpg"):
        (copies / name).write_bytes((folder / name).read_bytes())
    commands.run("scan", copies, db=db)
    source = f"objects:{propose(db)}"
    commands.run("scan", source, "--collection", "crops", db=db)
    before = {each["image_id"]: each["path"] for each in crops(db)}
    (copies / "b.jpg").rename(copies / "renamed.jpg")
    commands.run("scan", copies, db=db)
    result = commands.run("scan", source, "--collection", "crops", "--json", db=db)
    assert "moved with their pictures: 2 objects" in result.err and result.counts["new"] == 0
    after = {each["image_id"]: each["path"] for each in crops(db)}
    assert after == {number: path.replace("b.jpg", "renamed.jpg") for number, path in before.items()}
    status = {each["name"]: each["files"] for each in commands.run("status", "--json", db=db).counts["collections"]}
    assert status["crops"]["gone"] == []


def test_frames_of_a_film_have_parts_too(tmp_path):
    film, db = tmp_path / "film.mp4", tmp_path / "test.duckdb"
    frames = [grey(number, (96, 96)) for number in range(4)]
    for number, frame in enumerate(frames):
        frame[10:70, 20:90] = 40 + 50 * number
    write_film(film, frames, fps=2)
    commands.run("scan", film, db=db)
    run_id = propose(db, boxes=BOXES[:1])
    counts = commands.run("run", f"objects:{run_id}", "--collection", "crops", *SMALL, "--json", db=db).counts
    assert (counts["new"], counts["failed"]) == (2, 0)
    found = crops(db)
    assert [each["path"] for each in found] == [f"film.mp4#t={at}&xywh=20,10,70,60" for at in ("0.000", "1.000")]
    levels = [np.asarray(originals.original(tmp_path, each["path"]), float).mean() for each in found]
    np.testing.assert_allclose(levels, [40, 140], atol=4)
    assert {task.name: task.read().sha256 for task in list_collection(db, "crops").tasks} == {
        each["path"]: each["sha256"] for each in found
    }


def test_a_part_that_no_longer_lies_in_its_picture_says_so(collection):
    folder, *_ = collection
    with pytest.raises(BadImage, match="does not lie in its picture, which has 150 × 130 pixels now"):
        originals.original(folder, "a.tif#xywh=100,10,70,60")
    with pytest.raises(BadImage, match="There is no such file"):
        originals.original(folder, "gone.tif#xywh=100,10,70,60")


def test_what_cannot_be_is_said_in_a_sentence(done, tmp_path):
    folder, db, run_id, _ = done
    for address, sentence in [
        ("objects:99", f"there is no run '99' of objects in {db}; there is objects:{run_id}"),
        ("objects:one", "there is no run 'one' of objects"),
    ]:
        result = commands.run("run", address, *SMALL, db=db)
        assert result.code == 2 and sentence in result.err
    result = commands.run("run", "objects:1", *SMALL, db=tmp_path / "none.duckdb")
    assert result.code == 2 and "make one with: python -m ingest objects FOLDER" in result.err
    result = commands.run("run", f"objects:{run_id}", "--collection", "scans", *SMALL, db=db)
    assert result.code == 2 and "holds other pictures than the objects of run" in result.err
    result = commands.run("run", f"objects:{run_id}", "--every", "1s", *SMALL, db=db)
    assert result.code == 2 and "--every is for films" in result.err
    with writing(db) as con:
        web = write.add_collection(con, "web", "https://example.org/manifest")
        empty = objects.add_run(con, web, ObjectRun("lost", "LOST", "tiny", "0" * 64, {"options": {}}))
    result = commands.run("run", f"objects:{empty}", *SMALL, db=db)
    assert result.code == 2 and "has no objects that can be cut out" in result.err


def test_the_command_makes_the_collection_at_once(collection, tmp_path):
    folder, *_ = collection
    db = tmp_path / "test.duckdb"
    command = ("objects", folder, "--model", "tiny:dinov2", "--as-collection", "crops", "--json")
    counts = commands.run(*command, db=db).counts
    assert counts["derived"] == {"collection": "crops", "new": counts["objects"], "already": 0, "failed": 0}
    assert len(crops(db)) == counts["objects"] > 0
    assert commands.run(*command, db=db).counts["derived"]["already"] == counts["objects"]
