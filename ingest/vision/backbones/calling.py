"""How a vision model of transformers is called, whatever its forward pass asks for beside pixels."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ingest.vision.backbones.naflex import as_patches


def arguments(trunk: Any) -> Callable[[Tensor], dict[str, Any]]:
    """What goes into the model's forward pass, given normalised pixels (batch, 3, height, width).

    Models that can are asked to interpolate their positions where a picture is not of the size they were trained on;
    those that take patches (NaFlex) get patches and their grid; those that hide patches in training get every patch, in
    its order. The model's own signature says which it is.
    """
    asked = inspect.signature(type(trunk).forward).parameters
    config = trunk.config
    patch = pair(config.patch_size)[0]
    trained = getattr(config, "image_size", None)
    if "noise" in asked and hasattr(config, "mask_ratio"):
        config.mask_ratio = 0.0  # of a masked autoencoder: nothing is hidden

    def given(pixels: Tensor) -> dict[str, Any]:
        if "spatial_shapes" in asked:
            return as_patches(pixels, patch)
        more: dict[str, Any] = {}
        if "interpolate_pos_encoding" in asked and (trained is None or tuple(pixels.shape[2:]) != pair(trained)):
            more["interpolate_pos_encoding"] = True
        if "noise" in asked:
            count = (pixels.shape[2] // patch) * (pixels.shape[3] // patch)
            # Sorted by rising noise, the patches stay where they are.
            more["noise"] = torch.arange(count, device=pixels.device, dtype=torch.float32).expand(len(pixels), -1)
        return {"pixel_values": pixels, **more}

    return given


def pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    """(height, width) of a configuration's size."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
