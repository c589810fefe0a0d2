"""The tap: one way to read the attention of every vision transformer.

Current transformers all call `torch.nn.functional.scaled_dot_product_attention` with the queries, keys and values as
the softmax meets them (after rotary positions, after query/key norms). The tap looks for that one function while a
forward pass runs, keeps references to its arguments and changes nothing: fused kernels stay on, no module is named,
and since a function mode is per thread, several sessions can share one loaded model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class NotAVisionTransformer(Exception):
    """The network's attention does not lie on one grid of patches (or it has none)."""


IN_WINDOWS = (
    "its attention lies in windows, and so has no one grid of patches; windowed and hierarchical transformers such as "
    "Swin have no map over the whole picture"
)


@dataclass(frozen=True)
class AttentionCall:
    """One call of scaled dot-product attention.

    `first` (batch, heads, tokens), float32, is the softmax row of the first query, which is the CLS token where there
    is one. `query` (batch, heads, queries, width), `key`, `value` (batch, heads, tokens, width) and `output` are the
    call's own tensors, None if the tap was told not to keep them; `bias` (batch, heads, queries, tokens) is None, or
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
        bias = self.bias
        if bias is not None:
            bias = bias[samples, :, queries]
        return _softmax_rows(
            captured(self.query)[samples, :, queries], captured(self.key)[samples], bias, self.scale, workspace
        )

    def detached(self, gradient: Tensor) -> AttentionCall:
        """The same call without its graph, and with the gradient of its output."""
        return replace(self, output=captured(self.output).detach(), gradient=gradient)

    def ordered(self, order: Tensor) -> AttentionCall:
        """The same call with its tokens in another order: their places now, the first one first. `first` stays the row
        that the tap was told to take; of a single query only what it asks is put in order."""
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


def captured(part: Tensor | None) -> Tensor:
    """A part of a call that its tap was asked to keep. LookupError if it was not."""
    if part is None:
        raise LookupError("the tap has not kept this part of the call")
    return part


# Devices on which one sample's product fills the machine; on the others many samples go into one.
SAMPLE_BY_SAMPLE = ("cpu",)


class Workspace:
    """Memory for one tile of scores and of softmax rows, used again for each tile: fresh memory for every tile costs
    a page fault for each of its pages, together as much as the arithmetic."""

    def __init__(self) -> None:
        self.memory: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """A float32 tensor of this shape; what it held under this name before is lost."""
        size = math.prod(shape)
        buffer = self.memory.get(name)
        if buffer is None or buffer.numel() < size or buffer.device != device:
            buffer = self.memory[name] = torch.empty(size, device=device)
        return buffer[:size].view(shape)


def _softmax_rows(
    query: Tensor, key: Tensor, bias: Tensor | None, scale: float, workspace: Workspace | None = None
) -> Tensor:
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
    return torch.softmax(scores, dim=-1, out=workspace.take("rows", scores.shape, device))


class Tap(TorchFunctionMode):
    """Records the attention calls made in this thread while it is entered: `with Tap() as tap: model(x)`.

    `tokens` keeps queries and keys, from which any softmax row can be made; `values` keeps values and outputs. What is
    not kept is freed as the pass goes on, and the pass is the quicker for it. With `gradients` the first call's output
    is where a graph begins that `torch.autograd.grad` can follow from any score back to every output: the weights
    are left out of it, and what lies before the first call costs nothing. `first` is the place of the query whose row
    is computed at once: the CLS token's.
    """

    def __init__(self, tokens: bool = True, values: bool = True, gradients: bool = False, first: int = 0) -> None:
        super().__init__()
        self.tokens, self.values, self.gradients, self.first = tokens, values, gradients, first
        self.calls: list[AttentionCall] = []
        self.pooling: AttentionCall | None = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._pool(func, args, kwargs)
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            if self.gradients and not output.requires_grad:
                output.requires_grad_()
            self.calls.append(self._record(output, *args, **kwargs))
        return output

    def _pool(self, func, args, kwargs):
        """A pooling head written as `nn.MultiheadAttention`, which multiplies its matrices itself."""
        wanted, mean = kwargs.get("need_weights", True), kwargs.get("average_attn_weights", True)
        output, weights = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        queries, tokens = weights.shape[2:]
        if queries == 1 and tokens > 1:
            parts = {"output": output} if self.gradients else {}
            self.pooling = AttentionCall(weights[:, :, 0].detach().float(), queries, scale=1.0, **parts)
        if not wanted:
            return output, None
        return output, weights.mean(dim=1) if mean else weights

    def _record(
        self,
        output: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> AttentionCall:
        query, key, value = query.detach(), key.detach(), value.detach()  # the graph goes through the output alone
        if query.ndim != 4:
            raise NotAVisionTransformer(IN_WINDOWS)
        if is_causal:
            raise NotAVisionTransformer("this network masks the future: it reads text, not pictures")
        if enable_gqa and key.shape[1] != query.shape[1]:
            shared = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            hidden = torch.zeros_like(attn_mask, dtype=torch.float32)
            attn_mask = hidden.masked_fill(~attn_mask, float("-inf"))
        if scale is None:
            scale = query.shape[-1] ** -0.5
        bias = None
        if attn_mask is not None:
            bias = attn_mask.expand(*query.shape[:3], key.shape[2])
        at = self.first if self.first < query.shape[2] else 0  # in class attention one token alone asks
        row = slice(at, at + 1)
        first = _softmax_rows(query[:, :, row], key, bias if bias is None else bias[:, :, row], scale)[:, :, 0]
        parts = {"query": query, "key": key} if self.tokens else {}
        if self.values:
            parts |= {"value": value, "output": output}
        return AttentionCall(first, query.shape[2], scale, bias if self.tokens else None, **parts)


@dataclass(frozen=True)
class Capture:
    """A captured forward pass over a batch: what every attention method reads.

    `layers`: the attention calls of the blocks, first to last. Tokens are `prefix_tokens` special ones (CLS first if
    `has_cls`, then distillation token or registers) followed by rows * cols patches in reading order.
    `picture_cells`: bool (batch, rows * cols), False where a padded input shows no picture. `pooling` is the call of a
    pooling head (SigLIP), whose one learnt query asks the patches after the last block. `residual` (batch, tokens,
    width) is what the last block leaves, before the final norm; None where it was not asked for. `positive` says that
    the gradients are of a class score, of which DAAM takes the positive part. `norms` (batch,) are the lengths of the
    features before they were brought to length 1. `read` (batch, tokens), where there are gradients, is each token's
    share of the gradient after the last block: which ones the score is read from; `through_pooling` says whether it is
    read through the pooling head.
    """

    layers: tuple[AttentionCall, ...]
    rows: int
    cols: int
    prefix_tokens: int
    has_cls: bool
    patch: int
    picture_cells: Tensor
    pooling: AttentionCall | None = None
    residual: Tensor | None = None
    positive: bool = False
    norms: Tensor | None = None
    read: Tensor | None = None
    through_pooling: bool = True

    @property
    def batch(self) -> int:
        return self.layers[0].batch

    @property
    def heads(self) -> int:
        return self.layers[0].heads

    @property
    def tokens(self) -> int:
        return self.prefix_tokens + self.rows * self.cols

    @property
    def device(self) -> torch.device:
        return self.layers[0].first.device

    def summary_query(self) -> Tensor:
        """Weights over the tokens (batch, tokens), summing to 1, of the query that stands for the whole picture.

        The CLS token; where there is none, what the pooling head asks, its heads averaged; where there is neither,
        the mean of the patches that show picture.
        """
        weights = torch.zeros(self.batch, self.tokens, device=self.device)
        if self.has_cls:
            weights[:, 0] = 1.0
        elif self.pooling is not None:
            # Some heads pool the special tokens too, others the patches alone.
            weights[:, -self.pooling.tokens :] = self.pooling.first.mean(dim=1)
        else:
            cells = self.picture_cells.to(self.device, torch.float32)
            weights[:, self.prefix_tokens :] = cells / cells.sum(1, keepdim=True)
        return weights

    @property
    def evidence_queries(self) -> tuple[int, ...] | None:
        """The queries through which a target's score gathers its evidence: the special tokens that it is read from, CLS
        alone for most networks; None for all queries, where it is read from patches too."""
        if not self.has_cls or self.layers[0].queries == 1 or self.read is None:
            return (0,) if self.has_cls else None
        read = (self.read > UNREAD).any(dim=0)
        if read[self.prefix_tokens :].any():
            return None
        return tuple(read.nonzero()[:, 0].tolist()) or (0,)

    def evidence_query(self) -> Tensor:
        """Weights over the tokens (batch, tokens), summing to 1, of what a target's score is read from.

        The CLS token where it alone is read. Where patches alone are, what the pooling head asks, if it is read
        through that, else the mean of the patches that show picture; where both or several special tokens are, each by
        its share of the gradient.
        """
        queries = self.evidence_queries
        if queries == (0,):
            return self.summary_query()
        read = self.read
        if read is None or (queries is None and not (read[:, : self.prefix_tokens] > UNREAD).any()):
            pooling = self.pooling if self.through_pooling else None
            return replace(self, has_cls=False, pooling=pooling).summary_query()
        return read


UNREAD = 1e-6  # of the gradient: a share that is rounding


def block_calls(
    calls: list[AttentionCall], patches: int
) -> tuple[tuple[AttentionCall, ...], int, AttentionCall | None]:
    """The calls that belong to blocks, the number of prefix tokens, and the call of a pooling head if there is one,
    given the number of patches.

    Self-attention models: the calls whose queries are all tokens; a call after them with a single query pools.
    Class-attention models (XCiT, CaiT) have none of these: their calls ask with the CLS token alone.
    Raises NotAVisionTransformer for windowed or hierarchical attention.
    """
    blocks = [call for call in calls if call.queries == call.tokens]
    single = [call for call in calls if call.queries == 1 and call.tokens >= patches]
    pooling = single[-1] if blocks and single else None
    blocks = blocks or [call for call in single if call.tokens > patches]
    if not blocks:
        raise NotAVisionTransformer(
            "no attention over patches was seen in this network; a plain vision transformer is needed "
            "(ViT, DeiT, DINO, DINOv2, DINOv3, CLIP, SigLIP, BEiT, EVA, XCiT, CaiT …)"
        )
    shapes = {(call.tokens, call.heads, call.batch) for call in blocks}
    prefix = blocks[0].tokens - patches
    if len(shapes) > 1 or prefix < 0:
        raise NotAVisionTransformer(
            f"the attention of this network does not lie on one grid of {patches} patches "
            f"(tokens, heads and batch of its calls: {sorted(shapes)}); windowed and hierarchical transformers "
            "such as Swin have no map over the whole picture"
        )
    return tuple(blocks), prefix, pooling


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
