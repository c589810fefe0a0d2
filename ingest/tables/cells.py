"""The cells of a table as they go into the catalogue: decimal commas as points, dates beside them as years."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from ingest.tables.dates import Span, is_undated, span
from ingest.tables.tabular import Sheet

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+),[0-9]+")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_COMPARABLE = (re.compile(r"-?[1-9][0-9]{0,6}"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))  # years alone, days alone
_DATED = re.compile(  # words of the names of columns, without accents
    r"date[sd]?|dating|year|years|created|creation|period|century|made|produced|production"
    r"|datum|datierung|datiert|jahr|jahre|zeit|entstehung|entstehungszeit|entstanden|herstellungsdatum"
    r"|datation|annee|siecle|data|datazione|anno|fecha|datacion|ano|siglo|jaar|datering|when"
)


@dataclass(frozen=True)
class Unread:
    """The values of a column of dates that are not understood: how many of how many, and the most frequent of them.
    `dated` is False where so few are understood that the column got no years at all."""

    column: str
    count: int
    of: int
    examples: tuple[str, ...]
    dated: bool = True

    def line(self) -> str:
        """What is told at the terminal."""
        some = ", ".join(f"“{text if len(text) <= 40 else text[:39] + '…'}”" for text in self.examples)
        verb = "is" if self.count == 1 else "are"
        what = f"{self.count} of {self.of} dates in the column {self.column} {verb} not understood ({some})"
        return what if self.dated else f"{what}, so it gets no years beside it"


def cells_of(sheet: Sheet) -> list[dict[str, str | None]]:
    """The rows of a table by column; None where a cell is empty.

    Where all numbers of a column that has a decimal comma can be read with it, they get a decimal point. A column of
    dates that are not plain years or days gets two more, at the end, of whole years: `date_from` and `date_to`.
    """
    return read_cells(sheet)[0]


def read_cells(sheet: Sheet) -> tuple[list[dict[str, str | None]], list[Unread]]:
    """The rows as `cells_of` gives them, and what of the dates is not understood."""
    columns: dict[str, list[str]] = {}
    years_of: dict[str, list[str]] = {}
    unread: list[Unread] = []
    taken = set(sheet.header)
    for place, name in enumerate(sheet.header):
        values = _with_points([row[place] for row in sheet.rows])
        columns[name] = values
        if is_dated(name) and f"{name}_from" not in taken and f"{name}_to" not in taken and _is_written(values):
            spans = {value: span(value) for value in set(values) if value}
            strange = [value for value in values if value and spans[value] is None and not is_undated(value)]
            read = sum(spans.get(value) is not None for value in values)
            if read and read >= len(strange):
                years_of[f"{name}_from"], years_of[f"{name}_to"] = _years(values, spans)
            if read and strange:
                frequent = tuple(value for value, _ in Counter(strange).most_common(3))
                unread.append(Unread(name, len(strange), read + len(strange), frequent, read >= len(strange)))
    columns |= years_of
    names = list(columns)
    rows = [
        {name: cell or None for name, cell in zip(names, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]
    return rows, unread


def is_dated(name: str) -> bool:
    """Whether the name of a column says that it holds dates."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower()
    return any(_DATED.fullmatch(word) for word in re.split(r"[^a-z]+", plain))


def _with_points(values: list[str]) -> list[str]:
    numbers = [value for value in values if value]
    commas = [value for value in numbers if "," in value]
    if not commas:
        return values
    if all(_PLAIN.fullmatch(value) or _THOUSANDS.fullmatch(value) for value in numbers) and any(
        "." in value or value.count(",") > 1 for value in commas
    ):
        return [_shortest(value.replace(",", "")) for value in values]  # 1,234.5
    decimal = all(_DECIMAL_COMMA.fullmatch(value) or re.fullmatch(r"-?[0-9]+", value) for value in numbers)
    # 1,250 alone may be either: it stays as it is.
    if decimal and not all(_THOUSANDS.fullmatch(value) for value in commas):
        return [_shortest(value.replace(".", "").replace(",", ".")) for value in values]
    return values


def _shortest(number: str) -> str:
    """12.50 as 12.5: with such a comma it is a measure or a price, where the last 0 says nothing; in an inventory
    number, 1978.10, it does."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _is_written(values: list[str]) -> bool:
    """Whether a column of dates holds more than plain years or days alone, which can be compared as they are."""
    written = [value for value in values if value]
    return bool(written) and not any(all(map(shape.fullmatch, written)) for shape in _COMPARABLE)


def _years(values: list[str], spans: dict[str, Span | None]) -> tuple[list[str], list[str]]:
    """The first and last years of a column of dates, blank where there is none."""
    found = [spans.get(value) or (None, None) for value in values]
    first, last = ([_text(year) for year in years] for years in zip(*found, strict=True))
    return first, last


def _text(year: int | None) -> str:
    return "" if year is None else str(year)
