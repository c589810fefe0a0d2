"""Tables of every usual kind as text: CSV and TSV in any encoding, Excel, JSON, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from ingest.sources.folder import SourceError

SUFFIXES = (".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".json", ".jsonl", ".ndjson", ".parquet")
MAX_BYTES = 2**30
MAX_UNPACKED = 2**28  # bytes of a workbook
MAX_CELLS = 50_000_000

_DELIMITERS = ",;\t|"
_SAMPLE = 50  # rows that tell the delimiter
_HEADLINES = 20  # rows among which the names of the columns are looked for
_FILE = "file"  # the column for the names by which a JSON object calls its records
_CELL = re.compile(rb"<(?:[A-Za-z0-9]+:)?(row|c)\b(?:[^>]*?\sr=\"([A-Z]{0,3})([0-9]{1,7})\")?")


@dataclass(frozen=True)
class Sheet:
    """One table: the names of its columns, unique, and its rows, each as long as the header, blank cells ""."""

    header: list[str]
    rows: list[list[str]]


def read_sheets(path: Path) -> list[Sheet]:
    """The tables of a file that hold anything: one, or the sheets of a workbook. SourceError if there is none, or if
    the file cannot be read."""
    data = _bytes(path)
    try:
        sheets = [sheet for lines in _reader(path, data)(path, data) if (sheet := _sheet(lines))]
    except (csv.Error, json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"{path.name} could not be read as a table: {error}.") from None
    if not sheets:
        raise SourceError(f"{path.name} is empty: its first row must hold the names of the columns.")
    return sheets


def _reader(path: Path, data: bytes) -> Callable[[Path, bytes], Iterable[list[list[str]]]]:
    """Who reads a file: its first bytes tell, and among texts its suffix."""
    suffix = path.suffix.lower()
    if data.startswith(b"PAR1"):
        return _parquet
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _workbook
    if suffix in (".jsonl", ".ndjson"):
        return _json_lines
    if suffix == ".json":
        return _json
    return _delimited


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():  # asked before opening: a pipe would block for ever
            raise SourceError(f"There is no table {path}." if not path.exists() else f"{path} is not a file.")
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"The table {path.name} has more than {MAX_BYTES >> 30} GiB, which is no table.")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"The table {path} could not be read: {error.strerror or error}.") from None


# ---- lines to a table -------------------------------------------------------------------------------------------


def _sheet(lines: Iterable[list[str]]) -> Sheet | None:
    lines = [line for line in lines if any(line)]
    if not lines:
        return None
    # Above the names of the columns there may be a title: a row with far fewer cells than the rows below.
    filled = [sum(map(bool, line)) for line in lines[:_HEADLINES]]
    top = next(place for place, count in enumerate(filled) if 2 * count >= max(filled))
    head, body = lines[top], lines[top + 1 :]
    # Spreadsheets leave nameless columns to the right, mostly with nothing in them.
    width = max((place + 1 for line in [head, *body] for place, cell in enumerate(line[: len(head)]) if cell))
    body = [(line + [""] * width)[:width] for line in body]
    return Sheet(_unique(head[:width]), [line for line in body if any(line)])


def _unique(head: list[str]) -> list[str]:
    names: list[str] = []
    for place, name in enumerate(head, start=1):
        name = base = name or f"column_{place}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{base}_{copies}"
        names.append(name)
    return names


def _text_of(value: Any) -> str:
    """A cell as text: whole numbers without a decimal point, days without an hour, lists one after the other."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() and value.tzinfo is None else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, list | tuple):
        return "; ".join(text for each in value if (text := _text_of(each)))
    return str(value).strip()


# ---- CSV and its relatives --------------------------------------------------------------------------------------


def _delimited(path: Path, data: bytes) -> Iterator[list[list[str]]]:
    text = _text(path, data)
    delimiter = None
    if match := re.match(r"sep=(.)\r?\n", text):  # Excel's own mark
        delimiter, text = match[1], text[match.end() :]
    yield list(_rows(text, delimiter or _delimiter(text)))


def _text(path: Path, data: bytes) -> str:
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise SourceError(f"{path.name} is not a text file: save the table as 'CSV UTF-8'.")


def _encodings(data: bytes) -> tuple[str, ...]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ("utf-16",)
    sample = data[:4096]
    if len(sample) > 3 and sample.count(0) > len(sample) // 4:  # UTF-16 without its mark: every second byte is 0
        return ("utf-16-le",) if not any(sample[1:4:2]) else ("utf-16-be",)
    return ("utf-8-sig", "cp1252", "latin-1")


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
        yield [cell.strip() for cell in line]


def _delimiter(text: str) -> str:
    """The delimiter by which most rows get as many cells as the first."""

    def fitness(delimiter: str) -> tuple[float, int]:
        lines = [line for line, _ in zip(filter(any, _rows(text, delimiter)), range(_SAMPLE), strict=False)]
        width = len(lines[0]) if lines else 0
        return (sum(len(line) == width for line in lines) / len(lines), width) if width > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fitness)


# ---- workbooks --------------------------------------------------------------------------------------------------


def _workbook(path: Path, data: bytes) -> Iterator[list[list[str]]]:
    import python_calamine

    if data.startswith(b"PK"):
        _refuse_bombs(path, data)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        for number in range(len(book.sheet_names)):
            sheet = book.get_sheet_by_index(number)
            yield [[_text_of(cell) for cell in row] for row in sheet.to_python()]
    except python_calamine.PasswordError:
        raise SourceError(f"{path.name} asks for a password: save a copy without one.") from None
    except python_calamine.CalamineError as error:
        raise SourceError(f"{path.name} is no workbook that can be read ({error}): save it as 'CSV UTF-8'.") from None


def _refuse_bombs(path: Path, data: bytes) -> None:
    """A few bytes can unpack to more than any memory, and one cell in the last corner makes a sheet of 17 thousand
    million cells: looked up before anything is made of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if "xl/workbook.xml" not in archive.namelist():
                raise SourceError(f"{path.name} is an archive or a workbook of another kind: save it as XLSX or CSV.")
            if sum(member.file_size for member in members) > MAX_UNPACKED:
                raise SourceError(f"{path.name} unpacks to more than {MAX_UNPACKED >> 20} MB: save the sheet as CSV.")
            for member in members:
                content = archive.read(member)  # checks that it is as long as was said
                if member.filename.startswith("xl/worksheets/") and _extent(content) > MAX_CELLS:
                    raise SourceError(
                        f"A sheet of {path.name} has more than {MAX_CELLS // 10**6} million cells, most of them empty: "
                        "delete the rows and columns that are not used, or save it as CSV."
                    )
    except SourceError:
        raise
    except Exception as error:  # the archive, its compression and its encryption have errors of their own
        raise SourceError(
            f"{path.name} is no workbook, or it is damaged ({str(error).rstrip('.')}): save the table as CSV."
        ) from None


def _extent(sheet: bytes) -> int:
    """How many cells the rectangle has that all cells of a sheet lie in."""
    rows = columns = row = column = 0
    for kind, letters, number in _CELL.findall(sheet):
        if kind == b"row":
            row, column = int(number or row + 1), 0
        else:
            column = _column(letters) if letters else column + 1
            row = int(number) if number else row
        rows, columns = max(rows, row), max(columns, column)
    return rows * columns


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


# ---- JSON -------------------------------------------------------------------------------------------------------


def _json(path: Path, data: bytes) -> Iterator[list[list[str]]]:
    text = _text(path, data)
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        yield from _json_lines(path, data)  # many a file of JSON Lines is called .json
        return
    records = _records(found)
    if records is None:
        raise SourceError(f'{path.name} holds no list of records: write [{{"file": …}}, …].')
    yield _lines(records)


def _json_lines(path: Path, data: bytes) -> Iterator[list[list[str]]]:
    records = [json.loads(line) for line in _text(path, data).splitlines() if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise SourceError(f'{path.name} must hold an object on each line, such as {{"file": …}}.')
    yield _lines(records)


def _records(found: Any) -> list[dict] | None:
    """The records in what a JSON file holds: a list of objects, the longest such list within an object, or an object
    whose keys name the files."""
    if isinstance(found, list):
        return found if found and all(isinstance(each, dict) for each in found) else None
    if not isinstance(found, dict):
        return None
    lists = [records for value in found.values() if (records := _records(value))]
    if any(isinstance(value, list) for value in found.values()) and lists:
        return max(lists, key=len)
    if found and all(isinstance(value, dict) for value in found.values()):
        return [{_FILE: key, **value} for key, value in found.items()]
    return max(lists, key=len, default=None)


def _lines(records: list[dict]) -> list[list[str]]:
    flat = [_flat(record) for record in records]
    header = list(dict.fromkeys(key for record in flat for key in record))
    return [header, *([record.get(key, "") for key in header] for record in flat)]


def _flat(record: dict, before: str = "") -> dict[str, str]:
    """{"artist": {"name": "Hokusai"}} becomes {"artist.name": "Hokusai"}."""
    found: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = _text_of(value)
    return found


# ---- Parquet ----------------------------------------------------------------------------------------------------


def _parquet(path: Path, data: bytes) -> Iterator[list[list[str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows * file.metadata.num_columns > MAX_CELLS:
            raise SourceError(f"{path.name} has more than {MAX_CELLS // 10**6} million cells, which is no table.")
        yield _lines(file.read().to_pylist())
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"{path.name} could not be read as a table: {str(error).rstrip('.')}.") from None
