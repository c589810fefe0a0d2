"""From pictures to features, maps and statistics: one forward pass, observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ingest.vision.attention import Maps, methods, walk
from ingest.vision.attention.statistics import HeadStatistics
from ingest.vision.backbones import Backbone
from ingest.vision.geometry import Frame, fit_image


@dataclass(frozen=True)
class Observation:
    """What one batch gave. `features` float32 (batch, dim), L2-normalised; `maps` one entry a method; `statistics` by
    name float32 (batch, layers, heads), empty unless asked for; all on the CPU."""

    features: Tensor
    rows: int
    cols: int
    maps: list[Maps]
    statistics: dict[str, Tensor]


@torch.inference_mode()
def observe(
    backbone: Backbone,
    batch: Tensor,
    keys: Sequence[str] = (),
    statistics: bool = False,
    picture_cells: Tensor | None = None,
) -> Observation:
    """One forward pass over uint8 pictures (batch, height, width, 3), and the methods `keys` over its attention.

    `picture_cells` bool (batch, rows * cols) is False where padding was added. Methods must suit the backbone
    (`methods_for`). Each softmax row is computed once, whatever the number of methods that read it.
    """
    pixels = backbone.pixels(batch)
    rows, cols = (side // backbone.patch for side in pixels.shape[2:])
    if not keys and not statistics:
        return Observation(backbone.forward(pixels).cpu(), rows, cols, [], {})
    chosen = [methods()[key] for key in keys]
    tokens = statistics or any(method.read.wants_tiles for method in chosen)
    features, capture = backbone.capture(pixels, picture_cells, tokens, values=False)
    readers = [method.read(capture) for method in chosen]
    counting = [HeadStatistics(capture)] if statistics else []
    walk(capture, [*readers, *counting])
    maps = [_on_cpu(reader.maps()) for reader in readers]
    values = {name: value.cpu() for counter in counting for name, value in counter.values().items()}
    return Observation(features.cpu(), rows, cols, maps, values)


def _on_cpu(maps: Maps) -> Maps:
    return Maps(maps.method, maps.layers, maps.heads, maps.weights.cpu(), maps.target)


def methods_for(backbone: Backbone, keys: Sequence[str]) -> list[str]:
    """The methods `keys` as this backbone can show them: `received` stands in for `cls` where there is no CLS token.

    Raises ValueError for a key that is not in the registry.
    """
    known = methods()
    wrong = [key for key in keys if key not in known]
    if wrong:
        raise ValueError(f"there is no attention method {wrong[0]!r}; there are {', '.join(known)}")
    suited = ["received" if known[key].needs_cls and not backbone.has_cls else key for key in keys]
    return list(dict.fromkeys(suited))


def embed(
    backbone: Backbone, pictures: Sequence[Image.Image], fit: str = "crop", size: int | None = None
) -> np.ndarray:
    """Features of upright RGB pictures, float32 (pictures, dim), L2-normalised."""
    fitted = [fit_image(picture, backbone.rule, fit, size) for picture in pictures]
    batch = torch.from_numpy(np.stack([pixels for pixels, _ in fitted]))
    return observe(backbone, batch).features.numpy()


def cells_of(frames: Sequence[Frame], sizes: Sequence[tuple[int, int]]) -> Tensor | None:
    """Which patches show picture, bool (batch, rows * cols), given each picture's (width, height); None if all do."""
    cells = np.stack([frame.picture_cells(*size).ravel() for frame, size in zip(frames, sizes, strict=True)])
    return None if cells.all() else torch.from_numpy(cells)
