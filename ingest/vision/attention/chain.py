"""Rows of long matrix products, without ever forming a product of two matrices.

Rollout and its relatives multiply one matrix a layer, B_d ... B_0, and show the row of the query that stands for the
picture. That row is r ← r B_l for l = d, d-1, ..., 0, and the rows of all depths d can travel together: at layer l the
rows of the depths ≥ l are multiplied by one matrix.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ingest.vision.tap import AttentionCall, Capture


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
    `sums_to_one` says that the rows of F do. Layers may come in any order: one that comes before the layer behind it
    waits for it.
    """

    def __init__(
        self,
        capture: Capture,
        residual: float,
        discard: float,
        start: int,
        query: Tensor | None = None,
        sums_to_one: bool = False,
    ) -> None:
        self.chain = Chain(capture, start, query)
        self.capture, self.residual, self.discard = capture, residual, discard
        self.sums_to_one = sums_to_one and not discard
        self.next = len(capture.layers) - 1
        self.waiting: dict[int, _Whole] = {}

    def add(self, layer: int, samples: slice, queries: slice, fused: Tensor) -> None:
        """Some rows of F (samples, queries, tokens)."""
        if layer == self.next and not self.discard:
            self._multiply(layer, samples, queries, fused)
            return
        if layer not in self.waiting:
            self.waiting[layer] = _Whole(self.capture.layers[layer], compact=layer != self.next)
        self.waiting[layer].put(samples, queries, fused)

    def end_layer(self, layer: int) -> None:
        if layer != self.next:
            return
        self._multiply_waiting(layer)
        while self.next in self.waiting:
            self._multiply_waiting(self.next)

    def _multiply_waiting(self, layer: int) -> None:
        whole = self.waiting.pop(layer, None)
        if whole is not None:
            for samples, fused in whole.by_sample():
                fused = self._without_least(fused) if self.discard else fused
                self._multiply(layer, samples, slice(0, fused.shape[1]), fused)
        self.chain.end_layer(layer)
        self.next = layer - 1

    def _multiply(self, layer: int, samples: slice, queries: slice, fused: Tensor) -> None:
        weight, keep = 1 - self.residual, self.residual
        if not self.sums_to_one:
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


LARGEST_EXACT = 1024  # tokens: larger matrices wait in half precision, which halves what a pass holds at its end
_STEP = 2.0**15  # 1 becomes 32,768, so that shares down to 2e-9 have the full precision of a half


class _Whole:
    """A layer's heads fused, all of it. `compact`: large ones are held in half precision, each entry to 1 in 2,000."""

    def __init__(self, call: AttentionCall, compact: bool) -> None:
        self.half = compact and call.tokens > LARGEST_EXACT
        kind = torch.float16 if self.half else torch.float32
        shape = call.batch, call.queries, call.tokens
        self.values = torch.empty(shape, dtype=kind, device=call.first.device)

    def put(self, samples: slice, queries: slice, fused: Tensor) -> None:
        self.values[samples, queries] = fused.mul_(_STEP) if self.half else fused

    def by_sample(self) -> Iterator[tuple[slice, Tensor]]:
        for place in range(len(self.values)):
            samples = slice(place, place + 1)
            yield samples, self.values[samples].float() / _STEP if self.half else self.values[samples]


def _over_depths(value: Tensor | float) -> Tensor | float:
    return value[:, None] if isinstance(value, Tensor) else value
