"""Patches scored by what a network attends to when it sees the whole picture small: no training, no labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.embedding import methods_for, observe
from ingest.vision.geometry import Frame, fit_image
from ingest.vision.patches.grid import PatchGrid
from ingest.vision.patches.reader import PatchReader
from ingest.vision.patches.scorer import patch_features
from ingest.vision.patches.selection import Logits

FINER = 4  # times as many pixels to a side are read from the file as the network takes: the rest is for the resizing
LEAST = 1e-12  # attention that counts as none


class LowResolutionAttention:
    """The CLS token's attention in the network's last layer over the whole picture, gathered in each patch.

    Each head is a head of the selection, with one query: a patch's logit is the logarithm of the attention within its
    box, so that its score is its share of the attention of all patches, averaged over the heads. Networks without a CLS
    token give the attention that patches receive.
    """

    key = "attention"
    title = "Attention at low resolution"
    is_share = True

    def __init__(self, backbone: Backbone, batch_size: int = 8) -> None:
        self.backbone, self.batch_size = backbone, batch_size
        self.fit = whole_fit(backbone)
        self.method = methods_for(backbone, ["cls"])[0]

    def settings(self) -> dict[str, Any]:
        return {"fit": self.fit, "method": self.method, "attention_layer": "last"}

    def logits_of(self, reader: PatchReader, picture: int) -> Logits:
        attention, frame = self.attention(reader)
        logits = torch.from_numpy(np.log(np.maximum(gathered(attention, frame, reader.grid), LEAST)))

        def of(patches: Any, indices: Tensor) -> Tensor:
            return logits[:, indices[0]].T[None, :, :, None]

        return of

    def attention(self, reader: PatchReader) -> tuple[np.ndarray, Frame]:
        """The attention of the last layer's heads, float32 (heads, rows, cols), and the part of the picture that it is
        of: all of it. BackboneError where the numbers of the network overflow."""
        width, height = reader.scan.size
        scale = min(1.0, FINER * max(self.backbone.rule.shape) / max(width, height))
        small = reader.scan.read((0, 0, width, height), (max(1, round(width * scale)), max(1, round(height * scale))))
        pixels, frame = fit_image(small, self.backbone.rule, self.fit, original=(width, height))
        found = observe(self.backbone, torch.from_numpy(pixels.copy())[None], [self.method]).maps[0]
        last = [place for place, layer in enumerate(found.layers) if layer == max(found.layers)]
        weights = found.weights[0, last].reshape(len(last), frame.rows, frame.cols).cpu().numpy()
        if not np.isfinite(weights).all():
            raise BackboneError(self.backbone.overflow())
        across, down = width / small.width, height / small.height
        box = (frame.x0 * across, frame.y0 * down, frame.x1 * across, frame.y1 * down)
        return weights, Frame(*box, frame.rows, frame.cols)

    def features(self, patches: np.ndarray) -> np.ndarray:
        return patch_features(self.backbone, patches, self.batch_size)


def whole_fit(backbone: Backbone) -> str:
    """The fit that shows a network the whole picture: in its own shape, where the network takes any."""
    if backbone.any_grid:
        return "aspect"
    height, width = backbone.rule.shape
    if height != width:
        raise BackboneError(
            f"{backbone.title} takes pictures of {height} × {width} pixels alone, so it cannot see a whole picture of "
            "another shape; take another --model, or --scorer rarity"
        )
    return "stretch"


def gathered(attention: np.ndarray, frame: Frame, grid: PatchGrid) -> np.ndarray:
    """How much of the attention (heads, rows, cols) over the cells of a Frame lies in each patch, float64 (heads, N):
    what lies in a cell is spread evenly over it."""
    down = _overlaps(np.array(grid.tops), grid.size[0], frame.y0, frame.y1, frame.rows)
    across = _overlaps(np.array(grid.lefts), grid.size[1], frame.x0, frame.x1, frame.cols)
    return (down @ attention.astype(np.float64) @ across.T).reshape(len(attention), -1)


def _overlaps(starts: np.ndarray, length: int, low: float, high: float, cells: int) -> np.ndarray:
    """(patches, cells): the share of each cell that each patch covers, along one side."""
    edges = np.linspace(low, high, cells + 1)
    shared = np.minimum(starts[:, None] + length, edges[1:]) - np.maximum(starts[:, None], edges[:-1])
    return np.maximum(shared, 0) / ((high - low) / cells)
