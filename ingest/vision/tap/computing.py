"""The tap that computes attention itself, so that no softmax row is computed twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ingest.vision.tap.arguments import Arguments, arguments
from ingest.vision.tap.calls import AttentionCall, Tile, Workspace, tiles
from ingest.vision.tap.capture import Capture


class TileReader(Protocol):
    """What is shown the softmax rows of every query, layer by layer: `tile` with each tile, `end_layer` when a layer is
    through. The tile's numbers lie in memory that the next one uses again: a reader keeps what it computes from them,
    never the tile. One that is to see the scores too says that it `wants_scores`."""

    wants_tiles: bool

    def tile(self, tile: Tile) -> None: ...

    def end_layer(self, layer: int) -> None: ...


def workspace_for(readers: Iterable[TileReader]) -> Workspace:
    """Memory for what these readers are to see."""
    return Workspace(keeps_scores=any(getattr(reader, "wants_scores", False) for reader in readers))


class ComputingTap(TorchFunctionMode):
    """Computes the blocks' attention in this thread while it is entered, tile by tile: scores, softmax, output, and the
    same softmax rows to all `readers`, the first layer first. A fused kernel that forms no rows is hardly quicker on a
    CPU, and rows made anew after it cost as much again.

    `capture` is that of the pass to come (`Capture.to_come`), whose rows of the first query are filled in. A call that
    is none of a block, or not as it says, is left to torch; `computed` counts the others.
    """

    def __init__(self, capture: Capture, readers: Iterable[TileReader]) -> None:
        super().__init__()
        self.capture, self.readers = capture, [reader for reader in readers if reader.wants_tiles]
        self.computed = 0
        self.workspace = workspace_for(self.readers)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            asked = arguments(*args, **kwargs)
            if self._is_block(asked):
                return self._compute(asked)
        return func(*args, **kwargs)

    def _is_block(self, asked: Arguments) -> bool:
        capture = self.capture
        return (
            self.computed < len(capture.layers)
            and asked.query.shape[:3] == (capture.batch, capture.heads, capture.tokens)
            and asked.is_whole
            and asked.query.dtype == torch.float32
            and not asked.dropout
        )

    def _compute(self, asked: Arguments) -> Tensor:
        layer, query, value = self.computed, asked.query, asked.value
        batch, heads, queries, _ = query.shape
        first = self.capture.layers[layer].first
        call = AttentionCall(first, queries, asked.scale, asked.bias, query, asked.key)
        # Laid out as the next operation wants it, which joins the heads of a token.
        output = query.new_empty(batch, queries, heads, value.shape[3]).transpose(1, 2)
        for samples, rows in tiles(call):
            tile = call.tile(layer, samples, rows, self.workspace)
            for place, weights in zip(range(*samples.indices(batch)), tile.weights, strict=True):
                torch.bmm(weights, value[place], out=output[place, :, rows])
            if rows.start == 0:
                first[samples] = tile.weights[:, :, 0]
            for reader in self.readers:
                reader.tile(tile)
        for reader in self.readers:
            reader.end_layer(layer)
        self.computed += 1
        return output
