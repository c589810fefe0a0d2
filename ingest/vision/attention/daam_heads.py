"""DAAM's summands: what each head adds to the evidence, and how important each head is."""

from __future__ import annotations

import torch
from torch import Tensor

from ingest.vision.attention.daam import contributions
from ingest.vision.attention.method import Maps, Method, by_head
from ingest.vision.tap import Capture


class DaamHeads:
    """As Daam, before the heads are added."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.wants_tiles = not capture.has_cls
        shape = (capture.batch, len(capture.layers), capture.heads, capture.tokens)
        self.terms = torch.zeros(shape, device=capture.device)

    def tile(self, layer: int, samples: slice, queries: slice, weights: Tensor) -> None:
        gradients = self.capture.layers[layer].gradient_rows(samples, queries, self.capture.positive)
        self.terms[samples, layer] += gradients.mul_(weights).sum(dim=2)

    def leave(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        capture = self.capture
        if capture.has_cls:
            self.terms = torch.stack([contributions(call, capture.positive) for call in capture.layers], dim=1)
        return by_head("daam_heads", self.terms[..., capture.prefix_tokens :].relu())


def head_importance(capture: Capture) -> Tensor:
    """|z · ∂s/∂z| of each head at the CLS token, float32 (batch, layers, heads); without a CLS token z and its gradient
    of all queries. Source: Michel, Levy and Neubig 2019, Are Sixteen Heads Really Better than One?"""
    asked = slice(0, 1) if capture.has_cls else slice(None)
    products = [
        (call.output[:, :, asked].detach().float() * call.gradient[:, :, asked].float()).sum(dim=(2, 3))
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
