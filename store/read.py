"""Every question the pages and the command line ask. Each function takes a connection of `store.connection`.

Tables come back as pyarrow.Table; `collection` is a collection's name, None all of them; `ids` are image ids.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import companding
from store.errors import StoreError
from store.identifiers import literal, quoted, text_at
from store.maps import AttentionMaps
from store.present import PRESENT
from store.records import FrameRecord, RunRecord, StoredImage
from store.rows import fetch, first, one, plain

TITLE_KEYS = ("title", "name", "caption", "label", "titel", "titre")

Connection = duckdb.DuckDBPyConnection


def collections(con: Connection) -> pa.Table:
    """collection_id, name, source, images, failures (counts), created_at."""
    return _table(
        con,
        f"""
        SELECT c.collection_id, c.name, c.source,
            (SELECT count(*) FROM image i WHERE i.collection_id = c.collection_id AND i.{PRESENT}) AS images,
            (SELECT count(*) FROM failure f WHERE f.collection_id = c.collection_id) AS failures,
            c.created_at
        FROM collection c ORDER BY c.collection_id
        """,
    )


def images(con: Connection, collection: str | None = None, ids: Iterable[int] | None = None) -> pa.Table:
    """The columns of the view `images` but `added_at`, among them metadata as JSON text; and title: the first that is
    there of the metadata's title, name, caption, label, titel and titre, in any case, else the file's name without its
    ending."""
    return _table(
        con,
        f"""
        SELECT * EXCLUDE (added_at) REPLACE (metadata::VARCHAR AS metadata), {title(con)} AS title
        FROM images {_where(collection, ids)} ORDER BY image_id
        """,
        collection=collection,
        ids=ids,
    )


def title(con: Connection) -> str:
    """SQL for a picture's title, of its `metadata` and `path`."""
    keys = fetch(con, "SELECT key FROM catalogue_column ORDER BY position")
    named = sorted((TITLE_KEYS.index(key.lower()), key) for (key,) in keys if key.lower() in TITLE_KEYS)
    titles = "".join(f"{text_at('metadata', key)}, " for _, key in named)
    return f"coalesce({titles} nullif(parse_filename(path, true), ''), path)"


def catalogue(
    con: Connection, collection: str | None = None, ids: Iterable[int] | None = None, exact: bool = False
) -> pa.Table:
    """The rows of the view `catalogue`: image_id, collection, path and a typed column for each metadata key. Decimals
    are float64, unless they shall be `exact`."""
    query = f"SELECT * FROM catalogue {_where(collection, ids)} ORDER BY image_id"
    table = _table(con, query, collection=collection, ids=ids)
    fields = [pa.field(each.name, pa.float64()) if pa.types.is_decimal(each.type) else each for each in table.schema]
    return table if exact else table.cast(pa.schema(fields))


def metadata_columns(con: Connection, collection: str | None = None) -> dict[str, str]:
    """The columns of `catalogue` in which this collection has a value, each as 'number', 'date' or 'text'."""
    kinds = {"BIGINT": "number", "DOUBLE": "number", "DATE": "date", "VARCHAR": "text"}
    columns = fetch(con, "SELECT name, type FROM catalogue_column ORDER BY position")
    if collection is not None and columns:  # each up to its first value: to count them means to read all JSON there is
        any_of = "EXISTS (FROM catalogue WHERE collection = $1 AND {} IS NOT NULL)"
        row = one(con, f"SELECT {', '.join(any_of.format(quoted(name)) for name, _ in columns)}", [collection])
        columns = [column for column, there in zip(columns, row, strict=True) if there]
    return {name: kinds.get(type, "number") for name, type in columns}  # number: DECIMAL(18,2)


def list_columns(con: Connection) -> dict[str, str]:
    """The columns of `catalogue` whose cells are lists, each with what divides them: ';', '|', or 'json' for lists of
    JSON. The view `keywords` has their parts."""
    query = "SELECT name, separator FROM catalogue_column WHERE separator IS NOT NULL ORDER BY position"
    return dict(fetch(con, query))


def unread_dates(con: Connection, collection: str) -> list[tuple[str, int, int, list[str]]]:
    """Of each column of dates that has years beside it (`date_from`, `date_to`): (its name, how many images have a text
    there without years, of how many with a text, the most frequent three of these texts); only where there are any."""
    columns = [name for (name,) in fetch(con, "SELECT name FROM catalogue_column ORDER BY position")]
    found = []
    for name in columns:
        if not {f"{name}_from", f"{name}_to"} <= set(columns):
            continue
        first_year, last_year, text = (quoted(each) for each in (f"{name}_from", f"{name}_to", name))
        without = f"{first_year} IS NULL AND {last_year} IS NULL"
        query = f"""
            SELECT {text}::VARCHAR, count(*) FILTER ({without}) AS many, count(*) FROM catalogue
            WHERE collection = ? AND {text} IS NOT NULL GROUP BY 1 ORDER BY many DESC, 1
        """
        rows = fetch(con, query, [collection])
        count = sum(many for _, many, _ in rows)
        if count:
            found.append((name, count, sum(each for *_, each in rows), [value for value, many, _ in rows[:3] if many]))
    return found


def runs(con: Connection, collection: str | None = None) -> list[RunRecord]:
    """The runs, the oldest first."""
    return _runs(con, f"{_where(collection)} ORDER BY run_id", collection=collection)


def run(con: Connection, run_id: int) -> RunRecord | None:
    """One run; None if there is no such run."""
    return next(iter(_runs(con, "WHERE run_id = $id", id=run_id)), None)


def _runs(con: Connection, which: str, **params: Any) -> list[RunRecord]:
    counts = "(SELECT count(*) FROM features f WHERE f.run_id = runs.run_id) AS images"
    rows = _table(con, f"SELECT *, {counts} FROM runs {which}", **params).to_pylist()
    return [
        RunRecord(**row | {"settings": json.loads(row["settings"]), "versions": json.loads(row["versions"])})
        for row in rows
    ]


def frame(con: Connection, run_id: int, image_id: int) -> FrameRecord | None:
    """What of the image the run's network saw; None if the run has not seen it."""
    query = "SELECT image_id, x0, y0, x1, y1, rows, cols FROM frame WHERE run_id = ? AND image_id = ?"
    found = first(con, query, [run_id, image_id])
    return FrameRecord(*found) if found else None


def maps(
    con: Connection,
    run_id: int,
    image_id: int,
    method: str,
    target: str = "",
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> AttentionMaps | None:
    """The maps of one image, ordered by layer and head; None if there are none. `layers` and `heads` choose some."""
    table = _table(
        con,
        f"""
        SELECT layer, coalesce(head, -1)::SMALLINT AS head, rows, cols, {companding.COLUMNS} FROM stored_map
        WHERE run_id = $run AND image_id = $image AND method = $method AND target = $target
            AND ($layers IS NULL OR list_contains($layers::INTEGER[], layer))
            AND ($heads IS NULL OR list_contains($heads::INTEGER[], head))
        ORDER BY layer, head
        """,
        run=run_id,
        image=image_id,
        method=method,
        target=target,
        layers=_ints(layers),
        heads=_ints(heads),
    )
    if not table.num_rows:
        return None
    rows, cols = table["rows"][0].as_py(), table["cols"][0].as_py()
    weights = companding.weights_of(table, rows * cols)
    layer, head = table["layer"].to_numpy(), table["head"].to_numpy()
    ids = np.full(len(layer), image_id)
    return AttentionMaps(weights.reshape(-1, rows, cols), layer, head, ids, method, target)


def methods(con: Connection, run_id: int) -> pa.Table:
    """method, target, maps (how many are stored, removed pictures left out); first what `run` stores by itself."""
    query = f"""
        SELECT method, target, count(*) AS maps FROM stored_map WHERE run_id = $id AND {PRESENT}
        GROUP BY method, target
        ORDER BY method NOT IN ('cls', 'received'), method <> 'rollout', method, target
    """
    return _table(con, query, id=run_id)


def head_stats(con: Connection, run_id: int, image_id: int | None = None) -> pa.Table:
    """The rows of the view `head_stats` of one run, or of one image in it."""
    return _table(
        con,
        """
        SELECT * FROM head_stats WHERE run_id = $run AND ($image::BIGINT IS NULL OR image_id = $image)
        ORDER BY image_id, layer, head
        """,
        run=run_id,
        image=image_id,
    )


def outliers(con: Connection, run_id: int, image_id: int) -> float | None:
    """The share of an image's patch tokens with an abnormal norm; None if nobody has counted."""
    found = first(con, "SELECT outliers FROM token_stats WHERE run_id = ? AND image_id = ?", [run_id, image_id])
    return found[0] if found else None


def predicted_class(con: Connection, run_id: int, image_id: int) -> int | None:
    """The class that a run's classifier thinks likeliest for an image; None if it has not been asked."""
    found = first(con, "SELECT class FROM predictions WHERE run_id = ? AND image_id = ?", [run_id, image_id])
    return found[0] if found else None


def projections(con: Connection, run_id: int | None = None) -> pa.Table:
    """projection_id, run_id, method, settings (JSON text), points (how many), created_at."""
    return _table(
        con,
        """
        SELECT p.projection_id, p.run_id, p.method, p.settings::VARCHAR AS settings, count(t.image_id) AS points,
            p.created_at
        FROM projection p LEFT JOIN points t USING (projection_id)
        WHERE $run::INTEGER IS NULL OR p.run_id = $run
        GROUP BY ALL ORDER BY p.projection_id
        """,
        run=run_id,
    )


def projection_run(con: Connection, projection_id: int) -> int | None:
    """The run that a projection is of; None if there is no such projection."""
    found = first(con, "SELECT run_id FROM projection WHERE projection_id = ?", [projection_id])
    return found[0] if found else None


def points(con: Connection, projection_id: int) -> pa.Table:
    """image_id, x, y."""
    return _table(
        con, "SELECT image_id, x, y FROM points WHERE projection_id = $id ORDER BY image_id", id=projection_id
    )


def failures(con: Connection, collection: str | None = None) -> pa.Table:
    """collection, path, stage, error, at (UTC)."""
    query = f"SELECT * FROM failures {_where(collection)} ORDER BY collection, path, stage"
    return _table(con, query, collection=collection)


def thumbnail(con: Connection, image_id: int) -> bytes | None:
    """The JPEG of one image."""
    found = first(con, "SELECT jpeg FROM thumbnail WHERE image_id = ?", [image_id])
    return found[0] if found else None


def thumbnails(con: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """The JPEGs of those images that have one."""
    query = "SELECT image_id, jpeg FROM thumbnail WHERE image_id IN (SELECT unnest(?::BIGINT[]))"
    return dict(fetch(con, query, [_ints(ids)]))


def known(con: Connection, collection_id: int, paths: Iterable[str] | None = None) -> dict[str, StoredImage]:
    """What a collection holds, or of it these paths, by path."""
    query = """
        SELECT path, i.image_id, sha256, bytes, modified, metadata, u.image_id IS NULL
        FROM image i LEFT JOIN uncounted u USING (image_id) WHERE collection_id = $collection
    """
    params: dict[str, Any] = {"collection": collection_id}
    if paths is not None:
        query += " AND path IN (SELECT unnest($paths::VARCHAR[]))"
        params["paths"] = list(paths)
    rows = fetch(con, query, params)
    return {
        path: StoredImage(image_id, sha256, size, modified, json.loads(metadata), counted)
        for path, image_id, sha256, size, modified, metadata, counted in rows
    }


def sizes(con: Connection, collection_id: int) -> dict[str, tuple[int, int, bool]]:
    """{path: (width, height, whether a thumbnail is kept)} of the pictures that came from the web."""
    query = """
        SELECT path, i.width, i.height, t.image_id IS NOT NULL FROM image i LEFT JOIN thumbnail t USING (image_id)
        WHERE collection_id = ? AND regexp_matches(path, '^[A-Za-z][A-Za-z0-9+.-]+://')
    """
    return {path: tuple(rest) for path, *rest in fetch(con, query, [collection_id])}


def done(con: Connection, run_id: int, methods: Mapping[str, str] | Iterable[str]) -> set[int]:
    """The images that have a feature in the run and maps of all these methods, given as names or as {name: target}.

    The target `class:predicted` is met by a map of the class that was predicted for the image.
    """
    wanted = dict(methods) if isinstance(methods, Mapping) else dict.fromkeys(methods, "")
    rows = fetch(
        con,
        """
        SELECT image_id FROM feature WHERE run_id = $run AND ($count = 0 OR image_id IN (
            SELECT m.image_id
            FROM stored_map m
            JOIN (SELECT unnest($methods::VARCHAR[]) AS method, unnest($targets::VARCHAR[]) AS target) w USING (method)
            LEFT JOIN prediction p ON p.run_id = m.run_id AND p.image_id = m.image_id
            WHERE m.run_id = $run
                AND m.target = CASE w.target WHEN 'class:predicted' THEN 'class:' || p.class ELSE w.target END
            GROUP BY m.image_id HAVING count(DISTINCT m.method) = $count))
        """,
        {"run": run_id, "methods": list(wanted), "targets": list(wanted.values()), "count": len(wanted)},
    )
    return {image_id for (image_id,) in rows}


def labels(con: Connection, column: str, ids: Iterable[int]) -> list[frozenset[str]]:
    """The values of each image, in the order of `ids`, in a column of the catalogue as text, the parts of a cell
    that is a list, or its tags for the column `tag`; an empty set where there is none. StoreError for a column that
    does not exist."""
    columns = [name for (name,) in fetch(con, "SELECT name FROM catalogue_column")]
    if column == "tag":
        query = "SELECT image_id, tag FROM tag"
    elif column in list_columns(con):
        query = f"SELECT image_id, value FROM keywords WHERE key = {literal(column)}"
    elif column in columns:
        query = f"SELECT image_id, {quoted(column)}::VARCHAR FROM catalogue WHERE {quoted(column)} IS NOT NULL"
    else:
        some = ", ".join(sorted(columns)) or "none"
        raise StoreError(f"The catalogue has no column {column!r}; it has {some}, and tag.")
    found: dict[int, set[str]] = {}
    for image_id, value in fetch(con, query):
        found.setdefault(image_id, set()).add(value)
    return [frozenset(found.get(int(image_id), ())) for image_id in ids]


def _table(con: Connection, query: str, **params: Any) -> pa.Table:
    """The query's rows; a parameter that the query does not name is left out."""
    if "ids" in params:
        params["ids"] = _ints(params["ids"])
    used = {name: value for name, value in params.items() if f"${name}" in query}
    return con.sql(query, params=plain(used)).to_arrow_table()


def _where(collection: str | None, ids: Iterable[int] | None = None) -> str:
    tests = []
    if collection is not None:
        tests.append("collection = $collection")
    if ids is not None:
        tests.append("image_id IN (SELECT unnest($ids::BIGINT[]))")
    return f"WHERE {' AND '.join(tests)}" if tests else ""


def _ints(values: Iterable[int] | None) -> list[int] | None:
    return None if values is None else [int(value) for value in values]
