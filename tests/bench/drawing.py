"""How long the Attention page takes to draw its grid, against matplotlib drawing the same sixteen maps."""

from __future__ import annotations

import io
import statistics

import numpy as np
from PIL import Image

from dashboard.drawing import map_values, panels
from dashboard.drawing.panels import MapStyle, Scene
from ingest.vision.geometry import Frame
from tests.bench.timing import ratio, table, take_turns
from tests.support.maps import shown_maps

SIDE = 320


def measure() -> str:
    """Milliseconds for 4 × 4 panels of 320 px, as the page draws them at each move of a control."""
    weights = np.random.default_rng(0).dirichlet(np.full(256, 0.2), 16).reshape(16, 16, 16).astype(np.float32)
    layers, heads = zip(*[(layer, head) for layer in range(4) for head in range(4)], strict=True)
    maps = shown_maps(layers, heads, tuple(map(map_values.title, layers, heads)), weights)
    picture = Image.effect_noise((SIDE, SIDE), 60).convert("RGB")
    scene = Scene(picture, (SIDE, SIDE), Frame(20, 20, 300, 300, 16, 16), "noise")
    cases = {
        "matplotlib": lambda: _matplotlib(picture, weights),
        "sharp": lambda: panels.draw(maps, scene, MapStyle()),
        "smooth": lambda: panels.draw(maps, scene, MapStyle(smooth=True)),
    }
    seconds = take_turns(cases, 7)
    rows = [
        [name, f"{statistics.median(seconds[name]) * 1000:.0f}", f"{ratio(seconds, name, 'matplotlib'):.2f}"]
        for name in cases
    ]
    return f"## Drawing the attention grid\n\n4 × 4 panels of {SIDE} px.\n\n" + table(["case", "ms", "ratio"], rows)


def _matplotlib(picture: Image.Image, weights: np.ndarray) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.8, 12.8), dpi=100)
    for axis, one in zip(figure.subplots(4, 4).flat, weights, strict=True):
        axis.imshow(picture)
        axis.imshow(one, cmap="inferno", alpha=0.6, extent=(20, 300, 300, 20))
        axis.set_axis_off()
    figure.savefig(io.BytesIO(), format="png")
