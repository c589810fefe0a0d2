"""The steps behind the commands: the pictures of a listing are read, or pass through a network, and it is said what
came of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ingest.pipeline import Counts, Plan, process
from ingest.report import Report
from ingest.runs import Settings, chosen_fit, find_run, open_backbone
from ingest.sources.listing import Listing
from ingest.task import Task
from ingest.vision.colour import ASSUMED
from ingest.vision.described import warning
from ingest.vision.geometry import describe_fit
from store import read
from store.connection import reading
from store.counts import counted

REPORTED = 5  # of the pictures that failed


def scan(db: Path, listing: Listing, workers: int | None, report: Report) -> Counts:
    """Reads the pictures that are new or changed, without any network."""
    fresh = [task for task in listing.tasks if not listing.is_unchanged(task)]
    workers = workers or reading_threads("cpu")
    plan = Plan(db, listing.collection_id, "scan", workers=workers, batch_size=32, stop=listing.close)
    with report.progress(len(fresh), "reading") as advance:
        return process(plan, fresh, advance)


def observe_collection(db: Path, listing: Listing, settings: Settings, stage: str, report: Report) -> dict[str, Any]:
    """Passes every picture that is not yet done through the backbone; returns the counts of the last line."""
    began = time.monotonic()
    report.log("loading the network …")
    plan = _plan(db, listing, settings, stage, report)
    backbone, engine = plan.backbone, settings.engine
    tasks = _left(plan, listing)
    report.log(
        f"{backbone.title} · {counted(backbone.layers, 'layer')} × {counted(backbone.heads, 'head')} · "
        f"{engine.describe() if engine else backbone.device} · fit {plan.fit}: "
        f"{describe_fit(backbone.rule, plan.fit, plan.size)} · "
        f"{len(tasks):,} of {counted(len(listing.tasks), 'picture')} to do"
    )
    counts, started = Counts(plan.run_id), time.monotonic()
    if tasks:
        with report.progress(len(tasks), "processing") as advance:
            counts = (engine.process if engine else process)(plan, tasks, advance)
    ended = time.monotonic()
    describe_assumed(counts, report)
    describe_failures(counts.reasons, report)
    warnings = [warning(backbone.measurement.as_dict(), each.name) for each in plan.asked]
    for line in filter(None, warnings):
        report.log(line)
    return {
        "db": str(db),
        "collection": listing.collection,
        "found": len(listing.tasks),
        "new": counts.done,
        "already": len(listing.tasks) - len(tasks),
        "failed": counts.failed,
        "skipped": listing.skipped,
        **listing.notes(),
        "assumed": dict(counts.assumed),
        "run_id": counts.run_id,
        "model": backbone.key,
        "backbone": backbone.title,
        "methods": [each.name for each in plan.asked],
        "target": plan.target.text if plan.target else "",
        "warnings": list(filter(None, warnings)),
        "seconds": round(ended - began, 2),
        "images_per_second": round(counts.done / max(ended - started, 1e-9), 2) if counts.done else None,
    }


def describe_assumed(counts: Counts, report: Report) -> None:
    """Says of how many pictures something was assumed that their files do not say."""
    for key, number in counts.assumed.items():
        report.log(f"{counted(number, 'picture')} {'has' if number == 1 else 'have'} {ASSUMED[key]}")


def describe_failures(reasons: list[tuple[str, str]], report: Report) -> None:
    """Says of the first pictures that failed, (name, reason), why."""
    for name, reason in reasons[:REPORTED]:
        report.log(f"failed: {name}: {reason}")
    if len(reasons) > REPORTED:
        more = len(reasons) - REPORTED
        report.log(f"and {more} more; the view `failures` and the dashboard's first page list all of them")


def _plan(db: Path, listing: Listing, settings: Settings, stage: str, report: Report) -> Plan:
    """What the settings mean for this collection; the run is made if it is new."""
    from ingest.explain import target_for
    from ingest.models import choose_batch_size
    from ingest.vision.explaining import Asked, refuse_unsuited

    backbone, methods, size = open_backbone(db, settings, report)
    asked = tuple(Asked.parse(name) for name in methods)
    for each in asked:
        refuse_unsuited(each.method, backbone, settings.target is not None)
    fit = chosen_fit(db, backbone, settings.fit, report.log)
    run_id, record = find_run(db, listing.collection, backbone, fit, size, report.log)
    target = target_for(db, run_id, backbone, settings.target) if settings.target else None
    return Plan(
        db=db,
        collection_id=listing.collection_id,
        stage=stage,
        backbone=backbone,
        run_id=run_id,
        run=record,
        fit=fit,
        size=settings.size,
        asked=asked,
        target=target,
        image_ids={name: held.image_id for name, held in listing.known.items()},
        statistics=bool(asked) and target is None,
        batch_size=settings.batch_size or choose_batch_size(backbone, size),
        workers=settings.workers or reading_threads(backbone.device),
        stop=listing.close,
    )


def _left(plan: Plan, listing: Listing) -> list[Task]:
    """The tasks whose pictures are new or changed, or lack something that the plan asks for."""
    if plan.run_id is None:
        return list(listing.tasks)
    targets = {each.name: plan.target.text if each.method.needs_target else "" for each in plan.asked}
    with reading(plan.db) as con:
        done = read.done(con, plan.run_id, targets)
    return [task for task in listing.tasks if not (listing.is_unchanged(task) and plan.image_ids[task.name] in done)]


def reading_threads(device: str) -> int:
    """How many threads read pictures for a network on this device, where the user does not say: to keep up with one on
    a CPU few are enough, a GPU looks faster than eight can read."""
    most = 8 if device == "cpu" else 32
    return max(2, min(most, (os.cpu_count() or 2) - 1))
