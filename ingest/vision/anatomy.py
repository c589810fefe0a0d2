"""What a network has learnt before it sees a picture: its position embeddings, and the filters that cut its patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from ingest.vision.backbones import Backbone

_POSITIONS = ("pos_embed", "position_embedding")


class AnatomyError(Exception):
    """A network that has no such part; the message says what it has instead."""


@dataclass(frozen=True)
class PositionSimilarity:
    """How alike the places of a grid are to a network: `dot` and `cosine` (N, N) float32 of the position embeddings of
    N = rows * cols patches in reading order, on the grid that the network was trained on."""

    dot: np.ndarray
    cosine: np.ndarray
    rows: int
    cols: int


def position_similarity(backbone: Backbone) -> PositionSimilarity:
    """Similarities of the learnt position embeddings of the patches; those of special tokens (CLS, DIST) are left out.

    The raw dot product is what probing-vits shows (Paul and Ganguly 2022); the cosine leaves the lengths out. Raises
    AnatomyError for networks that have no table of positions: rotary (DINOv3), relative (BEiT), Fourier (XCiT).
    """
    table, rows, cols = _position_table(backbone)
    unit = nn.functional.normalize(table, dim=1)
    return PositionSimilarity((table @ table.T).numpy(), (unit @ unit.T).numpy(), rows, cols)


def _position_table(backbone: Backbone) -> tuple[Tensor, int, int]:
    """The patches' position embeddings (rows * cols, width) float32, and rows and cols."""
    module = backbone.network.module
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        if not any(word in name for word in _POSITIONS) or shape[:-2] not in ((), (1,)) or len(shape) < 2:
            continue
        grid = _grid(shape[-2], backbone)
        if grid is not None:
            rows, cols = grid
            table = parameter.detach().reshape(shape[-2:])[-rows * cols :]
            return table.float().cpu(), rows, cols
    raise AnatomyError(
        f"{backbone.title} has no table of learnt positions: it tells places apart in another way, by rotating its "
        "queries and keys (DINOv3), by distances (BEiT) or by waves (XCiT)"
    )


def _grid(length: int, backbone: Backbone) -> tuple[int, int] | None:
    """The (rows, cols) that a table of this length holds after as many special tokens as there may be."""
    counts = range(min(backbone.prefix_tokens, length - 1) + 1)
    cut = backbone.rule.size // backbone.patch
    shapes = [(cut, cut), *_grids_named(backbone.network.module)]
    for rows, cols in shapes:
        if length - rows * cols in counts:
            return rows, cols
    sides = (math.isqrt(length - special) for special in counts)
    return next(((side, side) for side in sides if length - side * side in counts), None)


def _grids_named(module: nn.Module) -> list[tuple[int, int]]:
    """What the network's parts call their grid_size: grids that need not be square."""
    found = (getattr(part, "grid_size", None) for part in module.modules())
    return [(int(size[0]), int(size[1])) for size in found if isinstance(size, tuple | list) and len(size) == 2]


def patch_filters(backbone: Backbone, count: int = 128) -> np.ndarray:
    """The first `count` filters that turn a patch of pixels into a token, float32 (count, patch, patch, 3) in 0..1,
    each stretched from its own least to its own greatest weight; a constant one is 0.

    Fewer where the network is narrower. Raises AnatomyError where several layers cut the patches (XCiT).
    """
    filters = _filters(backbone)[:count].float().cpu().numpy()
    axes = (1, 2, 3)
    low, high = filters.min(axes, keepdims=True), filters.max(axes, keepdims=True)
    return np.divide(filters - low, high - low, out=np.zeros_like(filters), where=high > low)


def _filters(backbone: Backbone) -> Tensor:
    """All filters (width, patch, patch, 3): of a convolution, or of a linear layer on patches flattened row by row."""
    patch = backbone.patch
    for name, part in backbone.network.module.named_modules():
        if isinstance(part, nn.Conv2d) and tuple(part.weight.shape[1:]) == (3, patch, patch):
            return part.weight.detach().permute(0, 2, 3, 1)
        if isinstance(part, nn.Linear) and "patch" in name and part.weight.shape[1] == 3 * patch * patch:
            return part.weight.detach().view(-1, patch, patch, 3)
    raise AnatomyError(
        f"{backbone.title} cuts its patches by several layers, as XCiT does: there is no single filter to show"
    )
