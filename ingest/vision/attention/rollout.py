"""Attention rollout at every depth."""

from __future__ import annotations

from ingest.vision.attention.chain import Averaging
from ingest.vision.attention.method import Maps, Method, Option
from ingest.vision.tap import Capture, Tile

FUSIONS = {
    "mean": lambda weights: weights.mean(dim=1),
    "max": lambda weights: weights.amax(dim=1),
    "min": lambda weights: weights.amin(dim=1),
}
RESIDUAL = Option("residual", "Residual weight α", 0.5, 0.0, 1.0)
DISCARD = Option("discard", "Share of the smallest entries set to 0", 0.0, 0.0, 0.99)
START = Option("start", "First layer", 0, 0, 63)


class Rollout:
    wants_tiles = True

    def __init__(
        self, capture: Capture, residual: float = 0.5, fusion: str = "mean", discard: float = 0.0, start: int = 0
    ) -> None:
        self.average = Averaging(capture, residual, discard, start, sums_to_one=fusion == "mean")
        self.fuse, self.start = FUSIONS[fusion], start

    def tile(self, tile: Tile) -> None:
        if tile.layer >= self.start:
            self.average.add(tile.layer, tile.samples, tile.queries, self.fuse(tile.weights))

    def end_layer(self, layer: int) -> None:
        self.average.end_layer(layer)

    def maps(self) -> Maps:
        chain = self.average.chain
        return Maps("rollout", chain.depths(), None, chain.weights())


METHOD = Method(
    key="rollout",
    title="Attention rollout by depth",
    kind="attention",
    explanation="What has flowed into the picture's summary through all layers up to a depth, heads fused.",
    formula="CLS row of Â_d ... Â_0, Â = α I + (1 - α) F with rows summing to 1, F the heads' mean, maximum or minimum",
    source="Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers; fusion and discarding: Gildenblat 2020",
    read=Rollout,
    options=(RESIDUAL, Option("fusion", "Heads fused by their", "mean", choices=tuple(FUSIONS)), DISCARD, START),
    per_head=False,
    depth="Depth",
    in_pass=True,
)
