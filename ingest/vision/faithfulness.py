"""Does a map show what the network goes by? Curves of taking patches away.

Deletion and insertion (Petsiuk et al. 2018, RISE) take patches away in the order of a map and watch the network's
answer; a map that explains nothing does no better than a random order. No pixels are invented for that: a vision
transformer can do without patches, so a patch that is taken away is made invisible to all tokens, which equals dropping
its token after the embedding with all other positions kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ingest.vision.backbones import Backbone

BATCH = 8  # pictures with different patches taken away that go through the network together
LEAK = 1e-2  # distance of two unit features from which on hidden pixels are said to shine through

Score = Callable[[Tensor], Tensor]


class FaithfulnessError(Exception):
    """A network or a map that cannot be checked; the message says why."""


# ---- taking patches away ------------------------------------------------------------------------------------------


class TokenMask(TorchFunctionMode):
    """Hides patches from all tokens in this thread while it is entered: `with Veil(visible, prefix): model(x)`.

    `visible` bool (batch, patches) says which patches are left; `prefix` is the number of special tokens before them,
    which always are; `order` the places of all these tokens in the network, where they do not lie in this order. No
    token attends to a hidden patch, whether a block, class attention or a pooling head asks, and a mean over the
    patches is that over the visible ones. `averaged` tells whether such a mean was seen.
    """

    def __init__(self, visible: Tensor, prefix: int, order: Sequence[int] | None = None) -> None:
        super().__init__()
        self.visible, self.prefix = visible, prefix
        self.places = None if order is None else torch.tensor(order, device=visible.device).argsort()
        self.averaged = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            return self._pool(args, kwargs)
        if func in (Tensor.mean, torch.mean) and self._over_patches(*args, **kwargs):
            return self._average(*args, **kwargs)
        return func(*args, **kwargs)

    def _attend(self, query, key, value, attn_mask=None, *rest, **more):
        seen = self._tokens(key.shape[0], key.shape[2])[:, None, None]
        if attn_mask is None:
            attn_mask = seen
        elif attn_mask.dtype == torch.bool:
            attn_mask = attn_mask & seen
        else:
            attn_mask = torch.where(seen, attn_mask, float("-inf"))
        return F.scaled_dot_product_attention(query, key, value, attn_mask, *rest, **more)

    def _pool(self, args, kwargs):
        """A pooling head written as `nn.MultiheadAttention`, whose key is (tokens, batch, width)."""
        call = inspect.signature(F.multi_head_attention_forward).bind(*args, **kwargs)
        tokens, batch = call.arguments["key"].shape[:2]
        hidden, padding = ~self._tokens(batch, tokens), call.arguments.get("key_padding_mask")
        if padding is None:
            padding = hidden
        elif padding.dtype == torch.bool:
            padding = padding | hidden
        else:
            padding = padding.masked_fill(hidden, float("-inf"))
        call.arguments["key_padding_mask"] = padding
        return F.multi_head_attention_forward(*call.args, **call.kwargs)

    def _over_patches(self, tokens: Tensor, dim: Any = None, *rest, **more) -> bool:
        batch, patches = self.visible.shape
        over = dim[0] if isinstance(dim, tuple | list) and len(dim) == 1 else dim
        shape = tuple(tokens.shape)
        return (
            len(shape) == 3 and over in (1, -2) and shape[0] == batch and shape[1] in (patches, patches + self.prefix)
        )

    def _average(self, tokens: Tensor, dim: Any, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
        self.averaged = True
        tokens = tokens if dtype is None else tokens.to(dtype)
        seen = self._tokens(*tokens.shape[:2])[..., None]
        return torch.where(seen, tokens, 0).sum(1, keepdim) / seen.sum(1, keepdim)

    def _tokens(self, batch: int, tokens: int) -> Tensor:
        """bool (batch, tokens): the visible tokens, special ones included where there are any among these."""
        wanted, patches = self.visible.shape
        if batch != wanted or tokens not in (patches, patches + self.prefix):
            raise FaithfulnessError(
                f"this network attends to {tokens} tokens where {patches + self.prefix} were expected, so single "
                "patches cannot be taken away from it"
            )
        seen = F.pad(self.visible, (tokens - patches, 0), value=True)
        if self.places is None:
            return seen
        places = self.places if tokens > patches or not self.prefix else self.places[self.places >= self.prefix]
        return seen[:, places - (self.prefix if tokens == patches else 0)]


@dataclass(frozen=True)
class Curves:
    """The network's score while patches go (deletion) and come (insertion), each (steps + 1,) float64.

    `fractions` of the patches, from 0 to 1, rounded to whole patches: the share that is gone, or that has come, most
    important first. `random_deletion` and `random_insertion` are the means over random orders. The areas lie under the
    curves; a good map has a deletion ratio below 1 and an insertion ratio above 1.
    """

    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        return self._area(self.deletion)

    @property
    def insertion_area(self) -> float:
        return self._area(self.insertion)

    @property
    def random_deletion_area(self) -> float:
        return self._area(self.random_deletion)

    @property
    def random_insertion_area(self) -> float:
        return self._area(self.random_insertion)

    @property
    def deletion_ratio(self) -> float:
        """Area under deletion by area under random deletion; NaN where the latter is 0."""
        return _ratio(self.deletion_area, self.random_deletion_area)

    @property
    def insertion_ratio(self) -> float:
        """Area under insertion by area under random insertion; NaN where the latter is 0."""
        return _ratio(self.insertion_area, self.random_insertion_area)

    @property
    def deletion_loss_ratio(self) -> float:
        """What deletion takes from the whole picture's score, on average, by what random deletion takes: above 1 the
        map marks what counts. It is not damped, as the ratio of areas is, where no patch at all still scores highly."""
        whole = self.deletion[0]
        return _ratio(whole - self.deletion_area, whole - self.random_deletion_area)

    @property
    def insertion_loss_ratio(self) -> float:
        """What is missing during insertion, on average, by what is missing in random order: below 1 the map marks what
        counts."""
        whole = self.insertion[-1]
        return _ratio(whole - self.insertion_area, whole - self.random_insertion_area)

    def _area(self, curve: np.ndarray) -> float:
        return float(np.trapezoid(curve, self.fractions))


def _ratio(area: float, random: float) -> float:
    return area / random if random else float("nan")


@torch.inference_mode()
def faithfulness(
    backbone: Backbone,
    pixels: Tensor,
    weights: np.ndarray | Tensor,
    steps: int = 20,
    orders: int = 5,
    seed: int = 20,
    score: Score | None = None,
    cells: np.ndarray | None = None,
) -> Curves:
    """Deletion and insertion curves of a map, weights (rows, cols), of one picture, normalised pixels (1, 3, H, W).

    `score` takes normalised pixels (batch, 3, H, W) and returns (batch,), a class probability say; without one it is
    the cosine of the feature to that of the whole picture. `orders` random orders give the baseline. `cells` bool
    (rows, cols) is False on padding, which is never ranked and stays as it is. Equal weights go in random order.

    Special tokens always stay: with a CLS token the last point of deletion is what the network says of no patch at all.
    A network without one, or that averages its patches, must see something: the last patch of an order stays to the
    end of deletion, and the first is there from the beginning of insertion.

    The measure is RISE's (Petsiuk, Das and Saenko 2018, Randomized Input Sampling for Explanation of Black-box Models)
    with tokens dropped where RISE paints them grey. Raises FaithfulnessError for networks that mix patches outside
    attention, ValueError for a map on another grid.
    """
    grid = tuple(side // backbone.patch for side in pixels.shape[2:])
    weights = torch.as_tensor(weights).float().cpu().numpy()
    shown = np.ones(grid, bool) if cells is None else np.asarray(cells, bool).reshape(grid)
    if weights.shape != grid or len(pixels) != 1 or not shown.any() or not np.isfinite(weights[shown]).all():
        raise ValueError(
            f"expected one picture and a map of finite weights on its grid of {grid[0]} × {grid[1]} patches, "
            f"got {len(pixels)} and a map of shape {weights.shape}"
        )
    if min(steps, orders) < 1:
        raise ValueError(f"steps and orders are at least 1, not {steps} and {orders}")
    needs_one = _check(backbone, pixels)
    if score is None:
        whole = backbone.forward(pixels)[0]
        score = lambda batch: backbone.forward(batch) @ whole  # noqa: E731
    random, places = np.random.default_rng(seed), np.flatnonzero(shown)
    order = places[np.lexsort((random.random(len(places)), -weights.ravel()[places]))]
    gone = np.rint(np.linspace(0, len(places), steps + 1)).astype(int)
    gone = np.minimum(gone, len(places) - needs_one)
    # Inserting in an order is deleting in the reversed one, read backwards; so random deletion gives random insertion.
    every = [order, order[::-1], *(random.permutation(places) for _ in range(orders))]
    masks = np.concatenate([_left(one, gone, shown.size) for one in every])
    curves = _scores(backbone, pixels, masks, score).reshape(len(every), steps + 1)
    return Curves(
        np.linspace(0, 1, steps + 1),
        deletion=curves[0],
        insertion=curves[1, ::-1],
        random_deletion=curves[2:].mean(0),
        random_insertion=curves[2:, ::-1].mean(0),
    )


def _left(order: np.ndarray, gone: np.ndarray, patches: int) -> np.ndarray:
    """bool (steps, patches): what is left when the first `gone` (steps,) patches of an order are taken away."""
    rank = np.full(patches, len(order))
    rank[order] = np.arange(len(order))
    return rank >= gone[:, None]


def _scores(backbone: Backbone, pixels: Tensor, masks: np.ndarray, score: Score) -> np.ndarray:
    """The score of each mask (masks, patches), float64; equal masks are looked at once."""
    masks, which = np.unique(masks, axis=0, return_inverse=True)
    found = []
    for visible in torch.from_numpy(masks).to(pixels.device).split(BATCH):
        with TokenMask(visible, backbone.prefix_tokens, backbone.order(*backbone.grid(pixels))):
            found.append(score(pixels.expand(len(visible), -1, -1, -1)).double().cpu().numpy())
    return np.concatenate(found)[which.ravel()]


def _check(backbone: Backbone, pixels: Tensor) -> bool:
    """Whether the network needs at least one patch. Raises FaithfulnessError where hidden pixels shine through."""
    mixes = FaithfulnessError(
        f"{backbone.title} mixes its patches outside attention, as XCiT and CaiT do, so single patches cannot be taken "
        "away from it: choose a run of a plain vision transformer such as DINOv2 or CLIP"
    )
    if backbone.class_attention:
        raise mixes
    rows, cols = (side // backbone.patch for side in pixels.shape[2:])
    visible = torch.arange(rows * cols, device=pixels.device) % 2 == 0
    shines = visible.view(1, 1, rows, cols).repeat_interleave(backbone.patch, 2).repeat_interleave(backbone.patch, 3)
    other = pixels.clone()
    other[..., : shines.shape[2], : shines.shape[3]] *= torch.where(shines, 1, -1)
    order = backbone.order(rows, cols)
    with TokenMask(visible.expand(2, -1), backbone.prefix_tokens, order) as token_mask:
        one, two = backbone.forward(torch.cat([pixels, other]))
    if (one - two).norm() > LEAK:
        raise mixes
    return backbone.prefix_tokens == 0 or token_mask.averaged
