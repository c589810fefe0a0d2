"""Raw head maps: what the CLS token looks at."""

from __future__ import annotations

import torch

from ingest.vision.attention.method import Maps, Method, by_head
from ingest.vision.tap import Capture


class ClsRows:
    wants_tiles = False

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    def maps(self) -> Maps:
        return by_head("cls", cls_rows(self.capture)[..., self.capture.prefix_tokens :])


def cls_rows(capture: Capture) -> torch.Tensor:
    """The CLS token's softmax row in every layer and head, float32 (batch, layers, heads, tokens)."""
    return torch.stack([call.first for call in capture.layers], dim=1)


METHOD = Method(
    key="cls",
    title="CLS attention by head",
    kind="attention",
    explanation="Where the token that stands for the whole picture looks, for each head of each layer.",
    formula="A[l, h, CLS, patch], the softmax of the scaled dot products; with the special tokens a row sums to 1",
    source="Caron et al. 2021, Emerging Properties in Self-Supervised Vision Transformers",
    read=ClsRows,
    needs=("cls",),
    of_one_token=True,
    of_summary=True,
    in_pass=True,
)
