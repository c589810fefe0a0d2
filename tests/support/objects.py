"""Pictures of one textured object on a texture, whose box is known."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

Box = tuple[int, int, int, int]


def scene(seed: int) -> tuple[Image.Image, Box]:
    """A picture of 300 to 520 pixels a side, and the box (x0, y0, x1, y1) of its object: a shape of a fifth to three
    fifths of each side, anywhere, with a texture of its own."""
    rng = np.random.default_rng([31, seed])
    width, height = (int(side) for side in rng.integers(300, 520, 2))
    across, down = (int(side * share) for side, share in zip((width, height), rng.uniform(0.2, 0.6, 2), strict=True))
    left, top = int(rng.integers(0, width - across)), int(rng.integers(0, height - down))
    box = (left, top, left + across, top + down)
    picture = texture(rng, width, height)
    mask = Image.new("L", (width, height))
    shape = ImageDraw.Draw(mask)
    inside = (left, top, box[2] - 1, box[3] - 1)
    if seed % 3 == 0:
        shape.ellipse(inside, fill=255)
    elif seed % 3 == 1:
        shape.rounded_rectangle(inside, radius=min(across, down) // 5, fill=255)
    else:
        middle = (left + across // 2, top + down // 2)
        corners = [(middle[0], inside[1]), (inside[2], middle[1]), (middle[0], inside[3]), (inside[0], middle[1])]
        shape.polygon(corners, fill=255)
    picture.paste(texture(rng, width, height), mask=mask)
    return picture, box


def texture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Smooth noise of a random grain, longer one way than the other, between two random colours."""
    grain = rng.uniform(1, 7, 2)
    noise = ndimage.gaussian_filter(rng.normal(size=(height, width)), grain, mode="wrap")
    share = np.clip(0.5 + noise / (4 * noise.std()), 0, 1)[..., None]
    dark, bright = rng.uniform(0, 255, (2, 3))
    return Image.fromarray((dark + share * (bright - dark)).astype(np.uint8))


def centred(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """A box in the middle of a picture, in the picture's shape, of as much area as this one."""
    share = ((box[2] - box[0]) * (box[3] - box[1]) / (width * height)) ** 0.5
    across, down = share * width, share * height
    return (width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2
