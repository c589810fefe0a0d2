"""The cells of a table as they go into the catalogue: decimal commas as points, dates beside them as years."""

from __future__ import annotations

import re
import unicodedata

from ingest.sources.dates import span
from ingest.sources.tabular import Sheet

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+),[0-9]+")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_COMPARABLE = (re.compile(r"-?[1-9][0-9]{0,3}"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))  # years alone, days alone
_DATED = re.compile(  # words of the names of columns, without accents
    r"date[sd]?|dating|year|years|created|creation|period|century|made|produced|production"
    r"|datum|datierung|datiert|jahr|jahre|zeit|entstehung|entstehungszeit|entstanden|herstellungsdatum"
    r"|datation|annee|siecle|data|datazione|anno|fecha|datacion|ano|siglo|jaar|datering|when"
)


def cells_of(sheet: Sheet) -> list[dict[str, str | None]]:
    """The rows of a table by column; None where a cell is empty.

    Where all numbers of a column that has a decimal comma can be read with it, they get a decimal point. A column of
    dates that are not plain years or days gets two more, at the end, of whole years: `date_from` and `date_to`.
    """
    columns: dict[str, list[str]] = {}
    years_of: dict[str, list[str]] = {}
    taken = set(sheet.header)
    for place, name in enumerate(sheet.header):
        values = _with_points([row[place] for row in sheet.rows])
        columns[name] = values
        if is_dated(name) and f"{name}_from" not in taken and f"{name}_to" not in taken and (years := _years(values)):
            years_of[f"{name}_from"], years_of[f"{name}_to"] = years
    columns |= years_of
    names = list(columns)
    return [
        {name: cell or None for name, cell in zip(names, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


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
        return [value.replace(",", "") for value in values]  # 1,234.5
    decimal = all(_DECIMAL_COMMA.fullmatch(value) or re.fullmatch(r"-?[0-9]+", value) for value in numbers)
    # 1,250 alone may be either: it stays as it is.
    if decimal and not all(_THOUSANDS.fullmatch(value) for value in commas):
        return [value.replace(".", "").replace(",", ".") for value in values]
    return values


def _years(values: list[str]) -> tuple[list[str], list[str]] | None:
    """The first and last years of a column of dates; None where it holds plain years or days, which can be compared as
    they are, or where less than half of it can be read."""
    written = [value for value in values if value]
    if not written or any(all(map(shape.fullmatch, written)) for shape in _COMPARABLE):
        return None
    spans = {value: span(value) for value in set(written)}
    if 2 * sum(spans[value] is not None for value in written) < len(written):
        return None
    found = [spans.get(value) or (None, None) for value in values]
    first, last = ([_text(year) for year in years] for years in zip(*found, strict=True))
    return first, last


def _text(year: int | None) -> str:
    return "" if year is None else str(year)
