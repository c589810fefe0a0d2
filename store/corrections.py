"""Corrections of single cells of the metadata, kept apart from what tables and manifests say of a picture.

The views `images` and `catalogue`, and with them all that reads metadata, show the corrected value. What the source
says stays in the table `image`, so that a new run over an old table changes no correction, and a source that says
something new can be seen.
"""

import json
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb
import pyarrow as pa

from store import catalogue, rows
from store.errors import StoreError
from store.identifiers import json_at, text_at

LONGEST = 10_000  # letters of a cell
YEARS = re.compile(r"year|jahr|ann[eé]e|\banno\b|\bjaar\b|\baño\b|_from$|_to$", re.IGNORECASE)
FARTHEST = 9999  # a year beyond it is a slip of the key

Connection = duckdb.DuckDBPyConnection


def of(con: Connection, image_id: int) -> pa.Table:
    """The rows of the view `corrections` of one picture: column, before, after, source_says, who, made_at."""
    query = 'SELECT "column", before, after, source_says, who, made_at FROM corrections WHERE image_id = $id ORDER BY 1'
    return con.sql(query, params={"id": int(image_id)}).to_arrow_table()


def among(con: Connection, collection: str | None = None) -> pa.Table:
    """All rows of the view `corrections`, those of a collection."""
    where = "" if collection is None else "WHERE collection = $collection"
    query = f'SELECT * FROM corrections {where} ORDER BY image_id, "column"'
    return con.sql(query, params={} if collection is None else {"collection": collection}).to_arrow_table()


def cells(con: Connection, image_id: int) -> dict[str, tuple[str, str]]:
    """{column of the catalogue: (a picture's cell as text, '' for none, the column's type)}; empty for no picture."""
    columns = rows.fetch(con, "SELECT key, name, type FROM catalogue_column ORDER BY position")
    if not columns:
        return {}
    texts = ", ".join(f"coalesce({text_at('metadata', key)}, '')" for key, _, _ in columns)
    found = rows.first(con, f"SELECT {texts} FROM images WHERE image_id = ?", [int(image_id)]) or ()
    return {name: (text, kind) for (_, name, kind), text in zip(columns, found, strict=False)}


def correct(
    con: Connection, image_id: int, column: str, text: str, who: str = "", instead_of: str | None = None
) -> bool:
    """Put `text` in the place of a picture's cell in a column of the catalogue, '' for none; False if it stood there,
    or is `instead_of` itself. Back to what the source says, there is no correction any more. StoreError for a picture
    or column that is not there, for a value that the column cannot have, and where the cell is no longer what it is
    to be put `instead_of`: somebody else has corrected it since."""
    key, kind = _column(con, column)
    query = f"SELECT {json_at('metadata', key)}, {text_at('metadata', key)} FROM"
    source = rows.first(con, f"{query} image WHERE image_id = ?", [image_id])
    shown = rows.first(con, f"{query} images WHERE image_id = ?", [image_id])
    if source is None or shown is None:
        raise StoreError("This picture is not in the database any more; choose another one.")
    value = checked(column, kind, text)
    if value == (shown[1] or "") or text == instead_of:
        return False
    if instead_of is not None and instead_of != (shown[1] or ""):
        now = f"it holds “{shown[1]}” now" if shown[1] else "it is empty now"
        raise StoreError(
            f"The cell has been corrected in another window since: {now}. Type yours again if it is right."
        )
    for beside, year in years_beside(con, column, value):
        correct(con, image_id, beside, year, who)
    rows.fetch(con, "DELETE FROM correction WHERE image_id = ? AND key = ?", [image_id, key])
    if value != (source[1] or ""):
        after = _as_json(value, source[0] if source[0] is not None else _example(con, key))
        row = {"image_id": image_id, "key": key, "before": source[0] or "null", "after": after}
        row |= {"who": who, "made_at": rows.now()}
        rows.insert(con, "correction", {name: [each] for name, each in row.items()})
    catalogue.refit(con, [key], [image_id])
    return True


def years_beside(con: Connection, column: str, value: str) -> list[tuple[str, str]]:
    """Of a column of dates that has years beside it (`date_from`, `date_to`), what these are for a date that is plainly
    a year, two years ("1831-40" too) or a day; nothing for another one, whose years are corrected on their own.
    StoreError for two years of which the second is the earlier."""
    names = [f"{column}_from", f"{column}_to"]
    query = "SELECT count(*) FROM catalogue_column WHERE name IN (SELECT unnest(?::VARCHAR[]))"
    found = re.fullmatch(r"(\d{3,4})(?:-\d\d-\d\d|\s*[-–/]\s*(\d{2,4}))?", value)
    if (value and not found) or rows.one(con, query, [names])[0] < 2:
        return []
    first, last = (found[1], found[2] or found[1]) if found else ("", "")
    if len(last) == 2:
        whole = first[:-2] + last
        if int(whole) <= int(first) and not 1 <= int(last) <= 12:
            return []
        last = whole if int(whole) > int(first) else first  # else it is a month
    if first and int(last) < int(first):
        raise StoreError(f"“{value}” runs backwards: type the earlier year first, as {last}–{first}.")
    return list(zip(names, (first.lstrip("0"), last.lstrip("0")), strict=True))


def take_back(con: Connection, image_id: int, column: str) -> None:
    """Show again what the source says, of a date in the years beside it too."""
    key, _ = _column(con, column)
    query = "SELECT key FROM catalogue_column WHERE name IN (?, ?)"
    beside = rows.fetch(con, query, [f"{column}_from", f"{column}_to"])
    keys = [key, *(each for (each,) in beside)]
    for each in keys:
        rows.fetch(con, "DELETE FROM correction WHERE image_id = ? AND key = ?", [image_id, each])
    catalogue.refit(con, keys, [image_id])


def checked(column: str, kind: str, text: str) -> str:
    """The text of a cell as a column of this type has it. StoreError, in words, if it cannot."""
    text = text.strip()
    if len(text) > LONGEST:
        raise StoreError(f"A cell has at most {LONGEST:,} letters, and this one has {len(text):,}; type less.")
    if not text or kind == "VARCHAR":
        return text
    if kind == "DATE":
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise StoreError(
                f"The column {column} holds dates, and “{text}” is none: type one as 1831-05-17."
            ) from None
    try:
        number = Decimal(text.replace("−", "-"))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        example = "a year such as 1831" if YEARS.search(column) else "one such as 12"
        raise StoreError(f"The column {column} holds numbers, and “{text}” is none: type {example}.")
    if kind == "BIGINT":
        if number != number.to_integral_value() or abs(number) >= 10**18:
            raise StoreError(f"The column {column} holds whole numbers, and “{text}” is none: type one such as 1831.")
        if YEARS.search(column) and abs(number) > FARTHEST:
            raise StoreError(f"“{text}” is no year: type one from -{FARTHEST} to {FARTHEST}, such as 1831.")
        return str(int(number))
    if kind.startswith("DECIMAL"):
        places = int(kind.rstrip(")").rpartition(",")[2])
        if number != round(number, places) or abs(number) >= 10 ** (18 - places):
            raise StoreError(
                f"The column {column} holds numbers with {places} decimals: type one such as {1:.{places}f}."
            )
        return f"{number:.{places}f}"
    return repr(float(number)).removesuffix(".0")


def _column(con: Connection, column: str) -> tuple[str, str]:
    found = rows.first(con, "SELECT key, type FROM catalogue_column WHERE name = ?", [column])
    if found is None:
        raise StoreError(f"The catalogue has no column {column!r}; choose another.")
    return found


def _example(con: Connection, key: str) -> str | None:
    """What some picture's source has under a key, as JSON."""
    cell = json_at("metadata", key)
    found = rows.first(con, f"SELECT {cell} FROM image WHERE {text_at('metadata', key)} IS NOT NULL LIMIT 1")
    return found[0] if found else None


def _as_json(value: str, like: str | None) -> str:
    """A cell as JSON: a number or a list where the source has such, else text; null for none."""
    if not value:
        return "null"
    model: Any = None if like is None else json.loads(like)
    if isinstance(model, int | float | list) and not isinstance(model, bool):
        try:
            read = json.loads(value)
        except ValueError:
            read = None
        if isinstance(read, list) == isinstance(model, list) and isinstance(read, int | float | list):
            return value
    return json.dumps(value, ensure_ascii=False)
