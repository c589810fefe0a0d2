"""What becomes of a picture's metadata when a table is read again: what the table no longer says is gone, what others
have said stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.tables.reading import some
from ingest.tables.tabular import SUFFIXES
from store import read, tables
from store.records import TableRows

Cells = Mapping[str, Any]
NOTHING = TableRows({}, {})


@dataclass
class Merge:
    """What reading a table anew means for the pictures of a collection: which `source` says what of which picture
    (`rows`), which pictures it is asked about no more (`unread`), and the sources that are `gone`. Pictures
    that have `moved` away from the name in their row keep what it said, as they keep everything.

    `before` is what tables have said so far, `after` what they say now, for those pictures where that is another thing;
    `lost` are the pictures that had a row of a source, and have none now, by source. With `replaces` the row of a
    picture is all that is said of it; `keeps_equal` says that what a table only repeats was known before.
    """

    source: str | None = None
    rows: Mapping[str, Cells] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    before: Mapping[str, TableRows] = field(default_factory=dict)
    replaces: bool = False
    keeps_equal: bool = False
    after: dict[str, TableRows] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)

    def metadata(self, name: str, stored: Cells, given: Cells) -> dict[str, Any]:
        """All that is said of a picture, from what is `stored` of it and what its source has `given`."""
        before = self.before.get(name, NOTHING)
        row = self.rows.get(name)
        if row is None and name in self.moved:
            if before.rows:
                self.after[name] = NOTHING
            return merged(stored, given, {})
        rows: dict[str, dict[str, Any]] = {} if self.replaces and row is not None else dict(before.rows)
        for source in before.rows:
            if source in self.gone or (source == self.source and name not in self.unread):
                rows.pop(source, None)
                if row is None or source != self.source:
                    self.lost.setdefault(source, []).append(name)
        if row is not None and self.source is not None:
            rows[self.source] = dict(row)
        base = {} if self.replaces and row is not None else _base(stored, before)
        cells = {key: cell for each in rows.values() for key, cell in each.items()}
        keeps_equal = self.keeps_equal or bool(before.rows)
        known = {**base, **given}
        # What an older version has stored of this table's row, without noting it, is this table's own.
        hidden = {key: known[key] for key in cells if key in known and (keeps_equal or known[key] != cells[key])}
        now = TableRows(hidden, rows)
        if now != before:
            self.after[name] = now
        return merged(base, given, cells)

    def lines(self) -> list[str]:
        """What is gone, in sentences."""
        lines = []
        for source, names in self.lost.items():
            pictures = f"{len(names)} picture{'s' * (len(names) != 1)} ({some(names)})"
            why = f"{source} is no longer there" if source in self.gone else f"{source} has no row for them any more"
            lines.append(f"{why}: what it said of {pictures} is taken back")
        return lines

    def store(self, con: Any, collection_id: int, reading: Cells | None, names: Iterable[str] | None = None) -> None:
        """Write down what tables say now, of pictures with these `names`, and how the table was read."""
        chosen = self.after if names is None else {name: self.after[name] for name in names if name in self.after}
        if chosen:
            tables.set_table_rows(con, collection_id, chosen)
        for source in self.gone:
            tables.delete_reading(con, collection_id, source)
        if self.source is not None and reading is not None:
            tables.set_reading(con, collection_id, self.source, reading)


def key_of_table(table: str | Path, folder: str | None) -> str:
    """What a table is known by from one reading to the next: its path below the collection's folder, else in full."""
    if "://" in str(table):
        return str(table)
    path = Path(table).expanduser().resolve()
    if folder and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return str(path)


def own_tables(sources: Iterable[str]) -> list[str]:
    """Those of the tables that are a folder's own, read without being asked for."""
    return [
        source
        for source in sources
        if "/" not in source and Path(source).stem.lower() == "metadata" and Path(source).suffix.lower() in SUFFIXES
    ]


def merged(stored: Cells, given: Cells, row: Cells) -> dict[str, Any]:
    """A picture's metadata: what was `stored`, what its source has `given` (a page its number), then the `row` of the
    table. Columns of the row win, empty ones too; columns that it lacks stay. The title that the source has given only
    stands where nobody gives another."""
    found = {**given, **stored, **{key: given[key] for key in given if key != "title"}, **row}
    titles = [value for key, value in found.items() if key.lower() in read.TITLE_KEYS and value != given.get("title")]
    if any(titles):
        return {key: value for key, value in found.items() if key != "title" or value != given.get("title")}
    return found | ({"title": given["title"]} if "title" in given else {})


def _base(stored: Cells, before: TableRows) -> dict[str, Any]:
    """What is stored of a picture without what tables have said of it."""
    rows = {key: cell for each in before.rows.values() for key, cell in each.items()}
    base = {key: value for key, value in stored.items() if key not in rows or value != rows[key]}
    return {**before.hidden, **base}
