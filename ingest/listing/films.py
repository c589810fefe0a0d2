"""Films, whose frames are pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest.listing.folders import claim_folder
from ingest.listing.nouns import Listing, Source, described, merge_of, stored_already, tell_table
from ingest.metadata import Joined, join
from ingest.report import Report
from ingest.sources.film import EVERY, film_tasks
from ingest.vision.film import timecode
from ingest.vision.paths import printable
from store import read, write
from store.connection import writing
from store.counts import counted

OF_A_FRAME = ("title", "film", "seconds", "timecode")


def _to_look_at(moments: int, frames: int) -> str:
    """Slides stand longer than a step, so that more moments are looked at than there are frames."""
    if moments > frames:
        return f"{counted(frames, 'frame')} to look at, at {counted(moments, 'moment')}"
    return f"{moments:,} of {frames:,} to look at"


def list_film(db: Path, source: Source, report: Report) -> Listing:
    """Frames of a film at equal steps. A table describes the film: its row goes to every frame."""
    path = Path(source.address).expanduser().resolve()
    film, tasks = film_tasks(path, EVERY if source.every is None else source.every, source.limit)
    frames = len(tasks) - bool(film.complaint)
    report.tell(
        f"{path.name}: {film.width} × {film.height} pixels, {timecode(film.seconds)} long, "
        f"{float(film.fps):.5g} frames a second, {_to_look_at(frames, len(film.times))}"
    )
    table = _joined(source, path.name, [task.name for task in tasks])
    collection = source.collection or path.stem
    with writing(db) as con:
        collection_id = claim_folder(con, collection, path.parent, path.name)
        write.clear_failures(con, collection_id, [printable(path.name)])
        held = stored_already(con, collection_id)
        merge = merge_of(table, held, str(path.parent))
        tasks = described(tasks, {name: each.metadata for name, each in held.known.items()}, merge)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        merge.store(con, collection_id, table and table.stored())
        known = read.known(con, collection_id)
    tell_table(report, table, merge, bool(source.limit))
    return Listing(collection, collection_id, tasks, known, table=table, merge=merge)


def _joined(source: Source, film: str, frames: list[str]) -> Joined | None:
    """The user's table of a film, whose row is that of every frame; what a frame says of itself is not the table's."""
    if not source.table:
        return None
    found = join(Path(source.table).expanduser(), [film], source.file_column, source.table_options)
    row = {key: cell for key, cell in found.rows[film].items() if key not in OF_A_FRAME}
    return replace(found, rows=dict.fromkeys(frames, row), pictures=len(frames))
