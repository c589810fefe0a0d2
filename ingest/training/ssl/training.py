"""Self-supervised training: from a source of pictures to curves in a database and a network in a folder.

Whatever is random in an epoch follows from the seed and its number, and a checkpoint holds all else: a training that
was killed and goes on gives the losses of one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ingest.errors import SourceError
from ingest.models import load_backbone
from ingest.pipeline import PATIENCE
from ingest.report import Report
from ingest.runs import versions
from ingest.sources.listing import Listing
from ingest.sources.registry import list_source
from ingest.sources.request import Request
from ingest.task import Task
from ingest.training.checkpoints import MODEL, Row, load_checkpoint, only_one, save_checkpoint, write_atomically
from ingest.training.progress import peak_memory, seed_of
from ingest.training.ssl.clutter import ClutteredPictures
from ingest.training.ssl.config import SSLConfig
from ingest.training.ssl.events import open_events, write_events
from ingest.training.ssl.pictures import LARGER, UNKNOWN, Labels, SourcePictures, ViewMaker
from ingest.training.ssl.probes import Quiet, chosen_probes, is_due, probe
from ingest.training.ssl.processes import Processes
from ingest.vision.training.ssl.collapse import collapse
from ingest.vision.training.ssl.metrics import feature_std, knn_accuracy
from ingest.vision.training.ssl.network import make_branches
from ingest.vision.training.ssl.trainer import Trainer
from ingest.vision.training.ssl.weights import to_bytes
from ingest.workflow import describe_failures
from store import training, write
from store.connection import writing
from store.counts import counted

STAGE = "train"
FEW = 100  # pictures: below that little can be learned from them
EVALUATED = 2000  # pictures with a label are asked for their neighbours, at most


@dataclass(frozen=True)
class SSLTraining:
    """What is trained and where it goes: `folder` gets checkpoint and network, the database metrics and probes."""

    db: Path
    config: SSLConfig
    name: str
    folder: Path
    device: str = "auto"
    tensorboard: bool = False


def train_ssl(job: SSLTraining, report: Report) -> dict[str, Any]:
    """Train, or go on with a training; returns the counts of the last line. SourceError, BackboneError, ValueError,
    OSError and StoreError with a sentence."""
    processes = Processes.join(job.device)
    try:
        return _Work(job, processes, report if processes.first else Quiet()).all()
    finally:
        processes.leave()


class _Work:
    """One training under way: its pictures, its trainer, and what has been measured so far."""

    def __init__(self, job: SSLTraining, processes: Processes, report: Report) -> None:
        self.job, self.config, self.processes, self.report = job, job.config, processes, report
        self.history: list[Row] = []
        self.said: set[str] = set()
        self.training_id, self.saved = 0, 0  # the epoch of the newest checkpoint
        self.events: Any = None

    def all(self) -> dict[str, Any]:
        """The whole of it."""
        began = time.monotonic()
        self.pictures, self.listing = self._pictures()
        self.config = self.config.for_pictures(len(self.pictures), self.processes.count)
        self.maker = ViewMaker(self.pictures, self.config.views, self.config.training.seed)
        self.labels = self._labels()
        self.groups = self._batches_an_epoch()
        self.trainer = self._trainer()
        with only_one(self.job.folder) if self.processes.first else nullcontext():
            return self._train(began)

    def _train(self, began: float) -> dict[str, Any]:
        own, job = self.config.training, self.job
        probes = chosen_probes(self.pictures.tasks, self.config.probes)
        text = self.config.model_dump_json()
        done, self.history = load_checkpoint(job.folder, self.trainer, text)
        self.saved = done
        self.processes.check_same(
            done, f"{job.folder} is not one folder for all processes: put it where every machine sees it (--out)"
        )
        if self.processes.first:
            self._begin(done)
        self.report.log(self._describe(done))
        if not done:
            self._measured(0, [], probes)
        with self.report.progress((own.epochs - done) * self.groups * own.batch_size, "training") as advance:
            for epoch in range(done + 1, own.epochs + 1):
                self._measured(epoch, self._epoch(epoch, advance), probes)
        return self._finish(done, time.monotonic() - began)

    # ---- before -----------------------------------------------------------------------------------------------------

    def _pictures(self) -> tuple[SourcePictures, Listing | None]:
        """The pictures that can be read; the listing in the first process alone."""
        data, processes = self.config.data, self.processes
        listing: list[Listing] = []

        def tasks() -> list[Task]:
            request = Request(data.source, data.collection, data.table, limit=data.limit)
            listing.append(list_source(self.job.db, request, self.report))
            found = listing[0].tasks
            if processes.count > 1 and any(task.read for task in found):
                raise SourceError("several processes read files alone: copy the pictures into a folder first")
            return found

        found, short = processes.share(tasks), LARGER * self.config.views.size
        pictures = SourcePictures(found, short)
        if data.redraw != "nothing":
            pictures = ClutteredPictures(Path(data.source).expanduser(), found, short, "place" in data.redraw)
        with self.report.progress(len(pictures), "reading") as advance:
            failed = pictures.check(advance)
        describe_failures(list(failed.items()), self.report)
        if not len(pictures):
            raise SourceError(f"None of the pictures can be used; of the first: {next(iter(failed.values()))}")
        if listing:
            with writing(self.job.db, PATIENCE) as con:
                collection = listing[0].collection_id
                write.clear_failures(con, collection, [task.name for task in pictures.tasks], STAGE)
                write.add_failures(con, collection, [(name, STAGE, why) for name, why in failed.items()])
        self._say_of_sizes(pictures)
        return pictures, listing[0] if listing else None

    def _say_of_sizes(self, pictures: SourcePictures) -> None:
        size = self.config.views.size
        small = [side for side in pictures.sides.values() if side < size]
        if small:
            self.report.log(
                f"{len(small)} of {counted(len(pictures), 'picture')} {'is' if len(small) == 1 else 'are'} smaller "
                f"than the views of {size} pixels (the smallest has {min(small)}): they are enlarged; a smaller --size "
                "would leave them as they are"
            )

    def _labels(self) -> Labels | None:
        column = self.config.data.label
        if column is None:
            return None
        columns = list(dict.fromkeys(name for task in self.pictures.tasks for name in task.metadata))
        if column not in columns:
            raise SourceError(
                f"no table describes the pictures by a column {column!r}; "
                + (f"there are {', '.join(columns)}" if columns else "there is none at all")
            )
        return self.pictures.labels(column)

    def _batches_an_epoch(self) -> int:
        """How many batches an epoch has: of whole steps. SourceError for more pictures a step than there are."""
        own, there = self.config.training, len(self.pictures)
        wanted = own.batch_size * own.accumulate
        if there < 2:
            raise SourceError("One picture can be used, and two are the least: views of it are compared with others.")
        if wanted > there:
            of = f" ({own.accumulate} × {own.batch_size})" if own.accumulate > 1 else ""
            raise SourceError(
                f"A step takes {wanted} pictures{of}, and {there} can be used: take --batch-size {there} or fewer, or "
                "more pictures."
            )
        if own.batch_size % self.processes.count:
            raise SourceError(
                f"A batch of {own.batch_size} pictures cannot be shared evenly among {self.processes.count} processes."
            )
        if there < FEW:
            self.report.log(f"{counted(there, 'picture')}: so few teach a network little beyond themselves")
        return there // wanted * own.accumulate

    def _trainer(self) -> Trainer:
        config, processes = self.config, self.processes
        torch.manual_seed(seed_of(config.training.seed, 0))

        def load(key: str, weights: str | None) -> Any:
            return load_backbone(key, weights, None, "cpu").to("cpu", torch.float32)

        student, teacher = (each.to(processes.device) for each in make_branches(config, load))
        if processes.count > 1 and config.head.batch_norm:
            if processes.device.startswith("cuda"):
                student, teacher = (torch.nn.SyncBatchNorm.convert_sync_batchnorm(each) for each in (student, teacher))
            else:
                self.report.log("on CPUs head.batch_norm normalises over each process's own part of a batch")
        return Trainer(config, student, teacher, self.groups // config.training.accumulate, processes.wrap)

    def _begin(self, done: int) -> None:
        job, own = self.job, self.config.training
        if job.tensorboard:
            self.events = open_events(job.folder, done + 1)
        record = training.TrainingRecord(
            "ssl",
            job.name,
            str(job.folder.resolve()),
            own.seed,
            own.epochs,
            self.config.model_dump(mode="json"),
            versions(),
        )
        with writing(job.db, PATIENCE) as con:
            self.training_id = training.begin(con, record)
            training.set_metrics(con, self.training_id, self.history)

    # ---- an epoch ---------------------------------------------------------------------------------------------------

    def _epoch(self, epoch: int, advance: Callable[[int], object]) -> list[tuple[str, str, str, float]]:
        """Train for one epoch; (split, task, metric, value) of it."""
        own, began = self.config.training, time.monotonic()
        torch.manual_seed(seed_of(own.seed, epoch, self.processes.rank))
        generator = torch.Generator().manual_seed(seed_of(own.seed, epoch, 1))
        order = torch.randperm(len(self.pictures), generator=generator).tolist()
        size = own.batch_size
        groups = [self.processes.own(order[start * size : (start + 1) * size]) for start in range(self.groups)]

        def moving() -> Any:
            for views in self.maker.batches(epoch, groups):
                yield views
                advance(size)

        try:
            found = self.trainer.train(moving()).means()
        except ValueError as error:
            kept = f"; the checkpoint of epoch {self.saved} is kept in {self.job.folder}" if self.saved else ""
            raise ValueError(f"{error}{kept}") from None
        seconds = time.monotonic() - began
        cost = {"seconds": seconds, "pictures_per_second": self.groups * size / seconds}
        cost["peak_memory_mb"] = peak_memory(self.trainer.student.device)
        self._warn(collapse(found["feature_std"], found.get("teacher_entropy"), self.config.head.outputs), epoch)
        return [("train", "", name, value) for name, value in {**found, **self.trainer.rates, **cost}.items()]

    def _measured(self, epoch: int, rows: list[tuple[str, str, str, float]], probes: list[Task]) -> None:
        """Evaluate, probe, save and report what an epoch has come to; epoch 0 is before the first."""
        own, last = self.config.training, self.config.training.epochs
        if self.processes.first:
            if epoch % own.evaluate_every == 0 or epoch == last:
                rows = [*rows, *self._evaluated()]
            numbered = [(epoch, *row) for row in rows]
            self.history.extend(numbered)
            if is_due(self.config.probes, epoch, last) and self.listing is not None:
                weights = to_bytes(self.trainer.teacher, self.config, self.job.name, epoch)
                probe(
                    self.job.db, self.listing, probes, self.job.folder, epoch, weights, self.config.probes,
                    self.processes.device,
                )  # fmt: skip
            if epoch and (epoch % own.checkpoint_every == 0 or epoch == last):
                text = self.config.model_dump_json()
                save_checkpoint(self.job.folder, self.trainer, epoch, text, self.history)
                self.saved = epoch
            with writing(self.job.db, PATIENCE) as con:
                training.set_metrics(con, self.training_id, numbered, epoch)
            if self.events:
                write_events(self.events, numbered)
            if rows:
                self.report.log(_line(epoch, last, rows))
        if self.processes.count > 1:
            torch.distributed.barrier()

    def _evaluated(self) -> list[tuple[str, str, str, float]]:
        """How often the nearest neighbours agree in what the table says; nothing without labels."""
        labels = self.labels
        if labels is None:
            return []
        known = np.flatnonzero(labels.values != UNKNOWN)
        if len(known) < 2:
            return []
        places = known[np.linspace(0, len(known) - 1, min(EVALUATED, len(known))).astype(int)]
        features = self.trainer.features(self.maker.whole(places.tolist()))
        accuracy = knn_accuracy(features, labels.values[places])
        return [
            ("test", labels.column, "knn_accuracy", accuracy),
            ("test", labels.column, "largest_class", replace(labels, values=labels.values[places]).largest()),
            ("test", "", "feature_std", feature_std(torch.from_numpy(features))),
        ]

    def _warn(self, sentence: str, epoch: int) -> None:
        kind = sentence.partition(":")[0]
        if sentence and kind not in self.said:
            self.said.add(kind)
            self.report.log(f"epoch {epoch}: {sentence}")
            self.report.note(f"since epoch {epoch} {sentence}; docs/training.md says what helps")

    # ---- after ------------------------------------------------------------------------------------------------------

    def _finish(self, done: int, seconds: float) -> dict[str, Any]:
        job, epochs = self.job, self.config.training.epochs
        if self.processes.first:
            write_atomically(job.folder / MODEL, to_bytes(self.trainer.teacher, self.config, job.name, epochs))
            with writing(job.db, PATIENCE) as con:
                training.finish(con, self.training_id, [])
            if self.events:
                self.events.close()
        last = [row[1:] for row in self.history if row[0] == epochs]
        return {
            "db": str(job.db),
            "training_id": self.training_id,
            "name": job.name,
            "first": self.processes.first,
            "epochs": epochs,
            "already": done,
            "pictures": len(self.pictures),
            "seconds": round(seconds, 2),
            "model": str(job.folder / MODEL),
            "warnings": sorted(self.said),
            "metrics": {f"{split} {task} {name}".replace("  ", " "): value for split, task, name, value in last},
        }

    def _describe(self, done: int) -> str:
        own, student = self.config.training, self.trainer.student
        trained = sum(each.numel() for each in student.parameters() if each.requires_grad)
        goes_on = f" · goes on after epoch {done}" if done else ""
        several = f" × {self.processes.count} processes" if self.processes.count > 1 else ""
        return (
            f"{counted(len(self.pictures), 'picture')} · {self.config.model.name} ({self.config.model.weights}), "
            f"{counted(trained, 'weight')} · {self.config.loss.kind}, {self.config.views.branches} views · "
            f"{counted(own.epochs, 'epoch', 'epochs')} of {counted(self.trainer.steps, 'step')} · "
            f"{self.processes.device}{several}{goes_on}"
        )


SHOWN = {"loss": "loss", "teacher_entropy": "teacher entropy", "knn_accuracy": "k-NN accuracy"}


def _line(epoch: int, epochs: int, rows: list[tuple[str, str, str, float]]) -> str:
    shown = [f"{SHOWN[name]} {value:.3f}" for _, _, name, value in rows if name in SHOWN]
    spread = next((value for split, _, name, value in rows if (split, name) == ("train", "feature_std")), None)
    shown += [f"spread of features {spread:.3f}"] if spread is not None else []
    return f"{'before training' if not epoch else f'epoch {epoch} of {epochs}'}: {', '.join(shown)}"
