"""A trained network as what scores the patches of a picture that is read by windows, or features that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ingest.vision.backbones.checkpoint import weights_sha256
from ingest.vision.training.ips.network import IPSNet


class TrainedSelection:
    """Scores patches as the network does in training: the share of the attention of its learned queries.

    `title` is what people read: the name of the file that it comes from. The network is in evaluation mode.
    """

    key = "trained"
    is_share = True

    def __init__(self, network: IPSNet, title: str) -> None:
        if network.settings.encoder.kind == "features":
            raise ValueError(f"{title} selects from bags of features, not from pictures")
        self.network, self.title = network.eval(), title

    def settings(self) -> dict[str, Any]:
        """All that its scores follow from."""
        return {
            "trained": self.network.settings.model_dump(mode="json"),
            "weights_sha256": weights_sha256(self.network),
        }

    def logits_of(self, reader: Any, picture: int) -> Callable[[Callable[[], np.ndarray], Tensor], Tensor]:
        """What gives the logits (1, n, heads, queries) of patches: a function that reads them, uint8 (n, height, width,
        3) in RGB, and their indices (1, n)."""

        def of(patches: Callable[[], np.ndarray], indices: Tensor) -> Tensor:
            with torch.inference_mode():
                return self.network.score(self._tensor(patches())[None], indices)

        return of

    def features(self, patches: np.ndarray) -> np.ndarray:
        """Vectors (n, dim) float32, L2-normalised, of patches (n, height, width, 3) uint8 in RGB, without positions."""
        with torch.inference_mode():
            vectors = self.network.encoder(self._tensor(patches).to(self.network.device))
        return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()

    def _tensor(self, patches: np.ndarray) -> Tensor:
        """Patches as in training, (n, channels, height, width) uint8: grey as the loader of the training makes it."""
        if self.network.settings.encoder.channels == 1:
            return torch.from_numpy(
                np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in patches])[:, None]
            )
        return torch.from_numpy(np.ascontiguousarray(patches.transpose(0, 3, 1, 2)))
