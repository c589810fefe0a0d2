"""The training of patch selection: from a configuration to curves in a database and weights in a folder.

Whatever is random in an epoch follows from the seed and its number, and a checkpoint holds all else: a training that
was killed and goes on gives the losses of one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ingest.errors import SourceError
from ingest.models import choose_device, load_backbone
from ingest.report import Report
from ingest.runs import versions
from ingest.training.bags import BagReader
from ingest.training.checkpoints import MODEL, Row, load_checkpoint, only_one, save_checkpoint, write_atomically
from ingest.training.config import IPSConfig
from ingest.training.examples import examples_of
from ingest.training.labels import Labelled, Split, read_labelled, without
from ingest.training.progress import peak_memory, seed_of
from ingest.vision.training.ips import IPSNet, to_bytes
from ingest.vision.training.ips.epoch import Batch, Tally, Trainer
from ingest.vision.training.ips.localisation import localise
from store import training
from store.connection import writing
from store.counts import counted

REPORTED = 5  # of the files that cannot be read


@dataclass(frozen=True)
class Training:
    """What is trained and where it goes: `folder` gets checkpoint and weights, the database the metrics."""

    db: Path
    config: IPSConfig
    name: str
    folder: Path
    device: str = "auto"
    experiment: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def train_ips(job: Training, report: Report) -> dict[str, Any]:
    """Train, or go on with a training; returns the counts of the last line. SourceError, BackboneError, ValueError and
    StoreError with a sentence."""
    config, device = job.config, choose_device(job.device)
    labelled, reader = _data(config, report)
    backbone = None
    if config.encoder.is_backbone:
        backbone = load_backbone(config.encoder.kind, config.encoder.weights, config.encoder.layer, device)
        backbone = backbone.to(device, torch.float32)
    torch.manual_seed(seed_of(config.training.seed, 0))
    trainer = _trainer(config, IPSNet(reader.settings, backbone).to(device), len(labelled.train))
    with only_one(job.folder):
        return _train(job, labelled, reader, trainer, device, report)


def _train(
    job: Training, labelled: Labelled, reader: BagReader, trainer: Trainer, device: str, report: Report
) -> dict[str, Any]:
    config = job.config
    text = config.model_dump_json()
    done, history = load_checkpoint(job.folder, trainer, text)
    with writing(job.db) as con:
        training_id = training.begin(con, _record(job))
        training.set_metrics(con, training_id, history)
    report.log(_describe(labelled, trainer, device, done, config.training.epochs))

    def save(epoch: int, rows: list[Row]) -> None:
        history.extend(rows)
        save_checkpoint(job.folder, trainer, epoch, text, history)
        with writing(job.db) as con:
            training.set_metrics(con, training_id, rows, epoch)

    began = time.monotonic()
    _epochs(config, trainer, reader, labelled, done, save, report)
    write_atomically(job.folder / MODEL, to_bytes(trainer.network))
    examples = examples_of(trainer, reader, labelled)
    with writing(job.db) as con:
        training.finish(con, training_id, examples)
    last = [row[1:] for row in history if row[0] == config.training.epochs]
    return {
        "db": str(job.db),
        "training_id": training_id,
        "name": job.name,
        "epochs": config.training.epochs,
        "already": done,
        "train": len(labelled.train),
        "test": len(labelled.test),
        "seconds": round(time.monotonic() - began, 2),
        "model": str(job.folder / MODEL),
        "metrics": {f"{split} {task} {name}".replace("  ", " "): value for split, task, name, value in last},
    }


def _data(config: IPSConfig, report: Report) -> tuple[Labelled, BagReader]:
    """The labelled pictures that can be read, and what reads them."""
    features = config.encoder.kind == "features"
    labelled = read_labelled(config.data, config.tasks, features, config.training.seed)
    for note in labelled.notes:
        report.log(note)
    reader = BagReader(config.network(labelled.tasks))
    failures = {**reader.failures(labelled.train), **reader.failures(labelled.test)}
    for name, reason in list(failures.items())[:REPORTED]:
        report.log(f"left out {name}: {reason}")
    if len(failures) > REPORTED:
        report.log(f"left out {counted(len(failures) - REPORTED, 'more file')}")
    labelled = without(labelled, set(failures))
    if not (len(labelled.train) and len(labelled.test)):
        raise SourceError(f"None of the pictures can be used; of the first: {next(iter(failures.values()))}")
    return labelled, reader


def _trainer(config: IPSConfig, network: IPSNet, pictures: int) -> Trainer:
    own = config.training
    steps = -(-pictures // own.batch_size)
    warmup = int(own.warmup_epochs * steps)
    return Trainer(
        network, config.losses, own.learning_rate, own.weight_decay, warmup, own.epochs * steps, own.precision
    )


def _epochs(
    config: IPSConfig,
    trainer: Trainer,
    reader: BagReader,
    labelled: Labelled,
    done: int,
    save: Callable[[int, list[Row]], None],
    report: Report,
) -> None:
    own, train, test = config.training, labelled.train, labelled.test
    remaining = range(done + 1, own.epochs + 1)
    tests = {epoch for epoch in remaining if epoch % own.test_every == 0 or epoch == own.epochs}
    total = len(remaining) * len(train) + len(tests) * len(test)
    with report.progress(total, "training") as advance:
        for epoch in remaining:
            began = time.monotonic()
            torch.manual_seed(seed_of(own.seed, epoch))
            generator = torch.Generator().manual_seed(seed_of(own.seed, epoch, 1))
            order = torch.randperm(len(train), generator=generator).tolist()
            learned = trainer.train(_moving(reader.batches(train, order, own.batch_size), advance), generator)
            seconds = time.monotonic() - began
            rows = [("train", *row) for row in learned.rows(trainer.network)]
            if epoch in tests:
                tested = trainer.evaluate(_moving(reader.batches(test, range(len(test)), own.batch_size), advance))
                rows += [("test", *row) for row in tested.rows(trainer.network)]
                rows += [("test", "", *row) for row in _localisation(tested, reader, test)]
            cost = {"learning_rate": trainer.rate, "seconds": seconds, "pictures_per_second": len(train) / seconds}
            cost["peak_memory_mb"] = peak_memory(trainer.network.device)
            rows += [("train", "", name, value) for name, value in cost.items()]
            save(epoch, [(epoch, *row) for row in rows])
            report.log(_line(epoch, own.epochs, rows))


def _moving(batches: Iterator[Batch], advance: Callable[[int], object]) -> Iterator[Batch]:
    for batch in batches:
        yield batch
        advance(len(batch.bags))


def _localisation(tally: Tally, reader: BagReader, split: Split) -> list[tuple[str, float]]:
    """Whether the selected patches lie where the objects are: means over the pictures whose objects are known."""
    found = []
    for (indices, _), file, boxes in zip(tally.selected, split.files, split.boxes, strict=True):
        grid = reader.read(file).grid if boxes else None
        if grid is not None:
            found.append(localise(grid, indices.tolist(), boxes))
    if not found:
        return []
    names = {
        "patches_on_objects": [each.patches for each in found],
        "patches_on_objects_random": [each.patches_random for each in found],
        "objects_found": [each.objects for each in found],
        "objects_found_random": [each.objects_random for each in found],
    }
    return [(name, float(np.mean(values))) for name, values in names.items()]


def _record(job: Training) -> training.TrainingRecord:
    own = job.config.training
    return training.TrainingRecord(
        "ips",
        job.name,
        str(job.folder.resolve()),
        own.seed,
        own.epochs,
        job.config.model_dump(mode="json"),
        versions(),
        job.experiment,
        job.parameters,
    )


def _describe(labelled: Labelled, trainer: Trainer, device: str, done: int, epochs: int) -> str:
    trained = sum(each.numel() for each in trainer.network.parameters() if each.requires_grad)
    goes_on = f" · goes on after epoch {done}" if done else ""
    return (
        f"{counted(len(labelled.train), 'picture')} to train, {len(labelled.test):,} to test · "
        f"{counted(trained, 'weight')} · {counted(epochs, 'epoch', 'epochs')} · {device}{goes_on}"
    )


def _line(epoch: int, epochs: int, rows: list[tuple[str, str, str, float]]) -> str:
    shown = [
        f"{split} {task} {name} {value:.3f}".replace("  ", " ")
        for split, task, name, value in rows
        if (not task and name == "loss") or (split == "test" and task and name != "loss")
    ]
    return f"epoch {epoch} of {epochs}: {', '.join(shown)}"
