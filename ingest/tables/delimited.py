"""Rows out of delimited text: CSV with its quotation marks, TSV, which has none, or has them around its cells.

A quotation mark that is not closed, or that is followed by text where it closes, is part of the text: otherwise the
cell would swallow the rows below, and pictures would get the values of others.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.errors import SourceError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_SAMPLE = 200  # lines that tell the delimiter
_PATIENCE = 50_000_000  # characters in which the ends of quoted cells are looked for in vain

Names = Callable[[str], bool]  # whether a cell is the name of a picture


@dataclass
class Rows:
    """The rows of a text as (number of the line on which it begins, cells); `odd` are lines with something that had to
    be decided, each with a sentence."""

    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)


def split(text: str, delimiter: str, names: Names | None = None) -> Rows:
    """The rows of a text. A tab goes without quotation marks. `names` helps to see where a quoted cell swallows rows of
    other pictures."""
    return _Splitter(_lines(text), delimiter, names).split()


def find_delimiter(text: str, names: Names | None = None) -> str:
    """The delimiter by which most rows get the same number of cells, and one of them names a picture."""
    sample = _lines(text, _SAMPLE)

    def fitness(delimiter: str) -> tuple[float, float, int]:
        rows = [cells for _, cells in _Splitter(sample, delimiter, None).split().rows if any(cells)]
        (width, count) = usual_width(rows)
        if width < 2:
            return 0.0, 0.0, 0
        named = sum(any(map(names, cells)) for cells in rows) if names else 0
        return named / len(rows), count / len(rows), width

    return max(DELIMITERS, key=fitness)


def parse_delimiter(text: str) -> str:
    """What a user calls a delimiter: ";", "tab", "semicolon". SourceError unless that is one character."""
    words = {title: sign for sign, title in DELIMITERS.items()} | {"\\t": "\t", "pipe": "|", "space": " "}
    sign = words.get(text.lower(), text)
    if len(sign) != 1 or sign in '"\r\n':
        raise SourceError(f'--delimiter is one character or its name, such as ";" or tab, not {text!r}.')
    return sign


def usual_width(rows: list[list[str]]) -> tuple[int, int]:
    """The number of cells, of more than one, that most rows have, and how many have it; (0, 0) where none has two."""
    widths = Counter(len(cells) for cells in rows if len(cells) > 1)
    return max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))


def _lines(text: str, most: int = 0) -> list[str]:
    """Lines that end as lines of files do; the other characters that Unicode breaks lines at are text."""
    if most:
        text = text[: _PATIENCE // 50]
    lines = re.split(r"\r\n|\r|\n", text, maxsplit=most)
    return lines[:most] if most else lines


class _Splitter:
    def __init__(self, lines: list[str], delimiter: str, names: Names | None) -> None:
        self.lines, self.delimiter, self.names = lines, delimiter, names
        self.quotes = delimiter != "\t"
        sign = re.escape(delimiter)
        cell = rf'(?: *"[^"]*(?:""[^"]*)*" *|(?! *")[^{sign}]*)'
        self.sound = re.compile(rf"{cell}(?:{sign}{cell})*")
        self.patience = _PATIENCE
        self.found = Rows()

    def split(self) -> Rows:
        place = 0
        while place < len(self.lines):
            line = self.lines[place]
            if '"' in line and self.quotes:
                plain = self._plain(line)
                cells, end = self._cells(place) if plain is None else (plain, place)
            else:
                cells, end = line.split(self.delimiter), place
            self.found.rows.append((place + 1, [cell.strip() for cell in cells]))
            place = end + 1
        if not self.quotes and self._names_in_quotes():
            self.found.rows = [(number, list(map(_without_quotes, cells))) for number, cells in self.found.rows]
        elif not self.quotes:
            self._note_quotes()
        return self.found

    def _plain(self, line: str) -> list[str] | None:
        """The cells of a line whose quotation marks all open and close one, by the library; None of any other line."""
        if len(line) > csv.field_size_limit() or not self.sound.fullmatch(line):
            return None
        return next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True))

    def _cells(self, place: int) -> tuple[list[str], int]:
        """The cells of the row that begins on a line, and its last line."""
        first, at, cells = place, 0, []
        while True:
            line = self.lines[place]
            opening = at + len(line[at:]) - len(line[at:].lstrip(" "))
            quoted = self._quoted(place, opening) if line[opening : opening + 1] == '"' else None
            if quoted and quoted[1] > place and self._swallows(place, quoted[1]):
                self._note(first, "a quotation mark that closes only on another picture's line is read as text")
                quoted = None
            if quoted:
                cell, place, at = quoted
                line = self.lines[place]
                end = line.find(self.delimiter, at)
            else:
                if line[opening : opening + 1] == '"':
                    self._note(place, "a quotation mark that is not closed at the end of its cell is read as text")
                end = line.find(self.delimiter, at)
                cell = line[at:] if end < 0 else line[at:end]
            cells.append(cell)
            if end < 0:
                return cells, place
            at = end + 1

    def _quoted(self, place: int, opening: int) -> tuple[str, int, int] | None:
        """(content, line, place behind the end) of a quoted cell; None unless a delimiter or the end of the line
        follows it."""
        line, at, parts, begun = self.lines[place], opening + 1, [], place
        while True:
            mark = line.find('"', at)
            if mark < 0:
                parts += [line[at:], "\n"]
                self.patience -= len(line) + 1
                place += 1
                if place == len(self.lines) or self.patience < 0:
                    return None
                line, at = self.lines[place], 0
            elif line[mark + 1 : mark + 2] == '"':
                parts.append(line[at : mark + 1])
                at = mark + 2
            else:
                rest = line[mark + 1 :].lstrip(" ")
                if rest and not rest.startswith(self.delimiter):
                    return None
                parts.append(line[at:mark])
                self.patience += sum(map(len, self.lines[begun:place])) + place - begun  # not in vain
                return "".join(parts), place, mark + 1

    def _swallows(self, first: int, last: int) -> bool:
        """Whether lines within a quoted cell are rows of their own: they have as many cells as there are columns if the
        marks are text, and in one column, counted from the left or the right, names of pictures above each other."""
        if self.names is None:
            return False
        cells = self._bare(first)
        named = [place for place, cell in enumerate(cells) if self.names(cell)]
        width = next((len(row) for _, row in self.found.rows if len(row) > 1), 2)
        for number in range(first + 1, last + 1) if named else ():
            others = self._bare(number)
            places = [p for place in named for p in (place, place - len(cells)) if -len(others) <= p < len(others)]
            if len(others) >= width and any(self.names(others[place]) for place in places):
                return True
        return False

    def _bare(self, number: int) -> list[str]:
        return [cell.strip().strip('"') for cell in self.lines[number].split(self.delimiter)]

    def _names_in_quotes(self) -> bool:
        """Whether whoever wrote the rows put quotation marks around cells: the names of pictures stand in them, and
        none without."""
        names, rows = self.names, [cells for _, cells in self.found.rows]
        if names is None or not any(
            names(_without_quotes(cell)) for cells in rows for cell in cells if _in_quotes(cell)
        ):
            return False
        return not any(names(cell) for cells in rows for cell in cells if not _in_quotes(cell))

    def _note(self, place: int, sentence: str) -> None:
        if not self.found.odd or self.found.odd[-1][0] != place + 1:
            self.found.odd.append((place + 1, sentence))

    def _note_quotes(self) -> None:
        for number, cells in self.found.rows:
            if any(map(_in_quotes, cells)):
                self._note(number - 1, "tables with tabs have no quotation marks: they are kept as text")


def _in_quotes(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _without_quotes(cell: str) -> str:
    return cell[1:-1].replace('""', '"').strip() if _in_quotes(cell) else cell
