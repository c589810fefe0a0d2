"""The terms of a table that somebody brings along, of whatever kind: CSV and text, workbooks, JSON, Parquet."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.vision.words.scores import TextError
from ingest.vision.words.terms import TermRow, read_csv, terms_of

TYPES = ("csv", "tsv", "txt", "xlsx", "xlsm", "xls", "ods", "json", "jsonl", "ndjson", "parquet")
MAX_UNPACKED = 2**28  # bytes of a workbook
_OLE = b"\xd0\xcf\x11\xe0"  # how XLS begins
_EXPECTED = "a table with a column term is expected"


def read_terms(name: str, data: bytes) -> tuple[list[TermRow], int]:
    """The terms of a file called `name`, and how many were left out since they had been there before; of a workbook
    those of its first sheet with a column `term`. As `terms.terms_of`; TextError with half a sentence for a file that
    cannot be read, or with no term."""
    if data.startswith((b"PK", _OLE)):
        tables = _sheets(data)
    elif data.startswith(b"PAR1"):
        tables = [_parquet(data)]
    elif name.lower().endswith((".json", ".jsonl", ".ndjson")):
        tables = [_records(_json(name, data))]
    else:
        return read_csv(data)
    fitting = [table for table in tables if table and "term" in [cell.strip().lower() for cell in table[0]]]
    if not fitting:
        raise TextError(f"the file has no column called term: {_EXPECTED}")
    found = terms_of(fitting[0][0], fitting[0][1:])
    if not found[0]:
        raise TextError(f"the file holds no term: {_EXPECTED}")
    return found


def _sheets(data: bytes) -> list[list[list[str]]]:
    """The sheets of a workbook as rows of text."""
    import python_calamine

    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED:
                    raise TextError(f"the workbook unpacks to more than {MAX_UNPACKED >> 20} MB: save it as CSV UTF-8")
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [book.get_sheet_by_name(name).to_python(skip_empty_area=True) for name in book.sheet_names]
    except (python_calamine.CalamineError, zipfile.BadZipFile) as error:
        raise TextError(f"the workbook cannot be read ({error}): save it as CSV UTF-8") from None
    return [[[_text(cell) for cell in row] for row in sheet] for sheet in sheets]


def _parquet(data: bytes) -> list[list[str]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return _records(parquet.read_table(io.BytesIO(data)).to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise TextError(f"the Parquet file cannot be read ({error})") from None


def _json(name: str, data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
        lines = text.splitlines() if not name.lower().endswith(".json") else []
        return [json.loads(line) for line in lines if line.strip()] if lines else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TextError(f"the file is no JSON that can be read ({error})") from None


def _records(rows: Any) -> list[list[str]]:
    """A list of objects as rows of text below the names of their keys."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise TextError("the file is no list of objects, each with a key term")
    names: Iterable[str] = dict.fromkeys(name for row in rows for name in row)
    return [[*map(str, names)], *([_text(row.get(name)) for name in names] for row in rows)]


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
