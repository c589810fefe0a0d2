"""Changed, moved, touched, deleted files and twins: what happens is defined, and shown before anything is forgotten."""

import os
import shutil

import duckdb
import pytest

from ingest.vision import loader
from tests.support.databases import ask
from tests.support.pictures import save_picture

TINY = ("--model", "tiny:vit")
NO_MAP = ("--project", "none")


def files(command):
    (row,) = command("status", "--json").counts["collections"]
    return row["files"]


def tag(db, path, name):
    with duckdb.connect(str(db)) as con:
        con.execute("INSERT INTO tag SELECT image_id, ?, NULL, now() FROM image WHERE path = ?", [name, path])


def test_nothing_has_happened(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    assert files(command) == {"here": True, "gone": [], "changed": [], "new": [], "duplicates": []}
    assert "  " not in command("status").out


def test_a_moved_file_keeps_its_id_its_features_and_its_tags(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    tag(command.db, "p0.jpg", "kept")
    before = ask(command.db, "SELECT image_id, vector FROM features JOIN images USING (image_id) WHERE path = 'p0.jpg'")
    (folder / "deep/er").mkdir(parents=True)
    (folder / "p0.jpg").rename(folder / "deep/er/renamed.jpg")
    result = command("run", folder, *TINY, *NO_MAP)
    assert "0 new, 9 already there, 0 failed, 1 moved" in result.out
    assert "p0.jpg → deep/er/renamed.jpg" in result.err
    query = "SELECT image_id, vector FROM features JOIN images USING (image_id) WHERE path = 'deep/er/renamed.jpg'"
    assert ask(command.db, query) == before
    assert ask(command.db, "SELECT path, tag FROM tags JOIN images USING (image_id)") == [
        ("deep/er/renamed.jpg", "kept")
    ]
    assert ask(command.db, "SELECT title FROM catalogue WHERE path = 'deep/er/renamed.jpg'") == [("Picture 0",)]
    assert files(command)["gone"] == []


def test_a_file_that_was_moved_and_changed_is_another_picture(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    (folder / "p0.jpg").unlink()
    save_picture(folder / "q0.jpg", 99)
    counts = command("run", folder, *TINY, *NO_MAP, "--json").counts
    assert (counts["new"], counts["moved"], counts["gone"]) == (1, {}, ["p0.jpg"])


def test_twins_that_move_together_go_to_their_own_names(folder, command):
    shutil.copy(folder / "p0.jpg", folder / "twin.jpg")
    command("run", folder, *TINY, *NO_MAP)
    assert files(command)["duplicates"] == [["p0.jpg", "twin.jpg"]]
    (folder / "new").mkdir()
    for name in ("twin.jpg", "p0.jpg"):
        (folder / name).rename(folder / "new" / name)
    moved = command("run", folder, *TINY, *NO_MAP, "--json").counts["moved"]
    assert moved == {"p0.jpg": "new/p0.jpg", "twin.jpg": "new/twin.jpg"}


def test_a_copy_is_an_image_of_its_own(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    shutil.copy2(folder / "p0.jpg", folder / "copy.jpg")
    assert files(command)["new"] == ["copy.jpg"]
    counts = command("run", folder, *TINY, *NO_MAP, "--json").counts
    assert (counts["new"], counts["moved"]) == (1, {})
    assert (
        "1 picture more than once (such as copy.jpg = p0.jpg)" in command("status").out
        or "p0.jpg = copy.jpg" in command("status").out
    )


def test_a_new_time_stamp_alone_is_no_reason_to_compute_again(folder, command, monkeypatch):
    command("run", folder, *TINY, *NO_MAP)
    for path in folder.rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert len(files(command)["changed"]) == 9
    monkeypatch.setattr(loader, "_decoded", lambda *_: pytest.fail("read again"))
    assert "0 new, 9 already there" in command("run", folder, *TINY, *NO_MAP).out
    assert files(command)["changed"] == []


def test_a_changed_file_of_the_same_length_is_read_again(folder, command):
    (folder / "a.bmp").write_bytes(b"")
    save_picture(folder / "a.bmp", 1)
    command("run", folder, *TINY, *NO_MAP)
    before = ask(command.db, "SELECT sha256 FROM images WHERE path = 'a.bmp'")
    length = (folder / "a.bmp").stat().st_size
    save_picture(folder / "a.bmp", 2)
    os.utime(folder / "a.bmp", (1_000_000_000, 1_000_000_000))
    assert (folder / "a.bmp").stat().st_size == length
    assert files(command)["changed"] == ["a.bmp"]
    assert command("run", folder, *TINY, *NO_MAP, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT sha256 FROM images WHERE path = 'a.bmp'") != before


def test_deleted_files_are_shown_and_forgotten_only_when_asked(folder, command):
    (folder / "broken.jpg").write_text("no picture")
    command("run", folder, *TINY, "--project", "pca")
    tag(command.db, "p0.jpg", "gone")
    for name in ("p0.jpg", "inner/p1.png", "broken.jpg"):
        (folder / name).unlink()
    out = command("status").out
    assert "2 gone (" in out and "prune --collection 'scans'" in out
    result = command("run", folder, *TINY, *NO_MAP)
    assert "no longer in the folder: 2 pictures" in result.err and len(ask(command.db, "FROM images")) == 9
    gone = {row for (row,) in ask(command.db, "SELECT image_id FROM images WHERE path IN ('p0.jpg', 'inner/p1.png')")}
    result = command("prune", "--yes", "--json")
    assert sorted(result.counts["pruned"]) == ["inner/p1.png", "p0.jpg"]
    assert (result.counts["failures"], result.counts["left"]) == (1, 7)
    tables = ask(
        command.db, "SELECT DISTINCT table_name FROM duckdb_columns() WHERE column_name = 'image_id' AND NOT internal"
    )
    assert len(tables) > 10
    for (table,) in tables:
        held = {row for (row,) in ask(command.db, f'SELECT DISTINCT image_id FROM "{table}"')}
        assert not held & gone, table
    assert ask(command.db, "SELECT count(*) FROM points") == [(7,)]
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)]
    # What is left goes on as if nothing had been.
    assert "0 new, 7 already there" in command("run", folder, *TINY, *NO_MAP).out
    assert command("prune", "--yes").out.startswith("scans: 0 forgotten, 7 left")


def test_prune_asks_first(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    (folder / "p0.jpg").unlink()
    result = command("prune")
    assert result.code == 1 and "Forget 1 picture of scans?" in result.err and "p0.jpg" in result.err
    assert len(ask(command.db, "FROM images")) == 9


def test_a_disk_that_is_not_attached_is_no_reason_to_forget(folder, command, tmp_path):
    command("run", folder, *TINY, *NO_MAP)
    folder.rename(tmp_path / "elsewhere")
    assert "its folder is not there" in command("status").out
    result = command("prune", "--yes")
    assert result.code == 2 and "attach its disk" in result.err
    folder.mkdir()  # an empty place to mount it
    result = command("prune", "--yes")
    assert result.code == 2 and "is the disk attached" in result.err
    assert len(ask(command.db, "FROM images")) == 9


def test_run_can_prune_in_one_go(folder, command):
    command("run", folder, *TINY, *NO_MAP)
    (folder / "p0.jpg").unlink()
    (folder / "p2.jpg").rename(folder / "moved.jpg")
    counts = command("run", folder, *TINY, *NO_MAP, "--prune", "--json").counts
    assert (counts["pruned"], counts["moved"], counts["gone"]) == (["p0.jpg"], {"p2.jpg": "moved.jpg"}, [])
    assert len(ask(command.db, "FROM images")) == 8


def test_odd_names_are_found_again(folder, command):
    odd = os.fsencode(folder) + b"/caf\xe9\n.jpg"
    shutil.copy(folder / "p0.jpg", odd)
    command("run", folder, *TINY, *NO_MAP)
    assert files(command)["gone"] == [] and files(command)["new"] == []
    os.remove(odd)
    assert files(command)["gone"] == ["caf\\xe9\\x0a.jpg"]


# Metadata alone


def test_metadata_is_added_later_and_touches_nothing_else(folder, command, tmp_path):
    command("run", folder, *TINY, *NO_MAP)
    vectors = ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1")
    table = tmp_path / "more.jsonl"
    table.write_text('{"file": "p0.jpg", "artist": "Hokusai", "year": 1831}\n{"file": "nowhere.jpg", "artist": "?"}\n')
    result = command("metadata", table, "--json")
    counts = result.counts
    assert (counts["changed"], counts["described"], counts["file_column"]) == (1, 1, "file")
    assert counts["rows_without_picture"] == ["nowhere.jpg"] and len(counts["pictures_without_row"]) == 8
    assert "1 row without a picture (nowhere.jpg)" in result.err and "8 pictures without a row" in result.err
    rows = ask(command.db, "SELECT title, artist, year FROM catalogue WHERE path = 'p0.jpg'")
    assert rows == [("Picture 0", "Hokusai", 1831)]
    assert ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1") == vectors
    # The folder's own table does not wipe it.
    command("run", folder, *TINY, *NO_MAP)
    assert ask(command.db, "SELECT artist FROM catalogue WHERE path = 'p0.jpg'") == [("Hokusai",)]
    assert command("metadata", table, "--json").counts["changed"] == 1  # the year of the folder's table came back


def test_metadata_can_be_corrected_emptied_and_replaced(folder, command, tmp_path):
    command("run", folder, *TINY, *NO_MAP)
    table = tmp_path / "t.csv"
    table.write_text("file,title\np0.jpg,\np2.jpg,New\n")
    command("metadata", table)
    query = "SELECT title, year FROM catalogue WHERE path IN ('p0.jpg', 'p2.jpg') ORDER BY path"
    assert ask(command.db, query) == [(None, 1500), ("New", 1502)]
    command("metadata", table, "--replace")
    assert ask(command.db, query) == [(None, None), ("New", None)]


def test_metadata_says_what_is_wrong(folder, command, tmp_path):
    command("run", folder, *TINY, *NO_MAP)
    (tmp_path / "t.csv").write_text("file,title\nx.jpg,y\n")
    for words, sentence in {
        ("metadata", tmp_path / "t.csv"): "No column of t.csv names the pictures",
        ("metadata", tmp_path / "missing.csv"): "There is no table",
        ("metadata", folder / "metadata.csv", "--file-column", "image"): "no column 'image'",
        ("metadata", folder / "metadata.csv", "--collection", "x"): "there is no collection 'x'",
    }.items():
        result = command(*words)
        assert result.code == 2 and sentence in result.err


def test_a_table_that_may_be_meant_is_named_and_not_guessed_at(folder, command):
    (folder / "metadata.csv").rename(folder / "inventory.csv")
    result = command("run", folder, *TINY, *NO_MAP, "--json")
    assert "inventory.csv may describe the pictures: use it with --metadata" in result.err
    assert "metadata" not in result.counts
    result = command("run", folder, *TINY, *NO_MAP, "--metadata", folder / "inventory.csv")
    assert "inventory.csv describes 9 of 9 pictures, by its column file" in result.err
