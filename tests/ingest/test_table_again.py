"""A table read again: what it no longer says is gone, what others said stays, and how it was read is reported."""

import json

import duckdb
import pytest

from ingest.merging import Merge
from tests.support.databases import ask

ROWS = ["file,title,year", *(f"p{n}.jpg,Picture {n},{1500 + n}" for n in (0, 2, 4))]


def catalogue(command, columns="title, year"):
    found = ask(command.db, f"SELECT path, {columns} FROM catalogue ORDER BY path")
    return {path: values for path, *values in found if "/" not in path}


@pytest.fixture
def read(folder, command):
    def scan(*lines, **options):
        (folder / "metadata.csv").write_text("\n".join(lines or ROWS))
        return command("scan", folder, *options.get("words", ()), "--json")

    return scan


def test_a_row_that_is_deleted_takes_its_values_along(read, folder, command, tmp_path):
    read()
    (tmp_path / "more.csv").write_text("file,artist,year\np2.jpg,Hokusai,1831\n")
    command("metadata", tmp_path / "more.csv")
    result = read(*ROWS[:2], ROWS[3])
    assert catalogue(command, "title, year, artist") == {
        "p0.jpg": ["Picture 0", 1500, None],
        "p2.jpg": [None, 1831, "Hokusai"],  # which another table gave
        "p4.jpg": ["Picture 4", 1504, None],
        "p6.jpg": [None, None, None],
        "p8.jpg": [None, None, None],
    }
    assert result.counts["taken_back"] == {"metadata.csv": ["p2.jpg"]}
    assert "metadata.csv has no row for them any more: what it said of 1 picture (p2.jpg) is taken back" in result.err
    # And once more, when the other table takes its row back too.
    (tmp_path / "more.csv").write_text("file,artist,year\np4.jpg,Hokusai,1832\n")
    command("metadata", tmp_path / "more.csv")
    assert catalogue(command, "artist, year")["p2.jpg"] == [None, None]
    assert catalogue(command, "artist, year")["p4.jpg"] == ["Hokusai", 1832]
    # What it hid is there again.
    (tmp_path / "more.csv").write_text("file,artist\np0.jpg,Hiroshige\n")
    command("metadata", tmp_path / "more.csv")
    assert catalogue(command, "title, artist, year")["p4.jpg"] == ["Picture 4", None, 1504]


def test_a_column_that_is_deleted_takes_its_values_along(read, command):
    read()
    read("file,title", "p0.jpg,New", "p2.jpg,Picture 2")
    assert "year" not in [row[0] for row in ask(command.db, "SELECT column_name FROM (DESCRIBE catalogue)")]
    assert catalogue(command, "title")["p0.jpg"] == ["New"]


def test_a_folders_own_table_that_is_gone_leaves_nothing(read, folder, command, tmp_path):
    read()
    (tmp_path / "more.csv").write_text("file,artist\np2.jpg,Hokusai\n")
    command("metadata", tmp_path / "more.csv")
    (folder / "metadata.csv").unlink()
    result = command("scan", folder)
    assert "metadata.csv is no longer there: what it said of 3 pictures" in result.err
    assert catalogue(command, "artist")["p2.jpg"] == ["Hokusai"]
    assert "title" not in [row[0] for row in ask(command.db, "SELECT column_name FROM (DESCRIBE catalogue)")]
    assert [row[0] for row in ask(command.db, "SELECT source FROM table_readings")] == [str(tmp_path / "more.csv")]


def test_a_table_that_was_named_once_stays(folder, command, tmp_path):
    (folder / "metadata.csv").rename(tmp_path / "list.csv")
    command("scan", folder, "--metadata", tmp_path / "list.csv")
    command("scan", folder)
    assert catalogue(command, "title")["p0.jpg"] == ["Picture 0"]


def test_a_row_that_cannot_be_read_takes_nothing(read, command):
    read()
    result = read(ROWS[0], ROWS[1], "p2.jpg,The Kiss, second version,1907", ROWS[3])
    assert catalogue(command)["p2.jpg"] == ["Picture 2", 1502]
    assert result.counts["metadata"]["pictures_with_unread_row"] == ["p2.jpg"]
    assert result.counts["taken_back"] == {}


def test_a_picture_that_moves_keeps_what_its_row_said(read, folder, command):
    read()
    (folder / "p2.jpg").rename(folder / "new.jpg")
    for _ in range(2):
        command("scan", folder)
        assert catalogue(command)["new.jpg"] == ["Picture 2", 1502]


def test_a_picture_that_is_forgotten_leaves_no_row(read, folder, command):
    read()
    (folder / "p2.jpg").unlink()
    command("prune", "--yes")
    assert ask(command.db, "SELECT count(*) FROM table_row WHERE path = 'p2.jpg'") == [(0,)]


def test_tags_and_pages_stay(read, folder, command):
    read()
    with duckdb.connect(str(command.db)) as con:
        con.execute("INSERT INTO tag SELECT image_id, 'mine', NULL, now() FROM image WHERE path = 'p2.jpg'")
    read(*ROWS[:2])
    assert ask(command.db, "SELECT path, tag FROM tags JOIN images USING (image_id)") == [("p2.jpg", "mine")]


def test_an_older_database_knows_no_rows_and_learns_them(read, folder, command):
    """What a version without `table_row` has stored of the table counts as the table's, once it is read again."""
    read()
    with duckdb.connect(str(command.db)) as con:
        con.execute("DELETE FROM table_row")
        con.execute("DELETE FROM table_reading")
    read()
    read(*ROWS[:2])
    assert catalogue(command)["p2.jpg"] == [None, None]


def test_what_a_manifest_said_comes_back():
    """A table says another word and the same word; then its row is deleted, and nobody asks the manifest again."""
    texts = {"Creator": "Theirs", "Note": "same", "iiif_id": "x"}
    merge = Merge("t.csv", {"c1": {"Creator": "Mine", "Note": "same", "Room": "1"}}, keeps_equal=True)
    now = merge.metadata("c1", texts, {})
    assert now == {"Creator": "Mine", "Note": "same", "Room": "1", "iiif_id": "x"}
    later = Merge("t.csv", {}, before=merge.after, keeps_equal=True)
    assert later.metadata("c1", now, {}) == texts and later.lost == {"t.csv": ["c1"]}


def test_how_a_table_was_read_stands_in_the_last_lines_and_in_the_database(folder, command):
    text = 'Liste;;\nfile;title;width\np0.jpg;Dürer;12,5\np2.jpg;"Open;1,5\np9.jpg;x;2,5\np4.jpg;a;b;c\n'
    (folder / "metadata.csv").write_bytes(text.encode("cp1252"))
    result = command("scan", folder, "--json")
    reading = result.counts["metadata"]["reading"]
    assert reading["encoding"].startswith("Windows-1252") and reading["encoding_detected"]
    assert (reading["delimiter"], reading["header_row"], reading["decimal_comma"]) == ("semicolon", 2, ["width"])
    assert reading["file_columns"] == ["file"] and [each["line"] for each in reading["odd_rows"]] == [4, 6]
    (sentence,) = [line for line in result.err.splitlines() if "metadata.csv describes" in line]  # at once, and once
    assert "metadata.csv describes 2 of 9 pictures, by its column file; 6 pictures without a row" in sentence
    assert "1 picture whose row could not be read (p4.jpg); 1 row without a picture (p9.jpg)" in sentence
    lines = result.err.strip().splitlines()
    for part in (
        "metadata.csv: read as CSV, in Windows-1252 (Western Europe) as it seems (else: --encoding), delimiter semicolon",
        "metadata.csv, line 4: a quotation mark",
        "metadata.csv, line 6: has 4 cells instead of 3",
    ):
        assert any(part in line for line in lines[-4:]), (part, lines)
    ((stored,),) = ask(command.db, "SELECT reading::VARCHAR FROM table_readings")
    assert json.loads(stored)["encoding"] == reading["encoding"] and len(json.loads(stored)["notes"]) == 4


def test_the_encoding_and_the_sheet_can_be_named(folder, command):
    (folder / "metadata.csv").write_bytes("file,title\np0.jpg,Dürer\n".encode("cp850"))
    command("scan", folder, "--encoding", "cp850")
    assert catalogue(command, "title")["p0.jpg"] == ["Dürer"]
    assert command("metadata", folder / "metadata.csv", "--encoding", "utf-8").code == 2
