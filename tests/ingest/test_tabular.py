"""Tables of every kind say the same; decimal commas and dates become numbers; bombs are refused by their headers."""

import datetime
import io
import json
import zipfile

import pytest

from ingest.errors import SourceError
from ingest.tables import workbook as workbooks
from ingest.tables.table import find_table, other_tables, read_metadata
from tests.ingest.workbooks import workbook

NAMES = ["a/one.jpg", "a/two.jpg", "b/three.PNG", "box.pdf#page=1", "box.pdf#page=2"]
ROWS = [["file", "title", "height"], ["one.jpg", "Löwe", 12.5], ["two.jpg", "Ätna", 7]]
SAID = {"a/one.jpg": {"title": "Löwe", "height": "12.5"}, "a/two.jpg": {"title": "Ätna", "height": "7"}}


def lines(rows, delimiter=","):
    return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)


def records():
    return [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


def parquet(rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FILES = {
    "comma.csv": lines(ROWS).encode(),
    "bom.csv": lines(ROWS).encode("utf-8-sig"),
    "latin.csv": lines(ROWS, ";").encode("latin-1"),
    "utf16.csv": lines(ROWS, "\t").encode("utf-16"),
    "utf16-without-mark.csv": lines(ROWS, "\t").encode("utf-16-le"),
    "utf16-big.csv": lines(ROWS, "\t").encode("utf-16-be"),
    "tab.tsv": lines(ROWS, "\t").encode(),
    "book.xlsx": workbook({"Tabelle1": ROWS}),
    "list.json": json.dumps(records()).encode(),
    "within.json": json.dumps({"meta": {"n": 2}, "items": records()}).encode(),
    "keyed.json": json.dumps({r["file"]: {k: v for k, v in r.items() if k != "file"} for r in records()}).encode(),
    "lines.jsonl": "\n".join(map(json.dumps, records())).encode(),
    "lines.json": "\n".join(map(json.dumps, records())).encode(),
    "columns.parquet": parquet(records()),
    "no suffix": lines(ROWS).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_table_says_the_same(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    got = read_metadata(tmp_path / name, NAMES)
    assert got.rows == SAID and got.column == "file"
    assert got.unmatched_files == ["b/three.PNG", "box.pdf#page=1", "box.pdf#page=2"]


@pytest.fixture
def table(tmp_path):
    def read(content, name="t.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_metadata(path, NAMES, **options)

    return read


def test_of_a_workbook_the_sheet_that_names_the_pictures(table):
    sheets = {"Notes": [["some", "words"], ["x", "y"]], "Empty": [], "List": ROWS}
    assert table(workbook(sheets), "t.xlsx").rows == SAID


def test_a_title_above_the_names_of_the_columns(table):
    rows = [["Inventory of the museum"], [], ["as of", "2024"], *ROWS]
    wide = [[*row, "x", "y", "z"] if len(row) == 3 else row for row in rows]
    wide[3][3:] = ["c1", "c2", "c3"]
    assert table(workbook({"S": wide}), "t.xlsx").rows["a/one.jpg"]["title"] == "Löwe"


def test_cells_of_a_workbook_are_written_as_people_read_them(table):
    rows = [["file", "year", "day", "flag"], ["one.jpg", 1520.0, datetime.date(1989, 3, 12), True]]
    assert table(workbook({"S": rows}), "t.xlsx").rows["a/one.jpg"] == {
        "year": "1520",
        "day": "1989-03-12",
        "flag": "true",
    }


def test_nested_records(table):
    content = json.dumps(
        [{"file": "one.jpg", "artist": {"name": "Hokusai", "born": 1760}, "tags": ["wave", "sea", None], "n": None}]
    )
    got = table(content, "t.json").rows["a/one.jpg"]
    assert got == {"artist.name": "Hokusai", "artist.born": "1760", "tags": "wave; sea", "n": None}


def test_the_column_can_be_named(table):
    content = "file,master,t\none.jpg,two.jpg,x\ntwo.jpg,,y\n"
    assert list(table(content).rows) == ["a/one.jpg", "a/two.jpg"]
    assert table(content, file_column="master").rows == {"a/two.jpg": {"file": "one.jpg", "t": "x"}}
    with pytest.raises(SourceError, match="no column 'image'; its columns are file, master, t"):
        table(content, file_column="image")
    with pytest.raises(SourceError, match="'t' of t.csv names none of the pictures"):
        table(content, file_column="t")


def test_a_row_for_a_file_describes_all_its_pages_and_one_for_a_page_that_page(table):
    got = table("file,t,u\nbox.pdf,Box,1\nbox.pdf#page=2,Second,\nbox.pdf#page=9,None,\n")
    assert got.rows["box.pdf#page=1"] == {"t": "Box", "u": "1"}
    assert got.rows["box.pdf#page=2"] == {"t": "Second", "u": None}
    assert got.unmatched_rows == ["box.pdf#page=9"]
    assert table("name,t\nbox,Box\n").rows["box.pdf#page=2"]["t"] == "Box"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["12,5", "7"], ["12.5", "7"]),
        (["1.234,50", "7,25"], ["1234.5", "7.25"]),
        (["1,234.5", "12"], ["1234.5", "12"]),
        (["1,234,567", "12"], ["1234567", "12"]),
        (["-0,5", ""], ["-0.5", None]),
        (["1,250", "2,500"], ["1,250", "2,500"]),  # thousands or thousandths: nobody knows
        (["12,5", "about 7"], ["12,5", "about 7"]),
        (["12,5 cm", "7 cm"], ["12,5 cm", "7 cm"]),
        (["Rome, Italy", "7"], ["Rome, Italy", "7"]),
    ],
)
def test_decimal_commas(table, values, expected):
    rows = table(f"file;n\none.jpg;{values[0]}\ntwo.jpg;{values[1]}\n").rows
    assert [row["n"] for row in rows.values()] == expected


def test_dates_are_kept_as_text_and_as_years(table):
    got = table("file,date,title\none.jpg,c. 1520,x\ntwo.jpg,before 1600,1520-25\nthree.PNG,n.d.,y\n").rows
    assert got["a/one.jpg"] == {"date": "c. 1520", "date_from": "1515", "date_to": "1525", "title": "x"}
    assert got["a/two.jpg"] == {"date": "before 1600", "date_from": None, "date_to": "1600", "title": "1520-25"}
    assert got["b/three.PNG"] == {"date": "n.d.", "date_from": None, "date_to": None, "title": "y"}


@pytest.mark.parametrize(
    "values", [("1520", "850"), ("1889-03-12", "1520-01-01"), ("n.d.", "unknown"), ("", ""), ("-300", "1520")]
)
def test_years_and_days_alone_need_no_range(table, values):
    rows = table(f"file,date\none.jpg,{values[0]}\ntwo.jpg,{values[1]}\n").rows
    assert list(rows["a/one.jpg"]) == ["date"]


def test_columns_that_are_there_already_are_left_alone(table):
    got = table("file,date,date_from\none.jpg,c. 1520,mine\n").rows["a/one.jpg"]
    assert got == {"date": "c. 1520", "date_from": "mine"}


def test_the_folders_own_table(tmp_path):
    for name in ("metadata.parquet", "METADATA.xlsx", "other.csv", "~$metadata.xlsx", ".hidden.csv"):
        (tmp_path / name).touch()
    assert find_table(tmp_path).name == "METADATA.xlsx"
    (tmp_path / "metadata.csv").touch()
    assert find_table(tmp_path).name == "metadata.csv"
    assert other_tables(tmp_path) == ["METADATA.xlsx", "metadata.csv", "metadata.parquet", "other.csv"]
    assert other_tables(tmp_path / "missing") == []


# What cannot be used


def far_corner():
    return workbook({"S": ROWS}, '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 3_000_000)
    return buffer.getvalue()


def lying_bomb():
    """It says that it unpacks to ten bytes."""
    data = bytearray(workbook({"S": [["x" * 100_000]]}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        sizes = [member.file_size for member in archive.infolist() if "worksheets" in member.filename]
    place = -1
    while (place := data.find(sizes[0].to_bytes(4, "little"), place + 1)) >= 0:
        data[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "name", "sentence"),
    [
        (far_corner, "t.xlsx", "50 million cells"),
        (bomb, "t.xlsx", "unpacks to more than"),
        (lying_bomb, "t.xlsx", "no workbook, or it is damaged"),
        (lambda: workbook({"S": ROWS})[:300], "t.xlsx", "no workbook, or it is damaged"),
        (lambda: b"PK\x05\x06" + b"\0" * 18, "t.xlsx", "not a text file|no workbook"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "t.xls", "no workbook"),
        (lambda: b"PAR1" + b"\0" * 99 + b"PAR1", "t.parquet", "could not be read as a table"),
        (lambda: b"{" * 200_000, "t.json", "could not be read as a table"),
        (lambda: b"[" * 200_000, "t.json", "could not be read as a table"),
        (lambda: b"[1, 2]", "t.json", "no list of records"),
        (lambda: b'{"a": 1}', "t.json", "no list of records"),
        (lambda: b"", "t.json", "could not be read as a table|is empty"),
        (lambda: b"1\n2\n", "t.jsonl", "an object on each line"),
        (lambda: b'{"file": "one.jpg"}\n{"fi', "t.jsonl", "could not be read as a table"),
    ],
)
def test_tables_that_cannot_be_used(make, name, sentence, table, monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 2**20)
    with pytest.raises(SourceError, match=sentence):
        table(make(), name)


def test_a_document_of_another_kind_says_so(table):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("content.xml", "<office/>")
    with pytest.raises(SourceError, match="save it as XLSX or CSV"):
        table(buffer.getvalue(), "t.ods")
