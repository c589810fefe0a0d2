"""A self-supervised training on a Ray cluster: Ray Train starts a process for each worker and replaces those that are
lost; the processes are then what torchrun's would be.

The first of them, on whatever machine it is, writes the database and the training's folder, so that all machines have
to see both.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.engines.ray import ClusterError, RayEngine, innermost
from ingest.errors import SourceError
from ingest.report import Report
from ingest.training.ssl.training import SSLTraining, train_ssl

RESTARTS = 3  # workers that may be lost, one after the other
SCRATCH = ".ray"  # in the training's folder: what Ray Train itself writes down


def train_on_cluster(cluster: RayEngine, job: SSLTraining, report: Report) -> dict[str, Any]:
    """`train_ssl` by the workers of a cluster. SourceError for settings or pictures that do not do, ClusterError for a
    cluster that cannot go on."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.util.queue import Queue

    job = _everywhere(job)
    if job.config.training.batch_size % cluster.workers:
        raise SourceError(
            f"A batch of {job.config.training.batch_size} pictures cannot be shared evenly among {cluster.workers} "
            "processes; --workers says how many there are."
        )
    job.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
    queue = Queue(actor_options={"num_cpus": 0})
    each = {"CPU": cluster.cpus_each} | ({"GPU": 1} if cluster.on_gpus else {})
    trainer = TorchTrainer(
        _in_a_worker,
        train_loop_config={"job": job, "queue": queue, "on_gpus": cluster.on_gpus},
        scaling_config=ScalingConfig(num_workers=cluster.workers, use_gpu=cluster.on_gpus, resources_per_worker=each),
        run_config=RunConfig(
            name=job.name, storage_path=str(job.folder / SCRATCH), failure_config=FailureConfig(max_failures=RESTARTS)
        ),
    )
    relay = _Relay(queue, report)
    relay.start()
    try:
        trainer.fit()
    except Exception as error:  # whatever the worker raised, wrapped by Ray
        relay.stop()
        if relay.refused:
            raise SourceError(relay.refused) from None
        raise ClusterError(f"the cluster could not go on: {innermost(error)}") from error
    finally:
        relay.stop()
        queue.shutdown(force=True)
    if relay.found is None:
        raise SourceError(relay.refused) if relay.refused else ClusterError("the training ended without a result")
    return relay.found


def _everywhere(job: SSLTraining) -> SSLTraining:
    """The same with paths that do not depend on where a process is."""
    data = job.config.data
    source = Path(data.source).expanduser()
    if source.exists():
        data = data.model_copy(update={"source": str(source.resolve())})
    config = job.config.model_copy(update={"data": data})
    return replace(job, db=job.db.resolve(), folder=job.folder.resolve(), config=config)


def _in_a_worker(settings: dict[str, Any]) -> None:
    """What each process does. A mistake of the user's is passed on, and not tried again."""
    from ray.train.torch import get_device

    job, queue = settings["job"], settings["queue"]
    device = str(get_device()) if settings["on_gpus"] else "cpu"
    report = _Remote(queue)
    try:
        found = train_ssl(replace(job, device=device), report)
    except (SourceError, ValueError) as error:
        queue.put(("refused", str(error)))
        return
    if found["first"]:
        for note in report.notes:
            queue.put(("note", note))
        queue.put(("found", found))


class _Remote(Report):
    """Passes on what is reported to the process that the user has started."""

    def __init__(self, queue: Any) -> None:
        super().__init__()
        self.queue = queue

    def log(self, line: str) -> None:
        self.queue.put(("log", line))

    @contextmanager
    def progress(self, total: int, title: str, unit: str = "images") -> Iterator[Callable[[int], object]]:
        self.queue.put(("begin", (total, title, unit)))
        try:
            yield lambda count: self.queue.put(("advance", count))
        finally:
            self.queue.put(("end", None))


class _Relay(threading.Thread):
    """Reports what the first worker passes on; `found` is its result, `refused` the sentence of a mistake."""

    def __init__(self, queue: Any, report: Report) -> None:
        super().__init__(daemon=True)
        self.queue, self.report = queue, report
        self.found: dict[str, Any] | None = None
        self.refused = ""
        self._bar: Any = None
        self._advance: Callable[[int], object] = lambda count: None

    def run(self) -> None:
        while True:
            kind, value = self.queue.get()
            if kind == "stop":
                break
            self._take(kind, value)
        self._close()

    def _take(self, kind: str, value: Any) -> None:
        if kind == "begin":
            self._close()
            self._bar = self.report.progress(*value)
            self._advance = self._bar.__enter__()
        elif kind == "end":
            self._close()
        elif kind == "advance":
            self._advance(value)
        elif kind == "log":
            self.report.log(value)
        elif kind == "note":
            self.report.note(value)
        elif kind == "found":
            self.found = value
        elif not self.refused:
            self.refused = value

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar, self._advance = None, lambda count: None

    def stop(self) -> None:
        """After all that is on its way."""
        if self.is_alive():
            self.queue.put(("stop", None))
            self.join(30)
