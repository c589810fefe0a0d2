"""Tables for the screen, for a spreadsheet, for other programs."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa

from store.answers import DUCKDB_TYPE
from store.spreadsheets import csv_of_frame, csv_of_rows

_NUMBERS = {b"HUGEINT": int, b"UHUGEINT": int, b"BIGNUM": int, b"FLOAT": float, b"DOUBLE": float}


def tidy(table: pa.Table) -> pa.Table:
    """The table as any reader takes it: no two columns of one name, JSON and other foreign types as text."""
    table = named_apart(table)
    return pa.table({name: _plain(column) for name, column in zip(table.column_names, table.columns, strict=True)})


def named_apart(table: pa.Table) -> pa.Table:
    """The table with no two columns of one name, and none without."""
    names, taken = [], set()
    for name in table.column_names:
        fresh, number = name or "column", 2
        while fresh in taken:
            fresh, number = f"{name}_{number}", number + 1
        taken.add(fresh)
        names.append(fresh)
    return table.rename_columns(names)


def to_csv(table: pa.Table) -> bytes:
    """CSV with a byte order mark, so that Excel reads umlauts too, and with nothing in it that a spreadsheet runs."""
    columns = [_numbers(column, table.field(place)) for place, column in enumerate(table.columns)]
    return csv_of_rows(table.column_names, zip(*columns, strict=True)).encode("utf-8-sig")


def for_csv(typed: pa.Table, shown: pa.Table) -> pa.Table:
    """The columns of an answer (`store.sandbox.QueryResult`) as a CSV has them: numbers exact, the rest as printed."""
    exact = [pa.types.is_integer(kind) or pa.types.is_decimal(kind) for kind in typed.schema.types]
    both = zip(exact, typed.columns, shown.columns, strict=True)
    columns = [own if number else printed for number, own, printed in both]
    fields = [field.with_type(column.type) for field, column in zip(shown.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def safe_csv(frame: pd.DataFrame, float_format: str | None = None) -> bytes:
    """The rows of a frame, without its index, as CSV that is as harmless as that of `to_csv`; numbers stay numbers."""
    return csv_of_frame(frame, float_format).encode("utf-8-sig")


def to_parquet(table: pa.Table) -> bytes:
    """Apache Parquet, types kept."""
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def row_captions(table: pa.Table, without: tuple[str, ...] = ("title", "path", "collection")) -> dict[int, str]:
    """{image_id: the first other values of its row, named}: what a picture's place in an answer rests on.

    Of an image with several rows the first one counts; rows without an image are passed over.
    """
    names = [name for name in table.column_names if name != "image_id" and name not in without][:3]
    columns = [table[name].to_pylist() for name in names]
    captions: dict[int, str] = {}
    for place, image_id in enumerate(table["image_id"].to_pylist()):
        if isinstance(image_id, int) and image_id not in captions:
            values = [(name, column[place]) for name, column in zip(names, columns, strict=True)]
            captions[image_id] = " · ".join(f"{name} {_short(value)}" for name, value in values if value is not None)
    return captions


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _numbers(column: pa.ChunkedArray, field: pa.Field) -> list[Any]:
    """The values of a column; what only text can hold of a number, such as a HUGEINT, as a number."""
    values, kind = column.to_pylist(), (field.metadata or {}).get(DUCKDB_TYPE)
    read = _NUMBERS.get(kind) if kind is not None and pa.types.is_string(field.type) else None
    return values if read is None else [None if value is None else read(value) for value in values]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_interval(kind) or pa.types.is_union(kind) or pa.types.is_map(kind) or pa.types.is_binary(kind):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    return column
