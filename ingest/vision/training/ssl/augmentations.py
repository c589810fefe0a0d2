"""How a view of a picture is drawn, from a generator of its own.

The operations are torchvision's. What is drawn for them is drawn here: torchvision draws from the one generator of the
process, which threads share, so that a view would depend on which others are made at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ingest.vision.training.ssl.settings import AugmentationSettings, ViewSettings

# DINO's for colour photographs (Caron et al. 2021); for prints and drawings no hues are invented and nothing is turned
# inside out; for binary pictures what the study of cluttered digits took, where flips and jitter did harm.
PRESETS: dict[str, dict[str, Any]] = {
    "photographs": dict(
        scale=(0.4, 1.0), aspect=(3 / 4, 4 / 3), rotation=0.0, flip=0.5, jitter=0.8,
        jitter_amounts=(0.4, 0.4, 0.2, 0.1), grey=0.2, blur=0.5, blur_sigma=(0.1, 2.0), blur_kernel=9, solarize=0.1,
    ),
    "prints": dict(
        scale=(0.4, 1.0), aspect=(3 / 4, 4 / 3), rotation=4.0, flip=0.0, jitter=0.8,
        jitter_amounts=(0.3, 0.3, 0.1, 0.0), grey=0.5, blur=0.3, blur_sigma=(0.1, 1.0), blur_kernel=5, solarize=0.0,
    ),
    "binary": dict(
        scale=(0.5, 1.0), aspect=(3 / 4, 4 / 3), rotation=6.0, flip=0.0, jitter=0.0,
        jitter_amounts=(0.0, 0.0, 0.0, 0.0), grey=0.0, blur=0.5, blur_sigma=(0.1, 2.0), blur_kernel=3, solarize=0.0,
    ),
    "none": dict(
        scale=(1.0, 1.0), aspect=(1.0, 1.0), rotation=0.0, flip=0.0, jitter=0.0,
        jitter_amounts=(0.0, 0.0, 0.0, 0.0), grey=0.0, blur=0.0, blur_sigma=(0.1, 1.0), blur_kernel=3, solarize=0.0,
    ),
}  # fmt: skip
TRIES = 10  # to draw a part that lies within the picture


@dataclass(frozen=True)
class Augmentation:
    """Every setting of AugmentationSettings, with the preset's where nothing was said, and the `size` in pixels."""

    size: int
    scale: tuple[float, float]
    aspect: tuple[float, float]
    rotation: float
    flip: float
    jitter: float
    jitter_amounts: tuple[float, float, float, float]
    grey: float
    blur: float
    blur_sigma: tuple[float, float]
    blur_kernel: int
    solarize: float

    @staticmethod
    def of(settings: AugmentationSettings, size: int, scale: tuple[float, float] | None = None) -> Augmentation:
        """The settings at a size; `scale` in place of theirs, for local views."""
        given = {name: value for name, value in settings.model_dump(exclude={"preset"}).items() if value is not None}
        own: dict[str, Any] = {**PRESETS[settings.preset], **given, "size": size}
        if scale is not None:
            own["scale"] = scale
        return Augmentation(**own)


def augmentations(views: ViewSettings) -> tuple[Augmentation, Augmentation]:
    """Those of the large views and of the local ones."""
    own = views.augmentation
    return Augmentation.of(own, views.size), Augmentation.of(own, views.local_size, views.local_scale)


def draw_view(picture: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """One view, uint8 (3, size, size), of a picture uint8 (3, height, width).

    What is drawn is drawn in a fixed order whatever the probabilities are, so that views with and without one of the
    operations are otherwise the same.
    """
    return apply(picture, how, draw(picture.shape[1], picture.shape[2], how, rng))


def draw(height: int, width: int, how: Augmentation, rng: np.random.Generator) -> dict[str, Any]:
    """What one view is: its box (top, left, height, width) in pixels, its angle, and what is done to its colours."""
    box = _box(height, width, how, rng)
    angle = float(rng.uniform(-how.rotation, how.rotation))
    chances = rng.random(5)
    factors = [float(rng.uniform(max(0.0, 1 - amount), 1 + amount)) for amount in how.jitter_amounts[:3]]
    hue = float(rng.uniform(-how.jitter_amounts[3], how.jitter_amounts[3]))
    order, sigma = rng.permutation(4), float(rng.uniform(*how.blur_sigma))
    return {
        "box": box,
        "angle": angle,
        "flip": bool(chances[0] < how.flip),
        "jitter": [*factors, hue] if chances[1] < how.jitter else None,
        "order": order.tolist(),
        "grey": bool(chances[2] < how.grey),
        "sigma": sigma if chances[3] < how.blur else None,
        "solarize": bool(chances[4] < how.solarize),
    }


def apply(picture: Tensor, how: Augmentation, drawn: Mapping[str, Any]) -> Tensor:
    """The view that was drawn."""
    size, bicubic = [how.size, how.size], InterpolationMode.BICUBIC
    view = F.resized_crop(picture, *drawn["box"], size=size, interpolation=bicubic, antialias=True)
    if drawn["angle"]:
        view = F.rotate(view, drawn["angle"], interpolation=InterpolationMode.BILINEAR, fill=_ground(view))
    if drawn["flip"]:
        view = F.horizontal_flip(view)
    if drawn["jitter"] is not None:
        brightness, contrast, saturation, hue = drawn["jitter"]
        steps = [
            lambda v: F.adjust_brightness(v, brightness),
            lambda v: F.adjust_contrast(v, contrast),
            lambda v: F.adjust_saturation(v, saturation),
            lambda v: F.adjust_hue(v, hue) if hue else v,
        ]
        for place in drawn["order"]:
            view = steps[place](view)
    if drawn["grey"]:
        view = F.rgb_to_grayscale(view, num_output_channels=3)
    if drawn["sigma"] is not None:
        view = F.gaussian_blur(view, [how.blur_kernel] * 2, [drawn["sigma"]] * 2)
    return F.solarize(view, 128) if drawn["solarize"] else view


def resized(picture: Tensor, short: int) -> Tensor:
    """A picture uint8 (3, height, width) whose short side has at most `short` pixels."""
    if min(picture.shape[1:]) <= short:
        return picture
    return F.resize(picture, [short], interpolation=InterpolationMode.BICUBIC, antialias=True)


def middle(picture: Tensor, size: int) -> Tensor:
    """The middle square of a picture, at a size: what a network that is trained here sees of it in a run."""
    side = min(picture.shape[1:])
    box = ((picture.shape[1] - side) // 2, (picture.shape[2] - side) // 2, side, side)
    return F.resized_crop(picture, *box, size=[size, size], interpolation=InterpolationMode.BICUBIC, antialias=True)


def _box(height: int, width: int, how: Augmentation, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A part of the picture, of a share of its area and an aspect that are drawn; where none of TRIES lies within it,
    the largest in the middle whose aspect is allowed (as torchvision's RandomResizedCrop)."""
    least, most = (math.log(each) for each in how.aspect)
    drawn = [(rng.uniform(*how.scale), math.exp(rng.uniform(least, most)), *rng.random(2)) for _ in range(TRIES)]
    for share, aspect, down, across in drawn:
        area = share * height * width
        wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            return int(down * (height - high + 1)), int(across * (width - wide + 1)), high, wide
    aspect = min(max(width / height, how.aspect[0]), how.aspect[1])
    wide = min(width, max(1, round(height * aspect)))
    high = min(height, max(1, round(width / aspect)))
    return (height - high) // 2, (width - wide) // 2, high, wide


def _ground(view: Tensor) -> list[float]:
    """The colour that fills the corners of a view that is turned: the commonest along its edge, roughly its ground."""
    edge = torch.cat([view[:, 0], view[:, -1], view[:, :, 0], view[:, :, -1]], dim=1)
    return edge.median(dim=1).values.tolist()
