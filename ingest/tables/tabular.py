"""Tables of every usual kind as text: CSV and TSV in any encoding, workbooks, JSON, JSON Lines, Parquet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import SourceError
from ingest.tables import encodings
from ingest.tables.delimited import DELIMITERS, Names, find_delimiter, parse_delimiter, split, usual_width
from ingest.tables.grid import Grid, text_of
from ingest.tables.records import json_grid, json_lines_grid, parquet_grid
from ingest.tables.workbook import workbook_grids
from store.counts import counted

__all__ = ["SUFFIXES", "Sheet", "TableOptions", "read_sheets", "text_of"]

SUFFIXES = (".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods", ".json", ".jsonl", ".ndjson", ".parquet")
MAX_BYTES = 2**30

_HEADLINES = 20  # rows among which the names of the columns are looked for


@dataclass(frozen=True)
class TableOptions:
    """What the user knows of a table that its looks may not tell: the encoding and the delimiter of a text, the sheet
    of a workbook."""

    encoding: str | None = None
    sheet: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True)
class Sheet:
    """One table: the names of its columns, unique, and its rows, each as long as the header, blank cells "".

    `numbers` says where each row is in the file: its line, its row in the workbook, or which record it is. `surplus`
    are rows with more cells than there are columns, as they came: nobody knows which of their cells belongs where, so
    they are not among the rows. `headline` is where the names of the columns are, 0 where they are in no row; `grid`
    how all of it was read.
    """

    header: list[str]
    rows: list[list[str]]
    numbers: list[int] = field(default_factory=list)
    surplus: list[tuple[int, list[str]]] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)
    headline: int = 0
    grid: Grid = field(default_factory=Grid)

    def shown(self, row: int, place: int) -> str:
        """A cell as a spreadsheet shows it where that is another text, such as 25% for 0.25; else ""."""
        return self.grid.shown.get((self.numbers[row], place), "") if self.grid.shown else ""


def read_sheets(path: Path, options: TableOptions | None = None, names: Names | None = None) -> list[Sheet]:
    """The tables of a file that hold anything: one, or the sheets of a workbook. `names` says of a cell whether it is
    the name of a picture. SourceError if there is no table, or if the file cannot be read."""
    options = options or TableOptions()
    data = _bytes(path)
    try:
        grids = _reader(path, data, options)(path, data, options, names)
        sheets = [sheet for grid in grids if (sheet := sheet_of(grid, names))]
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"{path.name} could not be read as a table: {error}.") from None
    if not sheets:
        raise SourceError(f"{path.name} is empty: its first row must hold the names of the columns.")
    return sheets


Reader = Callable[[Path, bytes, TableOptions, "Names | None"], Iterable[Grid]]


def _reader(path: Path, data: bytes, options: TableOptions) -> Reader:
    """Who reads a file: its first bytes tell, and among texts its suffix. SourceError for options that are for tables
    of another kind."""
    suffix = path.suffix.lower()
    if data.startswith(b"PAR1"):
        _refuse(path, options.encoding, "--encoding is for text")
        reader = _parquet
    elif data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        _refuse(path, options.encoding, "--encoding is for text")
        _refuse(path, options.delimiter, "--delimiter is for CSV and TSV")
        return lambda path, data, options, names: workbook_grids(path.name, data, options.sheet)
    elif suffix in (".jsonl", ".ndjson"):
        reader = _json_lines
    elif suffix == ".json":
        reader = _json
    else:
        _refuse(path, options.sheet, "--sheet is for workbooks")
        return _delimited
    _refuse(path, options.sheet, "--sheet is for workbooks")
    _refuse(path, options.delimiter, "--delimiter is for CSV and TSV")
    return reader


def _refuse(path: Path, given: str | None, sentence: str) -> None:
    if given is not None:
        raise SourceError(f"{sentence}, and {path.name} is none.")


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():  # asked before opening: a pipe would block for ever
            raise SourceError(f"There is no table {path}." if not path.exists() else f"{path} is not a file.")
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"The table {path.name} has more than {MAX_BYTES >> 30} GiB, which is no table.")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"The table {path} could not be read: {error.strerror or error}.") from None


def _delimited(path: Path, data: bytes, options: TableOptions, names: Names | None) -> Iterable[Grid]:
    found = encodings.decoded(path.name, data, options.encoding)
    text, delimiter, before = found.text, None, 0
    if match := re.match(r"sep=(.)(?:\r\n|\r|\n)", text):  # Excel's own mark
        delimiter, text, before = match[1], text[match.end() :], 1
    if options.delimiter:
        delimiter = parse_delimiter(options.delimiter)
    delimiter = delimiter or find_delimiter(text, names)
    rows = split(text, delimiter, names)
    yield Grid(
        kind="TSV" if delimiter == "\t" else "CSV",
        rows=[(number + before, cells) for number, cells in rows.rows],
        odd=sorted([*found.odd, *((number + before, sentence) for number, sentence in rows.odd)]),
        unit="line",
        encoding=found.encoding,
        detected=found.detected,
        delimiter=DELIMITERS.get(delimiter, delimiter),
        ragged=True,
    )


def _json(path: Path, data: bytes, options: TableOptions, names: Names | None) -> Iterable[Grid]:
    yield json_grid(path.name, encodings.decoded(path.name, data, options.encoding))


def _json_lines(path: Path, data: bytes, options: TableOptions, names: Names | None) -> Iterable[Grid]:
    yield json_lines_grid(path.name, encodings.decoded(path.name, data, options.encoding))


def _parquet(path: Path, data: bytes, options: TableOptions, names: Names | None) -> Iterable[Grid]:
    yield parquet_grid(path.name, data)


# ---- rows to a table --------------------------------------------------------------------------------------------


def sheet_of(grid: Grid, names: Names | None = None) -> Sheet | None:
    """The table in the rows of a grid; None where they are all empty."""
    rows = [(number, cells) for number, cells in grid.rows if any(cells)]
    if not rows:
        return None
    top = 0
    if grid.ragged or grid.unit == "row":
        top = _headline([cells for _, cells in rows], names if grid.ragged else None)
    depth = grid.depth(rows[top][0]) if grid.unit == "row" else 1
    head, body = grid.names_of_columns([number for number, _ in rows[top : top + depth]]), rows[top + depth :]
    odd = list(grid.odd)
    if grid.ragged:
        head, note = _widened(head, [cells for _, cells in body])
        odd += [(rows[top][0], note)] * bool(note)
    # Spreadsheets leave nameless columns to the right, mostly with nothing in them.
    cells_of_all = [head, *(cells for _, cells in body)]
    width = max((place + 1 for line in cells_of_all for place, cell in enumerate(line[: len(head)]) if cell))
    kept, surplus = [], []
    for number, cells in body:
        cells = cells if len(cells) <= width else cells[: max(width, _filled(cells))]
        if len(cells) > width:
            surplus.append((number, cells))
            mend = f": put cells that hold a {grid.delimiter} in quotation marks" if grid.kind == "CSV" else ""
            odd.append(
                (number, f"has {counted(len(cells), 'cell')} instead of {width}, so its values are left out{mend}")
            )
        elif any(cells):
            if grid.ragged and len(cells) < min(width, len(head)):
                odd.append(
                    (number, f"has {counted(len(cells), 'cell')} instead of {width}: the last columns stay empty")
                )
            kept.append((number, cells + [""] * (width - len(cells))))
    numbers, lines = [number for number, _ in kept], [cells for _, cells in kept]
    return Sheet(_unique(head[:width]), lines, numbers, surplus, sorted(odd), grid.headline(rows[top][0]), grid)


def _filled(cells: list[str]) -> int:
    """The number of cells without the empty ones at the end."""
    return max((place for place, cell in enumerate(cells, start=1) if cell), default=0)


def _headline(rows: list[list[str]], names: Names | None) -> int:
    """Which row has the names of the columns: above it there may be a title, a row with far fewer cells than those
    below. A title may have the delimiter in it, and a row of names be shorter than the others: which of both it is
    shows in the next row, which then names pictures or not."""
    first = rows[:_HEADLINES]
    filled = [sum(map(bool, cells)) for cells in first]
    top = next(place for place, count in enumerate(filled) if 2 * count >= max(filled))
    width, _ = usual_width(rows[:200])
    full = next((place for place in range(top, len(first)) if filled[place] >= width), len(first))
    is_title = names and full + 1 < len(first) and not any(map(names, first[full])) and any(map(names, first[full + 1]))
    return full if is_title else top


def _widened(head: list[str], rows: list[list[str]]) -> tuple[list[str], str]:
    """Where most rows have more cells than there are names, the last columns are nameless ones."""
    width, count = usual_width([cells[: _filled(cells)] for cells in rows])
    if width <= len(head) or 2 * count <= len(rows) or count < 2:
        return head, ""
    return head + [""] * (width - len(head)), (
        f"has {counted(len(head), 'name')} for {counted(width, 'column')}: "
        "check whether the names stand above the right cells"
    )


def _unique(head: list[str]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for place, name in enumerate(head, start=1):
        name = base = name or f"column_{place}"
        copies = 1
        while name in taken:
            copies += 1
            name = f"{base}_{copies}"
        names.append(name)
        taken.add(name)
    return names
