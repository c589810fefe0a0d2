"""Atlas pages: the pictures of a collection made small and laid side by side, for a map that shows them all.

A picture fills its whole cell, stretched to a square: whoever draws it knows its shape and undoes that, and no pixel of
the page is lost to margins.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.report import shares
from ingest.vision.projections import projections
from store import atlas, read
from store.atlas import CELLS, columns
from store.connection import reading, writing
from store.counts import counted

QUALITY = 82
AT_ONCE = 32  # near pages in the making, 400 MB: for each so many the thumbnails are read through once
READINGS = 8  # of all thumbnails at most: of a million pictures 1.6 GB of near pages are in the making
EMPTY = (128, 128, 128)  # the cell of a picture without a thumbnail


def make(db: Path, run_id: int, log: Callable[[str], None] = lambda line: None) -> bool:
    """Makes the atlas of a run's collection and stores it, unless the stored one shows these very pictures, those that
    the run has laid out first. Returns whether it made one."""
    with reading(db) as con:
        collection = atlas.collection_of(con, run_id)
        shows = atlas.pictures(con, collection)
        if not shows or atlas.drawn(con, collection) == shows:
            return False
        ids = _in_order(con, collection, run_id)
    log(f"making {counted(len(ids), 'small picture')} for the map")
    near = _at_once(len(ids))
    pages: dict[tuple[int, int], bytes] = {}
    far = np.zeros((len(ids), CELLS[0], CELLS[0], 3), dtype=np.uint8)
    advance = shares(log, "small pictures")
    for start in range(0, len(ids), near):
        advance(start / len(ids))
        cells = _cells(db, ids[start : start + near])
        far[start : start + near] = _smaller(cells)
        pages |= _pages(cells, CELLS[-1], start)
    pages |= _pages(far, CELLS[0])
    with writing(db) as con:
        atlas.replace(con, collection, shows, ids, pages)
    return True


def _at_once(count: int) -> int:
    """How many of so many pictures are on the near pages that are made together."""
    page = columns(CELLS[-1]) ** 2
    return min(page * max(AT_ONCE, -(-count // (page * READINGS))), count)


def _in_order(con, collection: int, run_id: int) -> np.ndarray:
    every = atlas.image_ids(con, collection)
    known = [row for row in read.projections(con, run_id).to_pylist() if row["points"]]
    if not known:
        return np.random.default_rng(0).permutation(every)
    order = list(projections())  # neighbours in the best of them shall be neighbours in the atlas
    best = min(known, key=lambda row: order.index(row["method"]) if row["method"] in order else len(order))
    points = read.points(con, best["projection_id"])
    ids = points["image_id"].to_numpy()
    first = ids[atlas.order(np.stack([points["x"].to_numpy(), points["y"].to_numpy()], axis=1))]
    first = first[np.isin(first, every)]
    return np.concatenate([first, np.setdiff1d(every, first)])


def _cells(db: Path, ids: np.ndarray) -> np.ndarray:
    """The pictures (n, side, side, 3) in the size of the near pages."""
    side = CELLS[-1]
    cells = np.full((len(ids), side, side, 3), EMPTY, dtype=np.uint8)
    place = {int(image_id): number for number, image_id in enumerate(ids)}
    with reading(db) as con, ThreadPoolExecutor() as pool:
        for found, jpegs in atlas.thumbnails(con, ids):
            for image_id, cell in zip(found, pool.map(_cell, jpegs), strict=True):
                if cell is not None:
                    cells[place[int(image_id)]] = cell
    return cells


def _cell(jpeg: bytes) -> np.ndarray | None:
    side = CELLS[-1]
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            image.draft("RGB", (side, side))
            return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
    except (OSError, ValueError):
        return None


def _smaller(cells: np.ndarray) -> np.ndarray:
    """The same pictures in the size of the far pages: means over squares."""
    far, times = CELLS[0], CELLS[-1] // CELLS[0]
    parts = np.array_split(cells, max(1, len(cells) // 1024))  # the sums need eight times as much memory
    means = [part.reshape(-1, far, times, far, times, 3).mean(axis=(2, 4)).astype(np.uint8) for part in parts]
    return np.concatenate(means)


def _pages(cells: np.ndarray, side: int, start: int = 0) -> dict[tuple[int, int], bytes]:
    """JPEGs by (cell, page) of pictures (n, side, side, 3), the first of which begins a page."""
    across = columns(side)
    full = across * across
    parts = [cells[at : at + full] for at in range(0, len(cells), full)]
    with ThreadPoolExecutor() as pool:
        jpegs: Iterable[bytes] = pool.map(lambda part: _jpeg(part, side, across), parts)
        return {(side, start // full + number): jpeg for number, jpeg in enumerate(jpegs)}


def _jpeg(cells: np.ndarray, side: int, across: int) -> bytes:
    wide = min(across, len(cells))
    high = -(-len(cells) // wide)
    sheet = np.full((high * wide, side, side, 3), EMPTY, dtype=np.uint8)
    sheet[: len(cells)] = cells
    sheet = sheet.reshape(high, wide, side, side, 3).swapaxes(1, 2).reshape(high * side, wide * side, 3)
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "JPEG", quality=QUALITY)
    return data.getvalue()
