"""The view `catalogue`: one typed column for each metadata key; and with it `keywords`, the parts of what are lists.

Metadata is kept as it came, as JSON. The view reads each key out of it and casts it to the narrowest type that fits all
its values: whole numbers BIGINT, other numbers DOUBLE, YYYY-MM-DD dates DATE, all else VARCHAR. A column is of numbers
only if each of its values can be had back from its number: "007", "+49", "1e5", 1978.10 (an inventory number, which
1978.1 would be too) and more than 18 digits are text. One exception are measures and prices with the same number of
decimals throughout, 12.50 and 13.00: where one of them ends in nothing but zeros, which inventory numbers do not, they
are DECIMAL(18, n), which keeps the zeros. Blank strings are NULL.
"""

import re
from collections.abc import Iterable

import duckdb

from store import keywords
from store.identifiers import quoted, text_at
from store.present import DESCRIBED, SHOWN
from store.rows import fetch

__all__ = ["OWN", "column_names", "quoted", "rebuild", "text_at"]

OWN = ("image_id", "collection", "path")

# 12, -3 but not 007; the same with decimals and a signed exponent, as Python and JSON write floats (1e-05).
_WHOLE = r"0|-?[1-9][0-9]{0,17}"
_NUMBER = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-][0-9]{1,3})?"
_DATE = r"([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)-[0-9]{2}-[0-9]{2}"  # Python has no year 0

_FIXED = r"-?(0|[1-9][0-9]*)\.[0-9]+"
# The number back as text is the value, but for a last .0 and the exponent that numbers of 17 digits and more get.
_BACK = (
    """value IN (number::VARCHAR, replace(number::VARCHAR, '.0', '')) OR TRY_CAST(number AS HUGEINT)::VARCHAR = value"""
)

# The types of new values with which a column keeps its type. Text meeting numbers alone is no such case: the column may
# be text only because it was blank so far, and then becomes a number.
_ADMITS = {
    "BIGINT": ("BIGINT", None),
    "DOUBLE": ("DOUBLE", "BIGINT", None),
    "DATE": ("DATE", None),
    "VARCHAR": ("VARCHAR", None),
}
FIXED = "FIXED"  # numbers with the same number of decimals, which are text unless others come

# For each key what all its values have in common, in one pass; NULL where all are blank.
_INSPECT = f"""
    WITH entry AS (
        SELECT image_id, unnest(map_keys(m)) AS key, nullif(trim(unnest(map_values(m))), '') AS value,
            generate_subscripts(map_keys(m), 1) AS position
        FROM (SELECT image_id, metadata::MAP(VARCHAR, VARCHAR) AS m FROM {DESCRIBED} WHERE image_id >= $since)
    ),
    measured AS (
        SELECT *, TRY_CAST(value AS DOUBLE) AS number, length(regexp_extract(value, '[.]([0-9]+)$', 1)) AS decimals
        FROM entry
    )
    SELECT key, CASE
        WHEN count(value) = 0 THEN NULL
        WHEN bool_and(regexp_full_match(value, '{_WHOLE}')) THEN 'BIGINT'
        WHEN bool_and(regexp_full_match(value, '{_NUMBER}') AND isfinite(number) AND ({_BACK})) THEN 'DOUBLE'
        WHEN bool_and(regexp_full_match(value, '{_FIXED}')) AND min(decimals) = max(decimals)
            AND max(length(value)) <= 18 THEN
            CASE WHEN bool_or(regexp_matches(value, '[.]0+$')) THEN 'DECIMAL(18,' || max(decimals) || ')'
                ELSE '{FIXED}' || max(decimals) END
        WHEN bool_and(regexp_full_match(value, '{_DATE}') AND TRY_CAST(value AS DATE) IS NOT NULL)
            FILTER (value IS NOT NULL) THEN 'DATE'
        ELSE 'VARCHAR' END AS type
    FROM measured GROUP BY key ORDER BY min((image_id, position))
"""


def rebuild(con: duckdb.DuckDBPyConnection, since: int | None = None, anew: bool = False) -> None:
    """Make the views fit the metadata there is; inside the caller's transaction. With `since`, only images from that id
    on are new: where the columns fit them already, the metadata of all others need not be read again. With `anew` the
    views are written again in any case."""
    columns = fetch(con, "SELECT position, key, name, type, separator FROM catalogue_column ORDER BY position")
    typed = [(place, key, name, kind) for place, key, name, kind, _ in columns]
    if since is None or not _fits(typed, fetch(con, _INSPECT, {"since": since})):
        found = fetch(con, _INSPECT, {"since": 0})
        names = column_names([key for key, _ in found])
        typed = [
            (i, key, name, _sql_type(kind)) for i, ((key, kind), name) in enumerate(zip(found, names, strict=True))
        ]
    lists = {key: separator for _, key, _, _, separator in columns if separator is not None}
    if typed != [column[:4] for column in columns] or keywords.is_due(con, since):
        lists = keywords.separators(con, [key for _, key, _, kind in typed if kind == "VARCHAR"])
    fitting = [(place, key, name, kind, lists.get(key)) for place, key, name, kind in typed]
    if anew or fitting != columns:
        _replace(con, fitting)


def refit(con: duckdb.DuckDBPyConnection, keys: Iterable[str], image_ids: Iterable[int]) -> None:
    """The same after these images got other values under these keys: nothing is read again where it is plain that a
    column of text stays one, since another cell is neither number nor date, and one of numbers fits what is new."""
    kinds = dict(fetch(con, "SELECT key, type FROM catalogue_column"))
    ids = [int(each) for each in image_ids]
    for key in dict.fromkeys(keys):
        kind, text = kinds.get(key), text_at("metadata", key)
        if kind == "VARCHAR":
            query = f"""
                SELECT 1 FROM images WHERE {text} IS NOT NULL AND NOT regexp_full_match({text}, '{_NUMBER}')
                    AND NOT regexp_full_match({text}, '{_DATE}') LIMIT 1
            """
            fits = bool(fetch(con, query))
        elif kind is not None:
            back = f"TRY_CAST({text} AS {kind})"
            unlike = f"OR {back}::VARCHAR <> {text}" if kind in ("BIGINT", "DATE") else ""
            query = f"""
                SELECT 1 FROM images WHERE image_id IN (SELECT unnest(?::BIGINT[])) AND {text} IS NOT NULL
                    AND ({back} IS NULL {unlike}) LIMIT 1
            """
            fits = not fetch(con, query, [ids])
        else:
            fits = False
        if not fits:
            rebuild(con)
            return


def _fits(columns: list[tuple[int, str, str, str]], added: list[tuple[str, str | None]]) -> bool:
    """Whether columns keep their types with values of these."""
    types = {key: kind for _, key, _, kind in columns}
    return all(key in types and _admits(types[key], kind) for key, kind in added)


def _admits(kind: str, new: str | None) -> bool:
    if kind.startswith("DECIMAL"):
        return new in (None, kind, FIXED + kind[len("DECIMAL(18,") : -1])
    return new in _ADMITS[kind] or (kind == "VARCHAR" and new is not None and new.startswith(FIXED))


def _sql_type(found: str | None) -> str:
    return "VARCHAR" if found is None or found.startswith(FIXED) else found


def _replace(con: duckdb.DuckDBPyConnection, columns: list[tuple[int, str, str, str, str | None]]) -> None:
    con.execute("DELETE FROM catalogue_column")
    if columns:
        con.executemany(
            "INSERT INTO catalogue_column (position, key, name, type, separator) VALUES (?, ?, ?, ?, ?)", columns
        )
    typed = [f"TRY_CAST({text_at('i.metadata', key)} AS {kind}) AS {quoted(name)}" for _, key, name, kind, _ in columns]
    con.execute(f"""
        CREATE OR REPLACE VIEW catalogue AS SELECT {", ".join(["i.image_id", "c.name AS collection", "i.path", *typed])}
        FROM {SHOWN} i JOIN collection c USING (collection_id)
    """)
    keywords.replace_view(con, {key: (name, sep) for _, key, name, _, sep in columns if sep is not None})


def column_names(keys: list[str]) -> list[str]:
    """A column name for each key: the key itself, with a number where it would collide, in any case, with another."""
    taken: set[str] = {name.casefold() for name in OWN}
    names = []
    for key in keys:
        base = re.sub(r"[\x00-\x1f\x7f]+", " ", key).strip() or "column"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names
