"""Which columns of a table name the files, and which row each picture gets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.tables.names import BY_STEM, NameIndex, cleaned
from ingest.tables.tabular import Sheet

_SEPARATORS = re.compile(r"[;|\n]|,(?=\s|\w+://|[^,]*\.\w{2,5}(?:$|,))")
_SIDES = re.compile(  # words in the names of columns that hold files
    r"front|back|recto|verso|obverse|reverse|vorderseite|ruckseite|rückseite|avers|revers|dos|face"
    r"|files?|filenames?|images?|pictures?|photos?|scans?|bild(?:er)?|datei(?:en)?|fotos?|url|src"
)


@dataclass
class Match:
    """Columns of a sheet with the pictures that they name: `found` is {name: (level, row)}, of each row that gives
    nothing, though it names a picture, `refused` says why."""

    sheet: Sheet
    places: list[int]
    found: dict[str, tuple[int, int]]
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def score(self) -> tuple[int, int, int]:
        """The greater, the better the column fits."""
        return len(self.found), -sum(level for level, _ in self.found.values()), -self.places[0]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [self.sheet.header[place] for place in self.places]

    @property
    def by_whole_names(self) -> bool:
        """Whether the cells are the names of the files, not a part of them."""
        return all(level < BY_STEM for level, _ in self.found.values())


def best_match(sheet: Sheet, index: NameIndex, file_column: str | None = None) -> Match | None:
    """The column that names the most pictures, or `file_column`, with those that name other pictures of the same rows;
    None where no column names any."""
    matches = []
    for place, name in enumerate(sheet.header):
        values = [row[place] for row in sheet.rows]
        several = [part for value in values for part in _parts(value)]
        shown = sheet.grid.shown and [sheet.shown(row, place) for row in range(len(values))]
        if file_column in (None, name) and index.promises([*values, *several, *(shown or ())]):
            match = _claims(sheet, place, values, index)
            if match.found:
                matches.append(match)
    best = max(matches, key=lambda match: match.score, default=None)
    if best and file_column is None:
        for other in sorted(matches, key=lambda match: match.places):
            if other is not best and _is_second(best, other):
                best.found |= other.found
                best.places = sorted([*best.places, *other.places])
                best.refused = {row: why for row, why in best.refused.items() if row not in _rows(other)}
    return best


def names_pictures(value: str, index: NameIndex) -> bool:
    """Whether a cell is the name of a picture, or a list of nothing but names of files."""
    if index.look_up(value):
        return True
    answers = [index.look_up(part) for part in _parts(value)]
    return bool(answers) and all(answer and answer[1] < BY_STEM for answer in answers)


def _claims(sheet: Sheet, place: int, values: list[str], index: NameIndex) -> Match:
    """Of several rows for a picture the surest gets it, of equal rows the first; rows that contradict each other (the
    same file name in folders that the collection does not have) get nothing."""
    best: dict[str, tuple[int, int, str]] = {}
    contested: dict[str, int] = {}
    claims: list[tuple[int, str, int, str]] = []
    refused: dict[int, str] = {}
    for row, value in enumerate(values):
        answers, ambiguous = _named(value, sheet.shown(row, place), index)
        if ambiguous and not answers:
            refused[row] = "fits several pictures: give the path, not the name alone"
        claims += [(row, name, level, text) for name, level, text in answers]
    for row, name, level, text in claims:
        if name not in best or level < best[name][0]:
            best[name] = (level, row, text)
        elif level == best[name][0] and text != best[name][2]:
            contested[name] = level
    found = {name: (level, row) for name, (level, row, _) in best.items() if contested.get(name) != level}
    for row, name, level, _ in claims:
        if name not in found and level == contested.get(name):
            refused[row] = f"is one of several rows with different paths that end like {name}"
        elif name in found and found[name][1] != row:
            refused[row] = f"names {name}, which another row describes already"
    got = {row for _, row in found.values()}
    return Match(sheet, [place], found, {row: why for row, why in refused.items() if row not in got})


def _named(value: str, shown: str, index: NameIndex) -> tuple[list[tuple[str, int, str]], bool]:
    """(name, level, the text that named it) of the pictures that a cell names, and whether it may mean several."""
    parts = [(*answer, cleaned(part)) for part in _parts(value) if (answer := index.look_up(part))]
    parts = [each for each in parts if each[1] < BY_STEM]
    for text in filter(None, (shown, value)):
        answer = index.look_up(text)
        if answer and (answer[1] < 2 or len(parts) < 2):  # a name may have a comma in it
            return [(*answer, cleaned(text))], False
    return parts, any(index.is_ambiguous(text) for text in [value, *_parts(value)])


def _parts(value: str) -> list[str]:
    """The names in a cell that lists several."""
    if not _SEPARATORS.search(value) or len(value) > 10_000:
        return []
    return [part.strip() for part in _SEPARATORS.split(value) if part.strip()]


def _is_second(best: Match, other: Match) -> bool:
    """Whether a column names further pictures of the rows, as the back of a coin, and not pictures that are mentioned:
    no row of their own describes these, each stands in one row only, and most rows have one, or the column is called
    so."""
    if not other.by_whole_names or other.refused or other.found.keys() & best.found.keys():
        return False
    rows = [row for _, row in other.found.values()]
    words = re.split(r"[^a-zäöüß]+", other.columns[0].lower())
    called = any(map(_SIDES.fullmatch, words))
    return len(set(rows)) == len(rows) and (called or 2 * len(rows) >= len(_rows(best)))


def _rows(match: Match) -> set[int]:
    return {row for _, row in match.found.values()}
