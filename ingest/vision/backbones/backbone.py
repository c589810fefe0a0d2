"""A Backbone: a network as Bilderatlas uses it, whatever library it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ingest.vision.geometry import SQUARE_FITS, InputRule
from ingest.vision.preprocessing import Preprocessing
from ingest.vision.tap import Capture, NotAVisionTransformer, Tap, block_calls


class BackboneError(Exception):
    """A model that cannot be had or used; the message says what to type instead."""


@dataclass(frozen=True)
class Output:
    """What one forward pass gives: `features` (batch, dim), not yet normalised, and where they were asked for and the
    family can give them `tokens` (batch, special tokens + patches, width) after the final norm and `residual`, the
    same before it."""

    features: Tensor
    tokens: Tensor | None = None
    residual: Tensor | None = None


@dataclass(frozen=True)
class Network:
    """What a family's loader returns: the module and how to call it.

    `forward(pixels, tokens)` takes normalised pixels (batch, 3, height, width), and whether the tokens are wanted too.
    `has_cls` says whether token 0 stands for the whole picture. A classifier has `classify`, from pixels to logits
    (batch, classes), and the names of its `classes`; `problem` says what the logits are (a key of
    ingest.vision.problems). `fit` is how pictures are fitted unless somebody says otherwise. `assumed` holds sentences
    on what was chosen or supposed in reading it. `positions` is how its table of positions is resampled, where that is
    known, and `positions_before` how it was in runs that do not say.
    """

    module: nn.Module
    forward: Callable[[Tensor, bool], Output]
    rule: InputRule
    has_cls: bool
    title: str
    licence: str = "unknown"
    note: str = ""
    feature: str = "CLS token after the final norm"
    classify: Callable[[Tensor], Tensor] | None = None
    classes: tuple[str, ...] = ()
    problem: str = "single_label"
    fit: str = "model"
    assumed: tuple[str, ...] = ()
    positions: str = ""
    positions_before: str = ""


@dataclass(frozen=True)
class Backbone:
    """A loaded network with what a captured pass showed of it.

    `layers` and `heads` of its attention, `dim` of its feature, `prefix_tokens` before the patches, `patch` in pixels.
    `class_attention` says that only the CLS token asks (XCiT, CaiT), `pools` that a head with a learnt query pools the
    patches (SigLIP).
    `key`, `weights`, `layer` are the settings with which `load` makes the same backbone again.
    """

    key: str
    network: Network
    layers: int
    heads: int
    dim: int
    prefix_tokens: int
    weights_sha256: str
    weights: str | None = None
    layer: int | None = None
    device: str = "cpu"
    precision: torch.dtype = torch.float32
    class_attention: bool = False
    pools: bool = False

    @property
    def rule(self) -> InputRule:
        return self.network.rule

    @property
    def patch(self) -> int:
        return self.network.rule.patch

    @property
    def has_cls(self) -> bool:
        return self.network.has_cls

    @property
    def title(self) -> str:
        return self.network.title

    @cached_property
    def any_grid(self) -> bool:
        """Whether the network takes pictures of any shape: a strip of one patch by two is sent through it."""
        strip = torch.zeros(1, 3, self.patch, 2 * self.patch, device=self.device, dtype=self.precision)
        try:
            with torch.inference_mode():
                self.capture(strip)
        except (AssertionError, RuntimeError, ValueError, NotAVisionTransformer):
            return False
        return True

    def check_fit(self, fit: str) -> None:
        """BackboneError with a sentence if pictures cannot be fitted to this network so."""
        height, width = self.rule.shape
        if fit == "auto" or not (self.rule.varies(fit) or (fit in SQUARE_FITS and height != width)) or self.any_grid:
            return
        others = SQUARE_FITS if height == width else ()
        others = others if self.rule.varies("model") else ("model", *others)
        raise BackboneError(
            f"{self.title} takes {'squares' if height == width else 'pictures'} of {height} × {width} pixels alone, so "
            f"the fit {fit} is not for it; take {' or '.join(filter(None, (', '.join(others[:-1]), others[-1])))}"
        )

    def settings(self) -> dict[str, Any]:
        """What a Run stores of its backbone: enough to load it again and to cite it."""
        rule = self.rule
        return {
            "model": self.key,
            "weights": self.weights,
            "layer": self.layer,
            "title": self.title,
            "licence": self.network.licence,
            "note": " ".join(filter(None, (self.network.note, *self.network.assumed))),
            "feature": self.network.feature,
            "positions": self.network.positions,
            "input": rule_settings(rule),
        }

    def pixels(self, batch: Tensor) -> Tensor:
        """uint8 (batch, height, width, 3) to normalised (batch, 3, height, width) on the backbone's device."""
        batch = batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).to(self.precision)
        unit = 1 / self.rule.rescale
        mean, std = (batch.new_tensor(values).view(1, 3, 1, 1) * unit for values in (self.rule.mean, self.rule.std))
        return ((batch - mean) / std).contiguous()

    def forward(self, pixels: Tensor) -> Tensor:
        """Features float32 (batch, dim), L2-normalised, of normalised pixels."""
        return unit(self.network.forward(pixels, False).features)[0]

    def look(self, pixels: Tensor, tokens: bool = False) -> Output:
        """The Output of normalised pixels, with its tokens if they are wanted and the family can give them."""
        return self.network.forward(pixels, tokens)

    def capture(
        self,
        pixels: Tensor,
        picture_cells: Tensor | None = None,
        tokens: bool = True,
        values: bool = True,
        residual: bool = False,
    ) -> tuple[Tensor, Capture]:
        """Features as `forward` gives them, and the Capture that attention methods read.

        `tokens` and `values` say what the tap keeps of each layer beside the CLS token's row, `residual` whether the
        tokens before the final norm are kept.
        """
        with Tap(tokens, values) as tap:
            output = self.network.forward(pixels, residual)
        features, norms = unit(output.features)
        return features, self.captured(tap, pixels, picture_cells, residual=output.residual, norms=norms)

    def captured(self, tap: Tap, pixels: Tensor, picture_cells: Tensor | None = None, **more: Any) -> Capture:
        """The Capture of a pass over these pixels that a tap has seen."""
        rows, cols = (side // self.patch for side in pixels.shape[2:])
        blocks, prefix, pooling = block_calls(tap.calls, rows * cols)
        if picture_cells is None:
            picture_cells = torch.ones(len(pixels), rows * cols, dtype=torch.bool)
        return Capture(
            blocks, rows, cols, prefix, self.has_cls, self.patch, picture_cells, pooling or tap.pooling, **more
        )

    def overflow(self) -> str:
        """What is to be said of a picture at which the numbers of this network are not finite."""
        hint = "" if self.precision == torch.float32 else "; --device cpu computes with more room"
        return f"the network's numbers overflow at this picture: no feature and no map of it would be finite{hint}"

    def to(self, device: str, precision: torch.dtype) -> Backbone:
        """The same backbone on another device, in another precision."""
        self.network.module.to(device=device, dtype=precision)
        return replace(self, device=device, precision=precision)


def unit(features: Tensor) -> tuple[Tensor, Tensor]:
    """Features (batch, dim) as float32 of length 1, and their lengths (batch,): times these they are as they were."""
    features = features.float()
    norms = features.norm(dim=-1).clamp_min(1e-12)
    return features / norms[:, None], norms


def rule_settings(rule: InputRule) -> dict[str, Any]:
    """What a Run stores of an input rule."""
    return {
        "size": rule.size,
        "resize": rule.resize,
        "mean": list(rule.mean),
        "std": list(rule.std),
        "interpolation": rule.interpolation,
        "rescale": rule.rescale,
        "model": rule.preprocessing.as_dict(),
    }


def with_stored_rule(backbone: Backbone, stored: dict[str, Any]) -> Backbone:
    """The backbone with the input rule that a Run has stored: how a processor is read may have changed since."""
    rule = backbone.rule
    own = stored.get("model")
    rule = replace(
        rule,
        size=stored.get("size", rule.size),
        resize=stored.get("resize", rule.resize),
        mean=tuple(stored.get("mean", rule.mean)),
        std=tuple(stored.get("std", rule.std)),
        interpolation=stored.get("interpolation", rule.interpolation),
        rescale=stored.get("rescale", 1 / 255),
        own=Preprocessing.from_dict(own) if own else rule.own,
    )
    return replace(backbone, network=replace(backbone.network, rule=rule))


def look_at(key: str, network: Network, weights_sha256: str, **settings: Any) -> Backbone:
    """Makes a Backbone of a Network by sending one grey picture through it and reading what the tap saw.

    Raises BackboneError where the network is no plain vision transformer.
    """
    network.module.eval().requires_grad_(False)
    backbone = Backbone(key, network, 0, 0, 0, 0, weights_sha256, **settings)
    try:
        with torch.inference_mode():
            features, capture = backbone.capture(torch.zeros(1, 3, *network.rule.shape))
    except NotAVisionTransformer as error:
        raise BackboneError(f"{key} cannot be used: {error}") from error
    layer = backbone.layer
    if layer is not None and not 0 <= layer < len(capture.layers):
        raise BackboneError(
            f"--layer {layer} is not a layer of {key}: it has {len(capture.layers)}, "
            f"counted from 0 to {len(capture.layers) - 1}"
        )
    return replace(
        backbone,
        layers=len(capture.layers),
        heads=capture.heads,
        dim=features.shape[1],
        prefix_tokens=capture.prefix_tokens,
        class_attention=capture.layers[0].queries == 1,
        pools=capture.pooling is not None,
    )
