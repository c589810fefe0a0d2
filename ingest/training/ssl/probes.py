"""The attention of fixed pictures at chosen epochs: each epoch's network is a file and has a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.report import Report
from ingest.runs import Settings
from ingest.sources.listing import Listing
from ingest.task import Task
from ingest.training.checkpoints import write_atomically
from ingest.training.ssl.config import ProbeSettings
from ingest.workflow import observe_collection

FOLDER = "epochs"


class Quiet(Report):
    """Says nothing: a probe is a small part of a training."""

    def log(self, line: str) -> None:
        return None

    @contextmanager
    def progress(self, total: int, title: str, unit: str = "images") -> Iterator[Callable[[int], object]]:
        yield lambda n: None


def chosen_probes(tasks: Sequence[Task], settings: ProbeSettings) -> list[Task]:
    """The pictures that are probed: those named, else so many spread over the collection. SourceError for a name that
    is not among them."""
    if settings.names:
        named = {task.name: task for task in tasks}
        if missing := [name for name in settings.names if name not in named]:
            raise SourceError(
                f"there is no picture {missing[0]!r} to probe among the {len(tasks)} that can be read; they are "
                f"named as in the collection, such as {tasks[0].name!r}"
            )
        return [named[name] for name in settings.names]
    count = min(settings.count, len(tasks))
    return [tasks[place * len(tasks) // count] for place in range(count)]


def is_due(settings: ProbeSettings, epoch: int, epochs: int) -> bool:
    """Whether an epoch, 0 before the first, is probed."""
    return bool(settings.every) and (epoch % settings.every == 0 or epoch == epochs)


def probe(
    db: Path,
    listing: Listing,
    tasks: list[Task],
    folder: Path,
    epoch: int,
    weights: bytes,
    settings: ProbeSettings,
    device: str,
) -> dict[str, Any]:
    """Writes the network of an epoch and stores what it makes of the probed pictures; the counts of that."""
    path = folder / FOLDER / f"epoch-{epoch:04d}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, weights)
    few = replace(listing, tasks=tasks)
    run = Settings(model=str(path), methods=settings.methods, device=device)
    return observe_collection(db, few, run, "train", Quiet())
