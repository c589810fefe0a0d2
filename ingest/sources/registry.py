"""All kinds of source, and what is asked of whichever kind the user has named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import SourceError
from ingest.sources.film import FilmSource
from ingest.sources.folder import FolderSource
from ingest.sources.iiif import IiifSource
from ingest.sources.objects import ObjectsSource
from ingest.sources.remote import RemoteSource
from ingest.sources.request import Request
from ingest.sources.source import Source, StoredCollection

if TYPE_CHECKING:
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task

# The first that recognises it: a kind of source that is new comes before the folder, which takes all that is left.
SOURCES: list[Source] = [
    ObjectsSource(lambda stored: tasks_again(stored)),
    RemoteSource(),
    IiifSource(),
    FilmSource(),
    FolderSource(),
]


def source_of(address: str) -> Source:
    """The kind of source that the user has named."""
    return next(kind for kind in SOURCES if kind.recognises(address))


def options() -> list[click.Option]:
    """The options of `run` and `scan` that single kinds of source have, each once."""
    found: dict[str, click.Option] = {}
    for kind in reversed(SOURCES):
        for option in kind.options:
            found.setdefault(option.name, option)
    return list(found.values())


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Of the values of these options those that somebody has typed."""
    usual = {option.name: option.default for option in options()}
    return {name: value for name, value in values.items() if value not in (None, (), usual[name])}


def filled(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What its source has said of a stored picture, which no table takes away."""
    patterns = [pattern for kind in SOURCES for pattern in kind.columns]
    return {key: value for key, value in metadata.items() if any(fnmatchcase(key, each) for each in patterns)}


def list_source(db: Path, request: Request, report: Report) -> Listing:
    """Looks through a source, reads the table that describes it, and brings the collection's names and metadata up to
    date. SourceError for options of another kind of source, or a source without pictures."""
    kind = source_of(request.address)
    own = {option.name for option in kind.options}
    for other in reversed(SOURCES):
        for option in other.options:
            if option.name in request.options and option.name not in own:
                raise SourceError(other.misplaced.format(option=option.opts[0], address=request.address))
    return without_removed(db, kind.list_pictures(db, request, report), report)


def without_removed(db: Path, listing: Listing, report: Report) -> Listing:
    """What is left to read where somebody has removed pictures from the collection."""
    from store import removals
    from store.connection import reading

    with reading(db) as con:
        gone = removals.paths(con, listing.collection_id)
    tasks = [task for task in listing.tasks if task.name not in gone]
    if len(tasks) < len(listing.tasks):
        report.note(f"{len(listing.tasks) - len(tasks):,} left out, since they were removed on a page")
    return replace(listing, tasks=tasks)


def list_collection(db: Path, collection: str | None, allow_hosts: tuple[str, ...] = ()) -> Listing:
    """The pictures that the collection of this name, or the only one, holds already, to be read again from where they
    lay. SourceError if there is none."""
    from ingest.metadata import chosen_collection
    from ingest.sources.listing import Listing
    from store import read, removals
    from store.connection import reading

    with reading(db) as con:
        row = chosen_collection(con, collection)
        gone = removals.paths(con, row["collection_id"])
        known = {name: held for name, held in read.known(con, row["collection_id"]).items() if name not in gone}
        sizes = read.sizes(con, row["collection_id"]) if any("://" in name for name in known) else {}
    stored = StoredCollection(row["source"], known, sizes, allow_hosts)
    return Listing(row["name"], row["collection_id"], tasks_again(stored), known, close=stored.closing.close)


def tasks_again(stored: StoredCollection) -> list[Task]:
    """The tasks that read a collection's pictures again, each made by the first kind of source that claims it."""
    tasks: list[Task] = []
    for kind in SOURCES:
        found = kind.read_again(stored)
        names = {task.name for task in found}
        stored = replace(stored, known={name: held for name, held in stored.known.items() if name not in names})
        tasks = found + tasks
    return tasks
