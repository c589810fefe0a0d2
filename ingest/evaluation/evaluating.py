"""From a truth to the view `evaluations`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import SourceError
from ingest.evaluation.measuring import Group, Measured, Truths, measure_stored, truths_on_grid
from ingest.evaluation.results import Block, columns, image_columns, summarised
from ingest.evaluation.truths import Picture, TruthOf, open_truth
from ingest.report import Report
from ingest.runs import newest_run
from ingest.vision.evaluation.measures import MEASURES
from ingest.vision.evaluation.statistics import CHOOSING, HELD_OUT, halves, summarise
from ingest.vision.evaluation.truth import GridTruth, Truth
from store import evaluations, read, sandbox
from store.connection import reading, writing
from store.counts import counted
from store.errors import SqlFailed, SqlRefused
from store.evaluations import EvaluationRecord, StoredTruth
from store.records import RunRecord

CHOSEN_BY = "relevance_mass"  # the measure by which a map is called the best


@dataclass(frozen=True)
class EvaluationSettings:
    """The options of `evaluate`. The baseline of random weights comes from a run over the same collection
    (`random_run`), or from passing the pictures through the network once more (`random_weights`). `faithfulness` is the
    number of maps of which deletion and insertion are measured, on `faithful_pictures` held-out pictures at most."""

    truth: str
    where: str | None = None
    random_weights: bool = False
    random_run: int | None = None
    faithfulness: int = 0
    faithful_pictures: int = 20
    seed: int = 0
    device: str = "auto"
    batch_size: int | None = None
    allow_hosts: tuple[str, ...] = field(default_factory=tuple)


def evaluate(db: Path, run_id: int | None, settings: EvaluationSettings, report: Report) -> dict[str, Any]:
    """Measures the stored maps of a run by a truth and stores what comes of it; counts of the last line. SourceError
    where there is nothing to measure."""
    run = newest_run(db, run_id)
    if settings.random_weights and settings.random_run is not None:
        raise SourceError("--random-weights and --random-run give the same baseline in two ways; give one of them.")
    truth_of, pictures = open_truth(db, settings.truth, run.collection), _pictures(db, run, settings.where)
    paths = {picture.image_id: picture.path for picture in pictures}
    truths = truths_on_grid(db, run.run_id, _known(pictures, truth_of))
    _describe_truths(truths, run, settings, paths, report)
    with report.progress(len(truths.on_grid), "measuring") as advance:
        measured = measure_stored(db, run.run_id, truths.on_grid, advance)
    used = sorted({image_id for group in measured.groups.values() for image_id in group.image_ids})
    if not used:
        raise SourceError(
            f"Run {run.run_id} has no maps of the pictures with a truth; add some with: "
            f"python -m ingest explain --run {run.run_id} --methods cls,rollout"
        )
    seen = {image_id: truths.on_grid[image_id] for image_id in used}
    same = (picture for picture in pictures if picture.image_id in seen)
    random = _random(db, run, seen, _known(same, truth_of), settings, report)
    choosing = {image_id for image_id, first in zip(used, halves(len(used), settings.seed), strict=True) if first}
    blocks = summarised(measured, random, choosing, settings.seed)
    blocks += _faithful(db, run, blocks, measured, choosing, settings, report)
    left_out = {**truths.left_out, **measured.left_out}
    number = _store(db, run, settings, columns(blocks), measured, truths, used, choosing, left_out)
    return {
        "db": str(db),
        "evaluation_id": number,
        "run_id": run.run_id,
        "collection": run.collection,
        "truth": settings.truth,
        "images": len(used),
        "unknown": truths.unknown,
        "left_out": {path: left_out[image_id] for image_id, path in paths.items() if image_id in left_out},
        "maps": sum(len(group.layers) for group in measured.groups.values()),
        "best": best_map(blocks),
    }


def _pictures(db: Path, run: RunRecord, where: str | None) -> list[Picture]:
    """The pictures of the run's collection that are meant."""
    with reading(db) as con:
        rows = read.images(con, run.collection).to_pylist()
    if where is not None:
        try:
            meant = set(sandbox.matching(db, where))
        except (SqlFailed, SqlRefused) as error:
            raise SourceError(f"--where {where!r} cannot be asked of the catalogue: {error}") from error
        rows = [row for row in rows if row["image_id"] in meant]
    return [
        Picture(row["image_id"], row["path"], row["width"], row["height"], json.loads(row["metadata"] or "{}"))
        for row in rows
    ]


def _known(pictures: Iterable[Picture], truth_of: TruthOf) -> Iterator[tuple[Picture, Truth | str | None]]:
    """Each picture with its truth, None, or why that cannot be read; one at a time, for masks may be large."""
    for picture in pictures:
        try:
            yield picture, truth_of(picture)
        except ValueError as error:
            yield picture, str(error)


def _describe_truths(
    truths: Truths, run: RunRecord, settings: EvaluationSettings, names: Mapping[int, str], report: Report
) -> None:
    """Says how many pictures there are to measure, and why others are left out. SourceError if there is none."""
    for image_id, reason in list(truths.left_out.items())[:5]:
        report.log(f"left out {names[image_id]}: {reason}")
    if len(truths.left_out) > 5:
        report.log(
            f"left out {counted(len(truths.left_out) - 5, 'other picture')} (--json names them, and the page Trust)"
        )
    if not truths.on_grid:
        reasons = Counter(truths.left_out.values()).most_common(1)
        why = f" ({reasons[0][0]})" if reasons else ""
        raise SourceError(
            f"No picture of {run.collection!r} has a truth by {settings.truth!r} that run {run.run_id} has seen{why}."
        )
    report.log(f"{counted(len(truths.on_grid), 'picture')} with a truth, {truths.unknown} without")


def _random(
    db: Path,
    run: RunRecord,
    truths: Mapping[int, GridTruth],
    known: Iterable[tuple[Picture, Truth | str | None]],
    settings: EvaluationSettings,
    report: Report,
) -> Measured | None:
    """The network with random weights, measured on these pictures; None where nobody asks for it."""
    if settings.random_weights:
        from ingest.evaluation.networks import measure_random

        return measure_random(db, run, truths, _passes(settings), report)
    if settings.random_run is None:
        return None
    other = newest_run(db, settings.random_run)
    if other.weights_sha256 == run.weights_sha256:
        raise SourceError(
            f"Run {other.run_id} has the very weights of run {run.run_id}, and no random ones; --random-weights passes "
            "the pictures through the network with random weights."
        )
    if (other.fit, other.size) != (run.fit, run.size):
        raise SourceError(
            f"Run {other.run_id} sees other parts of the pictures ({other.fit}, {other.size} px) than run {run.run_id} "
            f"({run.fit}, {run.size} px), so that its maps are no baseline."
        )
    if other.collection != run.collection:
        raise SourceError(f"Run {other.run_id} is over {other.collection!r}, and run {run.run_id} is not.")
    own = truths_on_grid(db, other.run_id, known)
    return measure_stored(db, other.run_id, own.on_grid)


def _passes(settings: EvaluationSettings) -> Any:
    from ingest.evaluation.networks import Passes

    return Passes(settings.device, settings.batch_size or 8, settings.allow_hosts, settings.seed)


def _ranked(blocks: list[Block], split: str) -> list[tuple[float, Block, int]]:
    """All maps by CHOSEN_BY in a split, the best first: its value, its block and its place there."""
    found = [
        (float(value), block, place)
        for block in blocks
        if (block.metric, block.split) == (CHOSEN_BY, split)
        for place, value in enumerate(block.summary.value)
        if not np.isnan(value)
    ]
    return sorted(found, key=lambda each: -each[0])


def _faithful(
    db: Path,
    run: RunRecord,
    blocks: list[Block],
    measured: Measured,
    choosing: Collection[int],
    settings: EvaluationSettings,
    report: Report,
) -> list[Block]:
    """Deletion and insertion of the maps that are best on one half of the pictures, on some of the other half."""
    best = _ranked(blocks, CHOOSING)[: settings.faithfulness]
    if not best:
        return []
    from ingest.evaluation.networks import measure_faithfulness

    held_out = sorted({i for group in measured.groups.values() for i in group.image_ids} - set(choosing))
    pictures = held_out[: settings.faithful_pictures]
    maps = [(*block.key, int(block.group.layers[place]), int(block.group.heads[place])) for _, block, place in best]
    found = measure_faithfulness(db, run, maps, pictures, _passes(settings), report)
    if not found.image_ids:
        return []
    made = []
    for metric in ("deletion", "insertion"):
        areas, random = (np.stack(each[metric], axis=1) for each in (found.areas, found.random))
        for place, (method, target, layer, head) in enumerate(maps):
            group = Group(np.array([layer], np.int16), np.array([head], np.int16), found.image_ids)
            one = slice(place, place + 1)
            summary = summarise(areas[one], random[one], MEASURES[metric].higher, settings.seed)
            nothing = np.full(1, np.nan)
            made.append(
                Block((method, target), group, metric, "", HELD_OUT, summary, random[one].mean(axis=1), nothing)
            )
    return made


def best_map(blocks: list[Block]) -> dict[str, Any] | None:
    """The map that is best on the half by which it is chosen, with what it comes to on the other; None where no picture
    is held out."""
    ranked = _ranked(blocks, CHOOSING)
    if not ranked:
        return None
    _, block, place = ranked[0]
    other = next(
        each
        for each in blocks
        if (each.key, each.metric, each.split) == (block.key, CHOSEN_BY, HELD_OUT) and each.group is block.group
    )
    if not other.summary.images[place]:
        return None
    number = lambda values: None if np.isnan(values[place]) else round(float(values[place]), 4)  # noqa: E731
    head = int(block.group.heads[place])
    return {
        "method": block.key[0],
        "target": block.key[1],
        "layer": int(block.group.layers[place]),
        "head": None if head < 0 else head,
        "chosen": number(block.summary.value),
        "held_out": number(other.summary.value),
        "low": number(other.summary.low),
        "high": number(other.summary.high),
        "area": number(other.area),
        "random": number(other.random),
        "n": int(other.summary.images[place]),
    }


def _store(
    db: Path,
    run: RunRecord,
    settings: EvaluationSettings,
    results: dict[str, Any],
    measured: Measured,
    truths: Truths,
    used: list[int],
    choosing: Collection[int],
    left_out: dict[int, str],
) -> int:
    stored = [
        StoredTruth(
            image_id,
            CHOOSING if image_id in choosing else HELD_OUT,
            float(truth.coverage[truth.visible].mean()),
            truth.boxes,
            truth.coverage,
        )
        for image_id in used
        if (truth := truths.on_grid[image_id]) is not None
    ]
    kept = {"random_weights": settings.random_weights, "random_run": settings.random_run, "seed": settings.seed}
    record = EvaluationRecord(
        run.run_id,
        settings.truth,
        settings.where or "",
        results,
        image_columns(measured),
        stored,
        list(left_out.items()),
        {**kept, "faithfulness": settings.faithfulness, "unknown": truths.unknown},
    )
    with writing(db) as con:
        return evaluations.add(con, record)
