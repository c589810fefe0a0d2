"""What a training leaves in its folder, written whole or not at all: its checkpoint, and the trained weights."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ingest.errors import SourceError
from ingest.vision.training.ips.epoch import Trainer
from ingest.vision.training.ips.weights import load_own, own_state

CHECKPOINT, MODEL = "checkpoint.pt", "model.safetensors"
FORMAT = "bilderatlas-training-1"

Row = tuple[int, str, str, str, float]  # epoch, split, task, metric, value


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or the one before it, whenever this process is killed or the machine loses power."""
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def save_checkpoint(folder: Path, trainer: Trainer, epochs: int, config: str, history: list[Row]) -> None:
    """All that is needed to go on after so many epochs as if nothing had happened."""
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "config": config,
            "epochs": epochs,
            "step": trainer.step,
            "network": own_state(trainer.network),
            "optimizer": trainer.optimizer.state_dict(),
            "scaler": trainer.scaler.state_dict(),
            "history": json.dumps(history),
        },
        buffer,
    )
    write_atomically(folder / CHECKPOINT, buffer.getvalue())


def load_checkpoint(folder: Path, trainer: Trainer, config: str) -> tuple[int, list[Row]]:
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
    load_own(trainer.network, found["network"], str(path))
    if other := differences(json.loads(found["config"]), json.loads(config)):
        raise SourceError(f"{path} is of a training with {'; '.join(other[:5])}. Name another folder with --out.")
    trainer.optimizer.load_state_dict(found["optimizer"])
    trainer.scaler.load_state_dict(found["scaler"])
    trainer.step = found["step"]
    return found["epochs"], [tuple(row) for row in json.loads(found["history"])]


def differences(there: Any, here: Any, place: str = "") -> list[str]:
    """Where two configurations differ: 'training.epochs 100, not 50'."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = list(dict.fromkeys([*there, *here]))
        parts = [differences(there.get(n), here.get(n), f"{place}.{n}" if place else n) for n in names]
        return [each for part in parts for each in part]
    return [] if there == here else [f"{place} {json.dumps(there)}, not {json.dumps(here)}"]


Saver = Callable[[int, list[Row]], None]
