"""Patches scored by how unlike the collection's other patches they are: no training, no labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ingest.vision.backbones import Backbone
from ingest.vision.patches.reader import PatchReader, Unread
from ingest.vision.patches.scorer import patch_features
from ingest.vision.patches.selection import Logits

NEIGHBOURS = 5  # patches of the sample that a patch is compared with
SAMPLE = 4096  # patches of all pictures together that are kept to compare with
MOST = 64  # of one picture


@dataclass(frozen=True)
class PatchSample:
    """Patches of the collection that others are compared with: `pictures` (m,) int64 says of which picture each is,
    `indices` (m,) int64 which of its patches, `vectors` (m, dim) float32 are L2-normalised."""

    pictures: np.ndarray
    indices: np.ndarray
    vectors: np.ndarray


class Rarity:
    """One minus the mean cosine of a patch's feature and the NEIGHBOURS of the sample that are most like it (Roth et
    al. 2022, Towards Total Recall in Industrial Anomaly Detection, score patches by their nearest neighbour in a
    sample of normal ones). A patch is not compared with itself. 0: there are patches just like it; at most 2.
    """

    key = "rarity"
    title = "Rarity in the collection"
    is_share = False

    def __init__(self, backbone: Backbone, sample: PatchSample, batch_size: int = 8) -> None:
        self.backbone, self.sample, self.batch_size = backbone, sample, batch_size

    def settings(self) -> dict[str, Any]:
        return {"neighbours": NEIGHBOURS, "sample": SAMPLE, "sample_of_a_picture": MOST}

    def logits_of(self, reader: PatchReader, picture: int) -> Logits:
        def of(patches: Unread, indices: Tensor) -> Tensor:
            rare = self.rarity(self.features(patches()), picture, indices[0].numpy())
            return torch.from_numpy(rare)[None, :, None, None]

        return of

    def rarity(self, vectors: np.ndarray, picture: int, indices: np.ndarray) -> np.ndarray:
        """Float32 (n,) of patches of a picture with these features (n, dim). ValueError where the sample holds nothing
        but the patch itself."""
        cosines = vectors @ self.sample.vectors.T
        own = (self.sample.pictures == picture) & (self.sample.indices == indices[:, None])
        cosines[own] = np.nan
        if np.isnan(cosines).all(axis=1).any():
            raise ValueError("the collection has a single patch, which is like no other; take smaller patches")
        # What is not a number comes last in the order of what is unlike.
        nearest = np.sort(1 - cosines, axis=1)[:, :NEIGHBOURS]
        return np.nanmean(nearest, axis=1).astype(np.float32)

    def features(self, patches: np.ndarray) -> np.ndarray:
        return patch_features(self.backbone, patches, self.batch_size)


def sampled(count: int, pictures: int, seed: list[int]) -> np.ndarray:
    """Which of a picture's `count` patches go into the sample of so many `pictures`: int64, rising; the same for the
    same seed. Of more pictures than SAMPLE some have none there."""
    drawn = np.random.default_rng(seed)
    wanted = SAMPLE // pictures if pictures <= SAMPLE else int(drawn.random() < SAMPLE / pictures)
    return np.sort(drawn.choice(count, min(count, MOST, wanted), replace=False))
