"""A Backbone: a network as Bilderatlas uses it, whatever library it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ingest.vision.backbones.layout import find_layout
from ingest.vision.backbones.measure import Measured, takes
from ingest.vision.geometry import SQUARE_FITS, InputRule
from ingest.vision.gradients import read_by_token, with_gradients
from ingest.vision.preprocessing import Preprocessing
from ingest.vision.tap import (
    IN_WINDOWS,
    Capture,
    ComputingTap,
    NotAVisionTransformer,
    Tap,
    TileReader,
    block_calls,
    captured,
)


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
    `has_cls` says whether a special token stands for the whole picture, or is called CLS by the network's makers. A
    classifier has `classify`, from pixels to logits (batch, classes), and the names of its `classes`; `problem` says
    what the logits are (a key of ingest.vision.problems). `fit` is how pictures are fitted unless somebody says
    otherwise. `assumed` holds sentences on what was chosen or supposed in reading it. `positions` is how its table of
    positions is resampled, where that is known, and `positions_before` how it was in runs that do not say. `adapt`
    gives the same network with its feature taken from the CLS token at a place (negative from the end), or from the
    patches (None), for loaders that cannot know that before it is measured. `special_tokens` is how many its name
    promises. `joint` says that its feature lies in a space that pictures share with texts: it is searched by words.
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
    adapt: Callable[[int | None], Network] | None = None
    special_tokens: int | None = None
    joint: bool = False


@dataclass(frozen=True)
class Backbone:
    """A loaded network with what a captured pass showed of it.

    `layers` and `heads` of its attention, `dim` of its feature, `prefix_tokens` before the patches, `patch` in pixels.
    `class_attention` says that only the CLS token asks (XCiT, CaiT), `pools` that a head with a learnt query pools the
    patches (SigLIP). `measured` is what the network was found to be.
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
    measured: Measured | None = None
    orders: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

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

    @property
    def measurement(self) -> Measured:
        """What was measured of the network: there for every backbone that `make_backbone` returns."""
        if self.measured is None:
            raise BackboneError(f"{self.title} has not been measured yet.")
        return self.measured

    @property
    def any_grid(self) -> bool:
        """Whether the network takes pictures of any shape."""
        return self.measured is not None and self.measured.sizes == "any"

    def check_fit(self, fit: str) -> None:
        """BackboneError with a sentence if pictures cannot be fitted to this network so."""
        height, width = self.rule.shape
        if fit == "auto" or not (self.rule.varies(fit) or (fit in SQUARE_FITS and height != width)) or self.any_grid:
            return
        squares: tuple[str, ...] = SQUARE_FITS if height == width else ()
        others = squares if self.rule.varies("model") else ("model", *squares)
        raise BackboneError(
            f"{self.title} takes {'squares' if height == width else 'pictures'} of {height} × {width} pixels alone, so "
            f"the fit {fit} is not for it; take {' or '.join(filter(None, (', '.join(others[:-1]), others[-1])))}"
        )

    def check_size(self, side: int) -> None:
        """BackboneError with a sentence if the network does not take squares of so many pixels."""
        own, cells = self.rule.shape, side // self.patch
        if self.any_grid or side == self.rule.size or (cells * self.patch,) * 2 == own:
            return
        why = takes(self.network, (cells, cells), self.device, self.precision)
        if why:
            raise BackboneError(
                f"{self.title} does not take squares of {side} pixels ({why}); leave --size out: it takes "
                f"{own[0]} × {own[1]} pixels"
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
            "feature_space": "joint" if self.network.joint else "image",
            "positions": self.network.positions,
            "measured": self.measured.as_dict() if self.measured else None,
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

    def logits(self, pixels: Tensor) -> Tensor:
        """What the network's classifier says of normalised pixels (batch, classes). BackboneError where it has none."""
        if self.network.classify is None:
            raise BackboneError(f"{self.title} has no classifier")
        return self.network.classify(pixels)

    def process(self, pixels: Tensor, tokens: bool = False) -> Output:
        """The Output of normalised pixels, with its tokens if they are wanted and the family can give them: special
        ones first, then the patches in reading order."""
        output = self.network.forward(pixels, tokens)
        return self._ordered(output, self.order(*self.grid(pixels))) if tokens else output

    def grid(self, pixels: Tensor) -> tuple[int, int]:
        """(rows, cols) of pixels (batch, 3, height, width)."""
        return pixels.shape[2] // self.patch, pixels.shape[3] // self.patch

    def order(self, rows: int, cols: int) -> tuple[int, ...] | None:
        """The places of a grid's tokens in the network in the order of a Capture; None where that is their own."""
        if self.measured is None or self.measured.standard:
            return None
        if (rows, cols) not in self.orders:
            see = lambda pixels: self.network.forward(pixels, False)  # noqa: E731
            layout = find_layout(see, self.patch, rows, cols, self.device, self.precision)
            self.orders[rows, cols] = self.measured.order(layout)
        return self.orders[rows, cols]

    def tap(self, pixels: Tensor, tokens: bool = True, values: bool = True, gradients: bool = False) -> Tap:
        """A Tap for a pass over these pixels, whose first row is that of the CLS token."""
        order = self.order(*self.grid(pixels))
        return Tap(tokens, values, gradients, order[0] if order and self.prefix_tokens else 0)

    @staticmethod
    def _ordered(output: Output, order: tuple[int, ...] | None) -> Output:
        if order is None:
            return output

        def moved(tokens: Tensor | None) -> Tensor | None:
            return tokens if tokens is None or tokens.shape[1] != len(order) else tokens[:, list(order)]

        return replace(output, tokens=moved(output.tokens), residual=moved(output.residual))

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
        with self.tap(pixels, tokens, values) as tap:
            output = self.process(pixels, residual)
        features, norms = unit(output.features)
        return features, self.captured(tap, pixels, picture_cells, residual=output.residual, norms=norms)

    @property
    def computable(self) -> bool:
        """Whether the attention of a pass can be computed and read at once: on a CPU in float32, where a fused kernel
        is hardly quicker, of blocks in which every token asks, and whose summary is known before the last of them."""
        plain = self.measured is not None and self.measured.standard and not self.class_attention and not self.pools
        return plain and self.device == "cpu" and self.precision == torch.float32

    def capture_to_come(self, pixels: Tensor, picture_cells: Tensor | None = None) -> Capture:
        """The Capture of a pass over these pixels before it is made: what `compute` fills."""
        rows, cols = self.grid(pixels)
        if picture_cells is None:
            picture_cells = torch.ones(len(pixels), rows * cols, dtype=torch.bool)
        shape = len(pixels), self.layers, self.heads
        return Capture.to_come(shape, rows, cols, self.prefix_tokens, self.has_cls, self.patch, picture_cells)

    def compute(
        self, pixels: Tensor, to_come: Capture, readers: Sequence[TileReader], residual: bool = False
    ) -> tuple[Tensor, Capture] | None:
        """Features as `forward` gives them, and the Capture, in a pass whose softmax rows the `readers` see as they are
        computed. None where the pass was not as `to_come` says: what was read of it is void."""
        with ComputingTap(to_come, readers) as tap:
            output = self.process(pixels, residual)
        if tap.computed < self.layers:
            return None
        features, norms = unit(output.features)
        return features, replace(to_come, residual=output.residual, norms=norms)

    def captured(
        self,
        tap: Tap,
        pixels: Tensor,
        picture_cells: Tensor | None = None,
        score: Tensor | None = None,
        **more: Any,
    ) -> Capture:
        """The Capture of a pass over these pixels that a tap has seen; with the gradients of a `score` (one number)."""
        rows, cols = self.grid(pixels)
        blocks, prefix, pooling = block_calls(tap.calls, rows * cols)
        if blocks[0].batch != len(pixels):
            raise NotAVisionTransformer(IN_WINDOWS)
        pooling = pooling or tap.pooling
        if score is not None:
            blocks, through_pooling = with_gradients(score, blocks, pooling)
            more |= {"through_pooling": through_pooling}
        if (order := self.order(rows, cols)) is not None:
            places = torch.tensor(order, device=blocks[0].first.device)
            blocks = tuple(call.ordered(places) for call in blocks)
            if pooling is not None:
                # A head that pools the patches alone meets them in the network's order.
                pooling = pooling.ordered(
                    places if pooling.tokens == len(order) else places[prefix:].argsort().argsort()
                )
        if score is not None:
            more |= {"read": read_by_token([captured(call.gradient) for call in blocks])}
        if picture_cells is None:
            picture_cells = torch.ones(len(pixels), rows * cols, dtype=torch.bool)
        return Capture(blocks, rows, cols, prefix, self.has_cls, self.patch, picture_cells, pooling, **more)

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
