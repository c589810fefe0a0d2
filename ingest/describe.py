"""Metadata of pictures that a collection holds already, from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.merging import Merge, key_of_table
from ingest.metadata import chosen_collection, join
from ingest.sources.registry import filled
from ingest.tables.tabular import TableOptions
from store import read, tables, write
from store.connection import reading, writing


def describe_collection(
    db: Path,
    table: Path,
    collection: str | None,
    file_column: str | None,
    replace: bool = False,
    options: TableOptions | None = None,
) -> dict[str, Any]:
    """Bring the metadata of the pictures that a collection holds up to date from a table; nothing else changes.

    What an earlier reading of the same table has said goes, and with `replace` all that others have said of the
    pictures it describes. Returns what `--json` prints.
    """
    with reading(db) as con:
        row = chosen_collection(con, collection)
        known = read.known(con, row["collection_id"])
    found = join(table, list(known), file_column, options)
    with writing(db) as con:
        merge = Merge(
            key_of_table(table, row["source"]),
            found.rows,
            frozenset(found.unread_pictures),
            before=tables.table_rows(con, row["collection_id"]),
            replaces=replace,
            keeps_equal="://" in (row["source"] or ""),
        )
        texts = {
            name: merge.metadata(name, held.metadata, filled(held.metadata))
            for name, held in known.items()
            if name in found.rows or name in merge.before
        }
        changed = write.set_metadata(con, row["collection_id"], texts)
        merge.store(con, row["collection_id"], found.stored())
    return {
        "db": str(db),
        "collection": row["name"],
        "changed": changed,
        "taken_back": merge.lost,
        **found.counts(),
        "notes": [*found.notes(), *merge.lines()],
    }
