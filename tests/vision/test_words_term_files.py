"""Terms from tables of every kind, and what is said of files that hold none."""

import io
import json
import zipfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from ingest.vision.words import term_files
from ingest.vision.words.scores import TextError
from ingest.vision.words.term_files import TYPES, read_terms
from ingest.vision.words.terms import TermRow
from tests.ingest import workbooks

HEADER = ["Term", "parent", "note"]
ROWS = [["boat", "vehicle", 1.5], ["tree", None, None], ["boat", "x", None], [1890, "year", None]]
RIGHT = ([TermRow("boat", None, "vehicle"), TermRow("tree"), TermRow("1890", None, "year")], 1)
SHEET = [HEADER, *([cell or "" for cell in row] for row in ROWS)]
RECORDS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def as_parquet() -> bytes:
    file = io.BytesIO()
    table = pa.table({name: [None if row[name] is None else str(row[name]) for row in RECORDS] for name in HEADER})
    parquet.write_table(table, file)
    return file.getvalue()


FILES = {
    "a.csv": lambda: "Term,parent\nboat,vehicle\ntree,\nboat,x\n1890,year\n".encode("utf-16"),
    "a.xlsx": lambda: workbooks.workbook({"about": [["words"]], "motifs": SHEET}),
    "a.ods": lambda: workbooks.ods({"about": [["words"]], "motifs": SHEET}),
    "a.json": lambda: json.dumps(RECORDS).encode(),
    "a.jsonl": lambda: "\n".join(map(json.dumps, RECORDS)).encode("utf-8-sig"),
    "a.parquet": as_parquet,
}


@pytest.mark.parametrize("name", FILES)
def test_the_terms_are_those_of_the_table(name):
    assert read_terms(name, FILES[name]()) == RIGHT and name.rpartition(".")[2] in TYPES


@pytest.mark.parametrize(
    "name, data, says",
    [
        ("a.xlsx", b"PK\x03\x04 and then nothing", "cannot be read"),
        ("a.xls", b"\xd0\xcf\x11\xe0 and then nothing", "cannot be read"),
        ("a.parquet", b"PAR1 and then nothing PAR1", "cannot be read"),
        ("a.json", b"[{", "no JSON"),
        ("a.json", b"[" * 100_000, "no JSON"),
        ("a.json", b'["boat"]', "no list of objects"),
        ("a.json", b'[{"word": "boat"}]', "no column called term"),
        ("a.json", b'[{"term": " "}]', "no term"),
        ("a.json", b"[]", "no column called term"),
        ("a.jsonl", b"", "no JSON"),
        ("a.csv", b"", "no term"),
    ],
)
def test_a_file_without_terms_is_half_a_sentence(name, data, says):
    with pytest.raises(TextError, match=says):
        read_terms(name, data)


def test_a_workbook_that_unpacks_to_too_much_is_not_read(monkeypatch):
    monkeypatch.setattr(term_files, "MAX_UNPACKED", 2**16)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 2**20)
    with pytest.raises(TextError, match="unpacks to more than"):
        read_terms("a.xlsx", file.getvalue())
