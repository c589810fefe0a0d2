"""A network of `train ips` in the place of a backbone: what a run of patches keeps of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ingest.models import choose_device, load_backbone
from ingest.vision.backbones import Backbone
from ingest.vision.backbones.checkpoint import weights_sha256
from ingest.vision.training.ips import EncoderSettings, IPSNet, TrainedSelection, from_file
from ingest.vision.training.ips.weights import read_settings

KEY = TrainedSelection.key


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network with the names that a run stores of it; `weights` is its file."""

    network: IPSNet
    weights: str
    device: str
    weights_sha256: str
    key: str = KEY
    layer: int | None = None
    precision: torch.dtype = torch.float32

    @property
    def title(self) -> str:
        """What people read: the folder of the training and the file."""
        path = Path(self.weights)
        return f"{path.parent.name}/{path.name}"

    @property
    def dim(self) -> int:
        """Numbers of the feature of a patch."""
        return self.network.settings.pooling.dim

    def settings(self) -> dict[str, Any]:
        """What is needed to load it again."""
        return {"model": self.key, "weights": self.weights, "layer": None, "title": self.title}


def open_trained(weights: str | None, device: str) -> TrainedNetwork:
    """The network in a file of `train ips`. ValueError where none is named, BackboneError for another file."""
    path, device = _path(weights), choose_device(device)

    def load(encoder: EncoderSettings) -> Backbone:
        return load_backbone(encoder.kind, encoder.weights, encoder.layer, device).to(device, torch.float32)

    network = from_file(path, load).to(device)
    return TrainedNetwork(network, str(path), device, weights_sha256(network))


def trained_options(weights: str | None, given: Collection[str] = ()) -> dict[str, Any]:
    """The options of `patches` as a network was trained with them, but for those that are `given`: patch_size, stride,
    top, iteration, how. ValueError where its patches, or their steps, are not square."""
    path = _path(weights)
    own = read_settings(path).patches
    found = {"top": own.memory, "iteration": own.iteration, "how": own.selection}
    sides = {"patch_size": ("patches", own.size), "stride": ("patches in steps", own.stride)}
    for name, (what, side) in sides.items():
        if name in given or side is None:
            continue
        height, width = side
        if height != width:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(
                f"{path} was trained on {what} of {width} × {height} pixels; here these are squares: name a {option}"
            )
        found[name] = height
    return {name: value for name, value in found.items() if name not in given}


def _path(weights: str | None) -> Path:
    if not weights:
        raise ValueError("--scorer trained needs the network: --weights FILE, the model.safetensors of `train ips`")
    return Path(weights).expanduser().resolve()
