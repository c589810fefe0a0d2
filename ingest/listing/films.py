"""Films, whose frames are pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest.listing.folders import claim_folder
from ingest.listing.nouns import Listing, Source
from ingest.report import Report
from ingest.sources.film import EVERY, film_tasks
from ingest.sources.folder import printable
from ingest.sources.table import read_metadata
from ingest.vision.film import timecode
from store import read, write
from store.connection import writing


def list_film(db: Path, source: Source, report: Report) -> Listing:
    """Frames of a film at equal steps. A table describes the film: its row goes to every frame."""
    path = Path(source.address).expanduser().resolve()
    film, tasks = film_tasks(path, EVERY if source.every is None else source.every, source.limit)
    frames = len(tasks) - bool(film.complaint)
    report.tell(
        f"{path.name}: {film.width} × {film.height} pixels, {timecode(film.seconds)} long, "
        f"{float(film.fps):.5g} frames a second, {frames} of {len(film.times)} to look at"
    )
    rows: dict[str, dict] = {}
    if source.table:
        described = read_metadata(Path(source.table).expanduser(), [path.name], source.file_column).rows[path.name]
        tasks = [replace(task, metadata={**described, **task.metadata}) for task in tasks]
        rows = {task.name: task.metadata for task in tasks}
    collection = source.collection or path.stem
    with writing(db) as con:
        collection_id = claim_folder(con, collection, path.parent, path.name)
        write.clear_failures(con, collection_id, [printable(path.name)])
        if rows:
            write.set_metadata(con, collection_id, rows)
        known = read.known(con, collection_id)
    return Listing(collection, collection_id, tasks, known)
