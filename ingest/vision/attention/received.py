"""Attention received: the stand-in of the CLS rows for networks that have no CLS token."""

from __future__ import annotations

import torch

from ingest.vision.attention.method import Maps, Method, by_head
from ingest.vision.tap import Capture, Tile


class Received:
    wants_tiles = True

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        layers, heads = len(capture.layers), capture.heads
        self.rows = torch.zeros(capture.batch, layers, heads, capture.tokens, device=capture.device)
        cells = capture.picture_cells.to(capture.device, torch.float32)
        prefix = cells.new_zeros(capture.batch, capture.prefix_tokens)
        self.asking = torch.cat([prefix, cells / cells.sum(1, keepdim=True)], dim=1)

    def tile(self, tile: Tile) -> None:
        asking = self.asking[tile.samples, None, None, tile.queries]
        self.rows[tile.samples, tile.layer] += (asking @ tile.weights).squeeze(2)

    def end_layer(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        return by_head("received", self.rows[..., self.capture.prefix_tokens :])


METHOD = Method(
    key="received",
    title="Attention received by head",
    kind="attention",
    explanation="How much the patches of the picture look at each patch, on average, for each head of each layer.",
    formula="mean over patch queries i of A[l, h, i, patch]",
    source="column mean of the attention matrix; used where a network has no CLS token",
    read=Received,
    needs=("self_attention",),
    of_one_token=True,
    of_summary=True,
    in_pass=True,
)
