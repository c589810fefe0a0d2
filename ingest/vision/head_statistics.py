"""The numbers about each head: formula, name and meaning of each in one row of HEAD_STATISTICS.

Imports no torch, so that pages can name a statistic before any network is loaded. The columns of the view `head_stats`
have the same names. Source: Dosovitskiy et al. 2021 (mean attention distance); Raghu et al. 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Gathered:
    """What one pass says of each image, layer and head, float32 (batch, layers, heads) unless said otherwise.

    The summary query is the CLS token, or where there is none the pooling head's, or the mean of the patches. Means
    over the patch queries are NaN for class attention. Patches that show only padding are neither asked nor counted.
    """

    row: Tensor  # (batch, layers, heads, tokens): attention of the summary query
    patches: Tensor  # (batch, layers, heads, patches): its part on the patches, 0 where one shows only padding
    mass_special: Tensor  # its share on all tokens before the patches
    mass_cls: Tensor  # its share on the CLS token, 0 where there is none
    distance: Tensor  # mean over the patch queries of Σ_j A_ij D_ij / Σ_j A_ij over patches j, D in pixels of the input
    distance_raw: Tensor  # the same without the division
    entropy: Tensor  # mean over the patch queries of the entropy in nats of their rows over all tokens
    diagonal: float  # of the network's input, in pixels


@dataclass(frozen=True)
class HeadStatistic:
    """One number about a head. `key` is its column in the database; `unit` is 'px', 'nats' …, 'share' or ''; `meaning`
    is a sentence in which {who} stands for the token that asks and {input} for the network's input; `formula` gives
    float32 (batch, layers, heads)."""

    key: str
    title: str
    unit: str
    meaning: str
    formula: Callable[[Gathered], Tensor]


def _entropy(weights: Tensor) -> Tensor:
    return -weights.xlogy(weights).sum(dim=-1)


_NEAR = "low heads look near, high heads look far"
HEAD_STATISTICS = [
    HeadStatistic(
        "distance",
        "Mean attention distance",
        "px",
        "How far from the patch that asks the patches lie that it attends to, on average, in pixels of the network's "
        f"input ({{input}}); what goes to special tokens is left out and the rest counted as the whole: {_NEAR}.",
        lambda gathered: gathered.distance,
    ),
    HeadStatistic(
        "distance_share",
        "Distance as a share of the diagonal",
        "share",
        "The mean attention distance as a share of the diagonal of the network's input, so that networks with inputs "
        f"of different sizes can be compared: {_NEAR}.",
        lambda gathered: gathered.distance / gathered.diagonal,
    ),
    HeadStatistic(
        "distance_raw",
        "Distance, not renormalised",
        "px",
        "The mean attention distance in pixels of the network's input as the probing-vits notebooks plot it: what goes "
        "to special tokens counts as no distance, so a head that looks at those seems nearer than it is.",
        lambda gathered: gathered.distance_raw,
    ),
    HeadStatistic(
        "entropy",
        "Entropy",
        "nats",
        "How evenly the attention of {who} is spread over all tokens: low heads look at a few, high heads at many.",
        lambda gathered: _entropy(gathered.row),
    ),
    HeadStatistic(
        "entropy_mean",
        "Entropy, mean over patches",
        "nats",
        "How evenly the attention of a patch is spread over all tokens, as a mean over the patches: low heads look at "
        "a few tokens, high heads at many.",
        lambda gathered: gathered.entropy,
    ),
    HeadStatistic(
        "effective_patches",
        "Effective patches",
        "patches",
        "Over how many patches the attention of {who} is spread, special tokens left out: as many patches with equal "
        "shares would be as even.",
        lambda gathered: _entropy(gathered.patches / gathered.patches.sum(dim=-1, keepdim=True)).exp(),
    ),
    HeadStatistic(
        "mass_cls",
        "Mass on the CLS token",
        "share",
        "How much of the attention of {who} goes to the CLS token itself: a head with a high share looks away from the "
        "picture.",
        lambda gathered: gathered.mass_cls,
    ),
    HeadStatistic(
        "mass_registers",
        "Mass on registers",
        "share",
        "How much of the attention of {who} goes to registers and other special tokens, which are no part of the "
        "picture.",
        lambda gathered: gathered.mass_special - gathered.mass_cls,
    ),
    HeadStatistic(
        "mass_patches",
        "Mass on patches",
        "share",
        "How much of the attention of {who} goes to the patches of the picture: of a head with a low share, a map "
        "shows little of what it does.",
        lambda gathered: gathered.patches.sum(dim=-1),
    ),
    HeadStatistic(
        "peak",
        "Peak",
        "share",
        "How much of the attention of {who} the one patch gets that gets most: high heads point at single places.",
        lambda gathered: gathered.patches.amax(dim=-1),
    ),
]
