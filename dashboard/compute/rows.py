"""Rows of data frames as dicts by the names of their columns."""

from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """All rows."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def row(frame: pd.DataFrame, label: int) -> dict[str, Any]:
    """The row of this label. KeyError if there is none."""
    return {str(name): value for name, value in frame.loc[label].to_dict().items()}
