"""Columns whose cells are lists: "Architecture; Landscape", "Men|Portraits", lists of JSON.

The column of `catalogue` stays the text that it is, so that statements about it stay true; the view `keywords` has a
row for each part. A column of text is a list where the metadata has JSON lists in it, or where it is divided by one of
SEPARATORS throughout: in SHARE of its cells at least, into parts that are short, a quarter of which at least are found
in cells of another text too. So titles and sentences, whose parts do not come back, stay whole; those in columns named
like one of WHOLE do in any case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from store.identifiers import json_at, literal, text_at
from store.present import DESCRIBED, SHOWN
from store.rows import fetch, one

SEPARATORS = ("|", ";")
JSON = "json"
SHARE = 0.05  # of the cells are divided, at least
LONGEST, LONG = 60, 0.05  # characters of a part, and how many parts may be longer
RECURRING = 0.25  # of the parts are found in another cell too
SAMPLE = 5000  # images that are asked
WHOLE = {
    "title", "name", "caption", "label", "titel", "titre", "titolo", "titulo", "description", "beschreibung", "text",
    "descrizione", "descripcion", "notes", "note", "comment", "comments", "url", "uri", "link", "file",
}  # fmt: skip

_CELLS = f"""
    SELECT image_id, unnest(map_keys(m)) AS key, unnest(map_values(m)) AS cell
    FROM (SELECT image_id, metadata::MAP(VARCHAR, JSON) AS m FROM {DESCRIBED} WHERE image_id % $step = 0)
"""
_FIND = f"""
    WITH entry AS (
        SELECT image_id, key, json_type(cell) = 'ARRAY' AND len(json_extract(cell, '$[*]')) > 0 AS listed,
            json_type(cell) = 'ARRAY' AND list_contains(json_type(cell, '$[*]'), 'OBJECT') AS nested,
            nullif(trim(cell ->> '$'), '') AS value
        FROM ({_CELLS}) WHERE key IN (SELECT unnest($keys::VARCHAR[]))
    ),
    counted AS (
        SELECT key, sep, count(value) AS cells, count_if(contains(value, sep)) AS divided
        FROM entry, (SELECT unnest($separators::VARCHAR[]) AS sep) WHERE value IS NOT NULL GROUP BY ALL
    ),
    cell AS (  -- each text once: what comes back with all of its text is no sign of parts
        SELECT DISTINCT key, sep, value, trim(unnest(string_split(value, sep))) AS part
        FROM entry JOIN counted c USING (key) WHERE c.divided > 0 AND c.divided >= $share * c.cells
    ),
    part AS (
        SELECT key, sep, part, count(*) AS texts, count_if(contains(value, sep)) AS times
        FROM cell WHERE part <> '' GROUP BY ALL
    )
    SELECT key, sep FROM part GROUP BY ALL
    HAVING coalesce(sum(times) FILTER (texts > 1), 0) >= greatest(2, $recurring * sum(times))
        AND coalesce(sum(times) FILTER (length(part) > $longest), 0) <= $long * sum(times)
    UNION ALL
    SELECT key, '{JSON}' FROM entry GROUP BY key HAVING bool_or(listed) AND NOT bool_or(coalesce(nested, false))
"""


def is_due(con: duckdb.DuckDBPyConnection, since: int | None) -> bool:
    """Whether images from the id `since` on, None for any, may have changed what is a list: of a large collection they
    are asked once in SAMPLE images, since that takes tenths of a second."""
    if since is None or since < SAMPLE:
        return True
    return one(con, "SELECT max(image_id) FROM image")[0] // SAMPLE > (since - 1) // SAMPLE


def separators(con: duckdb.DuckDBPyConnection, keys: Iterable[str]) -> dict[str, str]:
    """{key: what divides its cells} of those of these keys of the metadata whose text is a list."""
    asked = [key for key in keys if key.strip().casefold() not in WHOLE]
    if not asked:
        return {}
    images = one(con, "SELECT count(*) FROM image")[0]
    params = {
        "keys": asked,
        "step": max(1, images // SAMPLE),
        "separators": list(SEPARATORS),
        "share": SHARE,
        "recurring": RECURRING,
        "longest": LONGEST,
        "long": LONG,
    }
    found: dict[str, str] = {}
    order = (JSON, *SEPARATORS)
    for key, separator in fetch(con, _FIND, params):
        found[key] = min(found.get(key, separator), separator, key=order.index)
    return found


def replace_view(con: duckdb.DuckDBPyConnection, lists: Mapping[str, tuple[str, str]]) -> None:
    """Make the view `keywords` of {key: (its column of the catalogue, what divides its cells)}."""
    once = "list_filter(parts, lambda part, place: part <> '' AND list_position(parts, part) = place)"
    parts = [
        f"SELECT image_id, {literal(name)} AS key, unnest({once}) AS value FROM ("
        f"SELECT image_id, list_transform({_pieces(key, separator)}, lambda part: trim(part)) AS parts FROM {SHOWN})"
        for key, (name, separator) in lists.items()
    ]
    parts = parts or ["SELECT image_id, path AS key, path AS value FROM image WHERE false"]
    con.execute(f"CREATE OR REPLACE VIEW keywords AS {' UNION ALL '.join(parts)}")


def parts_of(text: str | None, separator: str) -> tuple[str, ...]:
    """The parts of a cell as the catalogue has it, each once, in their order."""
    if not isinstance(text, str):
        return ()
    pieces = _elements(text) if separator == JSON else text.split(separator)
    return tuple(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))


def divided(table: Any, lists: Mapping[str, str]) -> Any:
    """A pandas table of the catalogue with a tuple of parts in each cell of `lists`, None where there is none."""
    found = {
        name: [parts_of(text, sep) or None for text in table[name]] for name, sep in lists.items() if name in table
    }
    columns = {name: type(table[name])(values, index=table.index, dtype=object) for name, values in found.items()}
    return table.assign(**columns)


def _elements(text: str) -> list[str]:
    """Of a JSON list its elements, of other text the text."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    if not isinstance(found, list):
        return [text]
    return [each if isinstance(each, str) else json.dumps(each) for each in found if each is not None]


def _pieces(key: str, separator: str) -> str:
    """SQL for the list that a key's cell is."""
    text, cell = text_at("metadata", key), json_at("metadata", key)
    if separator == JSON:
        return f"CASE json_type({cell}) WHEN 'ARRAY' THEN {cell}::VARCHAR[] ELSE [{text}] END"
    return f"string_split({text}, {literal(separator)})"
