"""Pictures below an address that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …"""

from __future__ import annotations

from pathlib import Path

from ingest import changes
from ingest.report import Report
from ingest.sources.listing import Listing, already, claim, described, joined, merge_of, report_table
from ingest.sources.remote.files import stored_tasks
from ingest.sources.request import Request
from store import read, write
from store.connection import writing


def list_remote(db: Path, request: Request, report: Report) -> Listing:
    """The pictures below an address. Its collection cannot move: another address is another collection."""
    collection = request.collection or request.address.rstrip("/").rpartition("/")[2] or "pictures"
    present = already(db, collection, lambda con: claim(con, collection, request.address))
    found = stored_tasks(request.address, request.limit, present.known, request.first_page_only, report.progress)
    table = joined(request, found.tasks, found.table and f"{request.address.rstrip('/')}/{found.table}")
    moves = changes.first_pages(present.known, found.tasks)
    stored = {moves.moved.get(name, name): each.metadata for name, each in present.known.items()}
    merge = merge_of(table, present, None, moves.moved)
    tasks = described(found.tasks, stored, merge)
    report_table(report, table, merge, bool(request.limit))
    with writing(db) as con:
        collection_id = claim(con, collection, request.address)
        changes.apply(con, collection_id, moves, tasks)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        merge.store(con, collection_id, table.stored() if table else None)
        known = read.known(con, collection_id)
    return Listing(collection, collection_id, tasks, known, found.left_out, table, merge=merge)
