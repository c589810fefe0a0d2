"""DAAM: how the evidence for a target gathers, block by block.

The output of a head at the CLS token is a sum over tokens, z[CLS] = Σ_p A[CLS, p] v[p], and so is the change of the
score with it: g · z[CLS] = Σ_p A[CLS, p] (v[p] · g). A block's map is the positive part of that sum's terms, the heads
added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ingest.vision.attention.method import Maps, Method
from ingest.vision.tap import AttentionCall, Capture, Tile, captured

ALPHA = 5.0  # of the sigmoid in the paper's frames


class Daam:
    """A score read from the CLS token (or other special tokens): their rows alone. One read from patches: the terms of
    every query, added."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.queries = capture.evidence_queries
        self.wants_tiles = self.queries is None
        self.terms: dict[int, Tensor] = {}  # by layer

    def tile(self, tile: Tile) -> None:
        if tile.layer not in self.terms:
            self.terms[tile.layer] = torch.zeros(self.capture.batch, self.capture.tokens, device=tile.weights.device)
        call = self.capture.layers[tile.layer]
        gradients = call.gradient_rows(tile.samples, tile.queries, self.capture.positive)
        self.terms[tile.layer][tile.samples] += gradients.mul_(tile.weights).sum(dim=(1, 2))

    def end_layer(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        capture = self.capture
        if self.queries is None:
            terms = [self.terms[layer] for layer in range(len(capture.layers))]
        else:
            terms = [contributions(call, capture.positive, self.queries).sum(dim=1) for call in capture.layers]
        weights = torch.stack(terms, dim=1)[..., capture.prefix_tokens :].relu()
        return Maps("daam", tuple(range(len(capture.layers))), None, weights)


def contributions(call: AttentionCall, positive: bool = False, queries: Sequence[int] = (0,)) -> Tensor:
    """What each token adds to the score through each head of some queries together, Σ_i A[i, p] (v[p] · g[i]), signed
    float32 (batch, heads, tokens); with `positive` only the positive part of g is taken, channel by channel."""
    terms = []
    gradients, value = captured(call.gradient), captured(call.value).float()
    for query in queries:
        gradient = gradients[:, :, query].float()
        gradient = gradient.relu() if positive else gradient
        row = call.first if query == 0 else call.rows(queries=slice(query, query + 1))[:, :, 0]
        terms.append(row * (value @ gradient[..., None])[..., 0])
    return terms[0] if len(terms) == 1 else torch.stack(terms).sum(dim=0)


def accumulate(blocks: np.ndarray) -> np.ndarray:
    """The maps of blocks (blocks, rows, cols) added along the residual stream: frame l is the sum of blocks 0 to l."""
    return np.cumsum(np.asarray(blocks, dtype=np.float64), axis=0)


def honest_frames(blocks: np.ndarray) -> np.ndarray:
    """Frames (blocks, rows, cols) in 0..1 on one scale: the accumulated maps over the greatest value of the last."""
    gathered = accumulate(blocks)
    top = gathered[-1].max()
    return (gathered / top if top > 0 else np.zeros_like(gathered)).astype(np.float32)


def seed_frames(blocks: np.ndarray) -> np.ndarray:
    """Frames (blocks, rows, cols) in 0..1 as the paper's code draws them: bent by a sigmoid, and each stretched from
    its own least to its own greatest value, so that early blocks look as strong as late ones."""
    bent = 1 / (1 + np.exp(-ALPHA * honest_frames(blocks).astype(np.float64))) - 0.5
    low = bent.min(axis=(1, 2), keepdims=True)
    spread = bent.max(axis=(1, 2), keepdims=True) - low
    return np.where(spread > 0, (bent - low) / np.where(spread > 0, spread, 1), 0).astype(np.float32)


METHOD = Method(
    key="daam",
    title="DAAM by block",
    kind="attribution",
    explanation="Where the evidence for the target comes from in each block; added up, how it gathers.",
    formula="(Σ over heads and channels of w · A[CLS, p] · v[p])⁺, w = ∂s/∂z[CLS], its positive part for a class; "
    "where the score is read from patches the terms of all queries are added",
    source="Liao et al. 2025, Dynamic Accumulated Attention Map, Pattern Recognition 165",
    read=Daam,
    needs=("target",),
    per_head=False,
    accumulates=True,
    depth="Block",
)
