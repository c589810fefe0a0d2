"""What scores the patches of a picture, whether it was trained to or not."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ingest.vision.backbones import Backbone
from ingest.vision.embedding import embed
from ingest.vision.geometry import SQUARE_FITS
from ingest.vision.patches.reader import PatchReader
from ingest.vision.patches.selection import Logits


class PatchScorer(Protocol):
    """What scores patches and describes those that are selected.

    `key` is what it is called on the command line, `title` what people read. `is_share` says what its score is: the
    share of attention that selection gives, or, of a scorer with one head and one query, its logit itself.
    """

    key: str
    title: str
    is_share: bool

    def settings(self) -> dict[str, Any]:
        """All that its scores follow from, as plain data."""
        ...

    def logits_of(self, reader: PatchReader, picture: int) -> Logits:
        """What gives the logits (1, n, heads, queries) of patches of this picture, as `reader.chunks` has them;
        `picture` is the number that the caller knows it by."""
        ...

    def features(self, patches: np.ndarray) -> np.ndarray:
        """Vectors (n, dim) float32, L2-normalised, of patches (n, height, width, 3) uint8 in RGB."""
        ...


def patch_features(backbone: Backbone, patches: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """Features float32 (n, dim), L2-normalised, of patches (n, height, width, 3) uint8, each brought to the size that
    the network takes."""
    from PIL import Image

    height, width = backbone.rule.shape
    fit = "stretch" if "stretch" in SQUARE_FITS and (height == width or backbone.any_grid) else "model"
    pictures = [Image.fromarray(patch) for patch in patches]
    parts = [
        embed(backbone, pictures[start : start + batch_size], fit) for start in range(0, len(pictures), batch_size)
    ]
    return np.concatenate(parts) if parts else np.empty((0, backbone.dim), np.float32)
