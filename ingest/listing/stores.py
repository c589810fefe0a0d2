"""Pictures below an address that fsspec knows."""

from __future__ import annotations

from pathlib import Path

from ingest import changes
from ingest.listing.nouns import Listing, Source, already, claim, described, merge_of, tell_table
from ingest.report import Report
from ingest.sources.address import stored_tasks
from store import read, write
from store.connection import writing


def list_store(db: Path, source: Source, report: Report) -> Listing:
    """The pictures below an address. Its collection cannot move: another address is another collection."""
    collection = source.collection or source.address.rstrip("/").rpartition("/")[2] or "pictures"
    held = already(db, collection, lambda con: claim(con, collection, source.address))
    found = stored_tasks(source.address, source.limit, held.known, source.pages == "first", report.progress)
    table = source.joined(found.tasks, found.table and f"{source.address.rstrip('/')}/{found.table}")
    moves = changes.first_pages(held.known, found.tasks)
    stored = {moves.moved.get(name, name): each.metadata for name, each in held.known.items()}
    merge = merge_of(table, held, None, moves.moved)
    tasks = described(found.tasks, stored, merge)
    tell_table(report, table, merge, bool(source.limit))
    with writing(db) as con:
        collection_id = claim(con, collection, source.address)
        changes.settle(con, collection_id, moves, tasks)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        merge.store(con, collection_id, table and table.stored())
        known = read.known(con, collection_id)
    return Listing(collection, collection_id, tasks, known, found.left_out, table, merge=merge)
