"""Positions of patches in their sequence, as a network that selects patches adds them to what it scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def positions(indices: Tensor, dim: int) -> Tensor:
    """Sinusoidal positions, float32 (..., dim), of patches counted from 0 in the rows of their grid, (...).

    sin(i / 10000^(2j / dim)) and the cosine of the same stand side by side (Vaswani et al. 2017). A position follows
    from the index alone, so a grid of any size has them. ValueError for an odd `dim`.
    """
    if dim % 2:
        raise ValueError(f"sinusoidal positions need an even width of the features, and this one is {dim}")
    rates = torch.exp(torch.arange(0, dim, 2, device=indices.device) * (-math.log(10_000.0) / dim))
    angles = indices[..., None].float() * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
