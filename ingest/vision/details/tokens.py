"""Patch tokens as a network's blocks leave them, whatever library it comes from.

Which modules are the blocks is seen, not known: a block is the outermost module in which exactly one attention call
happens and which returns all tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from ingest.vision.backbones import Backbone, BackboneError


class _Enough(Exception):
    """Ends a pass whose further blocks nobody asks for."""


class BlockTokens:
    """Reads patch tokens of a backbone after any of its blocks. BackboneError for a network without such blocks."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.blocks = _blocks(backbone)

    @property
    def layers(self) -> tuple[int, ...]:
        """The blocks that can be read, counted from 0."""
        return tuple(self.blocks)

    @torch.inference_mode()
    def read(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Patch tokens float32 (batch, rows * cols, width) as each of the blocks leaves them, of normalised pixels
        (batch, 3, height, width), patches in reading order. Blocks after the last that is asked for are not computed.
        """
        seen: dict[int, Tensor] = {}
        last = max(layers)

        def keep(layer: int) -> Callable:
            def hook(module: nn.Module, args: Any, output: Any) -> None:
                seen[layer] = _tensor(output)
                if layer == last:
                    raise _Enough

            return hook

        with _hooked([(self.blocks[layer], keep(layer)) for layer in sorted(set(layers))]), suppress(_Enough):
            self.backbone.network.forward(pixels, False)
        return [self._patches(seen[layer], pixels) for layer in layers]

    def _patches(self, tokens: Tensor, pixels: Tensor) -> Tensor:
        rows, cols = self.backbone.grid(pixels)
        order = self.backbone.order(rows, cols)
        if order is not None and len(order) == tokens.shape[1]:
            tokens = tokens[:, list(order)]
        return tokens[:, -rows * cols :].float()


def _blocks(backbone: Backbone) -> dict[int, nn.Module]:
    """The modules that are blocks, by their number, found in a pass over an empty picture."""
    height, width = backbone.rule.shape
    pixels = torch.zeros(1, 3, height, width, device=backbone.device, dtype=backbone.precision)
    least = (height // backbone.patch) * (width // backbone.patch)
    found: dict[int, nn.Module] = {}
    with backbone.tap(pixels, tokens=False, values=False) as tap, torch.inference_mode():
        begun: list[int] = []

        def enter(module: nn.Module, args: Any) -> None:
            begun.append(len(tap.calls))

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            first, output = begun.pop(), _tensor(output)
            inside = len(tap.calls) - first
            # Modules are left from the inside out: the outermost one overwrites those within it.
            if inside == 1 and output is not None and output.ndim == 3 and output.shape[1] >= least:
                found[first] = module

        every = list(backbone.network.module.modules())
        with _hooked([(module, leave) for module in every], [(module, enter) for module in every]):
            backbone.network.forward(pixels, False)
    blocks = {layer: module for layer, module in sorted(found.items()) if layer < backbone.layers}
    if not blocks:
        raise BackboneError(f"{backbone.title} keeps the tokens of its blocks to itself, so details cannot be searched")
    return blocks


def _tensor(output: Any) -> Any:
    """What a module returns, or the first of several things; None where that is no tensor."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) else None


@contextmanager
def _hooked(
    after: Sequence[tuple[nn.Module, Callable]], before: Sequence[tuple[nn.Module, Callable]] = ()
) -> Iterator[None]:
    """These hooks on these modules, for passes of this thread: others may use the same network meanwhile."""
    mine = threading.get_ident()

    def only_here(hook: Callable) -> Callable:
        return lambda *args: hook(*args) if threading.get_ident() == mine else None

    handles = [module.register_forward_pre_hook(only_here(hook)) for module, hook in before]
    handles += [module.register_forward_hook(only_here(hook)) for module, hook in after]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
