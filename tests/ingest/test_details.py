"""`run --patches`, `details` and `detail`: parts of pictures are found again where they were cut from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.vision.details import measuring
from ingest.vision.details.crops import overlap
from store import patch_features
from store.connection import reading, writing
from store.errors import StoreError
from tests.support import commands
from tests.support.databases import ask
from tests.vision.test_close_up import fine
from tests.vision.test_details import textured

BOX = "20,30,90,80"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Six pictures, one of them turned by its EXIF, and a file that is none; with patches."""
    folder = tmp_path_factory.mktemp("details")
    scans = folder / "scans"
    scans.mkdir()
    for number in range(6):
        picture, exif = textured(200 + 20 * number, 180, number), Image.Exif()
        if number == 4:
            picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
        picture.save(scans / f"p{number}.png", exif=exif)
    (scans / "bad.png").write_bytes(b"no picture")
    (scans / "metadata.csv").write_text("file,year\n" + "\n".join(f"p{n}.png,{1500 + n}" for n in range(6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "CROPS", 6)
        patch.setattr(measuring, "SIDES", (6, 8))
        result = commands.run("run", scans, *commands.TINY, "--patches", "--json", db=folder / "a.duckdb")
    assert result.code == 0, result.err
    return folder / "a.duckdb", scans, result


def test_run_stores_patches_and_says_which_block_won(made):
    db, _, result = made
    found = result.counts["details"]
    assert (found["new"], found["already"], found["failed"]) == (6, 0, 0)
    assert found["measured"]["crops"] == 6 and len(found["measured"]["measured"]) > 1
    assert f"block {found['layer']}" in result.err and "of 6 random crops" in result.err
    (row,) = ask(db, "SELECT run_id, layer, size, dim, report->>'$.crops' FROM patch_codings")
    assert row == (1, found["layer"], found["size"], found["dim"], "6")
    rows = ask(db, "SELECT image_id, rows, cols, left_out, bytes, x0, y0, x1, y1 FROM patch_features ORDER BY image_id")
    sizes = ask(db, "SELECT width, height FROM images ORDER BY image_id")
    for (_, down, across, left_out, size, *frame), (width, height) in zip(rows, sizes, strict=True):
        assert size == (down * across - left_out) * found["dim"] <= measuring.BYTES
        assert frame == [0, 0, width, height]


def test_again_nothing_is_done_and_what_is_missing_is_added(made, tmp_path):
    db, _, _ = made
    copy = Path(shutil.copy(db, tmp_path / "copy.duckdb"))
    assert commands.run("details", "--json", db=copy).counts["already"] == 6
    import duckdb

    with duckdb.connect(str(copy)) as con:
        before = con.execute("SELECT codes FROM patch_feature ORDER BY image_id").fetchall()
        con.execute("DELETE FROM patch_feature WHERE image_id IN (2, 5)")
    only = commands.run("details", "--images", "2", "--json", db=copy).counts
    assert (only["new"], only["already"]) == (1, 0)
    rest = commands.run("details", "--json", db=copy).counts
    assert (rest["new"], rest["already"]) == (1, 5)
    assert ask(copy, "SELECT codes FROM patch_feature ORDER BY image_id") == before
    other = commands.run("details", "--layer", "0", "--size", "56", db=copy)
    assert "is replaced, with the patches of 6 pictures" in other.err and "patches of 6 new" in other.out
    assert ask(copy, "SELECT DISTINCT layer, size FROM patch_codings") == [(0, 56)]


def test_a_file_that_has_changed_since_the_run_is_reported(made, tmp_path):
    db, scans, _ = made
    copy = tmp_path / "a.duckdb"
    shutil.copy(db, copy), shutil.copytree(scans, tmp_path / "scans")
    import duckdb

    with duckdb.connect(str(copy)) as con:
        con.execute("DELETE FROM patch_feature")
        con.execute("UPDATE collection SET source = ?", [str(tmp_path / "scans")])
    textured(90, 80, 77).save(tmp_path / "scans" / "p1.png")
    found = commands.run("details", "--json", db=copy)
    assert found.code == 0 and (found.counts["new"], found.counts["failed"]) == (5, 1)
    assert "p1.png: The file has changed since the run" in found.err
    assert ask(copy, "SELECT path, stage FROM failures WHERE stage = 'details'") == [("p1.png", "details")]


@pytest.mark.parametrize("number", [2, 4])
def test_a_part_is_found_where_it_was_cut_from(made, tmp_path, number):
    db, _, _ = made
    box = (60, 40, 150, 130)
    part = textured(200 + 20 * number, 180, number).crop(box).resize((110, 110), Image.Resampling.BICUBIC)
    part.save(tmp_path / "part.jpg", quality=70)
    first, *others = commands.run("detail", tmp_path / "part.jpg", "--k", "3", "--json", db=db).counts["images"]
    assert (first["path"], first["stage"], first["rank"]) == (f"p{number}.png", "key points", 1)
    x, y, width, height = first["box"]
    assert overlap((x, y, x + width, y + height), box) > 0.75 and first["matches"] >= 5
    assert len(others) == 2 and {row["stage"] for row in others} == {"votes"}


def test_a_box_on_an_image_of_the_database_finds_other_pictures_alone(made):
    db, _, _ = made
    table = commands.run("detail", "3", "--box", BOX, "--k", "9", db=db)
    assert table.code == 0 and len(table.out.splitlines()) == 6 and "p2.png" not in table.out
    found = commands.run("detail", "3", "--box", BOX, "--where", "year < 1502", "--json", db=db).counts
    assert found["searched"] == 2 and {row["path"] for row in found["images"]} == {"p0.png", "p1.png"}
    assert found["box"] == [20, 30, 90, 80]


def test_parts_of_one_picture_are_not_found_in_each_other(made, tmp_path):
    db = tmp_path / "test.duckdb"
    shutil.copy(made[0], db)
    with writing(db) as con:  # as objects of one picture are called
        con.execute("UPDATE image SET path = 'p2.png#xywh=0,0,20,20' WHERE path = 'p4.png'")
    found = commands.run("detail", "3", "--box", BOX, "--k", "9", "--json", db=db).counts
    assert not {row["path"].split("#")[0] for row in found["images"]} & {"p2.png", "p4.png"}


def test_mirrored_parts_on_request(made, tmp_path):
    db, _, _ = made
    part = textured(260, 180, 3).crop((40, 30, 160, 150)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    part.save(tmp_path / "part.png")
    plain = commands.run("detail", tmp_path / "part.png", "--json", db=db).counts["images"]
    assert {row["stage"] for row in plain} == {"votes"}
    (first,) = commands.run("detail", tmp_path / "part.png", "--mirrored", "--k", "1", "--json", db=db).counts["images"]
    assert first["path"] == "p3.png" and first["mirrored"] and first["stage"] == "key points"


def test_a_small_part_of_a_large_scan_is_found_by_a_closer_look(tmp_path, monkeypatch):
    """Reduced as a whole, the scan shows none of it."""
    monkeypatch.setattr(measuring, "CROPS", 2)
    scans, box = tmp_path / "scans", (1740, 80, 1840, 180)
    scans.mkdir()
    paper = Image.new("RGB", (2600, 320), (225, 220, 210))
    for seed, x in enumerate((200, 900, 2400)):
        paper.paste(fine(100, seed), (x, 150))
    paper.paste(fine(100, 9), box)
    paper.save(scans / "large.png", compress_level=1)
    textured(300, 200, 1).save(scans / "small.png")
    fine(100, 9).save(tmp_path / "part.png")
    db = tmp_path / "a.duckdb"
    assert commands.run("run", scans, *commands.TINY, "--methods", "none", db=db).code == 0
    assert commands.run("details", "--layer", "1", "--size", "112", db=db).code == 0
    first, second = commands.run("detail", tmp_path / "part.png", "--json", db=db).counts["images"]
    x, y, width, height = first["box"]
    assert (first["path"], first["stage"]) == ("large.png", "key points") and first["matches"] >= 5
    assert overlap((x, y, x + width, y + height), box) > 0.9 and second["stage"] == "votes"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("3", "--box", "0,0,0,3"), "a box needs a width and a height above 0"),
        (("3", "--box", "200,0,50,20"), "does not lie inside the picture, which has 240 × 180 pixels"),
        (("3", "--box", "1,2,3"), "four numbers are expected"),
        (("3", "--box", "a,b,c,d"), "four numbers are expected"),
        (("3", "--box", "0,0,5,5"), "smaller than a patch of this network"),
        (("99",), "there is no image 99"),
        (("nowhere.png",), "nowhere.png cannot be searched for: There is no such file."),
        (("{scans}/bad.png",), "cannot be searched for"),
        (("3", "--where", "no such thing"), "--where 'no such thing' cannot be asked"),
        (("3", "--run", "7"), "there is no run 7"),
    ],
)
def test_wrong_input_gets_a_sentence(made, words, sentence):
    db, scans, _ = made
    result = commands.run("detail", *(word.format(scans=scans) for word in words), db=db)
    assert result.code == 2 and sentence in result.err and "Traceback" not in result.err


def test_a_run_without_patches_says_what_to_type(made, tmp_path):
    _, scans, _ = made
    db = tmp_path / "plain.duckdb"
    assert commands.run("run", scans, *commands.TINY, "--methods", "none", db=db).code == 0
    result = commands.run("detail", "1", db=db)
    assert result.code == 2 and "python -m ingest details --run 1" in result.err
    with reading(db) as con, pytest.raises(StoreError, match="ingest details --run 1"):
        patch_features.patches(con, 1)


def test_stored_patches_come_back_as_they_were(made):
    db, _, _ = made
    with reading(db) as con:
        stored = patch_features.patches(con, 1)
        coding = patch_features.coding(con, 1)
    assert stored.image_ids.tolist() == [1, 2, 3, 4, 5, 6] and stored.codes.dtype == np.int8
    assert stored.starts[-1] == len(stored.codes) == len(stored.cells) and coding.axes.shape[0] == stored.codes.shape[1]
    for place, frame in enumerate(stored.frames):
        cells = stored.cells[stored.starts[place] : stored.starts[place + 1]]
        assert (np.diff(cells) > 0).all() and cells[0] >= 0 and cells[-1] < frame.rows * frame.cols
