"""The keys of a network's last block: what its patches are asked for, and the best token to tell objects by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.details.coding import longest_usual
from ingest.vision.tap import Capture, captured

OUTLIER = 2.0  # times the median length: a token that is not longer is no outlier, however even the others are


@dataclass(frozen=True)
class PatchKeys:
    """The keys of one picture: `values` float32 (rows * cols, width), heads side by side, patches in reading order.
    `cells` bool (rows, cols) are the patches that show picture, `outliers` those whose token is far longer than the
    others' (Darcet et al. 2024, Vision Transformers Need Registers)."""

    values: np.ndarray
    cells: np.ndarray
    outliers: np.ndarray


def refuse_without_keys(backbone: Backbone) -> None:
    """BackboneError, with a sentence, for a network whose last block asks for no keys of single patches."""
    if backbone.class_attention:
        raise BackboneError(
            f"in {backbone.title} only the CLS token asks in the last block: its keys are no self-attention; take a "
            "plain vision transformer, such as --model dino-small"
        )


@torch.inference_mode()
def patch_keys(backbone: Backbone, batch: Tensor, picture_cells: Tensor | None = None) -> list[PatchKeys]:
    """The keys of uint8 pictures (batch, height, width, 3), as the softmax of the last block meets them: after rotary
    positions and key norms, where there are any.

    `picture_cells` bool (batch, rows * cols) is False where padding was added. BackboneError for networks without keys
    of patches, and for numbers that are not finite.
    """
    refuse_without_keys(backbone)
    pixels = backbone.pixels(batch)
    _, capture = backbone.capture(pixels, picture_cells, tokens=True, values=False, residual=True)
    keys = keys_of(capture)
    if not torch.isfinite(keys).all():
        raise BackboneError(backbone.overflow())
    cells = capture.picture_cells.reshape(-1, capture.rows, capture.cols).cpu().numpy()
    lengths = _lengths(capture)
    return [
        PatchKeys(values, own, np.zeros_like(own) if lengths is None else outliers(lengths[place], own))
        for place, (values, own) in enumerate(zip(keys.cpu().numpy(), cells, strict=True))
    ]


def keys_of(capture: Capture) -> Tensor:
    """The patches' keys in the last block of a Capture: float32 (batch, rows * cols, heads * width)."""
    key = captured(capture.layers[-1].key)[:, :, capture.prefix_tokens :].float()
    return key.transpose(1, 2).flatten(2)


def outliers(lengths: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """bool (rows, cols): patches of one picture whose tokens, of these `lengths` (rows, cols), are outliers: far from
    the others as `ingest.vision.details` counts it, and more than twice as long as the median."""
    usual = lengths[cells]
    return (lengths > max(longest_usual(usual), OUTLIER * float(np.median(usual)))) & cells


def _lengths(capture: Capture) -> np.ndarray | None:
    """Lengths (batch, rows, cols) of the patch tokens that the last block leaves, before the final norm; None for
    networks that do not give them."""
    if capture.residual is None or capture.residual.shape[1] < capture.rows * capture.cols:
        return None
    tokens: Sequence[int] = (-1, capture.rows, capture.cols)
    return capture.residual[:, -capture.rows * capture.cols :].float().norm(dim=-1).reshape(*tokens).cpu().numpy()
