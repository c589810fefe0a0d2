"""The curves of a training as files that TensorBoard reads, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.training.checkpoints import Row


def open_events(folder: Path, first_epoch: int) -> Any:
    """A writer of event files below a folder, from an epoch on: what an earlier attempt wrote of it is dropped.
    SourceError where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SourceError(
            "--tensorboard needs the package tensorboard, which is not installed:  .venv/bin/pip install tensorboard  "
            "(the page Training shows the same curves without it)"
        ) from None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=first_epoch)


def write_events(writer: Any, rows: list[Row]) -> None:
    """The metrics of an epoch."""
    for epoch, split, task, metric, value in rows:
        writer.add_scalar("/".join(filter(None, (split, task, metric))), value, epoch)
    writer.flush()
