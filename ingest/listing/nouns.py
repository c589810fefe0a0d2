"""What the user asks to be read, and what is found there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ingest import changes
from ingest.errors import SourceError
from ingest.merging import Merge, own_tables, source_of
from ingest.metadata import Cells, Joined, join
from ingest.report import Report
from ingest.sources.address import fetched_table, is_stored
from ingest.sources.iiif import Wishes
from ingest.tables.tabular import TableOptions
from ingest.task import Task
from store import read, tables, write
from store.connection import writing
from store.records import Held, TableRows


@dataclass(frozen=True)
class Source:
    """Where pictures are to be read from, and how.

    `address` is a folder or file, an address on the web, or one that fsspec knows. `table` describes the pictures, its
    `file_column` names their files, its `table_options` say how to read it. Of files with many `pages` each is a
    picture, or the "first"; of a film a frame `every` so many seconds; of IIIF what the `wishes` say. Only the first
    `limit` pictures are taken.
    """

    address: str
    collection: str | None = None
    table: str | None = None
    file_column: str | None = None
    limit: int | None = None
    pages: str = "all"
    every: float | None = None
    wishes: Wishes | None = None
    table_options: TableOptions | None = None

    def joined(self, tasks: Iterable[Task], table: Path | str | None = None) -> Joined | None:
        """The user's table, or else `table`, beside the pictures of these tasks; None where there is neither. A table
        is a file or lies at an address."""
        table = self.table or table
        if not table:
            return None
        with fetched_table(table) if is_stored(table) else nullcontext(Path(table).expanduser()) as file:
            names = [task.name for task in tasks]
            return join(file, names, self.file_column, self.table_options, table if is_stored(table) else None)


class Already(NamedTuple):
    """What a database holds of a source before it is listed: pictures by name, what tables have said of them, and
    which tables."""

    known: dict[str, Held]
    table_rows: dict[str, TableRows]
    tables: list[str]


@dataclass(frozen=True)
class Listing:
    """The pictures of a source beside what a collection holds of them (`known`, by name). `merge` is what has become of
    what tables say of them."""

    collection: str
    collection_id: int
    tasks: list[Task]
    known: dict[str, Held]
    skipped: int = 0
    table: Joined | None = None
    moved: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None
    merge: Merge = field(default_factory=Merge)

    def is_unchanged(self, task: Task) -> bool:
        """Whether the file is the one that was read: its length and time stamp have not changed."""
        return changes.same_file(self.known.get(task.name), task.bytes, task.modified)

    def notes(self) -> dict[str, Any]:
        """What is to be known beside the counts, for --json."""
        table = {"metadata": self.table.counts()} if self.table else {}
        return {"moved": self.moved, "gone": self.gone, "taken_back": self.merge.lost, **table}


def merge_of(
    table: Joined | None, held: Already, folder: str | None = None, moved: Mapping[str, str] | None = None
) -> Merge:
    """What the table that was read, if any, means for what tables have said so far of the pictures of a source; these
    may have `moved` from old names to new ones. A `folder`'s own table that is there no more says nothing."""
    names = moved or {}
    gone = [source for source in own_tables(held.tables) if folder is not None and not (Path(folder) / source).exists()]
    return Merge(
        source_of(table.table, folder) if table else None,
        table.rows if table else {},
        frozenset(table.unread_pictures if table else ()),
        frozenset(gone),
        frozenset(names.values()),
        {names.get(name, name): rows for name, rows in held.table_rows.items()},
        keeps_equal=folder is None,
    )


def described(tasks: Iterable[Task], stored: Mapping[str, Cells], merge: Merge) -> list[Task]:
    """The tasks with their metadata: what is stored under their names, what they say themselves, what tables say."""
    return [
        replace(task, metadata=merge.metadata(task.name, stored.get(task.name, {}), task.metadata)) for task in tasks
    ]


def tell_table(report: Report, table: Joined | None, merge: Merge, limited: bool) -> None:
    """Says at once whom the table describes, and for the end how it was read and what has gone with it."""
    if table:
        report.tell(table.line(limited))
    for line in [*(table.notes(limited) if table else ()), *merge.lines()]:
        report.note(line)


def already(db: Path, collection: str, claimed: Callable[[Any], int]) -> Already:
    """What a database holds of a source before it is listed; `claimed` gives the id of the collection that is called
    so. Nothing is made."""
    if not db.exists():
        return Already({}, {}, [])
    with writing(db) as con:  # which brings an older database up to date
        if collection not in read.collections(con)["name"].to_pylist():
            return Already({}, {}, [])
        return stored_already(con, claimed(con))


def stored_already(con: Any, collection_id: int) -> Already:
    """What a collection holds."""
    return Already(
        read.known(con, collection_id), tables.table_rows(con, collection_id), tables.sources(con, collection_id)
    )


def claim(
    con: Any, name: str, source: str, noun: str = "one", may_follow: Callable[[str], bool] = lambda held: False
) -> int:
    """The id of the collection of this name, made if it is new. One that was made from another source may be gone on
    with from this one where `may_follow` says so of the other; else SourceError, which calls this source a `noun`."""
    held = next((row for row in read.collections(con).to_pylist() if row["name"] == name), None)
    if held and held["source"] not in (None, source) and not may_follow(held["source"]):
        raise SourceError(
            f"the collection {name!r} was made from {held['source']}; "
            f"give this {noun} a name of its own with --collection NAME"
        )
    return write.add_collection(con, name, source)
