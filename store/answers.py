"""An answer of DuckDB as two Arrow tables: what other programs take, and what DuckDB itself prints.

Arrow, Python and Parquet hold less than DuckDB does: no day before the year 1, no whole number of 128 bits, no bits, no
interval of months and days that a spreadsheet could read. DuckDB prints all of them, so it is asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

DUCKDB_TYPE = b"duckdb"  # the key in a field's metadata under which the name of its type lies

_WHOLE = frozenset(["tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"])
_HUGE = frozenset(("hugeint", "uhugeint"))  # Arrow gets the largest of these as -1
_FLOATING = frozenset(("float", "double"))
_MOMENTS = frozenset(["date", "time", "time_ns", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"])
_MOMENTS |= {"timestamp with time zone", "timestamptz_ns"}
_SIMPLE = _WHOLE | _FLOATING | {"boolean", "varchar"}
_NESTED = frozenset(("list", "array", "struct", "map"))

EXACT = 2**53 - 1  # the largest whole number that a browser holds exactly
DIGITS = 15  # as many of a decimal number
_FIRST, _END = -62_135_596_800, 253_402_300_800  # seconds from 1970 to the years 1 and 10000


def fetch(relation: duckdb.DuckDBPyRelation) -> tuple[pa.Table, pa.Table]:
    """The rows of a relation, run once: (typed, shown), of the same columns.

    `typed` keeps DuckDB's types where Arrow, Python and Parquet have the same, and else has text. `shown` has numbers
    and truth values where a browser holds them exactly, and else text as DuckDB prints it. The metadata of the fields
    say what DuckDB calls the type.
    """
    wanted = [name for place, kind in enumerate(relation.types, 1) for name in _columns(place, kind)]
    found = iter(relation.project(", ".join(wanted)).to_arrow_table().columns)
    typed, shown, fields = [], [], []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        # Which columns were asked for follows from the type alone.
        own = next(found) if _arrow_holds(kind) else None
        printed = own if _prints_itself(kind) else next(found)
        typed.append(_typed(kind, own, printed))
        shown.append(_shown(kind, own, printed))
        fields.append((name, {DUCKDB_TYPE: str(kind)[:200].encode()}))
    return _table(typed, fields), _table(shown, fields)


def _columns(place: int, kind: Any) -> Iterator[str]:
    if _arrow_holds(kind):
        yield f"#{place}"
    if not _prints_itself(kind):
        yield f"#{place}::VARCHAR"


def _table(columns: list, fields: list[tuple[str, dict]]) -> pa.Table:
    schema = [
        pa.field(name, column.type, metadata=about) for column, (name, about) in zip(columns, fields, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(schema))


def _prints_itself(kind: Any) -> bool:
    return kind.id in _WHOLE | {"boolean", "varchar"}


def _arrow_holds(kind: Any) -> bool:
    """Whether all or most values of a type are the same in Arrow, in Python and in a Parquet file."""
    if kind.id in _NESTED:
        children = [child for name, child in kind.children if (kind.id, name) != ("array", "size")]
        return all(child.id in _SIMPLE or (child.id in _NESTED and _arrow_holds(child)) for child in children)
    return kind.id in _SIMPLE | _MOMENTS | {"decimal", "blob", "enum"}


def _typed(kind: Any, own: Any, printed: Any) -> Any:
    if kind.id in _HUGE:
        return _huge(printed)
    if own is None or (kind.id in _MOMENTS and not _python_holds(own)):
        return printed
    return own


def _shown(kind: Any, own: Any, printed: Any) -> Any:
    if kind.id in _WHOLE:
        return own if _largest(own) <= EXACT else own.cast(pa.string())
    if kind.id in _HUGE:
        return printed.cast(pa.int64()) if _fits(printed, r"-?\d{1,15}") else printed
    if kind.id == "decimal":
        before_point = DIGITS - own.type.scale
        return own if before_point > 0 and _fits(printed, rf"-?\d{{1,{before_point}}}(\.\d+)?") else printed
    if kind.id in _FLOATING:
        # A FLOAT of 0.1 is 0.10000000149011612 to whoever takes it for a DOUBLE; what DuckDB prints is 0.1.
        return printed.cast(pa.float64()) if pc.all(pc.is_finite(own)).as_py() is not False else printed
    return printed


def _fits(printed: Any, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(printed, f"^{pattern}$")).as_py() is not False


def _huge(printed: Any) -> Any:
    """HUGEINT and UHUGEINT: as whole numbers of 64 bits where all fit, of 38 digits where these do, else as text."""
    for kind, pattern in ((pa.int64(), r"-?\d{1,18}"), (pa.decimal128(38, 0), r"-?\d{1,38}")):
        if _fits(printed, pattern):
            return printed.cast(kind)
    return printed


def _largest(numbers: Any) -> int:
    ends = pc.min_max(numbers).as_py()
    return max(abs(ends["min"] or 0), abs(ends["max"] or 0))


def _python_holds(moments: Any) -> bool:
    """Whether all days and times lie within Python's: neither infinite, nor before the year 1 or after 9999."""
    kind = moments.type
    ends = pc.min_max(moments.cast(pa.int32() if pa.types.is_date(kind) else pa.int64())).as_py()
    if ends["min"] is None:
        return True
    if pa.types.is_date(kind):
        first, end = (day.toordinal() - date(1970, 1, 1).toordinal() for day in (date.min, date.max))
        return first <= ends["min"] and ends["max"] <= end
    a_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
    if pa.types.is_time(kind):
        return ends["max"] < 86_400 * a_second  # 24:00:00 is a time of DuckDB's
    first, end = max(_FIRST * a_second, -(2**63) + 2), min(_END * a_second, 2**63 - 1)  # the outermost mean infinity
    return first <= ends["min"] and ends["max"] < end
