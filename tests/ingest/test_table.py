"""The column that names the files finds itself; nothing is matched by guesswork, nothing is lost unseen."""

import csv
import os
import unicodedata

import pytest

from ingest.errors import SourceError
from ingest.tables.table import find_table, read_metadata

NAMES = ["a/one.jpg", "a/two.jpg", "b/three.PNG", "four.tif"]


@pytest.fixture
def table(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "metadata.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def test_rows_by_path(table):
    got = read_metadata(table("title,file\n Eins ,a/one.jpg\n,four.tif\n"), NAMES)
    assert got.rows == {"a/one.jpg": {"title": "Eins"}, "four.tif": {"title": None}}
    assert got.column == "file"
    assert got.unmatched_rows == []
    assert got.unmatched_files == ["a/two.jpg", "b/three.PNG"]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["a/one.jpg", "b/three.PNG"], False),  # path
        (["./a/one.jpg", "b\\three.PNG"], False),
        (["one.jpg", "three.PNG"], False),  # file name
        (["ONE.JPG", "three.png"], False),
        (["/data/scans/a/one.jpg", "https://example.org/b/three.PNG"], False),  # from further up
        (["one", "three"], True),  # name without suffix: may be a signature that is worth keeping
        (["a/one", "B/Three"], True),
        (["one.tif", "three.tiff"], True),  # the masters of these derivatives
    ],
)
def test_ways_to_name_a_file(table, values, kept):
    got = read_metadata(table("title,signature\n" + "".join(f"T{n},{v}\n" for n, v in enumerate(values))), NAMES)
    assert got.column == "signature"
    assert {name: row["title"] for name, row in got.rows.items()} == {"a/one.jpg": "T0", "b/three.PNG": "T1"}
    for row, value in zip(got.rows.values(), values, strict=True):
        assert row.get("signature") == (value if kept else None)


def test_the_column_with_the_most_names_wins(table):
    content = "title,related,id,image\none,four.tif,1,a/one.jpg\ntwo,four.tif,2,a/two.jpg\nfour,,3,b/three.PNG\n"
    got = read_metadata(table(content), NAMES)
    assert got.column == "image"
    assert got.rows["b/three.PNG"] == {"title": "four", "related": None, "id": "3"}


def test_among_equals_the_surest_column_wins(table):
    got = read_metadata(table("id,file\none,one.jpg\ntwo,two.jpg\n"), NAMES)
    assert got.column == "file"
    assert got.rows["a/one.jpg"] == {"id": "one"}


def test_the_same_name_in_two_folders_is_matched_by_path_only(table):
    names = ["a/1.jpg", "b/1.jpg", "b/2.jpg", "c/2.png"]
    got = read_metadata(table("file,t\n1.jpg,x\n2.jpg,y\n2,z\nb/1.jpg,w\n"), names)
    assert {name: row["t"] for name, row in got.rows.items()} == {"b/1.jpg": "w", "b/2.jpg": "y"}
    assert got.unmatched_rows == ["1.jpg", "2"]
    assert got.unmatched_files == ["a/1.jpg", "c/2.png"]


def test_a_path_into_another_folder_is_no_match(table):
    got = read_metadata(table("file,t\nz/one.jpg,x\nfour.tif,y\n"), NAMES)
    assert list(got.rows) == ["four.tif"]
    assert got.unmatched_rows == ["z/one.jpg"]


def test_rows_that_contradict_each_other_match_nothing(table):
    """A table of the folder above: both rows end in 1.jpg, and nothing tells which is meant."""
    got = read_metadata(table("file,t\nx/1.jpg,wrong?\ny/1.jpg,right?\nx/2.jpg,fine\n"), ["1.jpg", "2.jpg"])
    assert list(got.rows) == ["2.jpg"]
    assert got.unmatched_rows == ["x/1.jpg", "y/1.jpg"]
    # Unless one of them is the very path.
    got = read_metadata(table("file,t\nx/1.jpg,other\n1.jpg,this\n"), ["1.jpg"])
    assert got.rows == {"1.jpg": {"t": "this"}} and got.unmatched_rows == ["x/1.jpg"]


def test_of_equal_rows_the_first_counts(table):
    got = read_metadata(table("file,t\none.jpg,first\none.jpg,second\n"), NAMES)
    assert got.rows == {"a/one.jpg": {"t": "first"}}
    assert got.unmatched_rows == ["one.jpg"]


def test_names_that_differ_in_case_only(table):
    got = read_metadata(table("file,t\nONE.jpg,big\none.jpg,small\nOne.jpg,?\n"), ["ONE.jpg", "one.jpg"])
    assert {name: row["t"] for name, row in got.rows.items()} == {"ONE.jpg": "big", "one.jpg": "small"}
    assert got.unmatched_rows == ["One.jpg"]


def test_accents_match_however_they_are_composed(table):
    name = unicodedata.normalize("NFD", "Dürer/Löwe.jpg")
    got = read_metadata(table("file,t\n" + unicodedata.normalize("NFC", "Löwe.jpg") + ",x\n"), [name])
    assert got.rows == {name: {"t": "x"}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(table, encoding):
    got = read_metadata(table("file,artist\none.jpg,Dürer é\n", encoding), NAMES)
    assert got.rows["a/one.jpg"] == {"artist": "Dürer é"}


def test_bytes_that_only_latin_1_knows(table):
    got = read_metadata(table(b"file,artist\none.jpg,D\xfcrer \x81\n"), NAMES)
    assert got.rows["a/one.jpg"] == {"artist": "Dürer \x81"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters(table, delimiter, end):
    rows = [["file", "title", "place"], ["one.jpg", "Lions, two; tigers | three", "Rome, Italy"], ["two.jpg", "", "x"]]
    path = table("")
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    got = read_metadata(path, NAMES)
    assert got.rows["a/one.jpg"] == {"title": "Lions, two; tigers | three", "place": "Rome, Italy"}
    assert got.rows["a/two.jpg"] == {"title": None, "place": "x"}


def test_excels_own_mark(table):
    got = read_metadata(table("sep=;\r\nfile;a,b,c\r\none.jpg;1,2,3\r\n"), NAMES)
    assert got.rows["a/one.jpg"] == {"a,b,c": "1,2,3"}


def test_quotes_and_lines_within_cells(table):
    got = read_metadata(table('file, note\none.jpg, "two\nlines, ""quoted"""\n'), NAMES)
    assert got.rows["a/one.jpg"] == {"note": 'two\nlines, "quoted"'}


def test_ragged_and_empty_rows(table):
    got = read_metadata(table("\n,,\nfile,t,u\n\none.jpg\n,,,\ntwo.jpg,1,2,3,4\n  ,\n,lost,\n"), NAMES)
    assert got.rows == {"a/one.jpg": {"t": None, "u": None}}  # of two.jpg nobody knows which cell is which
    assert got.unread_files == ["a/two.jpg"] and "a/two.jpg" not in got.unmatched_files
    assert got.reading.headline == 3
    assert [number for number, _ in got.reading.odd] == [5, 7]
    assert got.unmatched_rows == [""]


def test_nameless_and_equal_columns(table):
    got = read_metadata(table("file,t,,t,,\none.jpg,1,2,3,,\n"), NAMES)
    assert got.rows["a/one.jpg"] == {"t": "1", "column_3": "2", "t_2": "3"}


def test_values_stay_text(table):
    got = read_metadata(table("file,year,n,flag\none.jpg,0042,1e5,true\n"), NAMES)
    assert got.rows["a/one.jpg"] == {"year": "0042", "n": "1e5", "flag": "true", "year_from": "42", "year_to": "42"}


def test_a_table_of_names_alone(table):
    got = read_metadata(table("file\none.jpg\nnine.jpg\n"), NAMES)
    assert got.rows == {"a/one.jpg": {}} and got.unmatched_rows == ["nine.jpg"]


def test_order_of_rows_is_that_of_the_files(table):
    got = read_metadata(table("file\nfour.tif\ntwo.jpg\none.jpg\n"), NAMES)
    assert list(got.rows) == ["a/one.jpg", "a/two.jpg", "four.tif"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"title,year\nx,1\n", r"No column of metadata.csv names the pictures, such as a/one.jpg. .*title, year"),
        (b"", "is empty"),
        (b"\n,\n", "is empty"),
        (b"PK\x03\x04rest of a workbook", "workbook"),
        (b"file\0\0,t\0\n\0\1", "not a text file"),
        (b"one.jpg,x\ntwo.jpg,y\n", r"first row of metadata.csv names a picture \(one.jpg\)"),
    ],
)
def test_tables_that_cannot_be_used(table, content, sentence):
    with pytest.raises(SourceError, match=sentence):
        read_metadata(table(content), NAMES)


def test_a_column_called_like_a_picture_is_no_header_lost(table):
    got = read_metadata(table("file,t\nfile.jpg,x\none.jpg,y\n"), ["file.jpg", "one.jpg"])
    assert len(got.rows) == 2


def test_paths_that_are_no_table(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path, sentence in {"missing.csv": "no table", "pipe.csv": "not a file", ".": "not a file"}.items():
        with pytest.raises(SourceError, match=sentence):
            read_metadata(tmp_path / path, NAMES)


def test_find_table(tmp_path):
    assert find_table(tmp_path) is None and find_table(tmp_path / "missing") is None
    (tmp_path / "other.csv").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/metadata.csv").touch()
    assert find_table(tmp_path) is None
    (tmp_path / "MetaData.CSV").touch()
    assert find_table(tmp_path) == tmp_path / "MetaData.CSV"
    (tmp_path / "metadata.csv").touch()
    assert find_table(tmp_path) == tmp_path / "metadata.csv"


def test_a_large_table_is_read(table):
    names = [f"box {n % 100}/{n:06}.jpg" for n in range(4_000)]
    lines = [f"{n:06},title of {n},{1500 + n % 400},some place {n % 977},{name}" for n, name in enumerate(names)]
    got = read_metadata(table("id,title,year,place,file\n" + "\n".join(lines)), names)
    assert got.column == "file" and len(got.rows) == 4_000
