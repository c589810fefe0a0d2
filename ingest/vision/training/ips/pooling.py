"""Multi-head cross-attention of learned queries to patches: what scores them, and what makes one vector a query."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ingest.vision.training.ips.settings import PoolingSettings


@dataclass(frozen=True)
class Pooled:
    """`queries` (batch, queries, dim), one vector each. `heads` (batch, heads, queries, dim), the same of each head
    alone, None where they were not asked for. `outputs` (batch, heads, queries, value_dim) and `attention` (batch,
    heads, queries, patches), of which they were made, after dropout."""

    queries: Tensor
    heads: Tensor | None
    outputs: Tensor
    attention: Tensor


class Perceptron(nn.Module):
    """Two layers with a ReLU between them, added to what came in, then a layer norm."""

    def __init__(self, dim: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.dropout(self.narrow(torch.relu(self.widen(x)))))


class CrossAttentionPooling(nn.Module):
    """softmax(q Kᵀ / √key_dim) V for each head, the heads side by side through a linear layer, plus the query, layer
    norm, perceptron (Vaswani et al. 2017, with the queries learned)."""

    def __init__(self, queries: int, settings: PoolingSettings) -> None:
        super().__init__()
        self.settings = settings
        heads, dim, keys, values = settings.heads, settings.dim, settings.key_dim, settings.value_dim
        self.queries = nn.Parameter(torch.empty(queries, dim))
        nn.init.uniform_(self.queries, -math.sqrt(1 / keys), math.sqrt(1 / keys))
        self.query = nn.Linear(dim, heads * keys, bias=False)
        self.key = nn.Linear(dim, heads * keys, bias=False)
        self.value = nn.Linear(dim, heads * values, bias=False)
        self.merge = nn.Linear(heads * values, dim, bias=False)
        self.head = nn.Linear(values, dim, bias=False)  # of one head alone, the same for all
        self.attention_dropout, self.dropout = nn.Dropout(settings.attention_dropout), nn.Dropout(settings.dropout)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.perceptron = Perceptron(dim, settings.inner_dim, settings.dropout)

    def logits(self, x: Tensor) -> Tensor:
        """Before the softmax, (batch, heads, queries, patches), of vectors x (batch, patches, dim)."""
        batch, count, _ = x.shape
        query = self.query(self.queries).view(-1, self.settings.heads, self.settings.key_dim)
        key = self.key(x).view(batch, count, self.settings.heads, self.settings.key_dim)
        return torch.einsum("qhk,bnhk->bhqn", query, key) / math.sqrt(self.settings.key_dim)

    def forward(self, x: Tensor, valid: Tensor | None = None, each_head: bool = False) -> Pooled:
        """Of vectors x (batch, patches, dim), of which those count where `valid` (batch, patches) is true; with those
        of `each_head` alone if they are wanted."""
        batch, count, _ = x.shape
        logits = self.logits(x)
        if valid is not None:
            logits = logits.masked_fill(~valid[:, None, None], -torch.inf)
        attention = self.attention_dropout(logits.float().softmax(dim=-1)).to(logits.dtype)
        value = self.value(x).view(batch, count, self.settings.heads, self.settings.value_dim)
        outputs = torch.einsum("bhqn,bnhv->bhqv", attention, value)
        side_by_side = outputs.transpose(1, 2).flatten(2)
        merged = self.norm(self.dropout(self.merge(side_by_side)) + self.queries)
        heads = self.perceptron(self.head(outputs)) if each_head else None
        return Pooled(self.perceptron(merged), heads, outputs, attention)
