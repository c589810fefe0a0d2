"""Gradient rollout: rollout of the attention that speaks for a target."""

from __future__ import annotations

from ingest.vision.attention.chain import Averaging
from ingest.vision.attention.method import Maps, Method
from ingest.vision.attention.rollout import DISCARD, RESIDUAL, START
from ingest.vision.tap import Capture, Tile


class GradientRollout:
    wants_tiles = True

    def __init__(self, capture: Capture, residual: float = 0.5, discard: float = 0.0, start: int = 0) -> None:
        self.capture, self.start = capture, start
        self.average = Averaging(capture, residual, discard, start, capture.evidence_query())

    def tile(self, tile: Tile) -> None:
        if tile.layer >= self.start:
            gradients = self.capture.layers[tile.layer].gradient_rows(tile.samples, tile.queries)
            self.average.add(
                tile.layer, tile.samples, tile.queries, gradients.mul_(tile.weights).mean(dim=1).clamp_(min=0)
            )

    def end_layer(self, layer: int) -> None:
        self.average.end_layer(layer)

    def maps(self) -> Maps:
        chain = self.average.chain
        return Maps("gradient_rollout", chain.depths(), None, chain.weights())


METHOD = Method(
    key="gradient_rollout",
    title="Gradient rollout by depth",
    kind="attribution",
    explanation="Rollout in which each layer's attention counts as far as it speaks for the target.",
    formula="CLS row of F̂_d ... F̂_0, F̂ = α I + (1 - α) F with rows summing to 1, F = (mean over heads of A ⊙ ∂s/∂A)⁺",
    source="Gildenblat 2020, Exploring Explainability for Vision Transformers, each layer with its own gradient",
    read=GradientRollout,
    options=(RESIDUAL, DISCARD, START),
    needs=("target",),
    per_head=False,
    depth="Depth",
)
