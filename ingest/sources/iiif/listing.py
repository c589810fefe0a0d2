"""IIIF manifests and collections of them."""

from __future__ import annotations

from pathlib import Path

from ingest.report import Report
from ingest.sources.iiif.lists import addresses_in
from ingest.sources.iiif.tasks import IiifOptions, iiif_tasks, is_iiif, resumed
from ingest.sources.listing import Listing, claim, joined, merge_of, report_table, stored_already
from ingest.sources.request import Request
from store import read, write
from store.connection import writing


def list_iiif(db: Path, request: Request, report: Report) -> Listing:
    """The pictures of a manifest or of a collection. Manifests with one label do not flow into one collection unless
    the user names it."""
    options = IiifOptions(**request.options)
    web = options.open()
    found = iiif_tasks(web, request.address, options, request.limit, report.log)
    table = joined(request, found.tasks)
    for line in found.lines():
        report.log(line)
    collection = found.name(request.collection)
    with writing(db) as con:
        named = bool(request.collection)
        collection_id = claim(con, collection, found.source, may_follow=lambda source: named and is_iiif(source))
        listed = addresses_in(request.address)
        lines = []
        if listed is not None:  # those that are still bad fail again
            failed = read.failures(con, collection)["path"].to_pylist()
            lines = [path for path in failed if path.startswith(listed.name_of(""))]
        write.clear_failures(con, collection_id, [*found.manifests, *(name for name, _ in found.left_out), *lines])
        present = stored_already(con, collection_id)
        known, merge = present.known, merge_of(table, present)
        tasks = [resumed(task, known.get(task.name), merge.metadata) for task in found.tasks]
        # What is said of another picture than the stored one waits until that has been read.
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks if task.bytes >= 0})
        settled = [task.name for task in tasks if task.bytes >= 0 or task.name not in known]
        merge.store(con, collection_id, table.stored() if table else None, settled)
    report_table(report, table, merge, bool(request.limit))
    return Listing(collection, collection_id, tasks, known, len(found.left_out), table, close=web.close, merge=merge)
