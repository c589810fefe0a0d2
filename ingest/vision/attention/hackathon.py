"""A map of the Helsinki hackathon, kept so that its published figures can be made again, and named for what it is."""

from __future__ import annotations

import torch

from ingest.vision.attention.method import Maps, Method, by_head
from ingest.vision.tap import Capture, Tile


class LeastToCls:
    wants_tiles = True

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        shape = (capture.batch, len(capture.layers), capture.heads, capture.tokens)
        self.means = torch.zeros(shape, device=capture.device)

    def tile(self, tile: Tile) -> None:
        self.means[tile.samples, tile.layer, :, tile.queries] = tile.weights[..., self.capture.prefix_tokens :].mean(
            dim=-1
        )

    def end_layer(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        return by_head("hackathon", self.means[..., self.capture.prefix_tokens :])


METHOD = Method(
    key="hackathon",
    title="Patch to CLS, inverted (compatibility)",
    kind="attention",
    explanation="As the DHH24 hackathon drew it: bright patches are those that attend LEAST to the special tokens. It "
    "does not show what receives attention.",
    formula="mean over patch keys j of A[l, h, patch, j] = (1 - attention to the special tokens) / N",
    source="Helsinki DH Hackathon 2024, attention_map.py, read correctly",
    read=LeastToCls,
    needs=("self_attention",),
    in_pass=True,
)
