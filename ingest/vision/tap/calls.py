"""One call of attention, and its softmax rows in tiles of bounded size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class AttentionCall:
    """One call of scaled dot-product attention.

    `first` (batch, heads, tokens), float32, is the softmax row of the first query, which is the CLS token where there
    is one. `query` (batch, heads, queries, width), `key`, `value` (batch, heads, tokens, width) and `output` are the
    call's own tensors, None if the tap was not asked for them; `bias` (batch, heads, queries, tokens) is None, or
    what is added to the scores. `gradient`, shaped as `output`, is what a target's score changes by with the output,
    where one was asked for.
    """

    first: Tensor
    queries: int
    scale: float
    bias: Tensor | None = None
    query: Tensor | None = None
    key: Tensor | None = None
    value: Tensor | None = None
    output: Tensor | None = None
    gradient: Tensor | None = None

    @property
    def batch(self) -> int:
        return self.first.shape[0]

    @property
    def heads(self) -> int:
        return self.first.shape[1]

    @property
    def tokens(self) -> int:
        return self.first.shape[2]

    def rows(
        self, samples: slice = slice(None), queries: slice = slice(None), workspace: Workspace | None = None
    ) -> Tensor:
        """Softmax rows of the chosen samples and queries, float32 (samples, heads, queries, tokens); rows sum to 1.

        With a workspace they lie in its memory, and last until the next rows are put there.
        """
        return self._scores_and_rows(samples, queries, workspace)[1]

    def tile(self, layer: int, samples: slice, queries: slice, workspace: Workspace) -> Tile:
        """The same rows as the readers of a pass are shown them, with their scores if the workspace keeps these."""
        scores, rows = self._scores_and_rows(samples, queries, workspace)
        if scores is not None and self.bias is not None:
            scores.clamp_(min=LEAST_SCORE)
        return Tile(layer, samples, queries, rows, scores)

    def _scores_and_rows(
        self, samples: slice, queries: slice, workspace: Workspace | None = None
    ) -> tuple[Tensor | None, Tensor]:
        bias = self.bias
        if bias is not None:
            bias = bias[samples, :, queries]
        query, key = captured(self.query)[samples, :, queries], captured(self.key)[samples]
        return softmax_rows(query, key, bias, self.scale, workspace)

    def detached(self, gradient: Tensor) -> AttentionCall:
        """The same call without its graph, and with the gradient of its output."""
        return replace(self, output=captured(self.output).detach(), gradient=gradient)

    def ordered(self, order: Tensor) -> AttentionCall:
        """The same call with its tokens in another order: their places now, the first one first. `first` stays the row
        that the tap was asked for; of a single query only what it asks is put in order."""
        asks = order if self.queries == self.tokens else None

        def moved(tensor: Tensor | None, *dims: tuple[int, Tensor | None]) -> Tensor | None:
            for dim, places in dims:
                if tensor is not None and places is not None:
                    tensor = tensor.index_select(dim, places)
            return tensor

        return replace(
            self,
            first=self.first.index_select(2, order),
            bias=moved(self.bias, (2, asks), (3, order)),
            query=moved(self.query, (2, asks)),
            key=moved(self.key, (2, order)),
            value=moved(self.value, (2, order)),
            output=moved(self.output, (2, asks)),
            gradient=moved(self.gradient, (2, asks)),
        )

    def gradient_rows(
        self, samples: slice = slice(None), queries: slice = slice(None), positive: bool = False
    ) -> Tensor:
        """What the score changes by with each attention weight, ∂s/∂A = (∂s/∂z) vᵀ, float32 (samples, heads, queries,
        tokens); with `positive` only the positive part of ∂s/∂z is taken, channel by channel."""
        gradient = captured(self.gradient)[samples, :, queries].float()
        return (gradient.relu() if positive else gradient) @ captured(self.value)[samples].float().transpose(2, 3)


@dataclass(frozen=True)
class Tile:
    """Some softmax rows of one layer: `weights` (samples, heads, queries, tokens), float32, and the `scores` that they
    are the softmax of, finite; None where no reader `wants_scores`. Both lie in memory that the next tile uses
    again."""

    layer: int
    samples: slice
    queries: slice
    weights: Tensor
    scores: Tensor | None


LEAST_SCORE = -1e30  # in place of -∞ where a token is hidden: its weight is 0, and 0 times it is 0


def captured(part: Tensor | None) -> Tensor:
    """A part of a call that its tap was asked to keep. LookupError if it was not."""
    if part is None:
        raise LookupError("the tap has not recorded this part of the call")
    return part


# Devices on which one sample's product fills the machine; on the others many samples go into one.
SAMPLE_BY_SAMPLE = ("cpu",)


class Workspace:
    """Memory for one tile of softmax rows, used again for each tile: fresh memory for every tile costs a page fault for
    each of its pages, together as much as the arithmetic. Rows take the place of their scores, which spares the caches
    half of what a tile is, unless it `keeps_scores`."""

    def __init__(self, keeps_scores: bool = False) -> None:
        self.keeps_scores = keeps_scores
        self.memory: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """A float32 tensor of this shape; what it held under this name before is lost."""
        size = math.prod(shape)
        buffer = self.memory.get(name)
        if buffer is None or buffer.numel() < size or buffer.device != device:
            buffer = self.memory[name] = torch.empty(size, device=device)
        return buffer[:size].view(shape)


def softmax_rows(
    query: Tensor, key: Tensor, bias: Tensor | None, scale: float, workspace: Workspace | None = None
) -> tuple[Tensor | None, Tensor]:
    """The scores of some queries, None where the workspace does not keep them, and their softmax, each float32
    (samples, heads, queries, tokens)."""
    workspace = workspace or Workspace()
    batch, heads, queries, width = query.shape
    tokens, device = key.shape[2], query.device
    scores = workspace.take("scores", (batch, heads, queries, tokens), device)
    # Sample by sample these are views; flattening (batch, heads) would copy the keys of every layer.
    each = range(batch) if device.type in SAMPLE_BY_SAMPLE else [slice(None)]
    for b in each:
        ask, offer, out = query[b].float(), key[b].float(), scores[b]
        ask, offer, out = (
            ask.reshape(-1, queries, width),
            offer.reshape(-1, tokens, width),
            out.view(-1, queries, tokens),
        )
        torch.baddbmm(out, ask, offer.transpose(1, 2), beta=0, alpha=scale, out=out)
    if bias is not None:
        scores += bias
    if workspace.keeps_scores:
        return scores, torch.softmax(scores, dim=-1, out=workspace.take("rows", scores.shape, device))
    return None, torch.softmax(scores, dim=-1, out=scores)


# Elements of one tile of softmax rows. On a CPU fewer, larger matrix products win over a tile that fits the cache
# (measured at 1,370 tokens: 2 million elements take two thirds of the time of 400,000); a GPU wants to be busy.
TILE_ELEMENTS = {"cpu": 2_200_000, "cuda": 1 << 26, "mps": 1 << 24}


def tiles(call: AttentionCall) -> Iterator[tuple[slice, slice]]:
    """Cuts a call's (samples, queries) into tiles of bounded size, so that no attention matrix is ever held whole."""
    device = call.first.device.type
    budget = TILE_ELEMENTS.get(device, TILE_ELEMENTS["cpu"])
    batch, row = call.batch, call.heads * call.tokens
    samples = 1 if device in SAMPLE_BY_SAMPLE else max(1, min(batch, budget // (row * call.queries)))
    queries = max(1, min(call.queries, budget // (row * samples)))
    for b in range(0, batch, samples):
        for i in range(0, call.queries, queries):
            yield slice(b, min(b + samples, batch)), slice(i, min(i + queries, call.queries))
