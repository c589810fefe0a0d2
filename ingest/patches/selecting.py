"""Selecting the patches of a collection's pictures, one picture after the other, each stored as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ingest.errors import SourceError
from ingest.isolation import is_machines
from ingest.one_by_one import OneByOne
from ingest.open_picture import OpenPicture, opened, patch_thumbnail
from ingest.patches.settings import (
    PatchSettings,
    Scoring,
    check,
    make_scorer,
    open_network,
    run_of,
    settings_of,
    stored_run,
)
from ingest.report import Report
from ingest.sources.listing import Listing
from ingest.task import Task
from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.bad_image import BadImage
from ingest.vision.patches import PatchGrid, Selected, select, visiting_order
from ingest.vision.patches.rarity import PatchSample, Rarity, sampled
from ingest.vision.patches.reader import PatchReader
from ingest.vision.patches.scorer import PatchScorer, patch_features
from ingest.workflow import describe_failures
from store import patches
from store.connection import reading
from store.counts import counted
from store.patches import PatchRun, SelectedPatches

STAGE = "patches"
MANY = 500  # patches of a picture from which a bar of its own shows how far they are scored


def select_patches(
    db: Path,
    listing: Listing,
    settings: PatchSettings,
    report: Report,
    run_id: int | None = None,
    device: str = "auto",
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Selects the patches of every picture that has none yet in this run, and stores them; returns the counts of the
    last line. With a `run_id` that run is continued, whatever the settings say.

    A picture that cannot be read, is smaller than a patch, or fails in the network becomes a row of `failures`.
    ValueError for settings that cannot be, SourceError for a run that is not there, or one of another collection.
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
    check(settings)
    report.log("loading the network …")
    backbone, settings = open_network(db, settings, device, report, stored)
    work = _Work(db, listing, settings, backbone, batch_size or 8, report)
    pictures = work.pictures
    pictures.find_run()
    if run_id is not None and pictures.run_id != run_id:
        raise SourceError(
            f"run {run_id} was made with other weights or settings of the network than are there today; "
            "leave --run out to begin another"
        )
    tasks = pictures.remaining()
    report.log(
        f"{work.run.title} · {backbone.device} · patches of {settings.patch_size} pixels, the best {settings.top} of a "
        f"picture ({settings.how}) · {len(tasks):,} of {counted(len(listing.tasks), 'picture')} to do"
    )
    work.all_of(tasks)
    describe_failures(pictures.failed, report)
    seconds = time.monotonic() - began
    return pictures.counts(
        tasks,
        scorer=settings.scorer,
        model=backbone.key,
        backbone=work.run.title,
        methods=[],
        patches=work.patches,
        seconds=round(seconds, 2),
        images_per_second=round(pictures.new / seconds, 3) if pictures.new else None,
    )


@dataclass(frozen=True)
class _Stored:
    """Where the patches of a run over a collection are."""

    collection_id: int
    run: PatchRun

    def find(self, con: Any) -> int | None:
        return patches.find_patch_run(con, self.collection_id, self.run)

    def add(self, con: Any) -> int:
        return patches.add_patch_run(con, self.collection_id, self.run)

    def done(self, con: Any, run_id: int) -> set[int]:
        return patches.done(con, run_id)


class _Work:
    """What one command does to a collection."""

    def __init__(
        self, db: Path, listing: Listing, settings: PatchSettings, backbone: Scoring, batch_size: int, report: Report
    ) -> None:
        self.db, self.settings, self.backbone, self.batch_size, self.report = db, settings, backbone, batch_size, report
        empty = PatchSample(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, backbone.dim), np.float32))
        self.scorer: PatchScorer = make_scorer(settings.scorer, backbone, batch_size, empty)
        self.run: PatchRun = run_of(settings, backbone, self.scorer)
        self.pictures = OneByOne(db, listing, STAGE, _Stored(listing.collection_id, self.run), report)
        self.patches = 0

    def all_of(self, tasks: list[Task]) -> None:
        """Selects the patches of these tasks' pictures."""
        samples = bool(tasks) and isinstance(self.scorer, Rarity)
        before = partial(self._sample, tasks) if samples else None
        self.pictures.all_of(tasks, "selecting", self._found, self._store, before)

    def _found(self, picture: OpenPicture) -> SelectedPatches:
        reader = self._reader(picture)
        return self._selected(reader, self.pictures.image_id(picture), picture.task.name)

    def _store(self, con: Any, run_id: int, found: SelectedPatches) -> None:
        patches.add_patches(con, run_id, found)
        self.patches += len(found.boxes)

    def _selected(self, reader: PatchReader, image_id: int, name: str) -> SelectedPatches:
        settings, count = self.settings, len(reader.grid)
        drawn = torch.Generator().manual_seed(settings.seed)
        order = visiting_order(1, count, settings.shuffle, drawn)
        bar = self.report.progress(count, name, "patches") if count >= MANY else nullcontext(lambda n: None)
        with bar as advance:
            chunks = _advancing(reader.chunks(settings.iteration, order), advance)
            picked = select(chunks, self.scorer.logits_of(reader, image_id), settings.selection(), drawn)
        return self._described(reader, image_id, picked)

    def _described(self, reader: PatchReader, image_id: int, picked: Selected) -> SelectedPatches:
        """The selected patches with features and thumbnails: read once more, from top to bottom, a few at a time."""
        indices = picked.indices[0].tolist()
        scores = (picked.scores[0] if self.scorer.is_share else picked.logits[0, :, 0, 0]).cpu()
        vectors: list[np.ndarray] = [np.empty(0)] * len(indices)
        small: list[tuple[bytes, int, int]] = [(b"", 0, 0)] * len(indices)
        ranks = sorted(range(len(indices)), key=lambda rank: indices[rank])
        for start in range(0, len(ranks), self.settings.iteration):
            some = ranks[start : start + self.settings.iteration]
            pixels = reader.pixels([indices[rank] for rank in some])
            for rank, patch, vector in zip(some, pixels, self.scorer.features(pixels), strict=True):
                vectors[rank], small[rank] = vector, patch_thumbnail(Image.fromarray(patch))
        boxes = np.array([reader.grid.box(index) for index in indices])
        size = reader.grid.size
        return SelectedPatches(image_id, reader.grid.shape, size, boxes, scores.numpy(), np.stack(vectors), small)

    def _sample(self, tasks: list[Task]) -> None:
        """Patches of all pictures, for the scorer to compare with. What is stored is not computed again; once a picture
        has its patches, so that there are scores which follow from it, the sample stays as it is."""
        there: set[int] = set()
        scored = False
        if self.pictures.run_id is not None:
            with reading(self.db) as con:
                there = set(patches.sample(con, self.pictures.run_id)[0].tolist())
                scored = bool(patches.done(con, self.pictures.run_id))
        waiting = [] if scored else [task for task in tasks if self.pictures.known(task) not in there]
        with self.report.progress(len(waiting), "sampling") as advance:
            for task in waiting:
                try:
                    self._sample_one(task, len(self.pictures.listing.tasks))
                except Exception as error:  # why it cannot be read is said where its patches are selected
                    if not isinstance(error, BadImage | BackboneError) and is_machines(error):
                        raise
                advance(1)
        if self.pictures.run_id is not None:
            with reading(self.db) as con:
                sample = PatchSample(*patches.sample(con, self.pictures.run_id))
            self.scorer = make_scorer(self.settings.scorer, self.backbone, self.batch_size, sample)

    def _sample_one(self, task: Task, pictures: int) -> None:
        picture = opened(task)
        reader = self._reader(picture)
        image_id = self.pictures.image_id(picture)
        places = sampled(len(reader.grid), pictures, [self.settings.seed, image_id])
        parts = [np.empty((0, self.backbone.dim), np.float32)]
        for start in range(0, len(places), self.settings.iteration):
            pixels = reader.pixels(places[start : start + self.settings.iteration].tolist())
            assert isinstance(self.backbone, Backbone)  # others compare with no sample
            parts.append(patch_features(self.backbone, pixels, self.batch_size))
        with self.pictures.writing() as con:
            patches.add_sample(con, self.pictures.made_run(con), image_id, places, np.concatenate(parts))

    def _reader(self, picture: OpenPicture) -> PatchReader:
        side, stride = self.settings.patch_size, self.settings.stride or self.settings.patch_size
        return PatchReader(picture.scan, PatchGrid(*picture.scan.size, (side, side), (stride, stride)))


def _advancing(chunks: Any, advance: Callable[[int], object]) -> Any:
    for patch, indices in chunks:
        yield patch, indices
        advance(indices.shape[1])
