"""The direction of a text among a network's features: what the target `words:…` explains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ingest.vision.backbones import Backbone
from ingest.vision.words.opening import load_text_tower
from ingest.vision.words.tower import NoTextTower


def text_direction(backbone: Backbone, words: str, encode: Callable[[str], np.ndarray] | None = None) -> Tensor:
    """The vector of a text, float32 (dim,) of length 1, as `encode` gives it, or else the network's own text tower:
    the cosine of a picture's feature with it says how near the picture is to the text.

    NoTextTower for a network whose features lie in no space with texts.
    """
    if not backbone.network.joint:
        raise NoTextTower(
            f"the features of {backbone.title} lie in no space with texts, so words:{words} cannot be explained; make "
            "a run whose features do: python -m ingest run FOLDER --model siglip2-base"
        )
    vector = load_text_tower(backbone.settings()).encode([words])[0] if encode is None else encode(words)
    return torch.from_numpy(np.array(vector, dtype=np.float32))
