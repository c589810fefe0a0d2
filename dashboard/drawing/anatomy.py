"""What a network has learnt, as pictures: its patch filters, and how alike places are to it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dashboard.drawing.figure import ColourBar, Plate
from ingest.vision.colour_maps import colour_table

COLUMNS = 16  # of filters in a wall
PLACES = 16  # along each side of the grid of similarity maps: more of them would be too small to be made out
SIDE = 1000  # pixels, about, of that grid
KINDS = {"dot": "dot product", "cosine": "cosine"}
COLOURS = "inferno"


def filter_wall(filters: np.ndarray, scale: int = 4, gap: int = 4) -> Image.Image:
    """Filters (count, patch, patch, 3) in 0..1 in rows of COLUMNS, each weight a square of `scale` pixels; RGBA, with
    nothing between them."""
    tiles = np.rint(255 * filters).astype(np.uint8).repeat(scale, 1).repeat(scale, 2)
    side, columns = tiles.shape[1], min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    wall = np.zeros((rows * (side + gap) - gap, columns * (side + gap) - gap, 4), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (side + gap) * (number // columns), (side + gap) * (number % columns)
        wall[top : top + side, left : left + side, :3] = tile
        wall[top : top + side, left : left + side, 3] = 255
    return Image.fromarray(wall)


def limits(similarity: np.ndarray) -> tuple[float, float]:
    """The least and the greatest similarity of two places (N, N); what each is to itself does not count."""
    others = similarity[~np.eye(len(similarity), dtype=bool)]
    return (float(others.min()), float(others.max())) if others.size else (0.0, 1.0)


def similarity_map(weights: np.ndarray, low: float, high: float, side: int = 480) -> Image.Image:
    """One place's similarities (rows, cols) in colours, from `low` to `high`, each place a flat square."""
    picture = Image.fromarray(_coloured(weights, low, high))
    return enlarged(picture, side)


def grid_of_maps(similarity: np.ndarray, rows: int, cols: int, low: float, high: float) -> tuple[Image.Image, int]:
    """Similarities (N, N) as a grid in which each place holds its own map of the whole grid, RGBA; and the step from
    one place shown to the next, more than 1 where not all have room."""
    step = -(-max(rows, cols) // PLACES)
    # Place, then what it is compared with: (row, col, other row, other col).
    maps = _coloured(similarity, low, high).reshape(rows, cols, rows, cols, 3)[step // 2 :: step, step // 2 :: step]
    down, across = maps.shape[:2]
    cells = np.zeros((down, rows + 1, across, cols + 1, 4), np.uint8)
    cells[:, :rows, :, :cols, :3] = maps.transpose(0, 2, 1, 3, 4)
    cells[:, :rows, :, :cols, 3] = 255
    whole = cells.reshape(down * (rows + 1), across * (cols + 1), 4)[:-1, :-1]
    return enlarged(Image.fromarray(whole), SIDE), step


def enlarged(picture: Image.Image, side: int) -> Image.Image:
    """The picture with each pixel a square, as many times as large as fits `side`."""
    times = max(1, side // max(picture.size))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def legend(kind: str, low: float, high: float) -> ColourBar:
    """What the colours of similarities mean; `kind` is a key of KINDS."""
    words = f"The {KINDS[kind]} of two places' position embeddings, from the least to the greatest of any two."
    least, most = (f"{end:.3g}".replace("-", "−") for end in (low, high))
    return ColourBar(colour_table(COLOURS), least, most, words)


def filter_legend() -> ColourBar:
    """What the colours of filters mean."""
    words = "Weights of one filter, in red, green and blue alike."
    return ColourBar(colour_table("greys"), "least", "greatest", words)


def plate(title: str, picture: Image.Image, bar: ColourBar, caption: str) -> Plate:
    """One of these pictures for print, on white."""
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return Plate(title, (("", ground),), 1, bar, caption)


def _coloured(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """uint8 (..., 3)."""
    shares = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    return colour_table(COLOURS)[np.rint(255 * shares).astype(np.uint8)]
