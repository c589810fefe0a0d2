"""Attention rollout at every depth, by vector-matrix products from the last layer to the first.

Rollout multiplies the layers' matrices, Â = α I + (1 - α) mean over heads of A; only the row of the query that stands
for the picture is shown. That row of the product Â_d ... Â_0 is r ← r Â_l for l = d, d-1, ..., 0, and the rows of
all depths d can travel together: at layer l the rows of the depths ≥ l are multiplied by one matrix. No product of two
matrices is formed and no attention matrix is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ingest.vision.attention.method import Maps, Method, Option
from ingest.vision.tap import Capture


class Rollout:
    wants_tiles = True

    def __init__(self, capture: Capture, residual: float = 0.5) -> None:
        self.capture, self.residual = capture, residual
        self.start = capture.summary_query()[:, None]
        self.rows = self.start[:, :0]  # (batch, depths under way, tokens), deepest last
        self.mixed: Tensor | None = None
        self.layer = len(capture.layers)

    def tile(self, layer: int, samples: slice, queries: slice, weights: Tensor) -> None:
        if layer != self.layer:
            self.layer = layer
            self.rows = torch.cat([self.start, self.rows], dim=1)
            self.mixed = torch.zeros_like(self.rows)
        self.mixed[samples] += self.rows[samples, :, queries] @ weights.mean(dim=1)

    def leave(self, layer: int) -> None:
        asked = self.capture.layers[layer].queries
        mixed = (1 - self.residual) * self.mixed
        mixed[..., :asked] += self.residual * self.rows[..., :asked]
        # Class attention asks with the CLS token alone: the other tokens pass through unchanged.
        mixed[..., asked:] += self.rows[..., asked:]
        self.rows = mixed

    def maps(self) -> Maps:
        depths = tuple(range(self.rows.shape[1]))
        return Maps("rollout", depths, None, self.rows[..., self.capture.prefix_tokens :])


METHOD = Method(
    key="rollout",
    title="Attention rollout by depth",
    kind="attention",
    explanation="What has flowed into the picture's summary through all layers up to a depth, heads averaged.",
    formula="CLS row of Â_d ... Â_0 with Â = α I + (1 - α) mean over heads of A, α = 0.5",
    source="Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers",
    read=Rollout,
    options=(Option("residual", "Residual weight α", 0.5, 0.0, 1.0),),
    per_head=False,
)
