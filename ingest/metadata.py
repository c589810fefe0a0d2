"""What a table says of a collection's pictures: which rows and pictures found each other, how new joins old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.report import Report
from ingest.sources.cells import Unread
from ingest.sources.folder import SourceError
from ingest.sources.table import read_metadata
from store import read, write
from store.connection import reading, writing

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Joined:
    """A table beside the pictures that it describes: `rows` maps their names to cells; the rest did not match."""

    table: Path
    column: str
    rows: dict[str, Cells]
    pictures: int
    rows_without_picture: list[str]
    pictures_without_row: list[str]
    unread: list[Unread] = field(default_factory=list)

    def line(self, limited: bool = False) -> str:
        """What is told at the terminal; of a `limited` listing the rows without a picture say nothing."""
        said = [
            f"{self.table.name} describes {len(self.rows)} of {count(self.pictures, 'picture')}, "
            f"by its column {self.column}"
        ]
        if missing := self.pictures_without_row:
            said.append(f"{count(len(missing), 'picture')} without a row ({some(missing)})")
        if self.rows_without_picture and not limited:
            said.append(
                f"{count(len(self.rows_without_picture), 'row')} without a picture ({some(self.rows_without_picture)})"
            )
        said += [column.line() for column in self.unread]
        return "; ".join(said)

    def counts(self) -> dict[str, Any]:
        """The same in full, for --json."""
        return {
            "table": str(self.table),
            "file_column": self.column,
            "described": len(self.rows),
            "rows_without_picture": self.rows_without_picture,
            "pictures_without_row": self.pictures_without_row,
            "dates_not_understood": {
                column.column: {"count": column.count, "of": column.of, "examples": list(column.examples)}
                for column in self.unread
            },
        }


def join(table: Path, names: list[str], file_column: str | None = None) -> Joined:
    """Read a table of the pictures with these names. SourceError as `ingest.sources.table.read_metadata`."""
    found = read_metadata(table, names, file_column)
    return Joined(
        table, found.column, found.rows, len(names), found.unmatched_rows, found.unmatched_files, found.unread
    )


def merged(stored: Cells, told: Cells, row: Cells) -> dict[str, Any]:
    """A picture's metadata: what was `stored`, what its source has `told` of it (a page its number), then the `row` of
    the table. Columns of the row win, empty ones too; columns that it lacks stay. The title that the source has told
    only stands where nobody gives another."""
    found = {**told, **stored, **{key: told[key] for key in told if key != "title"}, **row}
    titles = [value for key, value in found.items() if key.lower() in read.TITLE_KEYS and value != told.get("title")]
    if any(titles):
        return {key: value for key, value in found.items() if key != "title" or value != told.get("title")}
    return found | ({"title": told["title"]} if "title" in told else {})


def describe_collection(
    db: Path, table: Path, collection: str | None, file_column: str | None, replace: bool = False
) -> dict[str, Any]:
    """Bring the metadata of the pictures that a collection holds up to date from a table; nothing else changes.

    With `replace` columns that the table lacks go. Returns what `--json` prints.
    """
    with reading(db) as con:
        row = chosen_collection(con, collection)
        known = read.known(con, row["collection_id"])
    found = join(table, list(known), file_column)
    stored = {name: known[name].metadata for name in found.rows}
    texts = {
        name: merged({} if replace else stored[name], _told(stored[name]), cells) for name, cells in found.rows.items()
    }
    with writing(db) as con:
        changed = write.set_metadata(con, row["collection_id"], texts)
    return {"db": str(db), "collection": row["name"], "changed": changed, **found.counts(), "line": found.line()}


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
        report.tell(f"taken for lists, of which each part counts: {named}; the view `keywords` has the parts")
    return lists


def some(names: list[str]) -> str:
    """The first few of many."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def count(number: int, noun: str) -> str:
    """1 picture, 2 pictures."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _told(stored: Cells) -> dict[str, Any]:
    return {key: stored[key] for key in ("document", "page", "pages", "film", "seconds", "timecode") if key in stored}
