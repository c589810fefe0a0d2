"""What a workbook's archive says beside the values of its cells: their formats, what they show, how far they reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ingest.tables.number_formats import BUILT_IN, PLAIN

MAX_CELLS = 50_000_000

_CELL = re.compile(rb"<(?:[A-Za-z0-9]+:)?(row|c)\b([^>]*)>")
_REFERENCE = re.compile(rb"\sr=[\"']([A-Z]{0,3})([0-9]{1,7})[\"']")
_STYLE = re.compile(rb"\ss=[\"']([0-9]{1,6})[\"']")
_ERROR = re.compile(rb"<(?:[A-Za-z0-9]+:)?c\b[^>]*\st=[\"']e[\"']")
_NO_RESULT = re.compile(rb"</(?:[A-Za-z0-9]+:)?f>\s*(?:<(?:[A-Za-z0-9]+:)?v\s*/>|<v></v>|(?=</(?:[A-Za-z0-9]+:)?c>))")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass
class Part:
    """What is known of a sheet's cells (row, column, both from 0): number formats, or what they show."""

    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    odd: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Book:
    """The parts of a workbook by the names of its sheets; `cells` is how many the largest would have."""

    kind: str
    sheets: dict[str, Part] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    cells: int = 0

    def sheet(self, name: str) -> Part:
        """The part of a sheet, empty where nothing is known."""
        return self.sheets.get(name, Part())


# ---- XLSX -----------------------------------------------------------------------------------------------------------


def xlsx_parts(contents: dict[str, bytes]) -> Book:
    """The parts of an XLSX, by what lies in its archive."""
    book = Book("XLSX")
    for name, content in contents.items():
        if name.startswith("xl/worksheets/"):
            book.cells = max(book.cells, _extent(content))
    if book.cells > MAX_CELLS:
        return book
    formats = _formats(contents.get("xl/styles.xml", b""))
    for title, file in _sheet_files(contents):
        content = contents.get(file, b"")
        part = Part(_styled(content, formats) if formats else {})
        part.odd += _counted(_NO_RESULT, content, "formula", "without a stored result", "save the file again")
        part.odd += _counted(_ERROR, content, "cell", "with an error such as #N/A", "left empty")
        book.sheets[title] = part
    return book


def _counted(pattern: re.Pattern, content: bytes, noun: str, what: str, then: str) -> list[tuple[int, str]]:
    number = len(pattern.findall(content))
    return [(0, f"{number} {noun}{'s' * (number != 1)} {what}: {then}")] if number else []


def _sheet_files(contents: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    relations = {}
    if "xl/_rels/workbook.xml.rels" in contents:
        for each in ElementTree.fromstring(contents["xl/_rels/workbook.xml.rels"]):
            relations[each.get("Id")] = each.get("Target", "")
    for each in ElementTree.fromstring(contents["xl/workbook.xml"]).iter():
        if each.tag.endswith("}sheet"):
            target = relations.get(each.get(_RELATION), "")
            yield each.get("name", ""), target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _formats(styles: bytes) -> dict[int, str]:
    """Format codes by the numbers of cell styles, the plain ones left out."""
    if not styles:
        return {}
    codes, found = dict(BUILT_IN), {}
    root = ElementTree.fromstring(styles)
    for each in root.iter():
        number = each.get("numFmtId") or ""
        if each.tag.endswith("}numFmt") and number.isdecimal():
            codes[int(number)] = each.get("formatCode", "")
    used = next((each for each in root.iter() if each.tag.endswith("}cellXfs")), ())
    for number, each in enumerate(used):
        code = int(each.get("numFmtId") or 0)
        if code not in PLAIN and codes.get(code, "General") != "General":
            found[number] = codes[code]
    return found


def _styled(sheet: bytes, formats: dict[int, str]) -> dict[tuple[int, int], str]:
    return {
        (row - 1, column - 1): formats[int(style[1])]
        for row, column, attributes in _cells(sheet)
        if (style := _STYLE.search(attributes)) and int(style[1]) in formats
    }


def _extent(sheet: bytes) -> int:
    """How many cells the rectangle has that all cells of a sheet lie in."""
    rows = columns = 0
    for row, column, _ in _cells(sheet, rows_too=True):
        rows, columns = max(rows, row), max(columns, column)
    return rows * columns


def _cells(sheet: bytes, rows_too: bool = False) -> Iterator[tuple[int, int, bytes]]:
    """(row, column, attributes) of each cell, both from 1; where it does not say, it is the next one."""
    row = column = 0
    for match in _CELL.finditer(sheet):
        reference = _REFERENCE.search(match[2])
        if match[1] == b"row":
            row, column = int(reference[2]) if reference else row + 1, 0
            if rows_too:
                yield row, 0, b""
            continue
        column = _column(reference[1]) if reference and reference[1] else column + 1
        row = int(reference[2]) if reference else row
        yield row, column, match[2]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


# ---- ODS ------------------------------------------------------------------------------------------------------------


def ods_parts(contents: dict[str, bytes]) -> Book:
    """The parts of an ODS, by what lies in its archive: it says of each number how it is shown."""
    book = Book("ODS")
    invisible: set[str] = set()
    for each in ElementTree.fromstring(contents["content.xml"]).iter():
        tag = _local(each.tag)
        if tag == "style" and any(_attribute(child, "display") == "false" for child in each):
            invisible.add(_attribute(each, "name"))
        elif tag == "table":
            name = _attribute(each, "name")
            book.sheets[name], cells = _ods_sheet(each)
            book.cells = max(book.cells, cells)
            if _attribute(each, "style-name") in invisible:
                book.hidden.add(name)
    return book


def _ods_sheet(table: ElementTree.Element) -> tuple[Part, int]:
    part, row, rows, columns = Part(), 0, 0, 0
    for line in table.iter():
        if _local(line.tag) != "table-row":
            continue
        column, many = 0, _repeated(line, "rows")
        for cell in line:
            count = _repeated(cell, "columns")
            if len(cell):
                rows, columns = row + many, max(columns, column + count)
                if rows * columns > MAX_CELLS:
                    return part, rows * columns
                if _attribute(cell, "value-type") not in ("", "string", "boolean"):
                    text = "\n".join("".join(each.itertext()) for each in cell if _local(each.tag) == "p").strip()
                    part.texts |= {(row + r, column + c): text for r in range(many) for c in range(count)}
            column += count
        row += many
    return part, rows * columns


def _repeated(element: ElementTree.Element, of: str) -> int:
    text = _attribute(element, f"number-{of}-repeated")
    return min(int(text), 2**24) if text.isdecimal() else 1


def _attribute(element: ElementTree.Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if _local(key) == name), "")


def _local(name: object) -> str:
    return str(name).rpartition("}")[2]
