"""Finding the objects of a collection's pictures, one picture after the other, each stored as soon as it is done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ingest.errors import SourceError
from ingest.objects.settings import ObjectSettings, checked, open_network, run_of, settings_of, stored_run
from ingest.one_by_one import OneByOne
from ingest.open_picture import FINER, THUMBNAIL, OpenPicture, patch_thumbnail
from ingest.report import Report
from ingest.sources.listing import Listing
from ingest.vision.backbones import Backbone
from ingest.vision.embedding import cells_of
from ingest.vision.geometry import Frame, fit_image
from ingest.vision.objects import Proposal, patch_keys, propose
from ingest.vision.windows import Scan
from ingest.workflow import describe_failures
from store import objects
from store.counts import counted
from store.objects import ObjectRun, ProposedObjects
from store.records import FrameRecord

STAGE = "objects"
PLAIN = 2  # grey levels: a picture in which no colour differs by more shows nothing, whatever the positions say
FINER_INPUT = 4  # times as many pixels to a side are read from the file as the network takes: the rest is for resizing


def find_objects(
    db: Path,
    listing: Listing,
    settings: ObjectSettings,
    report: Report,
    run_id: int | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Finds the objects of every picture that this run has not searched yet, and stores them; returns the counts of the
    last line. With a `run_id` that run is continued, whatever the settings say.

    A picture that cannot be read or fails in the network becomes a row of `failures`. ValueError for settings that
    cannot be, SourceError for a run that is not there, or one of another collection.
    """
    began, stored = time.monotonic(), None
    if run_id is not None:
        record = stored_run(db, run_id)
        if record.collection != listing.collection:
            raise SourceError(
                f"run {run_id} is of the collection {record.collection!r}, not of {listing.collection!r}; "
                "leave --run out to begin one"
            )
        settings, stored = settings_of(record), record.settings["network"]
    settings = checked(settings)
    report.log("loading the network …")
    backbone, settings = open_network(db, settings, device, report, stored)
    run = run_of(settings, backbone)
    work = _Work(settings, backbone)
    pictures = OneByOne(db, listing, STAGE, _Stored(listing.collection_id, run), report)
    pictures.find_run()
    if run_id is not None and pictures.run_id != run_id:
        raise SourceError(
            f"run {run_id} was made with other weights or settings of the network than are there today; "
            "leave --run out to begin another"
        )
    tasks = pictures.remaining()
    report.log(
        f"{run.title} · {backbone.device} · {counted(settings.objects, 'object')} of a picture at most · "
        f"{len(tasks):,} of {counted(len(listing.tasks), 'picture')} to do"
    )
    pictures.all_of(tasks, "finding objects", lambda each: work.found(each, pictures.image_id(each)), work.store)
    describe_failures(pictures.failed, report)
    if work.without:
        report.log(f"nothing stands out in {counted(work.without, 'picture')}: all patches are alike, or none")
    seconds = time.monotonic() - began
    return pictures.counts(
        tasks,
        method=settings.method,
        model=backbone.key,
        backbone=run.title,
        methods=[],
        objects=work.objects,
        without=work.without,
        seconds=round(seconds, 2),
        images_per_second=round(pictures.new / seconds, 3) if pictures.new else None,
    )


@dataclass(frozen=True)
class _Stored:
    """Where the objects of a run over a collection are."""

    collection_id: int
    run: ObjectRun

    def find(self, con: Any) -> int | None:
        return objects.find_run(con, self.collection_id, self.run)

    def add(self, con: Any) -> int:
        return objects.add_run(con, self.collection_id, self.run)

    def done(self, con: Any, run_id: int) -> set[int]:
        return objects.done(con, run_id)


@dataclass
class _Work:
    """What one command finds: how many `objects`, and in how many pictures none (`without`)."""

    settings: ObjectSettings
    backbone: Backbone
    objects: int = 0
    without: int = 0

    def found(self, picture: OpenPicture, image_id: int) -> ProposedObjects:
        settings, scan = self.settings, picture.scan
        pixels, frame = seen(self.backbone, scan, settings.fit, settings.size)
        if np.ptp(pixels, axis=(0, 1)).max() <= PLAIN:
            return self._proposed(scan, image_id, frame, [])
        keys = patch_keys(self.backbone, torch.from_numpy(pixels.copy())[None], cells_of([frame], [scan.size]))[0]
        proposals = propose(keys, settings.method, settings.objects, settings.centre, **settings.options)
        return self._proposed(scan, image_id, frame, proposals)

    @staticmethod
    def _proposed(scan: Scan, image_id: int, frame: Frame, proposals: list[Proposal]) -> ProposedObjects:
        boxes = [each.box(frame, *scan.size) for each in proposals]
        return ProposedObjects(
            frame=FrameRecord(image_id, frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols),
            boxes=np.array(boxes, dtype=np.int64).reshape(-1, 4),
            scores=np.array([each.score for each in proposals]),
            areas=np.array([each.area for each in proposals]),
            seeds=np.array([_place(each) for each in proposals], dtype=np.int64),
            cells=[np.flatnonzero(each.mask) for each in proposals],
            thumbnails=[patch_thumbnail(small_part(scan, box)) for box in boxes],
        )

    def store(self, con: Any, run_id: int, found: ProposedObjects) -> None:
        objects.add(con, run_id, found)
        self.objects += len(found.boxes)
        self.without += not len(found.boxes)


def seen(backbone: Backbone, scan: Scan, fit: str, size: int | None) -> tuple[np.ndarray, Frame]:
    """What the network sees of a picture that is read as small as will do: pixels uint8 (height, width, 3), and the
    Frame in pixels of the whole picture."""
    width, height = scan.size
    scale = min(1.0, FINER_INPUT * max(*backbone.rule.shape, size or 0) / max(width, height))
    small = scan.read((0, 0, width, height), (max(1, round(width * scale)), max(1, round(height * scale))))
    pixels, frame = fit_image(small, backbone.rule, fit, size, original=(width, height))
    across, down = width / small.width, height / small.height
    box = (frame.x0 * across, frame.y0 * down, frame.x1 * across, frame.y1 * down)
    return pixels, Frame(*box, frame.rows, frame.cols)


def small_part(scan: Scan, box: tuple[int, int, int, int]) -> Any:
    """A part of a picture (x0, y0, x1, y1), read no larger than a thumbnail of it needs."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(1.0, FINER * THUMBNAIL / max(width, height))
    return scan.read(box, (max(1, round(width * scale)), max(1, round(height * scale))))


def _place(proposal: Proposal) -> int:
    row, col = proposal.seed
    return row * proposal.mask.shape[1] + col
