"""A captured pass: the attention calls that belong to the blocks of a network, and its grid of patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ingest.vision.tap.arguments import NotAVisionTransformer
from ingest.vision.tap.calls import AttentionCall


@dataclass(frozen=True)
class Capture:
    """A captured forward pass over a batch: what every attention method reads.

    `layers`: the attention calls of the blocks, first to last. Tokens are `prefix_tokens` special ones (CLS first if
    `has_cls`, then distillation token or registers) followed by rows * cols patches in reading order.
    `picture_cells`: bool (batch, rows * cols), False where a padded input shows no picture. `pooling` is the call of a
    pooling head (SigLIP), whose one learnt query asks the patches after the last block. `residual` (batch, tokens,
    width) is what the last block leaves, before the final norm; None where it was not asked for. `positive` says that
    the gradients are of a class score, of which DAAM takes the positive part. `norms` (batch,) are the lengths of the
    features before they were brought to length 1. `read` (batch, tokens), where there are gradients, is each token's
    share of the gradient after the last block: which ones the score is read from; `through_pooling` says whether it is
    read through the pooling head.
    """

    layers: tuple[AttentionCall, ...]
    rows: int
    cols: int
    prefix_tokens: int
    has_cls: bool
    patch: int
    picture_cells: Tensor
    pooling: AttentionCall | None = None
    residual: Tensor | None = None
    positive: bool = False
    norms: Tensor | None = None
    read: Tensor | None = None
    through_pooling: bool = True

    @staticmethod
    def to_come(
        shape: tuple[int, int, int],
        rows: int,
        cols: int,
        prefix_tokens: int,
        has_cls: bool,
        patch: int,
        picture_cells: Tensor,
    ) -> Capture:
        """The Capture of a pass that has not been made, `shape` (batch, layers, heads): rows of the first query without
        values yet, and nothing else of its calls."""
        batch, layers, heads = shape
        tokens = prefix_tokens + rows * cols
        calls = tuple(AttentionCall(torch.empty(batch, heads, tokens), tokens, 1.0) for _ in range(layers))
        return Capture(calls, rows, cols, prefix_tokens, has_cls, patch, picture_cells)

    @property
    def batch(self) -> int:
        return self.layers[0].batch

    @property
    def heads(self) -> int:
        return self.layers[0].heads

    @property
    def tokens(self) -> int:
        return self.prefix_tokens + self.rows * self.cols

    @property
    def device(self) -> torch.device:
        return self.layers[0].first.device

    def summary_query(self) -> Tensor:
        """Weights over the tokens (batch, tokens), summing to 1, of the query that stands for the whole picture.

        The CLS token; where there is none, what the pooling head asks, its heads averaged; where there is neither,
        the mean of the patches that show picture.
        """
        weights = torch.zeros(self.batch, self.tokens, device=self.device)
        if self.has_cls:
            weights[:, 0] = 1.0
        elif self.pooling is not None:
            # Some heads pool the special tokens too, others the patches alone.
            weights[:, -self.pooling.tokens :] = self.pooling.first.mean(dim=1)
        else:
            cells = self.picture_cells.to(self.device, torch.float32)
            weights[:, self.prefix_tokens :] = cells / cells.sum(1, keepdim=True)
        return weights

    @property
    def evidence_queries(self) -> tuple[int, ...] | None:
        """The queries through which a target's score gathers its evidence: the special tokens that it is read from, CLS
        alone for most networks; None for all queries, where it is read from patches too."""
        if not self.has_cls or self.layers[0].queries == 1 or self.read is None:
            return (0,) if self.has_cls else None
        read = (self.read > UNREAD).any(dim=0)
        if read[self.prefix_tokens :].any():
            return None
        return tuple(read.nonzero()[:, 0].tolist()) or (0,)

    def evidence_query(self) -> Tensor:
        """Weights over the tokens (batch, tokens), summing to 1, of what a target's score is read from.

        The CLS token where it alone is read. Where patches alone are, what the pooling head asks, if it is read
        through that, else the mean of the patches that show picture; where both or several special tokens are, each by
        its share of the gradient.
        """
        queries = self.evidence_queries
        if queries == (0,):
            return self.summary_query()
        read = self.read
        if read is None or (queries is None and not (read[:, : self.prefix_tokens] > UNREAD).any()):
            pooling = self.pooling if self.through_pooling else None
            return replace(self, has_cls=False, pooling=pooling).summary_query()
        return read


UNREAD = 1e-6  # of the gradient: a share that is rounding


def block_calls(
    calls: list[AttentionCall], patches: int
) -> tuple[tuple[AttentionCall, ...], int, AttentionCall | None]:
    """The calls that belong to blocks, the number of prefix tokens, and the call of a pooling head if there is one,
    given the number of patches.

    Self-attention models: the calls whose queries are all tokens; a call after them with a single query pools.
    Class-attention models (XCiT, CaiT) have none of these: their calls ask with the CLS token alone.
    Raises NotAVisionTransformer for windowed or hierarchical attention.
    """
    blocks = [call for call in calls if call.queries == call.tokens]
    single = [call for call in calls if call.queries == 1 and call.tokens >= patches]
    pooling = single[-1] if blocks and single else None
    blocks = blocks or [call for call in single if call.tokens > patches]
    if not blocks:
        raise NotAVisionTransformer(
            "no attention over patches was seen in this network; a plain vision transformer is needed "
            "(ViT, DeiT, DINO, DINOv2, DINOv3, CLIP, SigLIP, BEiT, EVA, XCiT, CaiT …)"
        )
    shapes = {(call.tokens, call.heads, call.batch) for call in blocks}
    prefix = blocks[0].tokens - patches
    if len(shapes) > 1 or prefix < 0:
        raise NotAVisionTransformer(
            f"the attention of this network does not lie on one grid of {patches} patches "
            f"(tokens, heads and batch of its calls: {sorted(shapes)}); windowed and hierarchical transformers "
            "such as Swin have no map over the whole picture"
        )
    return tuple(blocks), prefix, pooling
