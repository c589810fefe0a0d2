"""DAAM's summands: what each head adds to the evidence, and how important each head is."""

from __future__ import annotations

import torch
from torch import Tensor

from ingest.vision.attention.daam import contributions
from ingest.vision.attention.method import Maps, Method, by_head
from ingest.vision.tap import Capture, Tile, captured


class DaamHeads:
    """As Daam, before the heads are added."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.queries = capture.evidence_queries
        self.wants_tiles = self.queries is None
        shape = (capture.batch, len(capture.layers), capture.heads, capture.tokens)
        self.terms = torch.zeros(shape, device=capture.device)

    def tile(self, tile: Tile) -> None:
        gradients = self.capture.layers[tile.layer].gradient_rows(tile.samples, tile.queries, self.capture.positive)
        self.terms[tile.samples, tile.layer] += gradients.mul_(tile.weights).sum(dim=2)

    def end_layer(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        capture = self.capture
        if self.queries is not None:
            terms = [contributions(call, capture.positive, self.queries) for call in capture.layers]
            self.terms = torch.stack(terms, dim=1)
        return by_head("daam_heads", self.terms[..., capture.prefix_tokens :].relu())


def head_importance(capture: Capture) -> Tensor:
    """|z · ∂s/∂z| of each head at the CLS token, float32 (batch, layers, heads); where the score is read from patches,
    z and its gradient of all queries.

    Source: Michel, Levy and Neubig 2019, Are Sixteen Heads Really Better than One?
    """
    queries = capture.evidence_queries
    asked = slice(None) if queries is None else slice(0, 1) if queries == (0,) else list(queries)
    products = [
        (captured(call.output)[:, :, asked].detach().float() * captured(call.gradient)[:, :, asked].float()).sum(
            dim=(2, 3)
        )
        for call in capture.layers
    ]
    return torch.stack(products, dim=1).abs()


METHOD = Method(
    key="daam_heads",
    title="DAAM by head",
    kind="attribution",
    explanation="Where each head of each block finds evidence for the target.",
    formula="(Σ over channels of w · A[h, CLS, p] · v[h, p])⁺, the summands of DAAM",
    source="Liao et al. 2025, Dynamic Accumulated Attention Map, Pattern Recognition 165, before the sum over heads",
    read=DaamHeads,
    needs=("target",),
)
