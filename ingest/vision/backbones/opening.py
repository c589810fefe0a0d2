"""Opening a network: a first pass, and what is measured of it."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ingest.vision.backbones.backbone import Backbone, BackboneError, Network
from ingest.vision.backbones.measure import MEASURES, Measured, measure, reason, recall
from ingest.vision.tap import Capture, NotAVisionTransformer, Tap


def make_backbone(
    key: str,
    network: Network,
    weights_sha256: str,
    measurements: MutableMapping[str, dict[str, Any]] | None = None,
    **settings: Any,
) -> Backbone:
    """Makes a Backbone of a Network: sends a picture through it, reads what the tap saw, and measures the network.

    `measurements` remembers what was measured, beyond this process if it likes. Raises BackboneError with a sentence
    where the network is no plain vision transformer, or fails.
    """
    network.module.eval().requires_grad_(False)
    height, width = network.rule.shape
    own = height // network.rule.patch, width // network.rule.patch
    backbone = Backbone(key, network, 0, 0, 0, 0, weights_sha256, **settings)
    try:
        backbone, capture = _first_pass(backbone, torch.zeros(1, 3, height, width))
        _check_layer(key, backbone.layer, len(capture.layers))
        network, measured = _measured(backbone, own, _MEASURED if measurements is None else measurements)
    except NotAVisionTransformer as error:
        raise BackboneError(f"{key} cannot be used: {error}") from error
    except BackboneError:
        raise
    except Exception as error:  # a stranger's network may raise anything on its first pass
        raise BackboneError(f"{key} cannot be used: {_why_not(network, (height, width), error)}") from error
    return replace(
        backbone,
        network=network,
        layers=len(capture.layers),
        heads=capture.heads,
        dim=measured.dim,
        prefix_tokens=measured.special,
        class_attention=capture.layers[0].queries == 1,
        pools=capture.pooling is not None,
        measured=measured,
    )


_MEASURED: dict[str, dict[str, Any]] = {}  # of this process


def _measured(
    backbone: Backbone, own: tuple[int, int], remembered: MutableMapping[str, dict[str, Any]]
) -> tuple[Network, Measured]:
    """The network and what was measured of it, now or before: of these weights, called in the same way."""
    network = backbone.network
    called = (MEASURES, backbone.weights_sha256, backbone.layer, *own, network.rule.patch, network.feature,
              network.has_cls, network.special_tokens, len(network.classes), type(network.module).__name__)  # fmt: skip
    name = hashlib.sha256(repr(called).encode()).hexdigest()
    try:
        found = Measured.from_dict(remembered[name])
        return recall(network, found), found
    except (KeyError, TypeError):
        network, found = measure(network, own)
    if backbone.weights_sha256:
        remembered[name] = found.as_dict()
    return network, found


def _first_pass(backbone: Backbone, pixels: Tensor) -> tuple[Backbone, Capture]:
    """A first Capture, and the backbone; one that fails where its tokens are wanted too is never asked for them."""
    with torch.inference_mode():
        try:
            return backbone, backbone.capture(pixels, residual=True)[1]
        except Exception:  # perhaps it fails without them too, and then for good
            backbone = replace(backbone, network=_without_tokens(backbone.network))
            return backbone, backbone.capture(pixels)[1]


def _without_tokens(network: Network) -> Network:
    bare = replace(network, forward=lambda pixels, tokens: network.forward(pixels, False))
    if network.adapt is None:
        return bare
    return replace(bare, adapt=lambda place: _without_tokens(network.adapt(place)))


def _check_layer(key: str, layer: int | None, layers: int) -> None:
    if layer is not None and not 0 <= layer < layers:
        raise BackboneError(f"--layer {layer} is not a layer of {key}: it has {layers}, counted from 0 to {layers - 1}")


def _why_not(network: Network, tried: tuple[int, int], error: Exception) -> str:
    """Why the first pass over a picture failed, in words."""
    sentence = f"its first pass, over {tried[0]} × {tried[1]} pixels, failed ({reason(error)})"
    shape = getattr(getattr(network.module, "config", None), "image_size", None)
    height, width = shape if isinstance(shape, tuple | list) else (shape, shape)
    if height is None or width is None or (height, width) == tried:
        return sentence
    with Tap(tokens=False, values=False) as tap, torch.no_grad():
        try:
            network.forward(torch.zeros(1, 3, height, width), False)
        except Exception:  # neither does it take its own size
            return sentence
    if height == width or len({(call.tokens, call.batch) for call in tap.calls}) != 1:
        return (
            "its attention has no one grid of patches, as in hierarchical and windowed transformers such as Swin, so "
            "there is no map over the whole picture; a plain vision transformer is needed"
        )
    return f"it takes pictures of {height} × {width} pixels (height × width) alone, not of {tried[0]} × {tried[1]}"
