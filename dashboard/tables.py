"""Tables for the screen, for a spreadsheet, for other programs."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pyarrow as pa

from store.spreadsheets import disarmed, harmless


def tidy(table: pa.Table) -> pa.Table:
    """The table as any reader takes it: no two columns of one name, JSON and other foreign types as text."""
    names, taken = [], set()
    for name in table.column_names:
        fresh, number = name or "column", 2
        while fresh in taken:
            fresh, number = f"{name}_{number}", number + 1
        taken.add(fresh)
        names.append(fresh)
    return pa.table({name: _plain(column) for name, column in zip(names, table.columns, strict=True)})


def to_csv(table: pa.Table) -> bytes:
    """CSV with a byte order mark, so that Excel reads umlauts too, and with nothing in it that a spreadsheet runs."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([harmless(name) for name in table.column_names])
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([harmless(value) for value in row])
    return file.getvalue().encode("utf-8-sig")


def safe_csv(frame: pd.DataFrame, float_format: str | None = None) -> bytes:
    """The rows of a frame, without its index, as CSV that is as harmless as that of `to_csv`; numbers stay numbers."""
    text = disarmed(frame).to_csv(index=False, float_format=float_format, lineterminator="\r\n")  # quotes a lone \r too
    return text.encode("utf-8-sig")


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


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind):  # HUGEINT, as sums of whole numbers are, would come as a decimal of 38 digits
        return column.cast(pa.float64())
    if pa.types.is_interval(kind) or pa.types.is_union(kind) or pa.types.is_map(kind) or pa.types.is_binary(kind):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    return column
