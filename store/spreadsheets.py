"""Every table that leaves for a spreadsheet is written here. Metadata can come from anywhere, and `=HYPERLINK(...)` in
a title must not run on the machine of whoever opens an export.

A text that a spreadsheet might take for a formula gets an apostrophe in front, names of columns too; numbers stay
numbers. `original` takes the apostrophe off again: original(harmless(text)) == text for every text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any

import pandas as pd

# What programs strip or do not show before they look for a formula: controls and spaces of all kinds, signs of no
# width, fillers, byte order marks; and quotes, which some programs take off a cell.
_UNSEEN = (
    "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\"'\uff02\uff07`"
)
# = + - @ and what looks like them or is made into them: of full width, small, raised, lowered; the minus sign.
_SIGNS = "=+@\ufb29\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u207a\u207b\u208c\u208a\u208b\u2212\\-"
# A tab, a return or a new line at the front counts as a sign itself: it may begin another cell.
_FORMULA = f"[{_UNSEEN}]*[{_SIGNS}\t\r\n]"
_FORMULA_AT_FRONT = re.compile(_FORMULA)


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: numbers as they are, lists and the like as JSON, what might be a formula as text
    with an apostrophe in front."""
    if value is None or isinstance(value, Number | Decimal):
        return value
    if isinstance(value, list | tuple | dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = value if isinstance(value, str) else str(value)
    return f"'{text}" if _FORMULA_AT_FRONT.match(text) else value


def original(text: str) -> str:
    """The text that `harmless` was given, from what it made of it."""
    return text[1:] if text.startswith("'") and _FORMULA_AT_FRONT.match(text) else text


def disarmed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame all of whose cells and names of columns are harmless, its index as it was."""
    columns = {place: _disarmed(frame.iloc[:, place]) for place in range(frame.shape[1])}  # names may be there twice
    return pd.DataFrame(columns, index=frame.index).set_axis([harmless(str(name)) for name in frame.columns], axis=1)


def csv_of_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of values as the text of a CSV, below the names of their columns."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([harmless(name) for name in names])
    writer.writerows([harmless(value) for value in row] for row in rows)
    return file.getvalue()


def csv_of_frame(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """The rows of a frame, without its index, as the text of a CSV."""
    return disarmed(frame).to_csv(index=False, float_format=float_format, lineterminator="\r\n")  # quotes a lone \r too


def _disarmed(values: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if isinstance(values.dtype, pd.StringDtype):  # by far the most, and several times as fast
        formulas = values.str.match(_FORMULA).fillna(False).astype(bool)
        return values.where(~formulas, "'" + values)
    return values.map(harmless, na_action="ignore")
