"""Backbones: `load` makes one from a key, whatever library and file its weights come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.vision.backbones.backbone import Backbone, BackboneError, Network, look_at
from ingest.vision.backbones.registry import PUBLISHED, Published, usual_fit

__all__ = [
    "PUBLISHED",
    "Backbone",
    "BackboneError",
    "Network",
    "Published",
    "load",
    "load_for_run",
    "look_at",
]


def load(
    key: str,
    weights: str | Path | None = None,
    layer: int | None = None,
    device: str = "cpu",
    precision: Any = None,
    converted: Path | None = None,
    offline: bool = False,
) -> Backbone:
    """The backbone `key`: a published model's short name, `hf:<repository or folder>`, `timm:<name>`, `packaged` or
    `tiny:<name>`.

    `weights` is a .safetensors or PyTorch file to use instead of the published weights; `layer` takes the feature
    after that block instead of the end; `precision` a torch dtype (float32 unless given); `converted` a file with the
    packaged weights already converted; `offline` never asks the hub.

    Raises BackboneError with a sentence that says what to type.
    """
    from ingest.vision.backbones.checkpoint import weights_sha256

    network = _network(key, weights, layer, converted, offline)
    backbone = look_at(
        key, network, weights_sha256(network.module), weights=str(weights) if weights else None, layer=layer
    )
    return backbone.to(device, precision or backbone.precision)


def load_for_run(settings: dict[str, Any], device: str = "cpu", **more: Any) -> Backbone:
    """The backbone that a stored Run used, from its settings."""
    return load(settings["model"], settings.get("weights"), settings.get("layer"), device, **more)


def _network(key: str, weights: str | Path | None, layer: int | None, converted: Path | None, offline: bool) -> Network:
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

        return load_tiny(name, layer)
    if weights:
        return _from_file(key, str(weights), layer)
    if family == "timm" and name:
        from ingest.vision.backbones.from_timm import load_timm

        return load_timm(name, layer)
    if family == "hf" and name:
        from ingest.vision.backbones.from_transformers import load_transformers

        return load_transformers(name, layer, offline=offline)
    if key in PUBLISHED:
        from ingest.vision.backbones.from_transformers import load_transformers

        return load_transformers(PUBLISHED[key].repo, layer, PUBLISHED[key], offline)
    near = [k for k in PUBLISHED if k.split("-")[0] == key.split("-")[0].lower()]
    hint = f" (perhaps {', '.join(near[:4])})" if near else ""
    raise BackboneError(
        f"there is no model {key!r}{hint}; `python -m ingest models` lists the names, "
        "and hf:FOLDER, timm:NAME and packaged work too"
    )


def _from_file(key: str, weights: str, layer: int | None) -> Network:
    from ingest.vision.backbones.checkpoint import read_weights
    from ingest.vision.backbones.from_timm import load_timm
    from ingest.vision.backbones.from_transformers import build_transformers

    family, _, name = key.partition(":")
    published = PUBLISHED.get(key)
    if published is None and family != "timm":
        raise BackboneError(
            "--weights needs to know the network: --model timm:NAME or one of the names that "
            f"`python -m ingest models` lists, not {key!r}"
        )
    tensors = read_weights(weights)
    # Files published by the authors, and timm's, call the first block blocks.0; transformers calls it layer or layers.
    native = any(name.startswith(("blocks.0.", "visual.transformer.")) for name in tensors)
    if published is not None and not native:
        return build_transformers(published, tensors, weights, layer)
    timm_name = published.timm if published is not None else name
    if not timm_name:
        raise BackboneError(f"{weights} has its author's names, which only timm reads, and timm has no {key}")
    network = load_timm(timm_name, layer, tensors, weights)
    if published is None:
        return network
    from ingest.vision.backbones.from_transformers import published_rule

    title = f"{published.key} ({Path(weights).name})"
    fit = usual_fit(published.family)
    return replace(network, rule=published_rule(published), title=title, licence=published.licence, fit=fit)
