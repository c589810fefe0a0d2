"""What the columns of the catalogue offer to choose images by, and the images that a choice leaves.

Values of a column go as text, as `column::VARCHAR` has them, ends of ranges as numbers or dates. Of a column whose
cells are lists ("Architecture; Landscape") each part is a value, and the tags of images are such a column TAG, unless
the catalogue has one of that name. With a `run_id` the vocabularies of this run are such columns too, called as
`store.labelled.columns` says. A column that is not there raises StoreError.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np

from store import labelled, read
from store.conditions import TAG, VOCABULARY, Between, Column, Condition, Contains, Edge, OneOf, Put, Years
from store.errors import StoreError
from store.identifiers import literal, quoted
from store.rows import fetch, first, one, plain

__all__ = [
    "BINS",
    "TAG",
    "VALUES",
    "Between",
    "Categories",
    "Condition",
    "Contains",
    "OneOf",
    "Spread",
    "Years",
    "categories",
    "columns",
    "grouping",
    "matching",
    "parts",
    "spread",
    "statement",
]

VALUES, BINS = 200, 30  # listed of a column, and drawn of a range

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Categories:
    """The most frequent values of a column as (value, images), how many values there are in all, of those that were
    searched for, and how many images have none."""

    values: tuple[tuple[str, int], ...]
    distinct: int
    missing: int


@dataclass(frozen=True)
class Spread:
    """The least and the greatest number or date of a column, how many images lie in each bin, the bins' edges (one more
    than bins), and how many images have none."""

    low: Edge
    high: Edge
    counts: tuple[int, ...]
    edges: tuple[Edge, ...]
    missing: int


def columns(con: Connection, collection: str, run_id: int | None = None) -> dict[str, str]:
    """The columns that a collection can be chosen by, as `store.read.metadata_columns` gives them, TAG where there
    are tags, and the vocabularies of a run."""
    kinds = read.metadata_columns(con, collection)
    query = "SELECT count(*) FROM tags JOIN catalogue USING (image_id) WHERE collection = ?"
    if TAG not in kinds and one(con, query, [collection])[0]:
        kinds |= {TAG: "text"}
    return kinds if run_id is None else kinds | dict.fromkeys(labelled.columns(con, run_id), "text")


def categories(
    con: Connection,
    collection: str,
    column: str,
    search: str = "",
    most: int = VALUES,
    also: Sequence[str] = (),
    run_id: int | None = None,
) -> Categories:
    """The `most` frequent values of a collection's images that hold the text `search`, and any of `also`."""
    asked = _column(con, column, run_id)
    of, value = "catalogue", f"{asked.name}::VARCHAR"
    if asked.parts:
        of, value = f"({asked.parts}) JOIN catalogue USING (image_id)", "part"
    holds = Contains.template.format(column="value", value="$search")
    found = fetch(
        con,
        f"""
        WITH every AS MATERIALIZED (
            SELECT {value} AS value, count(*) AS images FROM {of} WHERE collection = $collection GROUP BY 1
        ),
        searched AS (SELECT * FROM every WHERE value IS NOT NULL AND {holds}),
        top AS (SELECT * FROM searched ORDER BY images DESC, value LIMIT $most)
        SELECT value, images, (SELECT count(*) FROM searched) FROM (
            FROM top UNION FROM every WHERE value IN (SELECT unnest($also::VARCHAR[]))
        ) ORDER BY images DESC, value
        """,
        {"collection": collection, "search": search, "most": most, "also": list(also)},
    )
    none = _test(con, OneOf(column, missing=True), str, run_id)
    missing = one(con, f"SELECT count(*) FROM catalogue WHERE collection = ? AND {none}", [collection])[0]
    return Categories(tuple((value, images) for value, images, _ in found), found[0][2] if found else 0, missing)


def spread(con: Connection, collection: str, column: str, bins: int = BINS) -> Spread | None:
    """How a collection's numbers or dates lie, in at most that many bins, which for whole numbers and days all hold
    equally many of them; None for a text column and for one without a value."""
    name, kind = (asked := _column(con, column)).name, asked.kind
    if asked.is_text:
        return None
    value = f"date_diff('day', DATE '1970-01-01', {name})" if kind == "DATE" else name
    if kind.startswith("DECIMAL"):
        kind, value = "DOUBLE", f"{name}::DOUBLE"
    values = f"SELECT {value} AS value FROM catalogue WHERE collection = $collection"
    finite = "isfinite(value::DOUBLE)"
    low, high, missing = one(
        con,
        f"SELECT min(value) FILTER ({finite}), max(value) FILTER ({finite}), count(*) - count(value) FROM ({values})",
        {"collection": collection},
    )
    if low is None:
        return None
    whole = kind != "DOUBLE"
    width = -(-(high - low + 1) // bins) if whole else (high - low) / bins
    count = -(-(high - low + 1) // width) if whole else bins if width else 1
    place = "(value - $low) // $width" if whole else "floor((value - $low) / $width)"
    found = fetch(
        con,
        f"SELECT least({place}, $last)::INTEGER AS bin, count(*) FROM ({values}) WHERE {finite} GROUP BY bin",
        {"collection": collection, "low": low, "width": width or 1.0, "last": count - 1},
    )
    counts = dict(found)
    edges = [low + place * width for place in range(count + 1)]
    if kind == "DATE":
        low, high, edges = _day(low), _day(high), [_day(edge) for edge in edges]
    return Spread(low, high, tuple(counts.get(place, 0) for place in range(count)), tuple(edges), missing)


def parts(con: Connection, column: str, run_id: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Image ids (m,) int64 and a value of each in a column where an image can have several: parts, tags, terms."""
    found = con.sql(f"SELECT image_id, part FROM ({_column(con, column, run_id).parts})").to_arrow_table()
    return found["image_id"].to_numpy().astype(np.int64), found["part"].to_pylist()


def grouping(con: Connection, collection: str) -> list[str]:
    """The columns that group a collection's images: not those in which nearly each image has a text of its own."""
    columns = fetch(con, "SELECT name, type FROM catalogue_column ORDER BY position")
    if not columns:
        return []
    counts = ", ".join(
        f"count({quoted(name)}), {f'count(DISTINCT {quoted(name)})' if kind == 'VARCHAR' else '1'}"
        for name, kind in columns
    )
    found = one(con, f"SELECT {counts} FROM catalogue WHERE collection = ?", [collection])
    parts = fetch(
        con,
        "SELECT key, count(DISTINCT value) FROM keywords JOIN catalogue USING (image_id) "
        "WHERE collection = ? GROUP BY key",
        [collection],
    )
    distinct = dict(zip((name for name, _ in columns), found[1::2], strict=True)) | dict(parts)
    several = zip(columns, found[::2], strict=True)
    return [name for (name, _), images in several if images and distinct[name] <= max(8, 0.6 * images)]


def matching(
    con: Connection, collection: str, conditions: Iterable[Condition], run_id: int | None = None
) -> np.ndarray:
    """The ids (n,) int64, ascending, of a collection's images for which all conditions hold. Read-only."""
    params: list[Any] = [collection]

    def put(value: Any) -> str:
        params.append(value)
        return "?"

    tests = "".join(f" AND {_test(con, condition, put, run_id)}" for condition in conditions)
    query = f"SELECT image_id FROM catalogue WHERE collection = ?{tests} ORDER BY image_id"
    ids = np.asarray(con.execute(query, plain(params)).fetchnumpy()["image_id"], dtype=np.int64)
    ids.flags.writeable = False
    return ids


def statement(
    con: Connection, collection: str, conditions: Iterable[Condition], condition: str = "", run_id: int | None = None
) -> str:
    """SQL that gives the same images, values written out, with one more condition as somebody typed it."""
    tests = [f"collection = {_literal(collection)}", *(_test(con, each, _literal, run_id) for each in conditions)]
    if condition:
        tests.append(f"({condition}\n)")
    return "SELECT image_id FROM catalogue\nWHERE " + "\n  AND ".join(tests)


def _test(con: Connection, condition: Condition, put: Put, run_id: int | None = None) -> str:
    """SQL for a condition, its values as `put` writes them."""
    return condition.sql(_column(con, condition.column, run_id), put)


def _column(con: Connection, column: str, run_id: int | None = None) -> Column:
    found = first(con, "SELECT type, separator FROM catalogue_column WHERE name = ?", [column])
    if found is None and column == TAG:
        return Column(quoted(TAG), TAG, "SELECT image_id, tag AS part FROM tags")
    if found is None and run_id is not None and (vocabulary := labelled.columns(con, run_id).get(column)) is not None:
        return Column(quoted(column), VOCABULARY, labelled.parts(run_id, vocabulary))
    if found is None:
        raise StoreError(f"The catalogue has no column {column!r}.")
    kind, separator = found
    beside = fetch(con, "SELECT name FROM catalogue_column WHERE name IN (?, ?)", [f"{column}_from", f"{column}_to"])
    years = (quoted(f"{column}_from"), quoted(f"{column}_to")) if len(beside) == 2 else None
    if separator is None:
        return Column(quoted(column), kind, years=years)
    parts = f"SELECT image_id, value AS part FROM keywords WHERE key = {literal(column)}"
    return Column(quoted(column), kind, parts, separator, years)


def _literal(value: Any) -> str:
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return literal(value) if isinstance(value, str) else repr(value)


def _day(number: int) -> date:
    """The day so many after 1970-01-01; the first and last that a calendar of four-digit years has for those beyond."""
    return date.fromordinal(min(max(number + _EPOCH, 1), date.max.toordinal()))


_EPOCH = date(1970, 1, 1).toordinal()
