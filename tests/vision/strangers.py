"""Networks as strangers bring them: plain, but with their tokens in other places, or not plain at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ingest.vision.backbones import Network
from ingest.vision.backbones.backbone import Output
from ingest.vision.geometry import InputRule

PATCH, WIDTH, HEADS = 8, 16, 2


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.qkv(self.norm(tokens)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return tokens + self.out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))


class Stranger(nn.Module):
    """A transformer of two blocks with any number of special tokens. `lay` puts the tokens, special ones first, into
    the order in which the blocks see them; `pool` says what the feature is; positions are those of any grid."""

    def __init__(self, special: int = 1, lay=None, pool: str = "cls", stem: nn.Module | None = None) -> None:
        super().__init__()
        self.embed = stem or nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.special = nn.Parameter(torch.randn(1, special, WIDTH))
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(WIDTH, 3)
        self.lay, self.pool = lay or (lambda special, patches: torch.cat([special, patches], 1)), pool

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        found = self.embed(pixels)
        rows, cols = found.shape[2:]
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        waves = torch.stack([torch.sin((y * (k + 1) + x * k) / (k + 2.0)) for k in range(WIDTH)])
        patches = (found + waves).flatten(2).transpose(1, 2)
        self.grid = rows, cols
        tokens = self.lay(self.special.expand(len(pixels), -1, -1), patches)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens, self.pooled(tokens)

    def pooled(self, tokens: Tensor) -> Tensor:
        """The feature: a token at a place, the mean of all, of all but the first, or of the patches behind the others."""
        if self.pool.startswith("at "):
            return tokens[:, int(self.pool[3:])]
        if self.pool == "cls":
            return tokens[:, 0]
        return tokens[:, {"all": 0, "mean": 1, "patches": self.special.shape[1]}[self.pool] :].mean(1)


def network(module: nn.Module, classes: bool = True, size: int = 32, **more) -> Network:
    """A Network of a Stranger, its weights spread so that no map is flat."""
    generator = torch.Generator().manual_seed(7)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.ndim > 1 else 0.1)

    def forward(pixels: Tensor, tokens: bool = False) -> Output:
        found, feature = module(pixels)
        return Output(feature, found, found) if tokens else Output(feature)

    classifier = {"classify": lambda pixels: module.head(module(pixels)[1]), "classes": ("a", "b", "c")}
    rule = InputRule(size, size, (0.5,) * 3, (0.5,) * 3, patch=PATCH)
    return Network(module, forward, rule, True, "a stranger", **(classifier if classes else {}), **more)


def last(special: Tensor, patches: Tensor) -> Tensor:
    return torch.cat([patches, special], 1)


def around(special: Tensor, patches: Tensor) -> Tensor:
    """The first special token in front, the others at the end, as YOLOS has them."""
    return torch.cat([special[:, :1], patches, special[:, 1:]], 1)


def cls_behind(special: Tensor, patches: Tensor) -> Tensor:
    """All special tokens in front, the first of them as their last."""
    return torch.cat([special[:, 1:], special[:, :1], patches], 1)


def backwards(special: Tensor, patches: Tensor) -> Tensor:
    """Patches from the last to the first."""
    return torch.cat([special, patches.flip(1)], 1)


def interleaved(special: Tensor, patches: Tensor) -> Tensor:
    """Even patches first, then odd ones, and the special tokens between them."""
    return torch.cat([patches[:, ::2], special, patches[:, 1::2]], 1)


def shuffled(special: Tensor, patches: Tensor) -> Tensor:
    order = torch.rand(patches.shape[:2]).argsort(1)
    return torch.cat([special, patches.gather(1, order[..., None].expand_as(patches))], 1)


def shuffled_together(special: Tensor, patches: Tensor) -> Tensor:
    """In the same order for a whole batch, another in the next."""
    return torch.cat([special, patches[:, torch.randperm(patches.shape[1])]], 1)


def dropped(special: Tensor, patches: Tensor) -> Tensor:
    return torch.cat([special, patches[:, : patches.shape[1] // 2]], 1)


def merged(special: Tensor, patches: Tensor) -> Tensor:
    """Each patch with the next, so that there are enough tokens and none is one patch."""
    return torch.cat([special, (patches[:, ::2] + patches[:, 1::2][:, :1]), special.expand(-1, 40, -1)], 1)


class PoolsPatches(Stranger):
    """Has a head of its own with one learnt query, which asks the patches alone."""

    def __init__(self, special: int, lay, take) -> None:
        super().__init__(special, lay)
        self.query, self.take = nn.Parameter(torch.randn(1, HEADS, 1, WIDTH // HEADS)), take

    def pooled(self, tokens: Tensor) -> Tensor:
        patches = self.take(tokens).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        query = self.query.expand(len(tokens), -1, -1, -1)
        return F.scaled_dot_product_attention(query, patches, patches).transpose(1, 2).flatten(1)
