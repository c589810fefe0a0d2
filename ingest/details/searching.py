"""`detail`: where a picture, or a part of one, occurs in the pictures of a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.errors import SourceError
from ingest.models import load_backbone
from ingest.report import Report
from ingest.runs import newest_run
from ingest.vision import originals, windows
from ingest.vision.details import close_up, search
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.matching import PatchBank
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import KeyPoints, key_points
from ingest.vision.geometry import Frame
from ingest.vision.originals import Place
from ingest.vision.paths import whole_picture
from ingest.vision.windows import BadImage, Scan
from ingest.vision.windows.scan import PixelBox
from ingest.words import matching
from store import patch_features, read
from store.connection import reading
from store.patch_features import StoredPatches
from store.records import RunRecord


def find_detail(
    db: Path,
    what: str,
    box: tuple[float, ...] | None,
    k: int,
    where: str | None,
    run_id: int | None,
    mirrored: bool,
    device: str,
    report: Report,
) -> dict[str, Any]:
    """The k pictures of a run in which a picture, or its part inside (x, y, width, height), is found best, among those
    for which an SQL condition on the catalogue holds: `images` with rank, image_id, path, title, score, stage, matches,
    mirrored, and box (x, y, width, height) in pixels of the upright original.

    `what` is a file, or the id of an image, which is then left out of what is found, as are other parts of the picture
    that it is a part of. SourceError, BadPart, StoreError.
    """
    run = run_with_patches(db, run_id)
    part, own = part_asked_for(db, what, box, report)
    with reading(db) as con:
        stored = patch_features.coding(con, run.run_id)
        bank = bank_of(patch_features.patches(con, run.run_id))
    if stored is None:
        raise SourceError(f"run {run.run_id} does not say how its patches are coded; make them anew")
    among = np.ones(len(bank), bool) if where is None else np.isin(bank.image_ids, matching(db, where))
    pictures = Pictures(db, run.collection, report)
    if own is not None and own in pictures.rows:
        wholes = pictures.wholes(np.append(bank.image_ids, own))
        among &= wholes[:-1] != wholes[-1]
    settings = run.settings
    report.log("loading the network …")
    backbone = load_backbone(settings["model"], settings.get("weights"), settings.get("layer"), device, stored=settings)
    hits = search.find(
        BlockTokens(backbone),
        PatchCoding(**vars(stored)),
        bank,
        part,
        pictures.points,
        k,
        among,
        mirrored,
        pictures.window_points,
    )
    pictures.report_thumbnails()
    rows = [
        {
            "rank": rank,
            "image_id": hit.image_id,
            "path": pictures.rows[hit.image_id]["path"],
            "title": pictures.rows[hit.image_id]["title"],
            "score": round(hit.score, 4),
            "stage": hit.stage,
            "matches": hit.matches,
            "mirrored": hit.mirrored,
            "box": [round(edge, 1) for edge in (*hit.box[:2], hit.box[2] - hit.box[0], hit.box[3] - hit.box[1])],
        }
        for rank, hit in enumerate(hits, start=1)
    ]
    about = {"what": what, "box": None if box is None else list(box), "mirrored": mirrored}
    return {**about, "run_id": run.run_id, "model": run.backbone, "searched": int(among.sum()), "images": rows}


def run_with_patches(db: Path, run_id: int | None) -> RunRecord:
    """The run with this number; without one the newest that has patches. SourceError, with what to type, for none."""
    with reading(db) as con:
        stored = patch_features.runs_with_patches(con)
    run = newest_run(db, next(iter(stored), None) if run_id is None else run_id)
    if run.run_id not in stored:
        others = f"; these runs have some: {', '.join(map(str, sorted(stored)))}" if stored else ""
        raise SourceError(
            f"run {run.run_id} has no patches to search details in; add them with: "
            f"python -m ingest details --run {run.run_id}{others}"
        )
    return run


def part_asked_for(
    db: Path, what: str, box: tuple[float, ...] | None, report: Report
) -> tuple[Image.Image, int | None]:
    """What lies inside a box (x, y, width, height) of the picture that is named by its file or by the id of an image,
    upright, and that id. BadPart; SourceError for neither, a file that cannot be read, or an image whose original is
    not at hand."""
    scan, own = _asked_for(db, what, report)
    left, top, right, bottom = (0, 0, *scan.size) if box is None else search.edges(scan.size, box)
    return scan.read((left, top, right, bottom), search.read_size(right - left, bottom - top)), own


def _asked_for(db: Path, what: str, report: Report) -> tuple[Scan, int | None]:
    if not Path(what).exists() and what.isascii() and what.isdigit():
        return _stored(db, int(what), report), int(what)
    try:
        return windows.opened(Place(Path(what))), None
    except BadImage as error:
        raise SourceError(
            f"{what} cannot be searched for: {error.reason} A picture's file, or the id of an image of the database, "
            "is expected"
        ) from error


def _stored(db: Path, image_id: int, report: Report) -> Scan:
    with reading(db) as con:
        rows = read.images(con, ids=[image_id]).to_pylist()
    if not rows:
        raise SourceError(f"there is no image {image_id} in {db}, and no file of this name")
    try:
        return Pictures(db, rows[0]["collection"], report).original(image_id)
    except BadImage as error:
        raise SourceError(
            f"the original of image {image_id} ({rows[0]['path']}) is not at hand: {error.reason} Give a file instead"
        ) from error


def bank_of(stored: StoredPatches) -> PatchBank:
    """Stored patches as they are searched."""
    frames = [Frame(each.x0, each.y0, each.x1, each.y1, each.rows, each.cols) for each in stored.frames]
    columns = (stored.image_ids, stored.starts, stored.codes, stored.scales, stored.cells)
    return PatchBank(*columns, frames, stored.sizes)


class Pictures:
    """The pictures of a collection, as they are looked at for key points: originals, else thumbnails."""

    def __init__(self, db: Path, collection: str, report: Report) -> None:
        self.db, self.report = db, report
        with reading(db) as con:
            sources = {row["name"]: row["source"] for row in read.collections(con).to_pylist()}
            self.rows = {row["image_id"]: row for row in read.images(con, collection).to_pylist()}
        self.source = sources.get(collection)
        self.small: dict[int, str] = {}
        self._open: tuple[int, Scan] | None = None  # the last one: it is read more than once

    def wholes(self, image_ids: np.ndarray) -> np.ndarray:
        """int64 (n,): the same number for images that are parts of one picture."""
        names = [whole_picture(self.rows[image_id]["path"]) for image_id in image_ids.tolist()]
        return np.unique(names, return_inverse=True)[1]

    def original(self, image_id: int) -> Scan:
        """The upright original of an image, to be read in parts. BadImage where it is gone, has another size now, or
        lies on the web."""
        if self._open is not None and self._open[0] == image_id:
            return self._open[1]
        row = self.rows[image_id]
        if self.source is None:
            raise BadImage("Its collection has no folder.")
        found = windows.opened(originals.place_of(self.source, row["path"]))
        if found.size != (row["width"], row["height"]):
            raise BadImage("The file has another size than the one that was read.")
        self._open = image_id, found
        return found

    def read(self, image_id: int, box: PixelBox, size: tuple[int, int]) -> Image.Image | None:
        """A part of an original at a size; None where it is not at hand."""
        try:
            return self.original(image_id).read(box, size)
        except BadImage:
            return None

    def picture(self, image_id: int) -> tuple[Image.Image, float] | None:
        """The upright original of an image, reduced as `search.read_size` says, else its thumbnail, and how many pixels
        of the original one of its pixels is wide; None where there is neither."""
        row = self.rows[image_id]
        width, height = row["width"], row["height"]
        found = self.read(image_id, (0, 0, width, height), search.read_size(width, height))
        if found is None:
            self.small[image_id] = row["path"]
            with reading(self.db) as con:
                data = read.thumbnail(con, image_id)
            if data is None:
                return None
            found = Image.open(io.BytesIO(data)).convert("RGB")
        return found, width / found.width

    def points(self, image_id: int) -> tuple[KeyPoints, float] | None:
        """What `search.find` asks for."""
        found = self.picture(image_id)
        return None if found is None else (key_points(np.asarray(found[0])), found[1])

    def window_points(self, image_id: int, box: PixelBox, size: tuple[int, int]) -> KeyPoints | None:
        """What `search.find` asks for to look closer."""
        if (found := self.read(image_id, box, size)) is None:
            return None
        return key_points(np.asarray(found), most=close_up.POINTS)

    def report_thumbnails(self) -> None:
        """Reports of how many pictures no original was there."""
        if self.small:
            self.report.log(
                f"of {len(self.small)} of the pictures that were compared closely the original is not at hand: their "
                f"thumbnails took its place (such as {next(iter(self.small.values()))})"
            )
