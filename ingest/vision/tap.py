"""The tap: one way to read the attention of every vision transformer.

Current transformers all call `torch.nn.functional.scaled_dot_product_attention` with the queries, keys and values as
the softmax meets them (after rotary positions, after query/key norms). The tap looks for that one function while a
forward pass runs, keeps references to its arguments and changes nothing: fused kernels stay on, no module is named,
and since a function mode is per thread, several sessions can share one loaded model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class NotAVisionTransformer(Exception):
    """The network's attention does not lie on one grid of patches (or it has none)."""


@dataclass(frozen=True)
class AttentionCall:
    """One call of scaled dot-product attention.

    `query` (batch, heads, queries, width); `key`, `value` (batch, heads, tokens, width); `bias` None, or what is added
    to the scores, broadcastable to (batch, heads, queries, tokens); `output` as the call returned it.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None
    scale: float
    output: Tensor

    @property
    def heads(self) -> int:
        return self.query.shape[1]

    @property
    def queries(self) -> int:
        return self.query.shape[2]

    @property
    def tokens(self) -> int:
        return self.key.shape[2]

    def rows(self, samples: slice = slice(None), queries: slice = slice(None)) -> Tensor:
        """Softmax rows of the chosen samples and queries, float32 (samples, heads, queries, tokens); rows sum to 1."""
        query = self.query[samples, :, queries].float()
        key = self.key[samples].float()
        if len(query) == 1:
            # A batch of one stays a view: flattening (batch, heads) would copy the keys of every layer.
            scores = torch.bmm(query[0] * self.scale, key[0].transpose(1, 2)).unsqueeze(0)
        else:
            scores = (query * self.scale) @ key.transpose(2, 3)
        if self.bias is not None:
            batch, heads, length = len(self.query), self.heads, self.queries
            bias = self.bias.expand(batch, heads, length, self.tokens)[samples, :, queries]
            scores = scores + bias.float()
        return torch.softmax(scores, dim=-1)


class Tap(TorchFunctionMode):
    """Records the attention calls made in this thread while it is entered: `with Tap() as tap: model(x)`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[AttentionCall] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if func is F.scaled_dot_product_attention:
            self.calls.append(_record(output, *args, **(kwargs or {})))
        return output


def _record(
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
    return AttentionCall(query, key, value, attn_mask, scale, output)


@dataclass(frozen=True)
class Capture:
    """A captured forward pass over a batch: what every attention method reads.

    `layers`: the attention calls of the blocks, first to last. Tokens are `prefix_tokens` special ones (CLS first if
    `has_cls`, then distillation token or registers) followed by rows * cols patches in reading order.
    `picture_cells`: bool (batch, rows * cols), False where a padded input shows no picture.
    """

    layers: tuple[AttentionCall, ...]
    rows: int
    cols: int
    prefix_tokens: int
    has_cls: bool
    patch: int
    picture_cells: Tensor

    @property
    def batch(self) -> int:
        return len(self.layers[0].query)

    @property
    def heads(self) -> int:
        return self.layers[0].heads

    @property
    def tokens(self) -> int:
        return self.prefix_tokens + self.rows * self.cols

    @property
    def device(self) -> torch.device:
        return self.layers[0].query.device

    def summary_query(self) -> Tensor:
        """Weights over the tokens (batch, tokens), summing to 1, of the query that stands for the whole picture.

        The CLS token; where there is none, the mean of the patches that show picture.
        """
        weights = torch.zeros(self.batch, self.tokens, device=self.device)
        if self.has_cls:
            weights[:, 0] = 1.0
        else:
            cells = self.picture_cells.to(self.device, torch.float32)
            weights[:, self.prefix_tokens :] = cells / cells.sum(1, keepdim=True)
        return weights


def block_calls(calls: list[AttentionCall], patches: int) -> tuple[tuple[AttentionCall, ...], int]:
    """The calls that belong to blocks, and the number of prefix tokens, given the number of patches.

    Self-attention models: the calls whose queries are all tokens (a pooling head with its single query is left out).
    Class-attention models (XCiT, CaiT) have none of these: their calls ask with the CLS token alone.
    Raises NotAVisionTransformer for windowed or hierarchical attention.
    """
    blocks = [call for call in calls if call.queries == call.tokens]
    blocks = blocks or [call for call in calls if call.queries == 1 and call.tokens > patches]
    if not blocks:
        raise NotAVisionTransformer(
            "no attention over patches was seen in this network; a plain vision transformer is needed "
            "(ViT, DeiT, DINO, DINOv2, DINOv3, CLIP, SigLIP, BEiT, EVA, XCiT, CaiT …)"
        )
    shapes = {(call.tokens, call.heads, len(call.query)) for call in blocks}
    prefix = blocks[0].tokens - patches
    if len(shapes) > 1 or prefix < 0 or prefix > 64:
        raise NotAVisionTransformer(
            f"the attention of this network does not lie on one grid of {patches} patches "
            f"(tokens, heads and batch of its calls: {sorted(shapes)}); windowed and hierarchical transformers "
            "such as Swin have no map over the whole picture"
        )
    return tuple(blocks), prefix


# Elements of one tile of softmax rows: small enough for a core's cache, large enough for a GPU to be busy.
TILE_ELEMENTS = {"cpu": 400_000, "cuda": 1 << 26, "mps": 1 << 24}


def tiles(call: AttentionCall) -> Iterator[tuple[slice, slice]]:
    """Cuts a call's (samples, queries) into tiles of bounded size, so that no attention matrix is ever held whole."""
    budget = TILE_ELEMENTS.get(call.query.device.type, TILE_ELEMENTS["cpu"])
    batch, row = len(call.query), call.heads * call.tokens
    on_cpu = call.query.device.type == "cpu"
    samples = 1 if on_cpu else max(1, min(batch, budget // (row * call.queries)))
    queries = max(1, min(call.queries, budget // (row * samples)))
    for b in range(0, batch, samples):
        for i in range(0, call.queries, queries):
            yield slice(b, min(b + samples, batch)), slice(i, min(i + queries, call.queries))
