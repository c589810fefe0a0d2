"""Thumbnails as a ZIP file, made when somebody asks for it and sent from the disk, so that many need little memory. No
Streamlit: the web server's threads come here."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
import unicodedata
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from store import connection, read
from store.spreadsheets import csv_of_frame

OFFERS = 32  # that are remembered, for those who press the button later
BATCH = 500  # thumbnails in memory at a time


@dataclass(frozen=True)
class Offer:
    """Pictures `ids` (n,) of the database at `path`, their titles, their rows in the same order, a name for the
    file without its ending, and the cells that were corrected."""

    path: Path
    name: str
    ids: np.ndarray = field(repr=False)
    titles: tuple[str, ...] = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    corrections: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)


_offers: OrderedDict[str, Offer] = OrderedDict()
_lock = threading.Lock()


def offer(what: Offer) -> str:
    """A word by which the web server finds the offer again; the same one for the same pictures."""
    content = hashlib.sha256("\n".join([str(what.path), what.name, *what.titles]).encode(errors="replace"))
    content.update(what.ids.tobytes())
    token = content.hexdigest()[:24]
    with _lock:
        _offers[token] = what
        _offers.move_to_end(token)
        while len(_offers) > OFFERS:
            _offers.popitem(last=False)
    return token


def offered(token: str) -> Offer | None:
    """What was offered by this word; None if nothing was, or too long ago."""
    with _lock:
        return _offers.get(token)


def build(what: Offer) -> Path:
    """The ZIP file, in the folder for temporary files, to be deleted by the caller: thumbnails and pictures.csv, whose
    column `file` names the thumbnail of each row and is empty where there is none. Raises what `store` raises."""
    names = file_names(what.ids, what.titles)
    with tempfile.NamedTemporaryFile(prefix="bilderatlas-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # JPEGs can't be made smaller
                held = _put(archive, what, dict(zip(what.ids.tolist(), names, strict=True)))
                column = [name if i in held else "" for i, name in zip(what.ids.tolist(), names, strict=True)]
                table = what.rows.drop(columns="file", errors="ignore")
                table.insert(1, "file", column)
                archive.writestr("pictures.csv", csv_of_frame(table).encode("utf-8-sig"), zipfile.ZIP_DEFLATED)
                if len(what.corrections):
                    text = csv_of_frame(what.corrections).encode("utf-8-sig")
                    archive.writestr("corrections.csv", text, zipfile.ZIP_DEFLATED)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path


def file_names(ids: np.ndarray, titles: tuple[str, ...]) -> list[str]:
    """A name for each picture that every computer takes, unique by its id: 000012-the-great-wave.jpg."""
    digits = max(6, len(str(int(ids.max())))) if len(ids) else 6
    return [f"{i:0{digits}d}{_slug(title)}.jpg" for i, title in zip(ids.tolist(), titles, strict=True)]


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"-{word}" if word else ""


def _put(archive: zipfile.ZipFile, what: Offer, names: dict[int, str]) -> set[int]:
    held = set()
    for start in range(0, len(what.ids), BATCH):
        part = what.ids[start : start + BATCH].tolist()
        with connection.reading(what.path) as con:  # not for all of it: an ingest may be waiting
            found = read.thumbnails(con, part)
        for image_id in part:
            if image_id in found:
                archive.writestr(names[image_id], found[image_id])
                held.add(image_id)
    return held
