"""Rows of long matrix products, without ever forming a product of two matrices.

Rollout and its relatives multiply one matrix a layer, B_d ... B_0, and show the row of the query that stands for the
picture. That row is r ← r B_l for l = d, d-1, ..., 0, and the rows of all depths d can travel together: at layer l the
rows of the depths ≥ l are multiplied by one matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ingest.vision.tap import Capture


class Chain:
    """The rows on their way; layers come last to first, and those below `start` are left out. `query` (batch, tokens)
    replaces the capture's summary query."""

    def __init__(self, capture: Capture, start: int = 0, query: Tensor | None = None) -> None:
        if not 0 <= start < len(capture.layers):
            raise ValueError(f"start is a layer between 0 and {len(capture.layers) - 1}, not {start}")
        self.capture, self.start = capture, start
        self.summary = (capture.summary_query() if query is None else query)[:, None]
        self.rows = self.summary[:, :0]  # (batch, depths under way, tokens), deepest last
        self.mixed = self.rows
        self.layer = len(capture.layers)

    def add(
        self,
        layer: int,
        samples: slice,
        queries: slice,
        matrix: Tensor,
        weight: Tensor | float = 1.0,
        keep: Tensor | float = 1.0,
    ) -> None:
        """Multiplies by some rows of this layer's B = weight · matrix + keep · I; `matrix` (samples, queries, tokens),
        `weight` and `keep` numbers or (samples, queries)."""
        self._enter(layer)
        rows = self.rows[samples, :, queries]
        self.mixed[samples] += (rows * _over_depths(weight)) @ matrix
        self.mixed[samples, :, queries] += rows * _over_depths(keep)

    def end_layer(self, layer: int) -> None:
        """Ends a layer. In class attention only the CLS token asks: the other tokens pass through unchanged."""
        if layer < self.start:
            return
        asked = self.capture.layers[layer].queries
        self.mixed[..., asked:] += self.rows[..., asked:]
        self.rows = self.mixed

    def depths(self) -> tuple[int, ...]:
        return tuple(range(self.start, len(self.capture.layers)))

    def weights(self) -> Tensor:
        """(batch, depths, patches)"""
        return self.rows[..., self.capture.prefix_tokens :]

    def _enter(self, layer: int) -> None:
        if layer != self.layer:
            self.layer = layer
            self.rows = torch.cat([self.summary, self.rows], dim=1)
            self.mixed = torch.zeros_like(self.rows)


class Averaging:
    """A chain of B = (α I + (1 - α) F), its rows made to sum to 1, F a layer's heads fused into one matrix.

    `discard`: of each picture's F this share of its entries, the smallest, is set to 0 first, CLS → CLS excepted.
    """

    def __init__(
        self, capture: Capture, residual: float, discard: float, start: int, query: Tensor | None = None
    ) -> None:
        self.chain = Chain(capture, start, query)
        self.capture, self.residual, self.discard = capture, residual, discard
        self.whole: Tensor | None = None
        self.layer = len(capture.layers)

    def add(self, layer: int, samples: slice, queries: slice, fused: Tensor, sums_to_one: bool = False) -> None:
        """Some rows of F (samples, queries, tokens)."""
        if not self.discard:
            self._multiply(layer, samples, queries, fused, sums_to_one)
            return
        if layer != self.layer or self.whole is None:
            call = self.capture.layers[layer]
            self.layer, self.whole = layer, fused.new_empty(call.batch, call.queries, call.tokens)
        self.whole[samples, queries] = fused

    def end_layer(self, layer: int) -> None:
        if self.discard and self.whole is not None and layer >= self.chain.start:
            samples, queries = (slice(0, count) for count in self.whole.shape[:2])
            self._multiply(layer, samples, queries, self._without_least(self.whole), False)
            self.whole = None
        self.chain.end_layer(layer)

    def _multiply(self, layer: int, samples: slice, queries: slice, fused: Tensor, sums_to_one: bool) -> None:
        weight, keep = 1 - self.residual, self.residual
        if not sums_to_one:
            total = keep + weight * fused.sum(dim=-1)
            total = torch.where(total > 0, total, 1)  # a row of nothing but zeros passes nothing on
            weight, keep = weight / total, keep / total
        self.chain.add(layer, samples, queries, fused, weight, keep)

    def _without_least(self, fused: Tensor) -> Tensor:
        flat = fused.flatten(1)
        smallest = torch.topk(flat, int(self.discard * flat.shape[1]), dim=1, largest=False).indices
        kept = flat.scatter(1, smallest, 0.0)
        if self.capture.has_cls:
            kept[:, 0] = flat[:, 0]
        return kept.view_as(fused)


def _over_depths(value: Tensor | float) -> Tensor | float:
    return value[:, None] if isinstance(value, Tensor) else value
