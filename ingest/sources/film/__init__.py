"""Films, whose frames are pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.notation import step
from ingest.sources.request import Request
from ingest.sources.source import Source, StoredCollection

if TYPE_CHECKING:
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task


class FilmSource(Source):
    """A film, whose frames at equal steps are pictures. A table describes the film: its row goes to every frame."""

    noun = "a film"
    options = (
        click.Option(
            ["--every"], callback=step, help="Of a film: a frame every 0.5s, 500ms, 1:00; 0 for all.  [default: 1s]"
        ),
    )
    misplaced = "--every is for films, and {address} is not a film"
    columns = ("film", "seconds", "timecode")
    one_machine = True

    def recognises(self, address: str) -> bool:
        from ingest.sources.film.frames import is_film

        return is_film(address)

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        from ingest.sources.film.frames import list_film

        return list_film(db, request, report)

    def read_again(self, stored: StoredCollection) -> list[Task]:
        from ingest.sources.film.frames import frames_again

        return frames_again(stored.files())
