"""Pictures below an address that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …"""

from __future__ import annotations

from pathlib import Path

from ingest import changes
from ingest.report import Report
from ingest.sources.listing import Listing, already, claim, described, joined, merge_of, tell_table
from ingest.sources.remote.files import stored_tasks
from ingest.sources.request import Request
from store import read, write
from store.connection import writing


def list_remote(db: Path, request: Request, report: Report) -> Listing:
    """The pictures below an address. Its collection cannot move: another address is another collection."""
    collection = request.collection or request.address.rstrip("/").rpartition("/")[2] or "pictures"
    held = already(db, collection, lambda con: claim(con, collection, request.address))
    found = stored_tasks(request.address, request.limit, held.known, request.first_page_only, report.progress)
    table = joined(request, found.tasks, found.table and f"{request.address.rstrip('/')}/{found.table}")
    moves = changes.first_pages(held.known, found.tasks)
    stored = {moves.moved.get(name, name): each.metadata for name, each in held.known.items()}
    merge = merge_of(table, held, None, moves.moved)
    tasks = described(found.tasks, stored, merge)
    tell_table(report, table, merge, bool(request.limit))
    with writing(db) as con:
        collection_id = claim(con, collection, request.address)
        changes.settle(con, collection_id, moves, tasks)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        merge.store(con, collection_id, table.stored() if table else None)
        known = read.known(con, collection_id)
    return Listing(collection, collection_id, tasks, known, found.left_out, table, merge=merge)
