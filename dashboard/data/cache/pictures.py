"""Pictures as such: thumbnails, and originals to draw on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard.data.cache.collection import collections, image, images
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask_cached, cache_token, remembered
from dashboard.data.routes import thumb_route
from dashboard.data.thumbnails import Thumbnails
from ingest.vision import loader, originals
from store import connection, read
from store import objects as objects_store
from store import patches as patches_store
from store.errors import StoreError
from store.objects import ObjectRunRecord
from store.patches import PatchRunRecord

if TYPE_CHECKING:
    from ingest.vision.details.verification import KeyPoints
    from ingest.vision.windows.scan import PixelBox

SIDE = 2048  # of a picture to draw on, in pixels: more than a screen shows, less than a scan weighs


def picture(image_id: int) -> tuple[Image.Image, bool] | None:
    """The upright picture in RGB, and whether it is the original, which is kept at SIDE pixels at most. It is the
    thumbnail where the original is gone or has another size than was ingested; None where there is neither.
    """
    return _picture(str(db()), cache_token(db()), image_id)


def original(image_id: int) -> Image.Image:
    """The same picture, or its thumbnail, of an image that can be read. StoreError if it cannot."""
    found = picture(image_id)
    if found is None:
        raise StoreError("Neither the original nor a thumbnail of this picture can be read.")
    return found[0]


def part(image_id: int, box: PixelBox, size: tuple[int, int]) -> Image.Image | None:
    """The part `box` (left, top, right, bottom in pixels of the upright original) of an image in RGB at `size` (width,
    height), read from its file; None where that is not at hand. Remembers nothing."""
    from dashboard.data import iiif  # which imports this package

    try:
        return iiif.part(db(), image_id, box, size)
    except iiif.ImageError:
        return None


def thumb_url(image_id: int) -> str:
    """The address of an image's thumbnail, for a browser to keep for ever: another picture has another address."""
    known = images()
    return thumb_route(image_id, str(known.at[image_id, "version"]) if image_id in known.index else "0")


def pictures_version(collection: str) -> str:
    """A short word that changes whenever a picture of the collection does, or what its metadata says."""

    def make() -> str:
        known = images(collection)
        parts = (known[name].astype(str) for name in ("image_id", "version", "title", "metadata"))
        return hashlib.sha256("\n".join("\n".join(part) for part in parts).encode(errors="replace")).hexdigest()[:12]

    return remembered(make, "pictures", collection)


def thumbnail(image_id: int) -> bytes | None:
    """The JPEG of one image in the database in view."""
    return thumbnail_of(db(), image_id)


def thumbnail_of(path: Path, image_id: int) -> bytes | None:
    """The JPEG of one image, or None. Any thread may ask: no Streamlit here."""
    return _thumbnails.get(path, image_id)


def thumbnails(image_ids: Iterable[int]) -> dict[int, bytes]:
    """The JPEGs of those images that have one. Remembers nothing."""
    with connection.reading(db()) as con:
        return read.thumbnails(con, image_ids)


def patch_runs(collection: str | None = None) -> list[PatchRunRecord]:
    """The runs that selected patches of large pictures, of a collection or of all, the oldest first."""
    return list(ask_cached(patches_store.patch_runs, collection=collection))


def patches(run_id: int, image_id: int) -> pd.DataFrame:
    """rank, x0, y0, x1, y1, score, width, height, data (JPEG) of an image's selected patches, the best first."""
    return ask_cached(patches_store.patches, run_id=run_id, image_id=image_id)


def patch_grid(run_id: int, image_id: int) -> tuple[int, int, int, int] | None:
    """(rows, cols, patch height, patch width) of what a run of patches cut an image into; None where it has not."""
    return ask_cached(patches_store.grid, run_id=run_id, image_id=image_id)


def patch_boxes(run_id: int) -> pd.DataFrame:
    """image_id, rank, x0, y0, x1, y1, score of all that a run has selected."""
    return ask_cached(patches_store.boxes, run_id=run_id)


def patch_leaders(run_id: int) -> pd.DataFrame:
    """image_id, patches, score: the images that have patches, by the score of their best."""
    return ask_cached(patches_store.leaders, run_id=run_id)


def object_runs() -> list[ObjectRunRecord]:
    """The runs that found objects in pictures, the oldest first."""
    return list(ask_cached(objects_store.runs))


def objects(run_id: int) -> pd.DataFrame:
    """image_id, rank, x0, y0, x1, y1, score, area of the objects that a run found, by image and rank."""
    return ask_cached(objects_store.objects, run_id=run_id)


def objects_of(image_id: int) -> pd.DataFrame:
    """run_id, title (of the run) and the same of the objects that all runs found in an image."""
    return ask_cached(objects_store.of_image, image_id=image_id)


def object_thumbnails(run_id: int, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """{(image_id, rank): JPEG} of these objects of a run. Remembers nothing."""
    with connection.reading(db()) as con:
        return objects_store.thumbnails(con, run_id, places)


_thumbnails = Thumbnails(cache_token)


def key_points(image_id: int) -> tuple[KeyPoints, float] | None:
    """The key points of an image in its `picture`, and how many pixels of the original one of that is wide; None where
    there is none. Read-only."""
    return _key_points(str(db()), cache_token(db()), image_id)


def window_points(image_id: int, box: PixelBox, size: tuple[int, int]) -> KeyPoints | None:
    """The key points of a window (left, top, right, bottom) of an image's original, read at a size (width, height);
    None where it is not at hand. Read-only."""
    return _window_points(str(db()), cache_token(db()), image_id, box, size)


@st.cache_resource(max_entries=64, show_spinner=False)
def _window_points(path: str, token: str, image_id: int, box: PixelBox, size: tuple[int, int]) -> KeyPoints | None:
    from ingest.vision.details.close_up import POINTS
    from ingest.vision.details.verification import key_points as find

    found = part(image_id, box, size)
    return None if found is None else find(np.asarray(found), most=POINTS)


@st.cache_resource(max_entries=512, show_spinner=False)
def _key_points(path: str, token: str, image_id: int) -> tuple[KeyPoints, float] | None:
    from ingest.vision.details.verification import key_points as find

    found, row = picture(image_id), image(image_id)
    return None if found is None or row is None else (find(np.asarray(found[0])), row["width"] / found[0].width)


@st.cache_resource(max_entries=16, show_spinner=False)
def _picture(path: str, token: str, image_id: int) -> tuple[Image.Image, bool] | None:
    row = image(image_id)
    if row is None:
        return None
    known = collections()
    for source in known.loc[known["name"] == row["collection"], "source"].dropna():
        try:
            found = originals.original(source, row["path"])
        except loader.BadImage:
            continue
        if found.size == (row["width"], row["height"]):
            found.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
            return found, True
    data = thumbnail_of(Path(path), image_id)
    return None if data is None else (Image.open(io.BytesIO(data)).convert("RGB"), False)
