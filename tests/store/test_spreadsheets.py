"""No table that leaves the product holds anything that a spreadsheet would run."""

import ast
import csv
import io
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from store import spreadsheets
from store.manifest import Picture, Place, csv_of
from store.spreadsheets import csv_of_frame, csv_of_rows, harmless, original
from tests.support import ROOT

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻−"
BEFORE = ["", " ", "\t", "\r\n", "\u00a0", "\u200b", "\u2060\ufeff", "\u3000 ", "\u202e", "\x00", "\x1b", "\u00ad", '"', "'", "''", "\"'", "＂"]  # fmt: skip
FORMULAS = [before + sign + "1+1" for before in BEFORE for sign in SIGNS]
FORMULAS += ["=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", '=HYPERLINK("https://example.org")', "+49 30", "-2", "\tx", "\nx", "\r", "'=1", "=\n"]  # fmt: skip
HARMLESS = [
    "",
    "'",
    "a=b",
    "1-2",
    "Ω",
    "#1",
    "(–) dash",
    "‘s-Gravenhage",
    "'s-Gravenhage",
    "3 = 4",
    "d'Orsay",
    "…",
    "\U0001f600=",
]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("written", ["rows", "frame", "objects", "category"])
def test_formulas_get_an_apostrophe_in_cells_and_in_names_and_nothing_else_changes(written):
    texts = FORMULAS + HARMLESS
    if written == "rows":
        text = csv_of_rows(["=name", "n"], [[each, -1] for each in texts])
    else:
        kinds = {"frame": "str", "objects": object, "category": "category"}
        values = pd.Series(texts, dtype=kinds[written])
        text = csv_of_frame(pd.DataFrame({"=name": values, "n": -1}))
    head, *rows = read(text)
    assert head == ["'=name", "n"]
    # Python's reader drops NUL as spreadsheets do; none is lost in what was written.
    assert [row[0] for row in rows] == [f"'{each}" for each in FORMULAS] + HARMLESS
    assert {row[1] for row in rows} == {"-1"}


@pytest.mark.parametrize("number", [-1, -2.5, Decimal("-3.50"), True, float("-inf"), None])
def test_numbers_stay_numbers(number):
    assert harmless(number) is number


def test_lists_and_other_things_are_looked_at_as_they_are_written():
    assert harmless(["=x"]) == '["=x"]' and harmless({"a": -1}) == '{"a": -1}'
    assert harmless(pd.Timedelta(days=-3)).startswith("'-3 days")


def test_what_was_written_can_be_had_back():
    texts = [*FORMULAS, *HARMLESS, *map("'".__add__, FORMULAS)]
    assert [original(harmless(text)) for text in texts] == texts


def test_links_to_places_go_through_the_same_function():
    picture = Picture(1, "\t=1+1", 10, 10, {}, "https://example.org/c", (10, 10), "https://example.org/i.jpg")
    head, row = read(csv_of([(picture, [Place((1, 1, 5, 5), "＝1+1")])]))
    assert row == ["1", "'\t=1+1", "'＝1+1", "https://example.org/c#xywh=1,1,4,4"]


WRITERS = {
    "DictWriter", "ExcelWriter", "Workbook", "savetxt", "sep_csv", "to_clipboard", "to_csv", "to_excel", "to_html", "to_xml",
    "write_csv", "writer", "writerow", "writerows",
}  # fmt: skip


def test_no_other_file_of_the_product_writes_a_table_for_spreadsheets():
    """`tables.to_csv` is the dashboard's name for what store/spreadsheets.py does."""
    strange = []
    for file in [file for room in ("dashboard", "ingest", "store") for file in (ROOT / room).rglob("*.py")]:
        if file == Path(spreadsheets.__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in WRITERS:
                ours = isinstance(node.value, ast.Name) and node.value.id == "tables"
                strange += [] if ours else [f"{file.name}:{node.lineno} {node.attr}"]
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("csv", "openpyxl", "xlsxwriter")):
                strange += [f"{file.name}:{node.lineno} {name.name}" for name in node.names if name.name in WRITERS]
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.upper()
                if "COPY " in text and " TO " in text and ("CSV" in text or "XLSX" in text):
                    strange.append(f"{file.name}:{node.lineno} {node.value[:40]}")
    assert not strange
