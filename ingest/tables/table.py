"""A table that describes the pictures of a collection: one row each, one column naming the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ingest.errors import SourceError
from ingest.tables.cells import Unread, read_cells
from ingest.tables.columns import Match, best_match, names_pictures
from ingest.tables.names import BY_STEM, NameIndex
from ingest.tables.reading import OtherSheet, Reading, reading_of
from ingest.tables.tabular import SUFFIXES, Sheet, TableOptions, read_sheets
from ingest.vision.paths import file_and_part, natural_key


@dataclass(frozen=True)
class Metadata:
    """What a table says about the pictures.

    `rows` maps the name of a picture to its cells by column (text, None where empty); `column` named the files, and is
    left out of the cells where it only repeats the name or the path. `unmatched_rows` are its values that name no
    picture, or more than one; `unmatched_files` the pictures that no row names; `unread_files` those whose row has
    cells too many, so that nobody knows what it says. `reading` is how the table was read, `unread_dates` what of the
    dates is not understood.
    """

    rows: dict[str, dict[str, str | None]]
    column: str
    unmatched_rows: list[str]
    unmatched_files: list[str]
    unread_files: list[str] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)
    unread_dates: list[Unread] = field(default_factory=list)


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
    return best.name if best else None


def other_tables(folder: str | Path) -> list[str]:
    """The names of a folder's tables."""
    try:
        paths = sorted(Path(folder).iterdir())
    except OSError:
        return []
    return [path.name for path in paths if path.suffix.lower() in SUFFIXES and path.name[0] not in ".~"]


def read_metadata(
    path: str | Path, names: Iterable[str], file_column: str | None = None, options: TableOptions | None = None
) -> Metadata:
    """Read a table of any kind that `ingest.tables.tabular` knows, and find by itself which column names the files,
    or take `file_column`; of a workbook the sheet that names the most, a hidden one only if no other names any.

    It is the column that matches the most of `names` (relative paths with forward slashes) by path, file name, or
    name without suffix; where upper and lower case differ, or the suffix does, that counts less. A file name that
    occurs in several folders is matched by its path only. Further columns may name other pictures of the same rows.
    SourceError if the file cannot be read, holds no table, or no column names a picture. A row that names a file
    describes all its pages or frames, one that names a page (box1.pdf#page=3) that page in particular.
    """
    path, names = Path(path), list(dict.fromkeys(names))
    index = NameIndex(names)
    sheets = read_sheets(path, options, lambda cell: names_pictures(cell, index))
    if file_column is not None:
        sheets = [sheet for sheet in sheets if file_column in sheet.header] or _refuse_column(path, sheets, file_column)
    matches = [(sheet, best_match(sheet, index, file_column)) for sheet in sheets]
    best = _best(match for _, match in matches)
    if best is None:
        _refuse_names(path, names, sheets, file_column)
    _refuse_lost_header(path, best, index)
    return _described(best, names, index, _others(matches, best))


def _best(matches: Iterable[Match | None]) -> Match | None:
    found = [match for match in matches if match]
    visible = [match for match in found if not match.sheet.grid.hidden]
    return max(visible or found, key=lambda match: match.score, default=None)


def _others(matches: list[tuple[Sheet, Match | None]], best: Match) -> list[OtherSheet]:
    return [
        OtherSheet(sheet.grid.sheet, len(match.found) if match else 0, sheet.grid.hidden)
        for sheet, match in matches
        if sheet is not best.sheet and sheet.grid.sheet is not None
    ]


def _described(best: Match, names: list[str], index: NameIndex, others: list[OtherSheet]) -> Metadata:
    sheet, (cells, unread_dates) = best.sheet, read_cells(best.sheet)
    repeats = best.by_whole_names and len(best.places) == 1
    matched = {}
    for name in names:
        rows_of_it = [best.found[each][1] for each in (file_and_part(name)[0], name) if each in best.found]
        if rows_of_it:
            matched[name] = {key: cell for row in rows_of_it for key, cell in cells[row].items()}
            if repeats:
                del matched[name][best.columns[0]]
    used = {row for _, row in best.found.values()}
    odd = sorted([*sheet.odd, *((sheet.numbers[row], why) for row, why in best.refused.items())])
    unread = _unread(sheet, names, index) - matched.keys()
    known = matched.keys() | unread
    return Metadata(
        rows=matched,
        column=" and ".join(best.columns),
        unmatched_rows=[row[best.places[0]] for number, row in enumerate(sheet.rows) if number not in used],
        unmatched_files=sorted((name for name in names if name not in known), key=natural_key),
        unread_files=sorted(unread, key=natural_key),
        reading=reading_of(sheet, best.columns, cells, odd, others),
        unread_dates=unread_dates,
    )


def _unread(sheet: Sheet, names: list[str], index: NameIndex) -> set[str]:
    """The pictures that rows with too many cells name."""
    found = {
        answer[0]
        for _, cells in sheet.surplus
        for cell in cells
        if (answer := index.look_up(cell)) and answer[1] < BY_STEM
    }
    return {name for name in names if found & {name, file_and_part(name)[0]}} if found else set()


def _refuse_lost_header(path: Path, best: Match, index: NameIndex) -> None:
    for column in best.columns:
        if (answer := index.look_up(column)) and answer[1] < BY_STEM:
            raise SourceError(
                f"The first row of {path.name} names a picture ({column}): "
                "put a row with the names of the columns above it."
            )


def _refuse_names(path: Path, names: list[str], sheets: list[Sheet], file_column: str | None) -> NoReturn:
    example = f", such as {names[0]}" if names else ""
    if file_column is not None:
        raise SourceError(f"The column {file_column!r} of {path.name} names none of the pictures{example}.")
    raise SourceError(
        f"No column of {path.name} names the pictures{example}. "
        f"It has the columns {', '.join(sheets[0].header)}: one of them must hold file names or paths."
    )


def _refuse_column(path: Path, sheets: list[Sheet], file_column: str) -> NoReturn:
    columns = ", ".join(name for sheet in sheets for name in sheet.header)
    raise SourceError(f"{path.name} has no column {file_column!r}; its columns are {columns}.")
