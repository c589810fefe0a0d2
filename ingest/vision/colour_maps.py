"""The colour maps that maps of patches are drawn in: by pages, in print and over films."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# {name on pages, in addresses and on the command line: what matplotlib calls it}. Pages begin with the first.
COLOUR_MAPS = {
    "inferno": "inferno",
    "viridis": "viridis",
    "magma": "magma",
    "cividis": "cividis",
    "turbo": "turbo",
    "greys": "gray",
}


@cache
def colour_table(name: str) -> np.ndarray:
    """uint8 (256, 3): the RGB colours of a key of COLOUR_MAPS from least to greatest. KeyError for another name."""
    import matplotlib
    import numpy as np

    table = matplotlib.colormaps[COLOUR_MAPS[name]](np.arange(256))[:, :3]
    return np.rint(table * 255).astype(np.uint8)
