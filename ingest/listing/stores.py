"""Pictures below an address that fsspec knows."""

from __future__ import annotations

from pathlib import Path

from ingest import changes
from ingest.listing.nouns import Listing, Source, already, claim, described
from ingest.report import Report
from ingest.sources.address import stored_tasks
from store import read, write
from store.connection import writing


def list_store(db: Path, source: Source, report: Report) -> Listing:
    """The pictures below an address. Its collection cannot move: another address is another collection."""
    collection = source.collection or source.address.rstrip("/").rpartition("/")[2] or "pictures"
    known = already(db, collection, lambda con: claim(con, collection, source.address))
    found = stored_tasks(source.address, source.limit, known, source.pages == "first", report.progress)
    table = source.joined(found.tasks, found.table and f"{source.address.rstrip('/')}/{found.table}")
    if table:
        report.tell(table.line(bool(source.limit)))
    moves = changes.first_pages(known, found.tasks)
    stored = {moves.moved.get(name, name): held.metadata for name, held in known.items()}
    tasks = described(found.tasks, stored, table)
    with writing(db) as con:
        collection_id = claim(con, collection, source.address)
        changes.settle(con, collection_id, moves, tasks)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        known = read.known(con, collection_id)
    return Listing(collection, collection_id, tasks, known, found.left_out, table)
