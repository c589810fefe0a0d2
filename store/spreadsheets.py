"""Text that a spreadsheet would run: metadata can come from anywhere, and `=HYPERLINK(...)` in a title must not run on
the machine of whoever opens an export."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: numbers as they are, lists and the like as JSON, formulas as text, an apostrophe
    in front."""
    if isinstance(value, list | dict):
        return harmless(json.dumps(value, ensure_ascii=False, default=str))
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return "'" + value
    return value


def disarmed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame all of whose cells and names of columns are harmless, its index as it was."""
    columns = {place: _disarmed(frame.iloc[:, place]) for place in range(frame.shape[1])}  # names may be there twice
    return pd.DataFrame(columns, index=frame.index).set_axis([harmless(str(name)) for name in frame.columns], axis=1)


def _disarmed(values: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if isinstance(values.dtype, pd.StringDtype):  # by far the most, and ten times as fast
        formulas = values.str.lstrip(" ").str.startswith(_FORMULA).fillna(False).astype(bool)
        return values.where(~formulas, "'" + values)
    return values.map(harmless, na_action="ignore")
