"""What a kind of source is. Each has a file or folder of its own here, and a line in `ingest.sources.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from ingest.sources.request import Request

if TYPE_CHECKING:  # a kind of source is light: the command line asks all of them for their options
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task
    from store.records import StoredImage


class Source(Protocol):
    """A kind of source: a folder, a film, a IIIF manifest …

    `options` are the options of `run` and `scan` that are its own; where one of them is given with a source of another
    kind, `misplaced` says so of that `{option}` and the `{address}`. `columns` are the columns of metadata that the
    source fills itself, `*` for any end: no table takes them away. A source that `one_machine` has to read, one picture
    after the other, is refused by a cluster, which calls it by its `noun`.
    """

    noun: str = ""
    options: Sequence[click.Option] = ()
    misplaced: str = "{option} is not for {address}"
    columns: Sequence[str] = ()
    one_machine: bool = False

    def recognises(self, address: str) -> bool:
        """Whether what the user has named is of this kind. Nothing is fetched to find out."""
        ...

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        """The pictures of the source, each a Task that reads it, with its collection made and their metadata brought
        up to date (`ingest.sources.listing.list_tasks` does so). SourceError if it cannot be used, or has none."""
        ...

    def read_again(self, stored: StoredCollection) -> list[Task]:
        """The tasks of those pictures of a collection that only this kind of source can read again; those that nobody
        claims are files of the collection's folder."""
        return []


@dataclass(frozen=True)
class StoredCollection:
    """What a database holds of a collection: the `source` that it was made from, its pictures by name (`known`), and
    {name: (width, height, whether a thumbnail is kept)} of those that came from the web. Private hosts that may be
    asked are in `allow_hosts`; what is to be closed when all is read goes into `closing`."""

    source: str
    known: Mapping[str, StoredImage]
    sizes: Mapping[str, tuple[int, int, bool]] = field(default_factory=dict)
    allow_hosts: tuple[str, ...] = ()
    closing: ExitStack = field(default_factory=ExitStack)

    def files(self) -> list[Task]:
        """The pictures as files below the folder that is the source."""
        from ingest.task import Task
        from ingest.vision.paths import raw_name

        folder = Path(self.source)
        return [Task(folder / raw_name(name), name, held.bytes, held.modified) for name, held in self.known.items()]
