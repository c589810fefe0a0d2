"""Tables as programs write them: quotation marks around every cell, lists of files in one, lines cut short."""

import pytest

from ingest.tables.table import read_metadata

P = [f"p{n}.jpg" for n in range(1, 9)]


@pytest.fixture
def table(tmp_path):
    def read(text, name="t.csv", encoding="utf-8"):
        (tmp_path / name).write_text(text, encoding=encoding)
        return read_metadata(tmp_path / name, P)

    return read


def titles(found):
    return {name: row["title"] for name, row in found.rows.items()}


def test_a_tsv_with_quotation_marks_around_its_cells(table):
    found = table('"file"\t"title"\n"p1.jpg"\t"A ""b"" c"\n"p2.jpg"\t"D\n"p3.jpg"\t7\n')
    assert titles(found) == {"p1.jpg": 'A "b" c', "p2.jpg": '"D', "p3.jpg": "7"}


def test_quotation_marks_stay_where_names_have_none(table):
    assert titles(table('file\ttitle\np1.jpg\t"A"\n"p2.jpg"\tB\n'))["p1.jpg"] == '"A"'


@pytest.mark.parametrize("files", [("p1.jpg;p2.jpg", "p3.jpg; p4.jpg"), ("p1.jpg|p2.jpg", "p3.jpg|p4.jpg")])
def test_lists_of_files_are_no_cells_of_their_own(table, files):
    found = table("files,title\n" + "".join(f"{each},{title}\n" for each, title in zip(files, "AB", strict=True)))
    assert titles(found) == {"p1.jpg": "A", "p2.jpg": "A", "p3.jpg": "B", "p4.jpg": "B"}


def test_names_beside_each_other_are_cells(table):
    found = table("front;back;title\np1.jpg;p2.jpg;A, b\np3.jpg;p4.jpg;C, d\n")
    assert titles(found) == {"p1.jpg": "A, b", "p2.jpg": "A, b", "p3.jpg": "C, d", "p4.jpg": "C, d"}


def test_one_cell_is_not_called_cells(table):
    assert "has 1 cell instead of 2: " in table("file,title\np1.jpg,A\np2.jpg\n").reading.odd_lines()[0]


@pytest.mark.parametrize("bad", ['{"file": "p3.jpg", "ti', "[1, 2]", "no JSON", "[" * 100_000])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_is_no_object_is_told_and_the_others_are_read(table, bad, place):
    lines = ['{"file": "p1.jpg", "title": "A"}', '{"file": "p2.jpg", "title": "B"}']
    lines.insert(place, bad)
    found = table("\n".join(lines), "t.jsonl")
    assert titles(found) == {"p1.jpg": "A", "p2.jpg": "B"}
    assert found.reading.odd_lines() == [f"line {place + 1} holds no whole JSON object, so it is left out"]
