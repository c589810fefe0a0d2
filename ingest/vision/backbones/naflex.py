"""Networks that take patches instead of pixels: SigLIP 2 with NaFlex (Tschannen et al. 2025)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def as_patches(pixels: Tensor, patch: int) -> dict[str, Any]:
    """Normalised pixels (batch, 3, height, width), all of one grid, as such a network takes them: its patches row by
    row, each as rows of pixels with their colours together. Nothing is padded, so that every patch counts."""
    count, channels, height, width = pixels.shape
    rows, cols = height // patch, width // patch
    cut = pixels[:, :, : rows * patch, : cols * patch]
    cut = cut.reshape(count, channels, rows, patch, cols, patch).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": cut.reshape(count, rows * cols, patch * patch * channels),
        "pixel_attention_mask": torch.ones(count, rows * cols, dtype=torch.int32, device=pixels.device),
        "spatial_shapes": torch.tensor([[rows, cols]] * count, dtype=torch.long, device=pixels.device),
    }
