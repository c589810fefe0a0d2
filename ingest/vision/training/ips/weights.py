"""A trained network as a .safetensors file: its weights, and in its header the settings that make it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.training.ips.network import IPSNet
from ingest.vision.training.ips.settings import EncoderSettings, NetworkSettings

FORMAT = "bilderatlas-ips-1"


def to_bytes(network: IPSNet) -> bytes:
    """The content of the file. Weights of a frozen backbone are left out: its key says which they are."""
    state = {name: tensor.contiguous().cpu() for name, tensor in own_state(network).items()}
    return save(state, {"format": FORMAT, "settings": network.settings.model_dump_json()})


def own_state(network: IPSNet) -> dict[str, torch.Tensor]:
    """The weights by name that are this network's alone."""
    encoder = network.settings.encoder
    borrowed = "encoder.body." if encoder.frozen and encoder.is_backbone else "\0"
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(borrowed)}


def load_own(network: IPSNet, state: dict[str, torch.Tensor], source: str) -> None:
    """Fill a network with `own_state` of one like it; BackboneError with a sentence for that of another shape."""
    wanted = own_state(network)
    other = [name for name in wanted if name not in state or state[name].shape != wanted[name].shape]
    other += [name for name in state if name not in wanted]
    if other:
        here, there = wanted.get(other[0]), state.get(other[0])
        shapes = [tuple(each.shape) if each is not None else "nothing" for each in (there, here)]
        raise BackboneError(
            f"{source} is of another network: {len(other)} of its weights differ, as {other[0]} ({shapes[0]} there, "
            f"{shapes[1]} here). Use the configuration that it was trained with, or another output folder."
        )
    network.load_state_dict(state, strict=False)


def from_file(path: str | Path, load: Callable[[EncoderSettings], Backbone] | None = None) -> IPSNet:
    """The network in a file that `to_bytes` made, in evaluation mode; `load` gives the backbone of an encoder's
    settings, where there is one. BackboneError for other files."""
    settings = read_settings(path)
    encoder = settings.encoder
    backbone = (load or _load)(encoder) if encoder.is_backbone else None
    network = IPSNet(settings, backbone, fetch=False)
    load_own(network, load_file(Path(path).expanduser()), str(path))
    return network.eval()


def read_settings(path: str | Path) -> NetworkSettings:
    """The settings of the network in a file, without its weights. BackboneError for a file of something else."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise BackboneError(f"there is no file {path}")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
    except SafetensorError as error:
        raise BackboneError(f"{path} could not be read as .safetensors ({error})") from error
    if about.get("format") != FORMAT:
        raise BackboneError(
            f"{path} holds no network that selects patches; `train ips` writes one as model.safetensors"
        )
    return NetworkSettings.model_validate_json(about["settings"])


def _load(encoder: EncoderSettings) -> Backbone:
    from ingest.vision.backbones import load

    return load(encoder.kind, encoder.weights, encoder.layer)
