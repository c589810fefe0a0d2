"""What is found in a source, beside what a collection holds of it: the steps that the kinds of source share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ingest import changes
from ingest.errors import SourceError
from ingest.merging import Merge, key_of_table, own_tables
from ingest.metadata import Cells, Joined, join
from ingest.remote_files import fetched_table, is_remote
from ingest.report import Report
from ingest.sources.request import Request
from ingest.task import Task
from ingest.vision.paths import printable
from store import read, tables, write
from store.connection import writing
from store.records import StoredImage, TableRows


class Already(NamedTuple):
    """What a database holds of a source before it is listed: pictures by name, what tables have said of them, and
    which tables."""

    known: dict[str, StoredImage]
    table_rows: dict[str, TableRows]
    tables: list[str]


@dataclass(frozen=True)
class Listing:
    """The pictures of a source beside what a collection holds of them (`known`, by name). `merge` is what has become of
    what tables say of them."""

    collection: str
    collection_id: int
    tasks: list[Task]
    known: dict[str, StoredImage]
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


def list_tasks(
    db: Path,
    request: Request,
    report: Report,
    tasks: list[Task],
    name: str,
    folder: Path,
    file: str = "",
    join_table: Callable[[Request, list[Task]], Joined | None] | None = None,
) -> Listing:
    """The plain way from tasks to a Listing, for pictures whose names are paths below `folder`, or that all lie in one
    `file` there. The collection is called `name` unless the user says otherwise; `join_table` puts the user's table
    beside the tasks. SourceError if that cannot be read, or the collection was made from another source."""
    table = (join_table or joined)(request, tasks)
    name = request.collection or name
    with writing(db) as con:
        collection_id = claim_folder(con, name, folder, file)
        write.clear_failures(con, collection_id, [printable(file)] if file else [])
        present = stored_already(con, collection_id)
        merge = merge_of(table, present, str(folder))
        tasks = described(tasks, {path: each.metadata for path, each in present.known.items()}, merge)
        write.set_metadata(con, collection_id, {task.name: task.metadata for task in tasks})
        merge.store(con, collection_id, table.stored() if table else None)
        known = read.known(con, collection_id)
    report_table(report, table, merge, bool(request.limit))
    return Listing(name, collection_id, tasks, known, table=table, merge=merge)


def joined(request: Request, tasks: Iterable[Task], table: Path | str | None = None) -> Joined | None:
    """The user's table, or else `table`, beside the pictures of these tasks; None where there is neither. A table
    is a file or lies at an address."""
    table = request.table or table
    if not table:
        return None
    with fetched_table(str(table)) if is_remote(table) else nullcontext(Path(table).expanduser()) as file:
        names = [task.name for task in tasks]
        return join(file, names, request.file_column, request.table_options, table if is_remote(table) else None)


def merge_of(
    table: Joined | None, present: Already, folder: str | None = None, moved: Mapping[str, str] | None = None
) -> Merge:
    """What the table that was read, if any, means for what tables have said so far of the pictures of a source; these
    may have `moved` from old names to new ones. A `folder`'s own table that is there no more says nothing."""
    names = moved or {}
    gone = [
        source for source in own_tables(present.tables) if folder is not None and not (Path(folder) / source).exists()
    ]
    return Merge(
        key_of_table(table.table, folder) if table else None,
        table.rows if table else {},
        frozenset(table.unread_pictures if table else ()),
        frozenset(gone),
        frozenset(names.values()),
        {names.get(name, name): rows for name, rows in present.table_rows.items()},
        keeps_equal=folder is None,
    )


def described(tasks: Iterable[Task], stored: Mapping[str, Cells], merge: Merge) -> list[Task]:
    """The tasks with their metadata: what is stored under their names, what they say themselves, what tables say."""
    return [
        replace(task, metadata=merge.metadata(task.name, stored.get(task.name, {}), task.metadata)) for task in tasks
    ]


def report_table(report: Report, table: Joined | None, merge: Merge, limited: bool) -> None:
    """Says at once whom the table describes, and for the end how it was read and what has gone with it."""
    if table:
        report.log(table.line(limited))
    for line in [*(table.reading_notes() if table else ()), *merge.lines()]:
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
    con: Any, name: str, source: str, noun: str = "one", may_follow: Callable[[str], bool] = lambda source: False
) -> int:
    """The id of the collection of this name, made if it is new. One that was made from another source may be gone on
    with from this one where `may_follow` says so of the other; else SourceError, which calls this source a `noun`."""
    row = next((row for row in read.collections(con).to_pylist() if row["name"] == name), None)
    if row and row["source"] not in (None, source) and not may_follow(row["source"]):
        raise SourceError(
            f"the collection {name!r} was made from {row['source']}; "
            f"give this {noun} a name of its own with --collection NAME"
        )
    return write.add_collection(con, name, source)


def claim_folder(con: Any, collection: str, folder: Path, film: str = "") -> int:
    """The id of the collection of a folder, or of a film in it. A collection follows its folder to another place, once
    nothing is left at the old one; SourceError as long as there is."""

    def is_gone(source: str) -> bool:
        return "://" not in source and not (Path(source) / film).exists()

    collection_id = claim(con, collection, str(folder), "film" if film else "folder", is_gone)
    write.move_collection(con, collection_id, str(folder))
    return collection_id
