"""What a call of scaled dot-product attention is asked, brought to one form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class NotAVisionTransformer(Exception):
    """The network's attention does not lie on one grid of patches (or it has none)."""


IN_WINDOWS = (
    "its attention lies in windows, and so has no one grid of patches; windowed and hierarchical transformers such as "
    "Swin have no map over the whole picture"
)


@dataclass(frozen=True)
class Arguments:
    """`query` (batch, heads, queries, width), `key`, `value` (batch, heads, tokens, width), without their graph; `bias`
    (batch, heads, queries, tokens) is None, or what is added to the scores, -∞ where a mask hides a token."""

    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None
    scale: float
    dropout: float

    @property
    def is_whole(self) -> bool:
        """Whether every token asks."""
        return self.query.shape[2] == self.key.shape[2]


def arguments(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Arguments:
    """The arguments of `torch.nn.functional.scaled_dot_product_attention`. NotAVisionTransformer for a call that no
    vision transformer makes."""
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
    bias = None if attn_mask is None else attn_mask.expand(*query.shape[:3], key.shape[2])
    return Arguments(query, key, value, bias, query.shape[-1] ** -0.5 if scale is None else scale, dropout_p)
