"""What a table says of a collection's pictures: which rows and pictures found each other, how new joins old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.report import Report
from ingest.tables.cells import Unread
from ingest.tables.reading import Reading
from ingest.tables.table import read_metadata
from ingest.tables.tabular import TableOptions
from store import read
from store.connection import reading
from store.counts import counted

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Joined:
    """A table beside the pictures that it describes: `rows` maps their names to cells; the rest did not match. `table`
    is where the user says it is. Of `unread_pictures` the row has too many cells; `reading` is how the table was read.
    """

    table: Path | str
    column: str
    rows: Mapping[str, Cells]
    pictures: int
    rows_without_picture: list[str]
    pictures_without_row: list[str]
    unread_pictures: list[str] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)
    unread_dates: list[Unread] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the file."""
        return str(self.table).rpartition("/")[2]

    def line(self, limited: bool = False) -> str:
        """What is told at the terminal; of a `limited` listing the rows without a picture say nothing."""
        sentences = [
            f"{self.name} describes {len(self.rows)} of {counted(self.pictures, 'picture')}, "
            f"by its column {self.column}"
        ]
        if missing := self.pictures_without_row:
            sentences.append(f"{counted(len(missing), 'picture')} without a row ({some(missing)})")
        if self.unread_pictures:
            unread = self.unread_pictures
            sentences.append(f"{counted(len(unread), 'picture')} whose row could not be read ({some(unread)})")
        if self.rows_without_picture and not limited:
            sentences.append(
                f"{counted(len(self.rows_without_picture), 'row')} without a picture "
                f"({some(self.rows_without_picture)})"
            )
        sentences += [column.line() for column in self.unread_dates]
        return "; ".join(sentences)

    def notes(self, limited: bool = False) -> list[str]:
        """Whom the table describes, how it was read, which of its rows are odd."""
        return [self.line(limited), *self.reading_notes()]

    def reading_notes(self) -> list[str]:
        """What belongs to the last lines where `line` was logged: how it was read, which of its rows are odd."""
        return [
            f"{self.name}: {self.reading.line()}",
            *(f"{self.name}, {line}" for line in self.reading.odd_lines()),
        ]

    def counts(self) -> dict[str, Any]:
        """The same in full, for --json."""
        return {
            "table": str(self.table),
            "file_column": self.column,
            "described": len(self.rows),
            "rows_without_picture": self.rows_without_picture,
            "pictures_without_row": self.pictures_without_row,
            "pictures_with_unread_row": self.unread_pictures,
            "dates_not_understood": {
                column.column: {"count": column.count, "of": column.of, "examples": list(column.examples)}
                for column in self.unread_dates
            },
            "reading": self.reading.facts(),
        }

    def stored(self) -> dict[str, Any]:
        """What the database keeps of it, for the page Overview."""
        return {
            "described": len(self.rows),
            "pictures": self.pictures,
            "rows_without_picture": len(self.rows_without_picture),
            "pictures_without_row": len(self.pictures_without_row),
            "examples": {"rows": self.rows_without_picture[:5], "pictures": self.pictures_without_row[:5]},
            "notes": self.notes(),
            **self.reading.facts(),
        }


def join(
    file: Path,
    names: list[str],
    file_column: str | None = None,
    options: TableOptions | None = None,
    table: Path | str | None = None,
) -> Joined:
    """Read a table of the pictures with these names from a file; `table` says where it is if not there. SourceError as
    `ingest.tables.table.read_metadata`."""
    found = read_metadata(file, names, file_column, options)
    return Joined(
        table or file,
        found.column,
        found.rows,
        len(names),
        found.unmatched_rows,
        found.unmatched_files,
        found.unread_files,
        found.reading,
        found.unread_dates,
    )


def chosen_collection(con: Any, collection: str | None) -> dict[str, Any]:
    """The row of the collection of this name, or of the only one. SourceError if there is none."""
    rows = read.collections(con).to_pylist()
    names = ", ".join(row["name"] for row in rows) or "none"
    if collection is None and len(rows) != 1:
        raise SourceError(f"name the collection with --collection: this database holds {names}")
    found = next((row for row in rows if collection in (None, row["name"])), None)
    if found is None:
        raise SourceError(f"there is no collection {collection!r}; this database holds {names}")
    return found


def report_lists(db: Path, collection: str, report: Report) -> dict[str, str]:
    """Says which columns of a collection are taken for lists, and returns {column: what divides its cells}."""
    with reading(db) as con:
        lists = {
            name: sep for name, sep in read.list_columns(con).items() if name in read.metadata_columns(con, collection)
        }
    if lists:
        ways = {"json": "JSON lists", **{sep: f"divided by “{sep}”" for sep in (";", "|")}}
        named = ", ".join(f"{name} ({ways[separator]})" for name, separator in lists.items())
        report.log(f"taken for lists, of which each part counts: {named}; the view `keywords` has the parts")
    return lists


def some(names: list[str]) -> str:
    """The first few of many."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
