"""Where the truth comes from: mask files, boxes in the metadata, or regions that people have drawn in the dashboard."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ingest.errors import SourceError
from ingest.files import PICTURE_SUFFIXES
from ingest.vision.bad_image import BadImage
from ingest.vision.evaluation.truth import Truth, of_boxes, of_mask
from ingest.vision.loader import decode
from store import read, regions, tags
from store.connection import reading

CLASSES = 24  # values of grey at most in a mask of class numbers
EDGE = 0.002  # of a mask's pixels, which may be neither black nor white
FORMS = "masks:FOLDER, boxes:COLUMN, regions, regions:NOTE or tag:TAG"


@dataclass(frozen=True)
class Picture:
    """A picture of the collection: its sides in pixels of the upright original, and what is said of it."""

    image_id: int
    path: str
    width: int
    height: int
    metadata: Mapping[str, Any]


# The truth of a picture, None where nothing is known of it; ValueError, with a reason, for what cannot be read.
TruthOf = Callable[[Picture], Truth | None]


def open_truth(db: Path, text: str, collection: str) -> TruthOf:
    """The truth written as one of FORMS. SourceError for another form, or one that this database has nothing of."""
    form, _, name = text.partition(":")
    if form == "masks" and name:
        return _masks(Path(name).expanduser())
    if form == "boxes" and name:
        return _boxes(db, name, collection)
    if text == "regions" or (form == "regions" and name):
        return _regions(db, collection, name, "")
    if form == "tag" and name:
        return _regions(db, collection, "", name)
    raise SourceError(f"--truth is {FORMS}, not {text!r}.")


def _masks(folder: Path) -> TruthOf:
    """Files that go by the names of the pictures, with any ending of a picture."""
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder} with masks. Check the spelling, or type its full path.")
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in PICTURE_SUFFIXES:
            files.setdefault(_stem(file.relative_to(folder).as_posix()), file)
    if not files:
        raise SourceError(f"The folder {folder} has no masks: pictures that go by the names of the collection's.")

    def truth(picture: Picture) -> Truth | None:
        file = files.get(_stem(picture.path))
        if file is None:
            return None
        try:
            mask = read_mask(file)
        except BadImage as error:
            raise ValueError(f"its mask {file.name} cannot be read: {error.reason}") from error
        return of_mask(mask, picture.width, picture.height)

    return truth


def read_mask(file: Path) -> np.ndarray:
    """A mask file as bool (rows, cols): white on black, or on nothing. BadImage for a file that cannot be read,
    ValueError for one of several classes, of which nobody knows which is meant, or one that is white all over."""
    picture = decode(file).image
    if "A" in picture.getbands():  # on nothing: decoding has laid it on white
        alpha = picture.getchannel("A")
        picture = Image.composite(picture.convert("L"), Image.new("L", picture.size), alpha)
    else:
        alpha = _transparency(file)
        picture = picture.convert("L")
        if alpha is not None and alpha.size == picture.size:
            picture = Image.composite(picture, Image.new("L", picture.size), alpha)
    grey = np.asarray(picture)
    counts = np.bincount(grey.ravel(), minlength=256)
    values = np.flatnonzero(counts)
    # The blurred edge of a shape has many values, or few pixels; class numbers are few values, dark ones among them.
    dark = values[(values > 0) & (values < values[-1] / 2)]
    numbers = len(values) > 2 and values[-1] <= CLASSES
    if numbers or (len(values) <= CLASSES and counts[dark].sum() > EDGE * grey.size):
        raise ValueError(
            f"its mask {file.name} has the values {', '.join(map(str, values.tolist()))}, as of several classes: make "
            "one in white on black of the one that is meant"
        )
    mask = (grey > 0) & (grey >= grey.max() / 2)
    if mask.all():
        raise ValueError(f"its mask {file.name} is white all over")
    return mask


def _transparency(file: Path) -> Image.Image | None:
    """The alpha of a picture file, upright; None where it has none."""
    try:
        with Image.open(file) as opened:
            if "A" in opened.getbands() or "transparency" in opened.info:
                return ImageOps.exif_transpose(opened.convert("RGBA")).getchannel("A")
    except OSError:  # a format that another library has read
        pass
    return None


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _boxes(db: Path, column: str, collection: str) -> TruthOf:
    """A column with [[x, y, width, height], …] in pixels."""
    with reading(db) as con:
        columns = list(read.metadata_columns(con, collection))
    if column not in columns:
        some = f"it has {', '.join(columns)}" if columns else "it has none"
        raise SourceError(f"The collection {collection!r} has no column {column!r}; {some}.")

    def truth(picture: Picture) -> Truth | None:
        cell = picture.metadata.get(column)
        if cell is None or cell == "":
            return None
        boxes = read_boxes(cell)
        return of_boxes([(x, y, x + w, y + h) for x, y, w, h in boxes], picture.width, picture.height)

    return truth


def read_boxes(cell: Any) -> list[list[float]]:
    """[x, y, width, height] of each box in a cell. ValueError for anything else."""
    wrong = ValueError(f"its boxes are expected as [[x, y, width, height], …] in pixels, not {str(cell)[:60]!r}")
    try:
        found = json.loads(cell) if isinstance(cell, str) else cell
    except ValueError:
        raise wrong from None
    if isinstance(found, list) and len(found) == 4 and not any(isinstance(each, list) for each in found):
        found = [found]
    if not isinstance(found, list):
        raise wrong
    for box in found:
        numbers = isinstance(box, list) and len(box) == 4 and all(type(side) in (int, float) for side in box)
        if not numbers or not all(map(math.isfinite, box)) or box[2] <= 0 or box[3] <= 0:
            raise wrong
    return found


def _regions(db: Path, collection: str, note: str, tag: str) -> TruthOf:
    """Regions with this note, or of the pictures with this tag; without either all of them."""
    with reading(db) as con:
        ids = (
            tags.images(con, tag, collection).tolist() if tag else read.images(con, collection)["image_id"].to_pylist()
        )
        drawn = regions.of(con, ids).to_pylist()
    wanted = [row for row in drawn if not note or row["note"].strip().casefold() == note.strip().casefold()]
    if not wanted:
        raise SourceError(_none_drawn(collection, note, tag, drawn))
    by_image: dict[int, list[tuple[float, ...]]] = {}
    for row in wanted:
        by_image.setdefault(row["image_id"], []).append(tuple(row[edge] for edge in ("x0", "y0", "x1", "y1")))

    def truth(picture: Picture) -> Truth | None:
        boxes = by_image.get(picture.image_id)
        return of_boxes(boxes, picture.width, picture.height) if boxes else None

    return truth


def _none_drawn(collection: str, note: str, tag: str, drawn: list[dict[str, Any]]) -> str:
    which = f" with the note {note!r}" if note else f" in pictures with the tag {tag!r}" if tag else ""
    notes = sorted({row["note"] for row in drawn if row["note"]})
    known = f" The notes there are: {', '.join(notes[:10])}." if note and notes else ""
    return f"Nobody has drawn regions{which} in {collection!r}; draw them on the page Picture.{known}"
