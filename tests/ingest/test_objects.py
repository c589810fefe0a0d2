"""`python -m ingest objects`: from pictures to boxes in the database."""

import io

import duckdb
import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.one_by_one import OneByOne
from tests.support import commands
from tests.support.pictures import noise

TINY = ("--model", "tiny:dinov2", "--size", "112")
PLACE = (60, 30, 160, 110)  # of what stands out


def planted(width: int, height: int, seed: int) -> Image.Image:
    """Noise in a box on an even ground."""
    picture = Image.new("RGB", (width, height), (170, 160, 140))
    picture.paste(noise(PLACE[2] - PLACE[0], PLACE[3] - PLACE[1], seed), PLACE[:2])
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiled TIFF, a turned JPEG, a page of two, an empty sheet; a damaged file, one without bytes."""
    folder = tmp_path_factory.mktemp("objects") / "scans"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", np.asarray(planted(260, 150, 1)), tile=(64, 64), photometric="rgb")
    turned = Image.Exif()
    turned[0x0112] = 6
    planted(260, 150, 2).transpose(Image.Transpose.ROTATE_90).save(folder / "b.jpg", exif=turned, quality=95)
    pages = [np.asarray(planted(200, 140, seed)) for seed in (3, 4)]
    tifffile.imwrite(folder / "c.tif", np.stack(pages), photometric="rgb")
    Image.new("RGB", (120, 90), (240, 240, 235)).save(folder / "d.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "torn.jpg").write_bytes((folder / "b.jpg").read_bytes()[:900])
    return folder


@pytest.fixture(scope="module", params=["tokencut", "lost"])
def done(request, folder, tmp_path_factory):
    """The method, the database of one command over all of it, and what the command said."""
    db = tmp_path_factory.mktemp(request.param) / "test.duckdb"
    return (
        request.param,
        db,
        commands.run("objects", folder, *TINY, "--method", request.param, "--objects", "2", "--json", db=db),
    )


def rows(db, query):
    with duckdb.connect(str(db), read_only=True) as con:
        return con.execute(query).fetchall()


def everything(db):
    query = """
        SELECT path, method, rank, x0, y0, x1, y1, score, area, cells FROM objects
        JOIN object_cells USING (run_id, image_id, rank) JOIN images USING (image_id) ORDER BY path, rank
    """
    return rows(db, query)


def test_good_pictures_are_searched_and_bad_ones_reported(done):
    method, db, result = done
    assert result.code == 0 and (result.counts["new"], result.counts["failed"]) == (5, 2)
    searched = [path for (path,) in rows(db, "SELECT path FROM object_frames JOIN images USING (image_id) ORDER BY 1")]
    assert searched == ["a.tif", "b.jpg", "c.tif#page=1", "c.tif#page=2", "d.png"]
    failures = dict(rows(db, "SELECT path, error FROM failures WHERE stage = 'objects'"))
    assert set(failures) == {"empty.png", "torn.jpg"} and failures["empty.png"] == "The file is empty."
    assert all(f"failed: {name}: {why}" in result.err for name, why in failures.items())
    assert result.counts["objects"] == len(everything(db))
    assert {each for (each,) in rows(db, "SELECT DISTINCT method FROM objects")} == {method}


def test_boxes_lie_in_the_upright_original_around_what_stands_out(done, folder):
    _, db, _ = done
    sizes = {path: size for path, *size in rows(db, "SELECT path, width, height FROM images")}
    assert sizes["b.jpg"] == [260, 150]
    frames = {
        path: cells
        for path, *cells in rows(
            db, "SELECT path, rows, cols, x0, y0, x1, y1 FROM object_frames JOIN images USING (image_id)"
        )
    }
    for path, _, rank, x0, y0, x1, y1, score, area, cells in everything(db):
        down, across, *edges = frames[path]
        width, height = sizes[path]
        assert edges == [0, 0, width, height] and 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        assert -2 <= score <= 2 and area == pytest.approx(len(cells) / (down * across))
        if rank == 1 and path != "d.png":
            inside = max(0, min(x1, PLACE[2]) - max(x0, PLACE[0])) * max(0, min(y1, PLACE[3]) - max(y0, PLACE[1]))
            union = (x1 - x0) * (y1 - y0) + (PLACE[2] - PLACE[0]) * (PLACE[3] - PLACE[1]) - inside
            assert inside / union > 0.5, (path, x0, y0, x1, y1)


def test_thumbnails_show_what_is_in_the_boxes(done, folder):
    from ingest.vision.originals import original

    _, db, _ = done
    query = """
        SELECT path, x0, y0, x1, y1, data FROM objects JOIN proposed_object_thumbnail USING (run_id, image_id, rank)
        JOIN images USING (image_id)
    """
    found = rows(db, query)
    assert len(found) == len(everything(db))
    for path, x0, y0, x1, y1, data in found:
        stored, part = Image.open(io.BytesIO(data)), original(folder, path).crop((x0, y0, x1, y1))
        assert stored.size == part.size  # none is larger than a thumbnail
        assert np.abs(np.asarray(stored, float).mean((0, 1)) - np.asarray(part, float).mean((0, 1))).max() < 4


def test_again_there_is_nothing_to_do_and_a_new_or_changed_picture_alone_is_done(folder, tmp_path):
    db, copies = tmp_path / "test.duckdb", tmp_path / "scans"
    copies.mkdir()
    for name in ("d.png", "b.jpg"):
        (copies / name).write_bytes((folder / name).read_bytes())
    command = ("objects", copies, *TINY, "--json")
    first = commands.run(*command, db=db).counts
    assert first["new"] == 2
    assert (commands.run(*command, db=db).counts["new"], commands.run(*command, db=db).counts["already"]) == (0, 2)
    (copies / "e.png").write_bytes((folder / "d.png").read_bytes())
    planted(300, 200, 7).save(copies / "d.png")
    counts = commands.run(*command, db=db).counts
    assert (counts["new"], counts["already"], counts["run_id"]) == (2, 1, first["run_id"])
    other = commands.run(*command, "--method", "lost", db=db).counts
    assert other["run_id"] != first["run_id"] and other["new"] == 3
    continued = commands.run("objects", copies, "--run", first["run_id"], "--json", db=db).counts
    assert (continued["run_id"], continued["method"], continued["new"]) == (first["run_id"], "tokencut", 0)


def test_a_killed_run_continues_where_it_was(done, folder, tmp_path, monkeypatch):
    method, undisturbed, _ = done
    db, calls, one = tmp_path / "test.duckdb", [], OneByOne._one

    def killed(self, *args):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(args)
        return one(self, *args)

    command = ("objects", folder, *TINY, "--method", method, "--objects", "2")
    with monkeypatch.context() as patched:
        patched.setattr(OneByOne, "_one", killed)
        stopped = commands.run(*command, db=db)
    assert stopped.code == 1 and "what was finished is stored" in stopped.err
    counts = commands.run(*command, "--json", db=db).counts
    assert (counts["already"], counts["new"]) == (2, 3)
    assert everything(db) == everything(undisturbed)


def test_only_the_images_that_are_meant(folder, tmp_path):
    db = tmp_path / "test.duckdb"
    commands.run("scan", folder, db=db)
    counts = commands.run("objects", folder, *TINY, "--where", "path = 'b.jpg'", "--json", db=db).counts
    assert (counts["found"], counts["new"]) == (1, 1)


def test_on_an_empty_sheet_nothing_stands_out(folder, tmp_path):
    """Trained networks see positions even there."""
    words = ("--model", "packaged", "--objects", "2", "--json")
    counts = commands.run("objects", folder / "d.png", *words, db=tmp_path / "test.duckdb").counts
    assert (counts["new"], counts["objects"], counts["without"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--method", "dino_seg"), "objects are found by tokencut or lost, not 'dino_seg'"),
        (("--objects", "0"), "--objects is 1 or more, not 0"),
        (("--method", "lost", "--tau", "0.3"), "LOST has no --tau; it has --k-patches"),
        (("--tau", "1"), "--tau is a cosine from -1 to less than 1, not 1.0"),
        (("--model", "tiny:timm-xcit"), "only the CLS token asks"),
        (("--model", "tiny:dinov2", "--size", "50"), "is not a multiple of this model's patch"),
        (("--run", "7"), "there is no run 7 of objects"),
        (
            ("--run", "7", "--method", "lost", "--no-centre"),
            "goes on with the settings of run 7; leave out --method, --c",
        ),
        (("--where", "no such column"), "cannot be asked of the catalogue"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(folder, tmp_path, options, sentence):
    result = commands.run("objects", folder / "d.png", *options, db=tmp_path / "test.duckdb")
    assert result.code == 2 and sentence in result.err and "Traceback" not in result.err
