"""What the user asks to be read, and what is found there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest import changes
from ingest.metadata import Cells, Joined, join, merged
from ingest.pipeline import Task
from ingest.sources.address import fetched_table, is_stored
from ingest.sources.folder import SourceError
from ingest.sources.iiif import Wishes
from store import read, write
from store.connection import writing
from store.records import Held


@dataclass(frozen=True)
class Source:
    """Where pictures are to be read from, and how.

    `address` is a folder or file, an address on the web, or one that fsspec knows. `table` describes the pictures, its
    `file_column` names their files. Of files with many `pages` each is a picture, or the "first"; of a film a frame
    `every` so many seconds; of IIIF what the `wishes` say. Only the first `limit` pictures are taken.
    """

    address: str
    collection: str | None = None
    table: str | None = None
    file_column: str | None = None
    limit: int | None = None
    pages: str = "all"
    every: float | None = None
    wishes: Wishes | None = None

    def joined(self, tasks: Iterable[Task], table: Path | str | None = None) -> Joined | None:
        """The user's table, or else `table`, beside the pictures of these tasks; None where there is neither. A table
        is a file or lies at an address."""
        table = self.table or table
        if not table:
            return None
        with fetched_table(table) if is_stored(table) else nullcontext(Path(table).expanduser()) as file:
            return join(file, [task.name for task in tasks], self.file_column)


@dataclass(frozen=True)
class Listing:
    """The pictures of a source beside what a collection holds of them (`known`, by name)."""

    collection: str
    collection_id: int
    tasks: list[Task]
    known: dict[str, Held]
    skipped: int = 0
    table: Joined | None = None
    moved: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    def is_unchanged(self, task: Task) -> bool:
        """Whether the file is the one that was read: its length and time stamp have not changed."""
        return changes.same_file(self.known.get(task.name), task.bytes, task.modified)

    def notes(self) -> dict[str, Any]:
        """What is to be known beside the counts, for --json."""
        table = {"metadata": self.table.counts()} if self.table else {}
        return {"moved": self.moved, "gone": self.gone, **table}


def described(tasks: Iterable[Task], stored: Mapping[str, Cells], table: Joined | None) -> list[Task]:
    """The tasks with their metadata: what is stored under their names, what they tell, what the table says."""
    rows = table.rows if table else {}
    return [
        replace(task, metadata=merged(stored.get(task.name, {}), task.metadata, rows.get(task.name, {})))
        for task in tasks
    ]


def already(db: Path, collection: str, claimed: Callable[[Any], int]) -> dict[str, Held]:
    """What a database holds of a source's pictures before it is listed; `claimed` gives the id of the collection that
    is called so. Nothing is made."""
    if not db.exists():
        return {}
    with writing(db) as con:  # which brings an older database up to date
        held = collection in read.collections(con)["name"].to_pylist()
        return read.known(con, claimed(con)) if held else {}


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
