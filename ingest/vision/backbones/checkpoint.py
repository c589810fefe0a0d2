"""Weights files: reading them without running anything in them, checking that they fill a network, naming them by a
hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from ingest.vision.backbones.backbone import BackboneError
from ingest.vision.backbones.unwrapping import UNNEEDED, flatten


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file or of a PyTorch file (read with `weights_only=True`: no code in it runs).

    Those in nested containers get dotted names, from which `unwrapping.find_network` takes the network.
    Raises BackboneError with a sentence for a file that is missing, not readable, or holds no tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise BackboneError(f"there is no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BackboneError(
            f"{path} could not be read as weights ({reason_of(error)}); "
            "a .safetensors file, or a PyTorch file of plain tensors, is expected"
        ) from error
    return flatten(loaded, path)


def reason_of(error: Exception) -> str:
    """The first line of what a library says of a model that it does not read. Of a pickle with more than tensors in it
    PyTorch says at length how to run that nevertheless; we do not."""
    if type(error).__name__ == "UnpicklingError":
        return "it holds other things than tensors, and those are never run"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


_ANOTHER = "Give the --model that it was trained for (`python -m ingest models` lists them)"


def check_loaded(path: str, missing: list[str], unexpected: list[str], total: int, advice: str = _ANOTHER) -> None:
    """Raises BackboneError when a weights file did not fill the network; heads that are not used may differ."""
    needed = [name for name in missing if not any(word in name for word in UNNEEDED)]
    if needed:
        raise BackboneError(
            f"{path} does not fit this model: {len(needed)} of {total} weights are missing, such as {needed[0]!r}"
            + (f"; it has others, such as {unexpected[0]!r}" if unexpected else "")
            + f". {advice}"
        )


def weights_sha256(module: nn.Module) -> str:
    """sha256 over the names, shapes and float32 values of a network's parameters and buffers, ordered by name.

    The same weights have the same hash whichever file, library cache or precision they came from.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(memoryview(tensor.detach().cpu().float().contiguous().numpy()).cast("B"))
    return digest.hexdigest()
