"""The view `catalogue`: one typed column for each metadata key.

Metadata is kept as it came, as JSON. The view reads each key out of it and casts it to the narrowest type that fits all
its values: whole numbers BIGINT, other numbers DOUBLE, YYYY-MM-DD dates DATE, all else VARCHAR. Codes stay text: "007"
and "+49" are no numbers here, nor is anything of more than 18 digits. Blank strings are NULL.
"""

import re

import duckdb

OWN = ("image_id", "collection", "path")

# 12, -3 but not 007; the same with decimals and a signed exponent, as Python and JSON write floats (1e-05).
_WHOLE = r"-?(0|[1-9][0-9]{0,17})"
_NUMBER = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-][0-9]{1,3})?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

# One pass over all metadata: for each key, what all its values have in common.
_INSPECT = f"""
    WITH entry AS (
        SELECT image_id, unnest(map_keys(m)) AS key, trim(unnest(map_values(m))) AS value,
            generate_subscripts(map_keys(m), 1) AS position
        FROM (SELECT image_id, metadata::MAP(VARCHAR, VARCHAR) AS m FROM image)
    )
    SELECT key, CASE
        WHEN count(nullif(value, '')) = 0 THEN 'VARCHAR'
        WHEN bool_and(regexp_full_match(value, '{_WHOLE}')) FILTER (value <> '') THEN 'BIGINT'
        WHEN bool_and(regexp_full_match(value, '{_NUMBER}')) FILTER (value <> '') THEN 'DOUBLE'
        WHEN bool_and(regexp_full_match(value, '{_DATE}') AND TRY_CAST(value AS DATE) IS NOT NULL) FILTER (value <> '')
        THEN 'DATE' ELSE 'VARCHAR' END AS type
    FROM entry GROUP BY key ORDER BY min((image_id, position))
"""


def rebuild(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view fit the metadata there is now; inside the caller's transaction."""
    found = con.execute(_INSPECT).fetchall()
    names = column_names([key for key, _ in found])
    rows = [(place, key, name, type) for place, ((key, type), name) in enumerate(zip(found, names, strict=True))]
    if rows == con.execute("SELECT position, key, name, type FROM catalogue_column ORDER BY position").fetchall():
        return
    con.execute("DELETE FROM catalogue_column")
    if rows:
        con.executemany("INSERT INTO catalogue_column VALUES (?, ?, ?, ?)", rows)
    columns = "".join(
        f", TRY_CAST({text_at('i.metadata', key)} AS {type}) AS {quoted(name)}" for _, key, name, type in rows
    )
    con.execute(f"""
        CREATE OR REPLACE VIEW catalogue AS SELECT i.image_id, c.name AS collection, i.path{columns}
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
