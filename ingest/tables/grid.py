"""What readers of tables give: rows of cells as text, and how they came to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

# Which of an object's values is its own name, and not what is said of it.
_MAIN = ("name", "label", "title", "preflabel", "term", "text", "value", "content", "creator", "artist", "person")


@dataclass(frozen=True)
class Grid:
    """The rows of a file or sheet with their numbers: the line where each begins, the row of the workbook, or the
    number of the record (`unit`).

    `ragged` says that rows may be longer or shorter than they should be. `shown` are cells (row number, column from 0)
    that a spreadsheet shows as another text than they hold. `merged` are (first row, first column, last row, last
    column) of cells that are one. `odd` are (number, sentence).
    """

    kind: str = "table"
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)
    unit: str = "record"
    encoding: str | None = None
    detected: bool = False
    delimiter: str | None = None
    sheet: str | None = None
    hidden: bool = False
    ragged: bool = False
    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)

    def headline(self, number: int) -> int:
        """Where the names of the columns are; 0 where no row holds them."""
        return 0 if self.unit == "record" else number

    def depth(self, number: int) -> int:
        """How many rows the names of the columns take that begin in this one: more where cells of it are merged with
        those below."""
        last = max((bottom for top, _, bottom, _ in self.merged if top == number), default=number)
        return last - number + 1

    def names_of_columns(self, numbers: list[int]) -> list[str]:
        """The names in these rows; where cells are merged each of their columns has the name, and where the names take
        several rows they stand one after the other."""
        found = dict(self.rows)
        rows = [list(found[number]) for number in numbers]
        for top, left, _, right in self.merged:
            if numbers and top in numbers:
                text = found[top][left] if left < len(found[top]) else ""
                for place in range(left, min(right + 1, len(rows[0]))):
                    rows[numbers.index(top)][place] = text
        if len(rows) == 1:
            return rows[0]
        return [" ".join(dict.fromkeys(filter(None, cells))) for cells in zip(*rows, strict=True)]


def text_of(value: Any) -> str:
    """A cell as text: whole numbers without a decimal point, days without an hour, lists one after the other, objects
    in them as `name (role)`."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() and value.tzinfo is None else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, list | tuple):
        return "; ".join(text for each in value if (text := text_of(each)))
    if isinstance(value, dict):
        return _object(value)
    return str(value).strip()


def _object(value: dict) -> str:
    """{"role": "painter", "name": "Krøyer"} becomes Krøyer (painter)."""
    texts = {str(key): text for key, each in value.items() if (text := text_of(each))}
    if not texts:
        return ""
    main = min(texts, key=lambda key: _MAIN.index(key.lower()) if key.lower() in _MAIN else len(_MAIN))
    rest = ", ".join(text for key, text in texts.items() if key != main)
    return f"{texts[main]} ({rest})" if rest else texts[main]
