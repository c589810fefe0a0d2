"""The sheets of workbooks (XLSX, XLS, ODS) as rows of text: as the spreadsheet shows them where that matters."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingest.errors import SourceError
from ingest.tables import number_formats
from ingest.tables.grid import Grid, text_of
from ingest.tables.workbook_parts import MAX_CELLS, Book, ods_parts, xlsx_parts

MAX_UNPACKED = 2**28  # bytes of a workbook


def workbook_grids(name: str, data: bytes, sheet: str | None = None) -> Iterator[Grid]:
    """The sheets of a workbook called `name`, or the one that the user names. SourceError if it cannot be read, or has
    no such sheet."""
    import python_calamine

    parts = _checked_parts(name, data) if data.startswith(b"PK") else Book("XLS")
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        kinds = python_calamine.SheetTypeEnum.WorkSheet, python_calamine.SheetVisibleEnum.Visible
        sheets = [each for each in book.sheets_metadata if each.typ == kinds[0]]
        for number, each in enumerate(book.sheets_metadata):
            if each in sheets and each.name in _chosen(name, [each.name for each in sheets], sheet):
                hidden = each.visible != kinds[1] or each.name in parts.hidden
                yield _grid(book.get_sheet_by_index(number), parts, each.name, hidden)
    except python_calamine.PasswordError:
        raise SourceError(f"{name} asks for a password: save a copy without one.") from None
    except python_calamine.CalamineError as error:
        raise SourceError(f"{name} is no workbook that can be read ({error}): save it as 'CSV UTF-8'.") from None


def _chosen(name: str, sheets: list[str], sheet: str | None) -> list[str]:
    """The sheet of this name, in any case if there is no other; all of them without one."""
    if sheet is None:
        return sheets
    found = [each for each in sheets if each == sheet] or [e for e in sheets if e.casefold() == sheet.casefold()]
    if len(found) != 1:
        raise SourceError(f"{name} has no sheet {sheet!r}; its sheets are {', '.join(sheets)}.")
    return found


def _grid(sheet: Any, parts: Book, name: str, hidden: bool) -> Grid:
    values = sheet.to_python(skip_empty_area=True)
    top, left = sheet.start or (0, 0)
    found = parts.sheet(name)
    cells = _Cells(found.formats, found.texts, top, left)
    rows = [
        (top + number + 1, [cells.text(number, place, value) for place, value in enumerate(row)])
        for number, row in enumerate(values)
    ]
    merged = [
        (first_row + 1, first - left, last_row + 1, last - left)
        for (first_row, first), (last_row, last) in _merged(sheet)
        if first >= left
    ]
    _fill_down(rows, merged)
    odd = [(number, sentence) for number, sentence in found.odd]
    return Grid(parts.kind, rows, odd, "row", sheet=name, hidden=hidden, shown=cells.shown, merged=merged)


def _merged(sheet: Any) -> list:
    try:
        return sheet.merged_cell_ranges or []
    except Exception:  # not every kind of workbook says
        return []


def _fill_down(rows: list[tuple[int, list[str]]], merged: list[tuple[int, int, int, int]]) -> None:
    """A cell that reaches over several rows is said of each of them."""
    places = {number: cells for number, cells in rows}
    for top, left, bottom, right in merged:
        above = places.get(top)
        if above and left < len(above) and above[left] and left == right and bottom - top < len(rows):
            for number in range(top + 1, bottom + 1):
                if number in places and not places[number][left]:
                    places[number][left] = above[left]


@dataclass
class _Cells:
    """Turns the values of a sheet that begins at (top, left) into text."""

    formats: dict[tuple[int, int], str]
    texts: dict[tuple[int, int], str]
    top: int
    left: int

    def __post_init__(self) -> None:
        self.shown: dict[tuple[int, int], str] = {}

    def text(self, row: int, place: int, value: Any) -> str:
        plain = text_of(value)
        if isinstance(value, str | bool) or not (self.formats or self.texts):
            return plain
        at = self.top + row, self.left + place
        code = self.formats.get(at, "")
        if isinstance(value, date) and code and (text := number_formats.day_text(value, code)):
            plain = text
        shown = self.texts.get(at) or (number_formats.shown(value, code) if code else "")
        if not shown or shown == plain:
            return plain
        if isinstance(value, int | float) and number_formats.is_code(shown):
            return shown
        self.shown[self.top + row + 1, place] = shown
        return plain


def _checked_parts(name: str, data: bytes) -> Book:
    """What lies in the archive beside values. A few bytes can unpack to more than any memory, and one cell in the last
    corner makes a sheet of 17 thousand million cells: looked up before anything is made of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = archive.namelist()
            if "xl/workbook.xml" not in names and not _is_ods(archive):
                raise SourceError(f"{name} is an archive or a document of another kind: save it as XLSX or CSV.")
            if sum(member.file_size for member in members) > MAX_UNPACKED:
                raise SourceError(f"{name} unpacks to more than {MAX_UNPACKED >> 20} MB: save the sheet as CSV.")
            contents = {member.filename: archive.read(member) for member in members}  # checks that lengths are true
        book = (xlsx_parts if "xl/workbook.xml" in names else ods_parts)(contents)
    except SourceError:
        raise
    except Exception as error:  # the archive, its compression and its encryption have errors of their own
        raise SourceError(
            f"{name} is no workbook, or it is damaged ({str(error).rstrip('.')}): save the table as CSV."
        ) from None
    if book.cells > MAX_CELLS:
        raise SourceError(
            f"A sheet of {name} has more than {MAX_CELLS // 10**6} million cells, most of them empty: "
            "delete the rows and columns that are not used, or save it as CSV."
        )
    return book


def _is_ods(archive: zipfile.ZipFile) -> bool:
    names = archive.namelist()
    return "content.xml" in names and "mimetype" in names and b"spreadsheet" in archive.read("mimetype")[:200]
