"""`details`: adds the patches of its pictures to a run. How they are coded is measured on the collection first."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.isolation import Isolation
from ingest.models import load_backbone
from ingest.pipeline import CHUNK_IMAGES, CHUNK_SECONDS, PATIENCE, Failure, Plan, Prepared, batches, prepared_pictures
from ingest.report import Report
from ingest.sources.listing import Listing
from ingest.task import Task
from ingest.vision.details import measuring
from ingest.vision.details.coding import PatchCoding, encode
from ingest.vision.details.search import patches_of
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.loader import decode
from ingest.workflow import REPORTED, reading_threads
from store import patch_features, write
from store.connection import checkpoint, reading, writing
from store.patch_features import PatchFeatures
from store.records import FrameRecord, RunRecord

STAGE = "details"
SIDE = 1600  # pixels of a picture that the coding is measured on: larger ones are reduced


@dataclass(frozen=True)
class PatchSettings:
    """The options of `details`: `layer` and `size` None are measured, or as they are stored."""

    layer: int | None = None
    size: int | None = None
    device: str = "auto"
    batch_size: int | None = None
    workers: int | None = None


@dataclass
class Counts:
    """Of how many pictures patches were stored, and which failed, with the reasons."""

    done: int = 0
    failures: list[Failure] = field(default_factory=list)


def add_details(db: Path, listing: Listing, run: RunRecord, settings: PatchSettings, report: Report) -> dict[str, Any]:
    """Stores the patches of the pictures of a run that have none yet: counts of the last line. A killed one goes on
    where it was. BackboneError for a network without blocks of patches, ValueError, StoreError."""
    report.log("loading the network …")
    stored = run.settings
    backbone = load_backbone(
        stored["model"], stored.get("weights"), stored.get("layer"), settings.device, stored=stored
    )
    blocks = BlockTokens(backbone)
    coding = _coding(db, listing, run, blocks, settings, report)
    with reading(db) as con:
        done = patch_features.done(con, run.run_id)
    tasks = [task for task in listing.tasks if listing.known[task.name].image_id not in done]
    counts = Counts()
    if tasks:
        plan = Plan(
            db=db,
            collection_id=listing.collection_id,
            stage=STAGE,
            backbone=backbone,
            run_id=run.run_id,
            fit=coding.fit,
            size=coding.size,
            batch_size=settings.batch_size or 8,
            workers=settings.workers or reading_threads(backbone.device),
            stop=listing.close,
        )
        with report.progress(len(tasks), "storing patches") as advance:
            for chunk in _chunks(_features(plan, blocks, coding, listing, tasks)):
                _commit(plan, chunk, counts)
                advance(len(chunk))
        checkpoint(db, PATIENCE)
    for failure in counts.failures[:REPORTED]:
        report.log(f"failed: {failure.name}: {failure.reason}")
    if len(counts.failures) > REPORTED:
        report.log(f"and {len(counts.failures) - REPORTED} more; the view `failures` lists all of them")
    return {
        "db": str(db),
        "collection": listing.collection,
        "run_id": run.run_id,
        "new": counts.done,
        "already": len(listing.tasks) - len(tasks),
        "failed": len(counts.failures),
        **{name: getattr(coding, name) for name in ("layer", "size", "query_size", "dim")},
        "measured": coding.report,
    }


def _coding(
    db: Path, listing: Listing, run: RunRecord, blocks: BlockTokens, settings: PatchSettings, report: Report
) -> PatchCoding:
    """The run's coding, measured on the collection where there is none yet or another is asked for."""
    with reading(db) as con:
        stored = patch_features.coding(con, run.run_id)
        before = len(patch_features.done(con, run.run_id))
    if stored is not None:
        asked = [(settings.layer, stored.layer), (settings.size, stored.size)]
        if all(wanted in (None, own) for wanted, own in asked):
            return PatchCoding(**vars(stored))
        report.log(f"block {stored.layer} at {stored.size}² pixels is replaced, with the patches of {before} pictures")
    pictures = list(_sample(listing.tasks))
    total = _work(blocks, len(pictures), settings)
    with report.progress(total, "measuring", "pictures and crops") as advance:
        coding = measuring.choose_coding(blocks, pictures, settings.layer, settings.size, advance)
    report.log(measuring.describe(coding.report))
    with writing(db, PATIENCE) as con:
        patch_features.set_coding(con, run.run_id, coding)
    return coding


def _work(blocks: BlockTokens, pictures: int, settings: PatchSettings) -> int:
    """How many pictures and crops `choose_coding` passes through the network."""
    free = blocks.backbone.any_grid
    sizes = len(measuring.SIDES) if free and settings.size is None else 1
    parts = len(measuring.PART_SIDES) if free else 1
    return pictures * sizes + (measuring.CROPS * parts if pictures > 1 else 0)


def _sample(tasks: list[Task]) -> Iterator[Image.Image]:
    """Random pictures to measure on, the same each time; those that cannot be read are passed over."""
    order = np.random.default_rng(0).permutation(len(tasks))
    taken = 0
    for place in order.tolist():
        if taken == measuring.PICTURES:
            return
        task = tasks[place]
        try:
            picture = (task.read() if task.read else decode(task.file)).image
        except Exception:  # it is reported when its own turn comes
            continue
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        taken += 1
        yield picture


def _features(
    plan: Plan, blocks: BlockTokens, coding: PatchCoding, listing: Listing, tasks: list[Task]
) -> Iterator[tuple[str, PatchFeatures] | Failure]:
    """(name, patches) of each picture, or why it has none."""
    isolation = Isolation(
        lambda batch: _of_batch(blocks, coding, listing, batch), lambda each, reason: Failure(each.record.path, reason)
    )
    for batch, failures in batches(plan, prepared_pictures(plan, tasks)):
        yield from failures
        same = []
        for each in batch:
            if each.record.sha256 == listing.known[each.record.path].sha256:
                same.append(each)
            else:
                again = "The file has changed since the run; read it again first: python -m ingest run SOURCE"
                yield Failure(each.record.path, again)
        if same:
            yield from isolation.batch(same)
    yield from isolation.end()


def _of_batch(
    blocks: BlockTokens, coding: PatchCoding, listing: Listing, batch: list[Prepared]
) -> Iterator[tuple[str, PatchFeatures]]:
    pictures = [(*each.fitted, (each.record.width, each.record.height)) for each in batch]
    for each, (vectors, kept) in zip(batch, patches_of(blocks, coding, pictures), strict=True):
        frame = each.fitted[1]
        codes, scale = encode(vectors[kept])
        image_id = listing.known[each.record.path].image_id
        place = FrameRecord(image_id, frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
        yield each.record.path, PatchFeatures(place, codes, scale, np.flatnonzero(~kept).tolist())


def _chunks(found: Iterable[Any]) -> Iterator[list[Any]]:
    """What comes, in lists of CHUNK_IMAGES, or what has come in CHUNK_SECONDS."""
    chunk, since = [], time.monotonic()
    for each in found:
        chunk.append(each)
        if len(chunk) >= CHUNK_IMAGES or time.monotonic() - since > CHUNK_SECONDS:
            yield chunk
            chunk, since = [], time.monotonic()
    if chunk:
        yield chunk


def _commit(plan: Plan, chunk: list[tuple[str, PatchFeatures] | Failure], counts: Counts) -> None:
    failures = [each for each in chunk if isinstance(each, Failure)]
    good = [each for each in chunk if not isinstance(each, Failure)]
    if plan.run_id is None:
        raise ValueError("patches belong to a run")
    with writing(plan.db, PATIENCE, more=True) as con:
        patch_features.add(con, plan.run_id, [features for _, features in good])
        write.clear_failures(con, plan.collection_id, [name for name, _ in good])
        write.add_failures(con, plan.collection_id, [(each.name, STAGE, each.reason) for each in failures])
    counts.done += len(good)
    counts.failures += failures
