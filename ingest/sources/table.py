"""A table that describes the pictures of a collection: one row each, one column naming the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.sources.folder import SourceError, natural_key
from ingest.sources.names import BY_STEM, NameIndex, cleaned

_DELIMITERS = ",;\t|"
_SAMPLE = 50  # rows that tell the delimiter


@dataclass(frozen=True)
class Metadata:
    """What a table says about the pictures.

    `rows` maps the name of a picture to its cells by column (text, None where empty); `column` named the files, and is
    left out of the cells where it only repeats the name or the path. `unmatched_rows` are its values that name no
    picture, or more than one; `unmatched_files` the pictures that no row names.
    """

    rows: dict[str, dict[str, str | None]]
    column: str
    unmatched_rows: list[str]
    unmatched_files: list[str]


def find_table(folder: str | Path) -> Path | None:
    """The folder's metadata.csv, in capitals or small letters; None if it has none."""
    try:
        tables = [path for path in Path(folder).expanduser().iterdir() if path.name.lower() == "metadata.csv"]
    except OSError:
        return None
    return max((path for path in tables if path.is_file()), key=lambda path: path.name, default=None)


def read_metadata(path: str | Path, names: Iterable[str]) -> Metadata:
    """Read a CSV file and find by itself which column names the files.

    It is the column that matches the most of `names` (relative paths with forward slashes) by path, file name, or
    name without suffix; where upper and lower case differ, or the suffix does, that counts less. A file name that
    occurs in several folders is matched by its path only. SourceError if the file cannot be read, holds no table, or
    no column names a picture.
    """
    names = list(dict.fromkeys(names))
    header, rows = _read(Path(path))
    index = NameIndex(names)
    best: tuple[tuple, int, dict] | None = None
    for place in range(len(header)):
        values = [row[place] for row in rows]
        if index.promises(values):
            found = _claims(values, index)
            score = (len(found), -sum(level for level, _ in found.values()), -place)
            if found and (best is None or score > best[0]):
                best = (score, place, found)
    if best is None:
        example = f", such as {names[0]}" if names else ""
        raise SourceError(
            f"No column of {Path(path).name} names the pictures{example}. "
            f"It has the columns {', '.join(header)}: one of them must hold file names or paths."
        )
    _, place, found = best
    if (answer := index.look_up(header[place])) and answer[1] < BY_STEM:
        raise SourceError(
            f"The first row of {Path(path).name} names a picture ({header[place]}): put a row with the names of the "
            "columns above it."
        )
    repeats = all(level < BY_STEM for level, _ in found.values())
    matched = {}
    for name in names:
        if name in found:
            row = rows[found[name][1]]
            cells = {key: cell or None for key, cell in zip(header, row, strict=True)}
            if repeats:
                del cells[header[place]]
            matched[name] = cells
    used = {row for _, row in found.values()}
    return Metadata(
        rows=matched,
        column=header[place],
        unmatched_rows=[row[place] for number, row in enumerate(rows) if number not in used],
        unmatched_files=sorted((name for name in names if name not in matched), key=natural_key),
    )


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


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header, its names made unique, and the rows, each as long as the header, their cells stripped."""
    text = _text(path)
    delimiter = None
    if match := re.match(r"sep=(.)\r?\n", text):  # Excel's own mark
        delimiter, text = match[1], text[match.end() :]
    try:
        lines = list(_rows(text, delimiter or _delimiter(text)))
    except csv.Error as error:
        raise SourceError(f"{path.name} could not be read as a table: {error}.") from None
    lines = [line for line in lines if any(line)]
    if not lines:
        raise SourceError(f"{path.name} is empty: its first row must hold the names of the columns.")
    head, body = lines[0], lines[1:]
    # Spreadsheets leave nameless columns to the right, mostly with nothing in them.
    width = max((place + 1 for line in lines for place, cell in enumerate(line[: len(head)]) if cell), default=0)
    body = [(line + [""] * width)[:width] for line in body]
    return _unique(head[:width]), [line for line in body if any(line)]


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # asked before opening: a pipe would block for ever
            raise SourceError(f"There is no table {path}." if not path.exists() else f"{path} is not a file.")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"The table {path} could not be read: {error.strerror or error}.") from None
    if data.startswith(b"PK\x03\x04"):
        raise SourceError(f"{path.name} is a workbook or an archive, not a CSV file: save it as 'CSV UTF-8'.")
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise SourceError(f"{path.name} is not a text file: save the table as 'CSV UTF-8'.")


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
        yield [cell.strip() for cell in line]


def _delimiter(text: str) -> str:
    """The delimiter by which most rows get as many cells as the first."""

    def fitness(delimiter: str) -> tuple[float, int]:
        lines = [line for line, _ in zip(filter(any, _rows(text, delimiter)), range(_SAMPLE), strict=False)]
        width = len(lines[0]) if lines else 0
        return (sum(len(line) == width for line in lines) / len(lines), width) if width > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fitness)


def _unique(head: list[str]) -> list[str]:
    names: list[str] = []
    for place, name in enumerate(head, start=1):
        name = base = name or f"column_{place}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{base}_{copies}"
        names.append(name)
    return names
