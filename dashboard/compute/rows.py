"""Rows of data frames as dicts by the names of their columns."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dashboard.compute import words


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """All rows."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def row(frame: pd.DataFrame, label: int) -> dict[str, Any]:
    """The row of this label. KeyError if there is none."""
    return {str(name): value for name, value in frame.loc[label].to_dict().items()}


def described(images: pd.DataFrame) -> pd.DataFrame:
    """Rows of `cache.images` with metadata as dicts, and with caption and alt, a picture in words: reading the JSON of
    100,000 pictures takes a second, and a page shows some."""
    metadata, titles = read(images["metadata"]), images["title"]
    captions = [words.caption(data, title) for data, title in zip(metadata, titles, strict=True)]
    alts = [f"{title}, {caption}" if caption else title for title, caption in zip(titles, captions, strict=True)]
    columns = {"metadata": metadata, "caption": captions, "alt": alts}
    return images.assign(**{name: pd.Series(values, images.index, dtype=object) for name, values in columns.items()})


def read(metadata: Iterable[Any]) -> list[dict[str, Any]]:
    """Metadata from their JSON; {} where there are none."""
    return [json.loads(text) if isinstance(text, str) and text else {} for text in metadata]
