"""Folders of pictures, with what has become of their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest import changes
from ingest.files import find
from ingest.metadata import some
from ingest.report import Report
from ingest.sources.listing import Listing, already, claim_folder, described, joined, merge_of, report_table
from ingest.sources.pages import listed
from ingest.sources.request import Request
from ingest.tables.table import find_table, other_tables
from ingest.vision.paths import file_and_part
from store import read, write
from store.connection import writing
from store.counts import counted


def list_folder(db: Path, request: Request, report: Report) -> Listing:
    """The pictures of a folder, or of a file. Files that have moved keep their images; those that are gone are told."""
    found = find(request.address, request.limit)
    path = Path(request.address).expanduser().resolve()
    folder = path if path.is_dir() else path.parent
    collection = request.collection or folder.name or "pictures"
    present = already(db, collection, lambda con: claim_folder(con, collection, folder))
    known = present.known
    tasks = listed(found.files, known, request.first_page_only, request.limit)
    table = joined(request, tasks, find_table(folder))
    moves = changes.find_moves(known, tasks, folder, report.progress)
    stored = {moves.moved.get(name, name): each.metadata for name, each in known.items()}
    merge = merge_of(table, present, str(folder), moves.moved)
    tasks = described(tasks, stored, merge)
    with writing(db) as con:
        collection_id = claim_folder(con, collection, folder)
        changes.apply(con, collection_id, moves, tasks)
        new = {task.name: task.metadata for task in tasks if task.metadata != stored.get(task.name, {})}
        write.set_metadata(con, collection_id, new)
        merge.store(con, collection_id, table.stored() if table else None)
        # What could not be read as a whole is now read page by page.
        write.clear_failures(con, collection_id, {file_and_part(task.name)[0] for task in tasks if task.read})
        known = read.known(con, collection_id)
    names = {task.name for task in tasks}
    absent = {name: each for name, each in known.items() if name not in names and "://" not in name}
    gone = [] if request.limit or path != folder else changes.gone_and_changed(folder, absent)[0]
    listing = Listing(collection, collection_id, tasks, known, table=table, moved=moves.moved, gone=gone, merge=merge)
    return replace(listing, skipped=_report(report, listing, found.skipped, folder, bool(request.limit)))


def _report(report: Report, listing: Listing, left_out: list[tuple[str, str]], folder: Path, limited: bool) -> int:
    """Says what is remarkable about a folder; returns how many of its files are no pictures."""
    report_table(report, listing.table, listing.merge, limited)
    if not listing.table and (tables := other_tables(folder)):
        report.log(f"{some(tables)} may describe the pictures: use it with --metadata {folder / tables[0]}")
    if listing.moved:
        old, new = next(iter(listing.moved.items()))
        report.log(f"{len(listing.moved)} moved, with all that is known of them (such as {old} → {new})")
    if listing.gone:
        report.log(
            f"no longer in the folder: {counted(len(listing.gone), 'picture')} ({some(listing.gone)}); "
            "`python -m ingest prune` removes them"
        )
    table = listing.table and listing.table.name
    skipped = [(file, reason) for file, reason in left_out if file != table]
    for file, reason in skipped[:5]:
        report.log(f"left out {file}: {reason}")
    if len(skipped) > 5:
        report.log(f"left out {counted(len(skipped) - 5, 'other file')}")
    return len(skipped)
