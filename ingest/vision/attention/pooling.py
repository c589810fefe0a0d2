"""Attention of a pooling head: the CLS row's equivalent in SigLIP."""

from __future__ import annotations

from ingest.vision.attention.method import Maps, Method
from ingest.vision.tap import Capture


class Pooling:
    wants_tiles = False

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    def maps(self) -> Maps:
        if self.capture.pooling is None:
            raise ValueError("this network has no pooling head")
        rows = self.capture.pooling.first
        last, heads = len(self.capture.layers) - 1, rows.shape[1]
        return Maps(
            "pooling", (last,) * heads, tuple(range(heads)), rows[..., -self.capture.rows * self.capture.cols :]
        )


METHOD = Method(
    key="pooling",
    title="Attention of the pooling head",
    kind="attention",
    explanation="Which patches the network's own pooling takes its summary from, for each of the pooling head's heads.",
    formula="softmax of the learnt query over the patches after the last block; a row sums to 1",
    source="Zhai et al. 2023, Sigmoid Loss for Language Image Pre-Training (attention pooling: Lee et al. 2019)",
    read=Pooling,
    needs=("pooling",),
    one_layer=True,
    of_one_token=True,
)
