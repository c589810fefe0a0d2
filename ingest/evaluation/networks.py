"""What evaluating needs the network itself for: its maps with random weights, and whether it goes by what they mark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import SourceError
from ingest.evaluation.measuring import Measured
from ingest.models import load_backbone
from ingest.pipeline import Failure, Plan, Prepared, prepared_pictures, processed
from ingest.report import Report
from ingest.results import results_of
from ingest.sources.listing import Listing
from ingest.sources.registry import list_collection
from ingest.vision.evaluation.truth import GridTruth
from ingest.vision.explaining import Asked
from ingest.vision.faithfulness import FaithfulnessError, faithfulness
from ingest.vision.randomisation import block_parameters, randomised
from ingest.workflow import reading_threads
from store import evaluations, read
from store.connection import reading
from store.records import RunRecord


@dataclass(frozen=True)
class Passes:
    """How pictures pass through the network again."""

    device: str = "auto"
    batch_size: int = 8
    allow_hosts: tuple[str, ...] = ()
    seed: int = 0


@dataclass
class Faithfulness:
    """Areas under deletion and insertion of k maps (k, n) and those of a random order (k, n), on n pictures."""

    image_ids: list[int] = field(default_factory=list)
    areas: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"deletion": [], "insertion": []})
    random: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"deletion": [], "insertion": []})


def measure_random(
    db: Path, run: RunRecord, truths: Mapping[int, GridTruth], passes: Passes, report: Report
) -> Measured:
    """The maps of a run's network with all blocks' weights drawn anew, measured on these pictures. Maps that explain a
    target are left out: what a network without knowledge says of one means nothing. SourceError for a network whose
    blocks cannot be found, or a run without maps that it could make."""
    with reading(db) as con:
        stored = read.methods(con, run.run_id).to_pylist()
    names = [row["method"] for row in stored if not row["target"]]
    asked = tuple(each for each in map(Asked.parse, names) if not each.method.needs_target)
    if not asked:
        raise SourceError(f"Run {run.run_id} has only maps of targets, for which there are no random weights.")
    backbone = _backbone(run, passes)
    try:
        blank = randomised(backbone, len(block_parameters(backbone.network.module)), passes.seed)
    except FaithfulnessError as error:
        raise SourceError(f"{backbone.title}: {error}; leave --random-weights out.") from error
    listing = list_collection(db, run.collection, passes.allow_hosts)
    plan = _plan(db, listing, run, blank, asked, passes)
    ids, measured = plan.image_ids, Measured()
    with report.progress(len(truths), "random weights") as advance:
        for item in processed(plan, prepared_pictures(plan, _tasks(listing, truths))):
            if isinstance(item, Failure):
                measured.left_out[ids[item.name]] = item.reason
                advance(1)
                continue
            batch, explanation = item
            own = np.array([ids[each.record.path] for each in batch], np.int64)
            for maps in results_of(explanation, own, [each.fitted[1] for each in batch]).maps:
                for image_id in own.tolist():
                    chosen = maps.image_ids == image_id
                    measured.add(image_id, _some(maps, chosen), truths[image_id])
            advance(len(batch))
    return measured


def _some(maps: Any, chosen: np.ndarray) -> Any:
    """The maps of one picture, by layer and head as the store gives them."""
    from store.maps import AttentionMaps

    places = np.flatnonzero(chosen)
    places = places[np.lexsort((maps.heads[places], maps.layers[places]))]
    return AttentionMaps(
        maps.weights[places],
        maps.layers[places].astype(np.int16),
        maps.heads[places].astype(np.int16),
        maps.image_ids[places],
        maps.method,
        maps.target,
    )


def measure_faithfulness(
    db: Path,
    run: RunRecord,
    chosen: Collection[tuple[str, str, int, int]],
    image_ids: Collection[int],
    passes: Passes,
    report: Report,
) -> Faithfulness:
    """Deletion and insertion of maps, each (method, target, layer, head), on these pictures. SourceError for a network
    from which single patches cannot be taken away."""
    backbone = _backbone(run, passes)
    listing = list_collection(db, run.collection, passes.allow_hosts)
    plan = _plan(db, listing, run, backbone, (), passes)
    found = Faithfulness()
    with report.progress(len(image_ids), "deletion and insertion") as advance:
        for prepared in prepared_pictures(plan, _tasks(listing, image_ids)):
            if isinstance(prepared, Prepared):
                image_id = plan.image_ids[prepared.record.path]
                _add_faithfulness(found, image_id, prepared, list(_weights(db, run.run_id, image_id, chosen)), backbone)
            else:
                report.log(f"left out {prepared.name}: {prepared.reason}")
            advance(1)
    return found


def _add_faithfulness(
    found: Faithfulness, image_id: int, prepared: Prepared, weights: list[np.ndarray], backbone: Any
) -> None:
    import torch

    pixels, frame = prepared.fitted
    cells = frame.picture_cells(prepared.record.width, prepared.record.height)
    normalised = backbone.pixels(torch.from_numpy(np.array(pixels[None])))
    try:
        curves = [faithfulness(backbone, normalised, each, cells=cells) for each in weights]
    except FaithfulnessError as error:
        raise SourceError(f"{error}; leave --faithfulness out.") from error
    found.image_ids.append(image_id)
    found.areas["deletion"].append(np.array([each.deletion_area for each in curves]))
    found.areas["insertion"].append(np.array([each.insertion_area for each in curves]))
    found.random["deletion"].append(np.array([each.random_deletion_area for each in curves]))
    found.random["insertion"].append(np.array([each.random_insertion_area for each in curves]))


def _weights(
    db: Path, run_id: int, image_id: int, chosen: Collection[tuple[str, str, int, int]]
) -> Iterator[np.ndarray]:
    """The maps (rows, cols) of one picture, in the order of `chosen`."""
    with reading(db) as con:
        stored = {(maps.method, maps.target): maps for maps in evaluations.run_maps(con, run_id, [image_id])}
    for method, target, layer, head in chosen:
        maps = stored[method, target]
        yield maps.weights[np.flatnonzero((maps.layers == layer) & (maps.heads == head))[0]]


def _backbone(run: RunRecord, passes: Passes) -> Any:
    stored = run.settings
    return load_backbone(stored["model"], stored.get("weights"), stored.get("layer"), passes.device, stored=stored)


def _plan(db: Path, listing: Listing, run: RunRecord, backbone: Any, asked: tuple[Any, ...], passes: Passes) -> Plan:
    return Plan(
        db=db,
        collection_id=listing.collection_id,
        stage="evaluate",
        backbone=backbone,
        run_id=run.run_id,
        fit=run.fit,
        size=run.size,
        asked=asked,
        image_ids={name: held.image_id for name, held in listing.known.items()},
        batch_size=passes.batch_size,
        workers=reading_threads(backbone.device),
        stop=listing.close,
    )


def _tasks(listing: Listing, image_ids: Collection[int]) -> list[Any]:
    return [task for task in listing.tasks if listing.known[task.name].image_id in image_ids]
