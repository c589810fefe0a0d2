"""The row of any token: where a patch looks, or a register, or the distillation token."""

from __future__ import annotations

import re

import torch

from ingest.vision.attention.method import GridError, Maps, Method, Option, by_head
from ingest.vision.tap import Capture


class QueryRows:
    wants_tiles = False

    def __init__(self, capture: Capture, token: str = "") -> None:
        self.capture, self.token = capture, token_number(capture, token)

    def maps(self) -> Maps:
        asked = slice(self.token, self.token + 1)
        rows = [call.rows(queries=asked)[:, :, 0] for call in self.capture.layers]
        return by_head("query", torch.stack(rows, dim=1)[..., self.capture.prefix_tokens :])


def token_number(capture: Capture, token: str) -> int:
    """The place among the tokens of `r3c5` (a patch by row and column), `special1` (the second special token: the
    distillation token or the first register) or '' (the patch in the middle). GridError for a patch that this grid does
    not have, ValueError for what is no token of this network; both with a sentence."""
    if not token:
        return capture.prefix_tokens + capture.rows // 2 * capture.cols + capture.cols // 2
    patch, special = re.fullmatch(r"r(\d+)c(\d+)", token), re.fullmatch(r"special(\d+)", token)
    if patch:
        row, col = int(patch[1]), int(patch[2])
        if row < capture.rows and col < capture.cols:
            return capture.prefix_tokens + row * capture.cols + col
        last = f"r{capture.rows - 1}c{capture.cols - 1}"
        raise GridError(f"there is no patch {token}: the last one of the grid is {last}")
    if special:
        if int(special[1]) < capture.prefix_tokens:
            return int(special[1])
        raise ValueError(f"there is no token {token}: this network has {capture.prefix_tokens} special tokens")
    raise ValueError(f"a token is written r3c5 (row 3, column 5) or special1, not {token!r}")


METHOD = Method(
    key="query",
    title="Attention of a chosen patch",
    kind="attention",
    explanation="Where one patch looks, or one of the special tokens, for each head of each layer.",
    formula="A[l, h, i, patch] of the chosen token i; with the special tokens a row sums to 1",
    source="rows of the attention matrix",
    read=QueryRows,
    options=(Option("token", "Token", ""),),
    needs=("self_attention",),
    of_one_token=True,
    of_chosen_token=True,
)
