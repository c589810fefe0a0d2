"""From pictures to features, maps and statistics: one forward pass, observed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.explaining import Asked, Explanation, explain_pictures
from ingest.vision.geometry import Frame, fit_image


def observe(
    backbone: Backbone,
    batch: Tensor,
    keys: Sequence[str] = (),
    statistics: bool = False,
    picture_cells: Tensor | None = None,
) -> Explanation:
    """One forward pass over uint8 pictures (batch, height, width, 3), and the methods `keys`, with their usual options,
    over its attention. `picture_cells` bool (batch, rows * cols) is False where padding was added."""
    return explain_pictures(backbone, batch, [Asked(key) for key in keys], None, picture_cells, statistics=statistics)


def methods_for(backbone: Backbone, keys: Sequence[str]) -> list[str]:
    """The methods `keys` by the names they are stored under; `received` stands in for `cls` where there is no CLS
    token. ValueError for a method, option or value that does not exist."""
    asked = [Asked.parse(key) for key in keys]
    suited = ["received" if each.key == "cls" and not backbone.has_cls else each.name for each in asked]
    return list(dict.fromkeys(suited))


def embed(
    backbone: Backbone, pictures: Sequence[Image.Image], fit: str = "crop", size: int | None = None
) -> np.ndarray:
    """Features of upright RGB pictures, float32 (pictures, dim), L2-normalised; those of one grid go together.
    BackboneError for a fit that the network does not take."""
    backbone.check_fit(fit)
    fitted = [fit_image(picture, backbone.rule, fit, size)[0] for picture in pictures]
    features = np.empty((len(fitted), backbone.dim), np.float32)
    for places in alike([pixels.shape for pixels in fitted]):
        batch = torch.from_numpy(np.stack([fitted[place] for place in places]))
        found = observe(backbone, batch).features
        if found is None:
            raise BackboneError(f"{backbone.title} has given no features")
        features[places] = found.numpy()
    return features


def alike(keys: Sequence[Hashable]) -> list[list[int]]:
    """The places of equal keys together, in the order of their first: [a, b, a] gives [[0, 2], [1]]."""
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def cells_of(frames: Sequence[Frame], sizes: Sequence[tuple[int, int]]) -> Tensor | None:
    """Which patches show picture, bool (batch, rows * cols), given each picture's (width, height); None if all do."""
    cells = np.stack([frame.picture_cells(*size).ravel() for frame, size in zip(frames, sizes, strict=True)])
    return None if cells.all() else torch.from_numpy(cells)
