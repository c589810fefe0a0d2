"""A table that describes the pictures of a collection: one row each, one column naming the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ingest.sources.cells import Unread, read_cells
from ingest.sources.folder import SourceError, natural_key
from ingest.sources.names import BY_STEM, NameIndex, cleaned
from ingest.sources.tabular import SUFFIXES, Sheet, read_sheets
from ingest.vision.paths import file_and_part


@dataclass(frozen=True)
class Metadata:
    """What a table says about the pictures.

    `rows` maps the name of a picture to its cells by column (text, None where empty); `column` named the files, and is
    left out of the cells where it only repeats the name or the path. `unmatched_rows` are its values that name no
    picture, or more than one; `unmatched_files` the pictures that no row names; `unread` what of the dates is not
    understood.
    """

    rows: dict[str, dict[str, str | None]]
    column: str
    unmatched_rows: list[str]
    unmatched_files: list[str]
    unread: list[Unread] = field(default_factory=list)


def find_table(folder: str | Path) -> Path | None:
    """The folder's metadata.csv, else its metadata.tsv, .xlsx and so on, in capitals or small letters; None if it has
    none."""
    folder = Path(folder).expanduser()
    try:
        found = best_table(path.name for path in folder.iterdir() if path.is_file())
    except OSError:
        return None
    return folder / found if found else None


def best_table(names: Iterable[str]) -> str | None:
    """Of the names of files the one that describes the pictures beside it, as `find_table` chooses."""
    tables = [path for path in map(Path, names) if path.stem.lower() == "metadata" and path.suffix.lower() in SUFFIXES]
    tables.sort(key=lambda path: path.name, reverse=True)  # metadata.csv before METADATA.CSV
    best = min(tables, key=lambda path: SUFFIXES.index(path.suffix.lower()), default=None)
    return best and best.name


def other_tables(folder: str | Path) -> list[str]:
    """The names of a folder's tables."""
    try:
        paths = sorted(Path(folder).iterdir())
    except OSError:
        return []
    return [path.name for path in paths if path.suffix.lower() in SUFFIXES and path.name[0] not in ".~"]


def read_metadata(path: str | Path, names: Iterable[str], file_column: str | None = None) -> Metadata:
    """Read a table of any kind that `ingest.sources.tabular` knows, and find by itself which column names the files,
    or take `file_column`; of a workbook the sheet that names the most.

    It is the column that matches the most of `names` (relative paths with forward slashes) by path, file name, or
    name without suffix; where upper and lower case differ, or the suffix does, that counts less. A file name that
    occurs in several folders is matched by its path only. SourceError if the file cannot be read, holds no table, or
    no column names a picture. A row that names a file describes all its pages or frames, one that names a page
    (box1.pdf#page=3) that page in particular.
    """
    path, names = Path(path), list(dict.fromkeys(names))
    sheets = read_sheets(path)
    if file_column is not None:
        sheets = [sheet for sheet in sheets if file_column in sheet.header] or _refuse_column(path, sheets, file_column)
    index = NameIndex(names)
    best = max(
        (match for sheet in sheets if (match := _best_column(sheet, index, file_column))),
        key=lambda match: match.score,
        default=None,
    )
    if best is None:
        example = f", such as {names[0]}" if names else ""
        if file_column is not None:
            raise SourceError(f"The column {file_column!r} of {path.name} names none of the pictures{example}.")
        raise SourceError(
            f"No column of {path.name} names the pictures{example}. "
            f"It has the columns {', '.join(sheets[0].header)}: one of them must hold file names or paths."
        )
    header, rows = best.sheet.header, best.sheet.rows
    column = header[best.place]
    if (answer := index.look_up(column)) and answer[1] < BY_STEM:
        raise SourceError(
            f"The first row of {path.name} names a picture ({column}): "
            "put a row with the names of the columns above it."
        )
    repeats = all(level < BY_STEM for level, _ in best.found.values())
    cells, unread = read_cells(best.sheet)
    matched = {}
    for name in names:
        rows_of_it = [best.found[each][1] for each in (file_and_part(name)[0], name) if each in best.found]
        if rows_of_it:
            matched[name] = {key: cell for row in rows_of_it for key, cell in cells[row].items()}
            if repeats:
                del matched[name][column]
    used = {row for _, row in best.found.values()}
    return Metadata(
        rows=matched,
        column=column,
        unmatched_rows=[row[best.place] for number, row in enumerate(rows) if number not in used],
        unmatched_files=sorted((name for name in names if name not in matched), key=natural_key),
        unread=unread,
    )


@dataclass(frozen=True)
class _Match:
    """A column of a sheet with the pictures it names: {name: (level, row)}."""

    sheet: Sheet
    place: int
    found: dict[str, tuple[int, int]]

    @property
    def score(self) -> tuple[int, int, int]:
        return len(self.found), -sum(level for level, _ in self.found.values()), -self.place


def _best_column(sheet: Sheet, index: NameIndex, file_column: str | None) -> _Match | None:
    matches = []
    for place, name in enumerate(sheet.header):
        values = [row[place] for row in sheet.rows]
        if file_column in (None, name) and index.promises(values) and (found := _claims(values, index)):
            matches.append(_Match(sheet, place, found))
    return max(matches, key=lambda match: match.score, default=None)


def _refuse_column(path: Path, sheets: list[Sheet], file_column: str) -> NoReturn:
    columns = ", ".join(name for sheet in sheets for name in sheet.header)
    raise SourceError(f"{path.name} has no column {file_column!r}; its columns are {columns}.")


def _claims(values: list[str], index: NameIndex) -> dict[str, tuple[int, int]]:
    """{name: (level, row)}: of several rows the surest, of equal rows the first; rows that contradict each other (the
    same file name in folders that the collection does not have) claim nothing."""
    best: dict[str, tuple[int, int]] = {}
    contested: dict[str, int] = {}
    for row, value in enumerate(values):
        if (answer := index.look_up(value)) is None:
            continue
        name, level = answer
        if name not in best or level < best[name][0]:
            best[name] = (level, row)
        elif level == best[name][0] and cleaned(value) != cleaned(values[best[name][1]]):
            contested[name] = level
    return {name: claim for name, claim in best.items() if contested.get(name) != claim[0]}
