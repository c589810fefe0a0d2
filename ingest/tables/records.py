"""Tables of records: JSON in its usual shapes, JSON Lines, Parquet."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

from ingest.errors import SourceError
from ingest.tables.encodings import Text
from ingest.tables.grid import Grid, text_of

MAX_CELLS = 50_000_000

_FILE = "file"  # the column for the names by which a JSON object calls its records


def json_grid(name: str, text: Text) -> Grid:
    """The records of a JSON file: a list of objects, the longest such list within an object, or an object whose keys
    name the files. SourceError if there are none, JSONDecodeError if it is no JSON."""
    try:
        found = _loads(text.text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].strip().startswith("{"):
            raise SourceError(f"{name} could not be read as a table: {error}.") from None
        return json_lines_grid(name, text)  # many a file of JSON Lines is called .json
    records = _records(found)
    if records is None:
        raise SourceError(f'{name} holds no list of records: write [{{"file": …}}, …].')
    return _grid("JSON", records, text)


def json_lines_grid(name: str, text: Text) -> Grid:
    """The objects of a file that has one on each line. Lines that hold none are left out and told; SourceError where
    half of them are such."""
    records, bad = [], []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.text), start=1):
        if line.strip():
            try:
                found = _loads(line)
            except (json.JSONDecodeError, RecursionError):
                found = None
            records += [found] * isinstance(found, dict)
            bad += [number] * (not isinstance(found, dict))
    if bad and len(bad) >= len(records):
        raise SourceError(
            f'{name} could not be read as a table: it must hold an object on each line, such as {{"file": …}}; '
            f"see line {bad[0]}."
        )
    odd = [(number, "holds no whole JSON object, so it is left out") for number in bad]
    return _grid("JSON Lines", records, replace(text, odd=sorted([*text.odd, *odd])))


def parquet_grid(name: str, data: bytes) -> Grid:
    """The rows of a Parquet file. SourceError if it cannot be read, or has too many cells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows * file.metadata.num_columns > MAX_CELLS:
            raise SourceError(f"{name} has more than {MAX_CELLS // 10**6} million cells, which is no table.")
        return _grid("Parquet", file.read().to_pylist())
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"{name} could not be read as a table: {str(error).rstrip('.')}.") from None


def _loads(text: str) -> Any:
    # 1978.10 is a number to JSON, and an accession number to a museum: as it is written it can be both.
    return json.loads(text, parse_float=_decimal, parse_constant=lambda _: None)


def _decimal(text: str) -> str:
    return text[:-2] if re.fullmatch(r"-?[0-9]+\.0", text) else text  # 1889.0, as whole numbers with gaps are written


def _records(found: Any) -> list[dict] | None:
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


def _grid(kind: str, records: list[dict], text: Text | None = None) -> Grid:
    flat = [_flat(record) for record in records]
    header = list(dict.fromkeys(key for record in flat for key in record))
    rows = [(0, header), *((n, [record.get(key, "") for key in header]) for n, record in enumerate(flat, start=1))]
    if text is None:
        return Grid(kind, rows)
    odd = [(0, f"line {number} {sentence}") for number, sentence in text.odd]
    return Grid(kind, rows, odd, encoding=text.encoding, detected=text.detected)


def _flat(record: dict, before: str = "") -> dict[str, str]:
    """{"artist": {"name": "Hokusai"}} becomes {"artist.name": "Hokusai"}."""
    found: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = text_of(value)
    return found
