"""Backbones: `load` makes one from a key, whatever library and file its weights come from."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ingest.vision.backbones.backbone import Backbone, BackboneError, Network, with_stored_rule
from ingest.vision.backbones.opening import make_backbone
from ingest.vision.backbones.positions import ANTIALIASED
from ingest.vision.backbones.registry import PUBLISHED, Published
from ingest.vision.backbones.trained import key_of, trained_file

__all__ = [
    "PUBLISHED",
    "Backbone",
    "BackboneError",
    "Network",
    "Published",
    "load",
    "load_for_run",
    "make_backbone",
]


def load(
    key: str,
    weights: str | Path | None = None,
    layer: int | None = None,
    device: str = "cpu",
    precision: Any = None,
    converted: Path | None = None,
    offline: bool = False,
    timm_positions: bool = False,
    measurements: MutableMapping[str, dict[str, Any]] | None = None,
    joint: bool = True,
) -> Backbone:
    """The backbone `key`: a published model's short name, `hf:<repository or folder>`, `timm:<name>`, `packaged`,
    `tiny:<name>`, or the folder or file of a network that `train ssl` has made (then `trained:<name>`, with its file as
    `weights`).

    `weights` is a .safetensors or PyTorch file to use instead of the published weights; `layer` takes the feature
    after that block instead of the end; `precision` a torch dtype (float32 unless given); `converted` a file with the
    packaged weights already converted; `offline` never asks the hub; `timm_positions` resamples DINOv2's positions as
    timm does by itself, not as its authors do; `measurements` remembers what is measured of networks (without one, this
    process does); `joint=False` takes CLIP's feature before its projection into the space that pictures share with
    texts, as older versions did.

    Raises BackboneError with a sentence that says what to type.
    """
    from ingest.vision.backbones.checkpoint import weights_sha256

    if not weights and (trained := trained_file(key)):
        key, weights = key_of(*trained), trained[1]
    own = str(weights) if weights else None
    with torch.inference_mode(False):  # weights made in it could not be followed by gradients, which measuring needs
        network = _network(key, weights, layer, converted, offline, timm_positions, joint)
        if key in PUBLISHED:
            network = replace(network, special_tokens=PUBLISHED[key].prefix_tokens)
        backbone = make_backbone(key, network, weights_sha256(network.module), measurements, weights=own, layer=layer)
    return backbone.to(device, precision or backbone.precision)


def load_for_run(settings: dict[str, Any], device: str = "cpu", **more: Any) -> Backbone:
    """The backbone that a stored Run used, from its settings: its input rule, its positions and its feature are those
    of the run, also where they would be read otherwise today."""
    more = {"timm_positions": settings.get("positions") is None or settings["positions"] == ANTIALIASED, **more}
    more = {"joint": settings.get("feature_space") == "joint", **more}
    if not settings.get("model"):
        raise BackboneError(
            "a run says in its settings which model it was of; this one does not. Make a run whose model is known: "
            "python -m ingest run FOLDER --model NAME"
        )
    backbone = load(settings["model"], settings.get("weights"), settings.get("layer"), device, **more)
    return with_stored_rule(backbone, settings.get("input") or {})


def _network(
    key: str,
    weights: str | Path | None,
    layer: int | None,
    converted: Path | None,
    offline: bool,
    timm_positions: bool,
    joint: bool,
) -> Network:
    family, _, name = key.partition(":")
    if key == "packaged":
        if weights:
            raise BackboneError(
                "--model packaged has its weights already; to use a file, name its model: "
                "--model dinov2-small --weights FILE"
            )
        from ingest.vision.backbones.packaged import load_packaged

        return load_packaged(layer, converted)
    if family == "tiny" and name:
        from ingest.vision.backbones.tiny import load_tiny

        return load_tiny(name, layer, joint)
    if family == "trained" and weights:
        from ingest.vision.backbones.trained import load_trained

        def open_base(base: str, file: str | None) -> Network:
            return _network(base, file, layer, converted, offline, timm_positions, joint)

        return load_trained(str(weights), layer, open_base)
    if weights:
        from ingest.vision.backbones.from_file import load_file

        return load_file(key, str(weights), layer, timm_positions)
    if family == "timm" and name:
        from ingest.vision.backbones.from_timm import load_timm

        return load_timm(name, layer, timm_positions=timm_positions)
    if family == "hf" and name:
        from ingest.vision.backbones.from_transformers import load_transformers

        return load_transformers(name, layer, offline=offline, joint=joint)
    if key in PUBLISHED:
        from ingest.vision.backbones.from_transformers import load_transformers

        return load_transformers(PUBLISHED[key].repo, layer, PUBLISHED[key], offline, joint)
    near = [k for k in PUBLISHED if k.split("-")[0] == key.split("-")[0].lower()]
    hint = f" (perhaps {', '.join(near[:4])})" if near else ""
    raise BackboneError(
        f"there is no model {key!r}{hint}; `python -m ingest models` lists the names, "
        "and hf:FOLDER, timm:NAME and packaged work too"
    )
