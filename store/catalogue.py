"""The view `catalogue`: one typed column for each metadata key.

Metadata is kept as it came, as JSON. The view reads each key out of it and casts it to the narrowest type that fits all
its values: whole numbers BIGINT, other numbers DOUBLE, YYYY-MM-DD dates DATE, all else VARCHAR. Codes stay text: "007"
and "+49" are no numbers here, nor is anything of more than 18 digits. Blank strings are NULL.
"""

import re

import duckdb

from store.rows import fetch

OWN = ("image_id", "collection", "path")

# 12, -3 but not 007; the same with decimals and a signed exponent, as Python and JSON write floats (1e-05).
_WHOLE = r"-?(0|[1-9][0-9]{0,17})"
_NUMBER = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-][0-9]{1,3})?"
_DATE = r"([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)-[0-9]{2}-[0-9]{2}"  # Python has no year 0

# The types of new values with which a column keeps its type. Text meeting numbers alone is no such case: the column may
# be text only because it was blank so far, and then becomes a number.
_ADMITS = {
    "BIGINT": ("BIGINT", None),
    "DOUBLE": ("DOUBLE", "BIGINT", None),
    "DATE": ("DATE", None),
    "VARCHAR": ("VARCHAR", None),
}

# For each key what all its values have in common, in one pass; NULL where all are blank.
_INSPECT = f"""
    WITH entry AS (
        SELECT image_id, unnest(map_keys(m)) AS key, nullif(trim(unnest(map_values(m))), '') AS value,
            generate_subscripts(map_keys(m), 1) AS position
        FROM (SELECT image_id, metadata::MAP(VARCHAR, VARCHAR) AS m FROM image WHERE image_id >= $since)
    )
    SELECT key, CASE
        WHEN count(value) = 0 THEN NULL
        WHEN bool_and(regexp_full_match(value, '{_WHOLE}')) THEN 'BIGINT'
        WHEN bool_and(regexp_full_match(value, '{_NUMBER}') AND isfinite(TRY_CAST(value AS DOUBLE))) THEN 'DOUBLE'
        WHEN bool_and(regexp_full_match(value, '{_DATE}') AND TRY_CAST(value AS DATE) IS NOT NULL)
            FILTER (value IS NOT NULL) THEN 'DATE'
        ELSE 'VARCHAR' END AS type
    FROM entry GROUP BY key ORDER BY min((image_id, position))
"""


def rebuild(con: duckdb.DuckDBPyConnection, since: int | None = None) -> None:
    """Make the view fit the metadata there is; inside the caller's transaction. With `since`, only images from that id
    on are new: where the columns fit them already, the metadata of all others need not be read again."""
    columns = fetch(con, "SELECT position, key, name, type FROM catalogue_column ORDER BY position")
    if since is not None:
        types = {key: type for _, key, _, type in columns}
        added = fetch(con, _INSPECT, {"since": since})
        if all(key in types and type in _ADMITS[types[key]] for key, type in added):
            return
    found = fetch(con, _INSPECT, {"since": 0})
    names = column_names([key for key, _ in found])
    fitting = [
        (i, key, name, type or "VARCHAR") for i, ((key, type), name) in enumerate(zip(found, names, strict=True))
    ]
    if fitting != columns:
        _replace(con, fitting)


def _replace(con: duckdb.DuckDBPyConnection, columns: list[tuple[int, str, str, str]]) -> None:
    con.execute("DELETE FROM catalogue_column")
    if columns:
        con.executemany("INSERT INTO catalogue_column VALUES (?, ?, ?, ?)", columns)
    typed = [f"TRY_CAST({text_at('i.metadata', key)} AS {type}) AS {quoted(name)}" for _, key, name, type in columns]
    con.execute(f"""
        CREATE OR REPLACE VIEW catalogue AS SELECT {", ".join(["i.image_id", "c.name AS collection", "i.path", *typed])}
        FROM image i JOIN collection c USING (collection_id)
    """)


def column_names(keys: list[str]) -> list[str]:
    """A column name for each key: the key itself, with a number where it would collide, in any case, with another."""
    taken, names = {name.casefold() for name in OWN}, []
    for key in keys:
        base = re.sub(r"[\x00-\x1f\x7f]+", " ", key).strip() or "column"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_at(column: str, key: str) -> str:
    """SQL for the text under a key of a JSON column, NULL where it is blank."""
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    return f"nullif(trim(({column} ->> '{pointer.replace(chr(39), chr(39) * 2)}')), '')"
