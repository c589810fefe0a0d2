"""Gradients of a score with the outputs of attention, and what they say of the tokens that the score is read from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ingest.vision.tap import AttentionCall, captured


def read_by_token(gradients: Sequence[Tensor]) -> Tensor | None:
    """Each token's share (batch, queries) of the gradient of a score with the output of the last block that it depends
    on, given the gradients (batch, heads, queries, width) of all blocks; None where it depends on none."""
    for gradient in reversed(gradients):
        norms = gradient.float().norm(dim=(1, 3))
        total = norms.sum(dim=1, keepdim=True)
        if (total > 0).any():
            return torch.where(total > 0, norms / total.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
    return None


def with_gradients(
    score: Tensor, calls: Sequence[AttentionCall], pooling: AttentionCall | None
) -> tuple[tuple[AttentionCall, ...], bool]:
    """The calls with the gradients of a score, and whether it depends on the pooling head's call."""
    outputs = [captured(call.output) for call in calls]
    asked = [pooling.output] if pooling is not None and pooling.output is not None else []
    # A feature taken from an inner layer does not depend on the blocks above it: their gradients are 0.
    found = torch.autograd.grad(score, [*outputs, *asked], allow_unused=True)
    gradients = [torch.zeros_like(out) if one is None else one for out, one in zip(outputs, found, strict=False)]
    through = found[-1] is not None if asked else True
    return tuple(call.detached(gradient) for call, gradient in zip(calls, gradients, strict=True)), through
