"""How a table was read: what was assumed, and which of its rows are odd, in sentences and as facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ingest.tables.encodings import title
from ingest.tables.tabular import Sheet
from store.counts import counted

SHOWN = 5  # sentences about odd rows, and numbers of rows in one of them


@dataclass(frozen=True)
class OtherSheet:
    """A sheet of the workbook that was not read, and how many pictures it names."""

    name: str
    pictures: int
    hidden: bool


@dataclass(frozen=True)
class Reading:
    """What was assumed of a table. `columns` name the files; `decimal_comma` are columns whose decimal commas became
    points. `odd` are (number of the line, row or record, 0 for the whole; sentence)."""

    kind: str = "table"
    unit: str = "line"
    encoding: str | None = None
    detected: bool = False
    delimiter: str | None = None
    sheet: str | None = None
    hidden: bool = False
    other_sheets: list[OtherSheet] = field(default_factory=list)
    headline: int = 1
    columns: list[str] = field(default_factory=list)
    decimal_comma: list[str] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)

    def line(self) -> str:
        """What was assumed, in a line."""
        sentences = [f"read as {self.kind}"]
        if self.encoding:
            sentences.append(f"in {title(self.encoding)}" + " as it seems (else: --encoding)" * self.detected)
        if self.delimiter:
            sentences.append(f"delimiter {self.delimiter}")
        if self.sheet is not None:
            sentences.append(f"sheet {self.sheet}" + ", which is hidden" * self.hidden)
        if self.other_sheets:
            sentences.append(f"not read: {', '.join(map(_other, self.other_sheets))} (--sheet takes another)")
        if self.headline > 1:
            sentences.append(f"names of the columns in {self.unit} {self.headline}")
        if self.decimal_comma:
            sentences.append(f"decimal commas in {some(self.decimal_comma)}")
        return f"{', '.join(sentences)}; files named by {' and '.join(self.columns)}"

    def odd_lines(self) -> list[str]:
        """The odd rows, those that are odd alike in one sentence."""
        alike: dict[str, list[int]] = {}
        for number, sentence in self.odd:
            alike.setdefault(sentence, []).append(number)
        lines = [
            f"{self.unit}{'s' * (len(numbers) > 1)} {some(numbers, SHOWN)}: {sentence}" if numbers[0] else sentence
            for sentence, numbers in alike.items()
        ]
        return lines[:SHOWN] + [f"and {len(lines) - SHOWN} more (--json lists all)"] * (len(lines) > SHOWN)

    def facts(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "kind": self.kind,
            "encoding": self.encoding and title(self.encoding),
            "encoding_detected": self.detected,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "sheet_hidden": self.hidden,
            "other_sheets": [vars(each) for each in self.other_sheets],
            "header_row": self.headline or None,
            "file_columns": self.columns,
            "decimal_comma": self.decimal_comma,
            "odd_rows": [{self.unit: number or None, "problem": sentence} for number, sentence in self.odd],
        }


def reading_of(
    sheet: Sheet, columns: list[str], cells: list[dict], odd: list[tuple[int, str]], others: list[OtherSheet]
) -> Reading:
    """What was assumed of a sheet whose rows became these `cells`, of `others` that were not read."""
    grid = sheet.grid
    return Reading(
        grid.kind, grid.unit, grid.encoding, grid.detected, grid.delimiter, grid.sheet, grid.hidden, others,
        sheet.headline, columns, _decimal_comma(sheet, cells), odd,
    )  # fmt: skip


def _decimal_comma(sheet: Sheet, cells: list[dict]) -> list[str]:
    """The columns in which a comma was read as a decimal point."""
    return [
        name
        for place, name in enumerate(sheet.header)
        if any(_is_point(row[place], found.get(name)) for row, found in zip(sheet.rows, cells, strict=True))
    ]


def _is_point(written: str, cell: str | None) -> bool:
    """Whether a cell is the number that was written with a comma as its decimal sign: 1.234,50 and 1234.5."""
    if cell is None or "," not in written or "," in cell:
        return False
    try:
        return float(cell) == float(written.replace(".", "").replace(",", "."))
    except ValueError:
        return False


def some(values: Iterable[Any], most: int = 3) -> str:
    """The first few of many, and how many more there are."""
    texts = list(map(str, values))
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def _other(sheet: OtherSheet) -> str:
    what = [f"names {counted(sheet.pictures, 'picture')}"] * bool(sheet.pictures) + ["hidden"] * sheet.hidden
    return sheet.name + (f" ({', '.join(what)})" if what else "")
