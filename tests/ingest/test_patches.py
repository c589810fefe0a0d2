"""`python -m ingest patches`: large pictures by windows, from the files to the database."""

import io

import duckdb
import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.one_by_one import OneByOne
from ingest.patches import selecting
from ingest.vision.backbones import load
from ingest.vision.embedding import embed
from tests.support import commands
from tests.support.pictures import noise

SMALL = ("--model", "tiny:dinov2", "--patch-size", "40", "--top", "5", "--iteration", "8")


def save_large(folder):
    """A tiled TIFF, a turned JPEG, a PNG, two pages; a picture smaller than a patch, one without pixels, a damaged
    one."""
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", np.asarray(noise(150, 130, 1)), tile=(64, 64), photometric="rgb")
    turned = Image.Exif()
    turned[0x0112] = 6
    noise(130, 90, 2).save(folder / "b.jpg", exif=turned, quality=95)
    noise(80, 90, 3).save(folder / "c.png")
    pages = [np.asarray(noise(80, 80, seed)) for seed in (4, 5)]
    tifffile.imwrite(folder / "d.tif", np.stack(pages), photometric="rgb")
    noise(39, 300, 6).save(folder / "small.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "torn.jpg").write_bytes((folder / "b.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return save_large(tmp_path_factory.mktemp("large") / "scans")


@pytest.fixture(scope="module", params=["attention", "rarity"])
def done(request, large, tmp_path_factory):
    """The database of one command over all of it, with what the command said."""
    db = tmp_path_factory.mktemp(request.param) / "test.duckdb"
    return db, commands.run("patches", large, *SMALL, "--scorer", request.param, "--json", db=db)


def rows(db, query):
    with duckdb.connect(str(db), read_only=True) as con:
        return con.execute(query).fetchall()


def everything(db):
    """All that follows from the pictures, without the times."""
    query = """
        SELECT path, rank, x0, y0, x1, y1, score, vector, rows, cols, sha256
        FROM patches JOIN patch_vectors USING (run_id, image_id, rank) JOIN patch_grids USING (run_id, image_id)
        JOIN images USING (image_id) ORDER BY path, rank
    """
    return rows(db, query)


def picture(folder, path):
    """A picture as it is to be seen, upright."""
    from ingest.vision.originals import original

    return original(folder, path)


def test_good_pictures_are_stored_and_bad_ones_reported(done):
    db, result = done
    assert result.code == 0 and (result.counts["new"], result.counts["failed"]) == (5, 3)
    found = rows(db, "SELECT path, count(*) FROM patches JOIN images USING (image_id) GROUP BY 1 ORDER BY 1")
    assert found == [("a.tif", 5), ("b.jpg", 5), ("c.png", 5), ("d.tif#page=1", 4), ("d.tif#page=2", 4)]
    failures = dict(rows(db, "SELECT path, error FROM failures WHERE stage = 'patches'"))
    assert set(failures) == {"small.png", "empty.png", "torn.jpg"}
    assert failures["small.png"] == "The picture has 39 × 300 pixels, less than one patch of 40 × 40."
    assert failures["empty.png"] == "The file is empty."
    assert all(f"failed: {name}: {why}" in result.err for name, why in failures.items())


def test_boxes_lie_in_the_upright_original_and_features_are_of_what_is_there(done, large):
    db, _ = done
    backbone = load("tiny:dinov2")
    sizes = {path: size for path, *size in rows(db, "SELECT path, width, height FROM images")}
    assert sizes["b.jpg"] == [90, 130]
    small = dict(rows(db, "SELECT path || rank, data FROM selected_patch_thumbnail JOIN images USING (image_id)"))
    for path, rank, x0, y0, x1, y1, _, vector, *_ in everything(db):
        assert (x1 - x0, y1 - y0) == (40, 40) and x1 <= sizes[path][0] and y1 <= sizes[path][1]
        patch = picture(large, path).crop((x0, y0, x1, y1))
        np.testing.assert_allclose(vector, embed(backbone, [patch], "stretch")[0], atol=2e-4)
        stored = np.asarray(Image.open(io.BytesIO(small[f"{path}{rank}"])), float)
        assert stored.shape == (40, 40, 3)
        assert np.corrcoef(stored.ravel(), np.asarray(patch, float).ravel())[0, 1] > 0.4  # of other patches about 0


def test_pictures_are_stored_as_scan_stores_them(done, large, tmp_path):
    db, _ = done
    commands.run("scan", large, db=tmp_path / "scan.duckdb")
    facts = "SELECT path, sha256, width, height, bytes, modified FROM image WHERE path != 'small.png' ORDER BY path"
    assert rows(db, facts) == rows(tmp_path / "scan.duckdb", facts)
    sizes = "SELECT path, t.width, t.height FROM thumbnail t JOIN image USING (image_id) ORDER BY path"
    expected = [row for row in rows(tmp_path / "scan.duckdb", sizes) if row[0] != "small.png"]
    assert rows(db, sizes) == expected


def test_again_there_is_nothing_to_do_and_a_new_or_changed_picture_alone_is_done(large, tmp_path):
    db, folder = tmp_path / "test.duckdb", tmp_path / "scans"
    folder.mkdir()
    for name in ("a.tif", "c.png"):
        (folder / name).write_bytes((large / name).read_bytes())
    first = commands.run("patches", folder, *SMALL, "--json", db=db).counts
    again = commands.run("patches", folder, *SMALL, "--json", db=db)
    assert (again.counts["new"], again.counts["already"]) == (0, 2) and "0 of 2 pictures to do" in again.err
    noise(80, 80, 9).save(folder / "c.png")
    noise(80, 80, 10).save(folder / "n.png")
    more = commands.run("patches", folder, *SMALL, "--json", db=db).counts
    assert (more["new"], more["already"], more["run_id"]) == (2, 1, first["run_id"])
    other = commands.run("patches", folder, *SMALL, "--top", "2", "--json", db=db).counts
    assert other["run_id"] != first["run_id"] and other["new"] == 3
    continued = commands.run("patches", folder, "--run", first["run_id"], "--json", db=db).counts
    assert (continued["run_id"], continued["new"], continued["already"]) == (first["run_id"], 0, 3)


@pytest.mark.parametrize(("stop", "after"), [("_sample_one", 1), ("_one", 3)])
def test_a_killed_run_continues_where_it_was(done, large, tmp_path, monkeypatch, stop, after):
    undisturbed, result = done
    scorer, db = result.counts["scorer"], tmp_path / "test.duckdb"
    if (scorer, stop) == ("attention", "_sample_one"):
        pytest.skip("takes no sample")
    where = OneByOne if stop == "_one" else selecting._Work
    calls, method = [], getattr(where, stop)

    def killed(self, *args):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(args)
        return method(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(where, stop, killed)
        stopped = commands.run("patches", large, *SMALL, "--scorer", scorer, db=db)
    assert stopped.code == 1 and "\nstopped; what was finished is stored" in stopped.err and "Error" not in stopped.err
    embedded = []
    sampling = selecting._Work._sample_one
    monkeypatch.setattr(selecting._Work, "_sample_one", lambda *args: embedded.append(1) or sampling(*args))
    counts = commands.run("patches", large, *SMALL, "--scorer", scorer, "--json", db=db).counts
    assert counts["already"] == (after if stop == "_one" else 0)
    # What was sampled is not sampled again: three of the eight can not be.
    assert len(embedded) == (0 if stop == "_one" else 8 - after)
    assert [row[:6] for row in everything(db)] == [row[:6] for row in everything(undisturbed)]
    np.testing.assert_allclose([row[6] for row in everything(db)], [row[6] for row in everything(undisturbed)])


def test_only_the_images_that_are_meant(large, tmp_path):
    db = tmp_path / "test.duckdb"
    commands.run("scan", large, db=db)
    counts = commands.run("patches", large, *SMALL, "--where", "path = 'c.png'", "--json", db=db).counts
    assert (counts["found"], counts["new"]) == (1, 1)
    assert rows(db, "SELECT DISTINCT path FROM patches JOIN images USING (image_id)") == [("c.png",)]


def test_a_planted_patch_is_the_rarest(tmp_path):
    """Patches of one texture, and in one picture something else at a place that is known."""
    folder = tmp_path / "scans"
    folder.mkdir()
    texture = np.tile(np.asarray(noise(40, 40, 3)), (3, 4, 1))
    for name in ("one", "two"):
        tifffile.imwrite(folder / f"{name}.tif", texture, tile=(64, 64), photometric="rgb")
    texture[40:80, 120:160] = np.linspace(0, 255, 40).astype(np.uint8)[:, None]
    tifffile.imwrite(folder / "three.tif", texture, tile=(64, 64), photometric="rgb")
    db = tmp_path / "test.duckdb"
    commands.run("patches", folder, *SMALL, "--scorer", "rarity", db=db)
    best = rows(db, "SELECT path, x0, y0, x1, y1 FROM patches JOIN images USING (image_id) ORDER BY score DESC LIMIT 1")
    assert best == [("three.tif", 120, 40, 160, 80)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--top", "0"), "M, the number of patches selected, is 1 or more, not 0"),
        (("--iteration", "0"), "I, the number of patches added a round, is 1 or more, not 0"),
        (("--patch-size", "0"), "sides of 1 pixel or more, not 0"),
        (("--stride", "41"), "--stride is between 1 and the side of a patch, 40 pixels"),
        (("--scorer", "beauty"), "attention, rarity"),
        (("--how", "fast"), "rounds, exact, not 'fast'"),
        (("--shuffle", "all"), "none, batch, instance, not 'all'"),
        (("--mask-top", "3", "--mask-probability", "2"), "between 0 and 1"),
        (("--run", "9"), "there is no run 9 of patches"),
        (("--where", "nonsense ("), "cannot be asked of the catalogue"),
    ],
)
def test_wrong_usage_is_one_sentence_and_changes_nothing(words, says, large, tmp_path):
    result = commands.run("patches", large, *SMALL, *words, db=tmp_path / "test.duckdb")
    assert result.code == 2 and says in result.err and result.out == ""


def test_a_run_of_another_collection_is_refused(done, tmp_path):
    db, result = done
    noise(80, 80, 10).save(tmp_path / "n.png")
    refused = commands.run("patches", tmp_path, "--run", result.counts["run_id"], "--collection", "other", db=db)
    assert refused.code == 2 and "is of the collection 'scans', not of 'other'" in refused.err
    missing = commands.run("patches", tmp_path, "--run", 99, "--collection", "other", db=db)
    assert missing.code == 2 and f"there is no run 99 of patches in {db}; it has 1" in missing.err


def test_a_run_whose_network_has_changed_is_not_continued(large, tmp_path):
    db = tmp_path / "test.duckdb"
    run_id = commands.run("patches", large, *SMALL, "--limit", 1, "--json", db=db).counts["run_id"]
    with duckdb.connect(str(db)) as con:
        con.execute("UPDATE patch_run SET weights_sha256 = 'another'")
    refused = commands.run("patches", large, "--run", run_id, db=db)
    assert refused.code == 2 and "with other weights" in refused.err


def test_pictures_that_all_fail_leave_no_run_and_fail_the_command(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    noise(20, 20).save(folder / "a.png")
    for scorer in ("attention", "rarity"):
        db = tmp_path / f"{scorer}.duckdb"
        result = commands.run("patches", folder, *SMALL, "--scorer", scorer, db=db)
        assert result.code == 1 and "1 failed · no run" in result.out
        assert rows(db, "SELECT count(*) FROM patch_runs") == [(0,)]
