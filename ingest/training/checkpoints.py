"""What a training leaves in its folder, written whole or not at all: its checkpoint, and the trained weights."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch

from ingest.errors import SourceError

try:
    import fcntl
except ImportError:  # not here: two trainings into one folder are not noticed
    fcntl = None

CHECKPOINT, MODEL = "checkpoint.pt", "model.safetensors"
FORMAT = "bilderatlas-training-1"

Row = tuple[int, str, str, str, float]  # epoch, split, task, metric, value


class Resumable(Protocol):
    """What a checkpoint is made of, and what goes on from one."""

    def state(self) -> dict[str, Any]:
        """Tensors, numbers and text, in containers: all that is needed to go on."""
        ...

    def load_network(self, state: Mapping[str, Any], source: str) -> None:
        """Take the weights. BackboneError for those of another network, with the name of their `source`."""
        ...

    def load_progress(self, state: Mapping[str, Any]) -> None:
        """Take all else."""
        ...


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Nobody else trains into the folder meanwhile. SourceError if somebody does."""
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceError(
                f"Another process is training into {folder} just now. Wait for it, stop it, or name another folder "
                "with --out."
            ) from None
        yield


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or the one before it, whenever this process is killed, the machine loses power or the disk is
    full; OSError for the last, with the file's name."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        before = "; the one that is there is as it was" if path.exists() else ""
        raise OSError(error.errno, f"{path} could not be written ({os.strerror(error.errno or 0)}){before}") from error
    os.replace(part, path)


def save_checkpoint(folder: Path, trainer: Resumable, epochs: int, config: str, history: list[Row]) -> None:
    """All that is needed to go on after so many epochs as if nothing had happened."""
    buffer = io.BytesIO()
    about = {"format": FORMAT, "config": config, "epochs": epochs, "history": json.dumps(history)}
    torch.save({**about, **trainer.state()}, buffer)
    write_atomically(folder / CHECKPOINT, buffer.getvalue())


def load_checkpoint(folder: Path, trainer: Resumable, config: str) -> tuple[int, list[Row]]:
    """Bring a trainer where its checkpoint was: the number of epochs that are done, and their metrics; (0, []) where
    there is none. SourceError for one of another training, BackboneError for one of another network."""
    path = folder / CHECKPOINT
    if not path.exists():
        return 0, []
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        if found["format"] != FORMAT:
            raise ValueError(found["format"])
    except Exception as error:  # whatever a damaged file makes a library raise
        raise SourceError(
            f"{path} is no checkpoint of a training ({type(error).__name__}); remove it to begin anew."
        ) from None
    trainer.load_network(found, str(path))
    if other := differences(_anywhere(json.loads(found["config"])), _anywhere(json.loads(config))):
        raise SourceError(f"{path} is of a training with {'; '.join(other[:5])}. Name another folder with --out.")
    trainer.load_progress(found)
    return found["epochs"], [tuple(row) for row in json.loads(found["history"])]


def _anywhere(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose folder of pictures is the same from wherever it is named."""
    data = config.get("data")
    for name in ("source", "folder"):
        if isinstance(data, dict) and isinstance(data.get(name), str) and Path(data[name]).expanduser().exists():
            data[name] = str(Path(data[name]).expanduser().resolve())
    return config


def differences(there: Any, here: Any, place: str = "") -> list[str]:
    """Where two configurations differ: 'training.epochs 100, not 50'."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = list(dict.fromkeys([*there, *here]))
        parts = [differences(there.get(n), here.get(n), f"{place}.{n}" if place else n) for n in names]
        return [each for part in parts for each in part]
    return [] if there == here else [f"{place} {json.dumps(there)}, not {json.dumps(here)}"]
