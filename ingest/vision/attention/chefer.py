"""Chefer's relevance, the rule of 2021 for attention of any kind."""

from __future__ import annotations

from ingest.vision.attention.chain import Chain
from ingest.vision.attention.method import Maps, Method
from ingest.vision.attention.rollout import START
from ingest.vision.tap import Capture, Tile


class Chefer:
    wants_tiles = True

    def __init__(self, capture: Capture, start: int = 0) -> None:
        self.capture, self.start = capture, start
        self.chain = Chain(capture, start, capture.evidence_query())

    def tile(self, tile: Tile) -> None:
        if tile.layer >= self.start:
            gradients = self.capture.layers[tile.layer].gradient_rows(tile.samples, tile.queries)
            relevance = gradients.mul_(tile.weights).clamp_(min=0).mean(dim=1)
            self.chain.add(tile.layer, tile.samples, tile.queries, relevance)

    def end_layer(self, layer: int) -> None:
        self.chain.end_layer(layer)

    def maps(self) -> Maps:
        return Maps("chefer", self.chain.depths(), None, self.chain.weights())


METHOD = Method(
    key="chefer",
    title="Relevance after Chefer by depth",
    kind="attribution",
    explanation="The evidence for the target that attention has carried into the picture's summary up to a depth.",
    formula="CLS row of R (or the rows of what the score is read from), R ← R + E R from R = I, E = mean over heads of "
    "(A ⊙ ∂s/∂A)⁺, layer by layer",
    source="Chefer, Gur and Wolf 2021 (ICCV), Generic Attention-model Explainability",
    read=Chefer,
    options=(START,),
    needs=("target",),
    per_head=False,
    depth="Depth",
)
