"""Collections, their images and what the metadata says of these."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict

import pandas as pd
import streamlit as st

from dashboard.compute import rows
from dashboard.compute.arrangements import years
from dashboard.data.cache.file import db, default
from dashboard.data.cache.memory import ask, ask_cached, cache_token, remembered, to_frame, whole_numbers
from dashboard.data.routes import thumb_route
from store import connection, read
from store import tables as stored_tables
from store.errors import StoreError
from store.keywords import divided


class ImageRow(TypedDict):
    """A row of `images`: one picture as the pages show it. `version` changes whenever the picture does."""

    image_id: int
    collection: str
    path: str
    sha256: NotRequired[str]
    width: int
    height: int
    metadata: dict[str, Any]
    title: str
    caption: str
    alt: str
    version: str


def collections() -> pd.DataFrame:
    """collection_id, name, source, images, failures, created_at."""
    return ask_cached(read.collections)


def source_of(collection: str) -> str | None:
    """The folder, or whatever else it was, that a collection was read from; None where nobody knows."""
    found = collections().set_index("name")["source"]
    return str(found[collection]) if collection in found.index and found[collection] else None


def images(collection: str | None = None) -> pd.DataFrame:
    """The columns of `store.read.images`, metadata as JSON text; version; indexed by image_id."""
    return _images(str(db()), cache_token(db()), collection).copy(deep=False)


def described(image_ids: Iterable[int]) -> pd.DataFrame:
    """These rows of `images`, in their order, with metadata as dicts, caption and alt; unknown ids are left out."""
    known = images()
    return rows.described(known.loc[[int(i) for i in image_ids if i in known.index]])


def images_text() -> pd.Series:
    """What of each image can be searched for: its title, caption and path in small letters, by image_id."""
    return _images_text(str(db()), cache_token(db()))


def metadata_text() -> pd.Series:
    """What the words on Overview are looked for in: title, path and the values of the metadata, by image_id."""
    return _metadata_text(str(db()), cache_token(db()))


def read_ahead() -> None:
    """Read what each page asks of the first database, most of what the first visitor would wait for. Any thread may
    ask: no session."""
    path = default()
    _images(str(path), cache_token(path), None)


def image(image_id: int) -> ImageRow | None:
    """One row of `images`."""
    found = described([image_id])
    return None if found.empty else ImageRow(**rows.row(found, image_id))


def image_row(image_id: int) -> ImageRow:
    """The same of an image that is there. StoreError if it is gone."""
    found = image(image_id)
    if found is None:
        raise StoreError(f"There is no picture {image_id} in this database.")
    return found


def current_image() -> int | None:
    """The id of the image in view, or None."""
    image_id = st.session_state.get("image")
    return None if image_id is None else int(image_id)


def image_in_view() -> int:
    """The id of the image in view, for pages that are shown only where there is one. StoreError if it is gone."""
    image_id = current_image()
    if image_id is None:
        raise StoreError("No picture is in view. Choose one in the sidebar.")
    return image_id


def items(image_ids: Iterable[int], captions: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """What `components.gallery` shows for these images, in their order; unknown ids are left out."""
    found, captions = described(image_ids), captions or {}
    return [
        {
            "image_id": i,
            "title": title,
            "caption": captions.get(i, caption),
            "alt": alt,
            "src": thumb_route(i, version),
        }
        for i, title, caption, alt, version in zip(
            found.index.tolist(), found["title"], found["caption"], found["alt"], found["version"], strict=True
        )
    ]


def catalogue(collection: str | None = None) -> pd.DataFrame:
    """image_id, collection, path and a typed column for each metadata key."""
    return ask_cached(read.catalogue, collection=collection)


def catalogue_parts(collection: str | None = None) -> pd.DataFrame:
    """The same with a tuple of its parts in each cell of the columns that are lists, None where there is none."""
    key = ("catalogue_parts", collection)
    return remembered(lambda: divided(catalogue(collection), list_columns()), *key).copy(deep=False)


def list_columns() -> dict[str, str]:
    """{column: what divides its cells} of the columns whose cells are lists: ';', '|' or 'json'."""
    return dict(ask_cached(read.list_columns))


def unread_dates(collection: str) -> list[tuple[str, int, int, list[str]]]:
    """Of columns of dates: (column, images whose date has no years, of how many, some such dates)."""
    return list(ask_cached(read.unread_dates, collection=collection))


def metadata_columns(collection: str | None = None) -> dict[str, str]:
    """{column: 'number', 'date' or 'text'}."""
    return dict(ask_cached(read.metadata_columns, collection=collection))


def time_columns(collection: str) -> list[str]:
    """The columns that a time line of a collection can go along, the best first."""
    kinds = metadata_columns(collection)
    this_year = datetime.now().year
    return list(remembered(lambda: years.time_columns(catalogue(collection), kinds, this_year), "time", collection))


def number_columns(collection: str) -> list[str]:
    """The columns of numbers that are no years."""
    times = time_columns(collection)
    return [name for name, kind in metadata_columns(collection).items() if kind == "number" and name not in times]


def labels(column: str, image_ids: Iterable[int]) -> list[frozenset[str]]:
    """The values of each image in a column of the catalogue as text, or its tags for the column `tag`."""
    return ask(read.labels, column=column, ids=whole_numbers(image_ids))


def failures(collection: str | None = None) -> pd.DataFrame:
    """collection, path, stage, error, at."""
    return ask_cached(read.failures, collection=collection)


def table_readings() -> pd.DataFrame:
    """collection, source, read_at, reading (JSON text): how the tables were read that describe the collections."""
    return ask_cached(stored_tables.table_readings)


@st.cache_resource(max_entries=16, show_spinner=False)
def _images(path: str, token: str, collection: str | None) -> pd.DataFrame:
    if collection is not None:
        table = _images(path, token, None)
        here = (table["collection"] == collection).to_numpy()
        return table if here.all() else table[here]
    with connection.reading(path) as con:
        table = to_frame(read.images(con))
    of_database = hashlib.sha256(token.encode()).hexdigest()[:12]
    table["version"] = table["sha256"].str[:12] if "sha256" in table else of_database
    return table.set_index("image_id", drop=False).rename_axis(None)


@st.cache_resource(max_entries=4, show_spinner=False)
def _images_text(path: str, token: str) -> pd.Series:
    table = rows.described(_images(path, token, None))
    return (table["title"] + "\n" + table["caption"] + "\n" + table["path"]).str.lower()


@st.cache_resource(max_entries=4, show_spinner=False)
def _metadata_text(path: str, token: str) -> pd.Series:
    table = _images(path, token, None)
    values = ["\n".join(map(str, metadata.values())) for metadata in rows.read(table["metadata"])]
    return table["title"] + "\n" + table["path"] + "\n" + pd.Series(values, table.index, dtype=str)
