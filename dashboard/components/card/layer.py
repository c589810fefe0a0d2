"""A stored map of the run as a layer over the picture: which one, and how it is drawn."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.components.card.viewer import MapLayer
from dashboard.compute.methods import depth_noun, entry_of, kind_of, title_of
from dashboard.data import cache
from dashboard.drawing import map_values, panels
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import WHOLE, MapStyle, Scene
from dashboard.state import controls, url, widgets
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from store.maps import AttentionMaps
from store.records import RunRecord

NONE = "none"
MEAN = "mean"
METHOD, LAYER, HEAD = "picture_method", "picture_layer", "picture_head"  # in the address


@dataclass(frozen=True)
class Drawn:
    """A layer, what is to be said of its map, and what its colours mean."""

    layer: MapLayer
    note: str
    bar: ColourBar


def asked() -> bool:
    """Whether `choose` may give a map: one was chosen, or stands in the address."""
    return url.remembered(METHOD) not in (None, NONE) or bool(url.words(METHOD))


def links() -> tuple[dict[str, str], dict[str, str]]:
    """What the address of the picture's page, and that of Attention, has to say so that they show the map that lies
    over the picture; nothing where there is none."""
    method, layer, head = (url.remembered(key) for key in (METHOD, LAYER, HEAD))
    if method in (None, NONE):
        return {}, {}
    own = {METHOD: method, LAYER: layer, HEAD: head}
    there = {"method": method, "layer": layer, **({"fuse": MEAN} if head in (None, MEAN) else {"head": head})}
    if entry_of(method) is not None and not entry_of(method).per_head:
        own, there = {METHOD: method, LAYER: layer}, {"method": method, "layer": layer}
    own, there = ({key: str(value) for key, value in each.items() if value is not None} for each in (own, there))
    return own, there


def choose(run: RunRecord, image: cache.ImageRow) -> Drawn | None:
    """The controls, and the layer that they ask for; None for no map, which is so at first."""
    names = suited(run)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        method = controls.selectbox(
            "Map over the picture",
            [NONE, *names],
            key=METHOD,
            format_func=lambda name: "None" if name == NONE else title_of(name),
            width=240,
        )
        if method == NONE or method is None:
            return None
        layers, heads = cache.map_levels(run.run_id, method)
        noun = depth_noun(method)
        last = len(layers) - 1
        layer = controls.selectbox(noun, layers, last, key=LAYER, follows=True, width=100)
        head = None
        if heads:
            options: list[Any] = [MEAN, *heads]
            head = controls.selectbox("Head", options, key=HEAD, width=110)
        opacity = controls.slider("Opacity", 0.0, 1.0, 0.6, 0.05, key="picture_opacity", width=180)
        smooth = widgets.smooth("picture_patches")
    return draw(run, image, method, layer, head, MapStyle(opacity=opacity, smooth=smooth))


def suited(run: RunRecord) -> list[str]:
    """The methods of which the run has stored maps that need no target and are no parts of a sum."""
    stored = cache.methods(run.run_id)
    names = [name for name, target in zip(stored["method"], stored["target"], strict=True) if not target]
    return [name for name in names if (entry := entry_of(name)) is not None and not entry.accumulates]


def draw(
    run: RunRecord, image: cache.ImageRow, method: str, layer: int, head: int | str | None, style: MapStyle
) -> Drawn | None:
    """The layer of one map; None, with a sentence on the page, where the run has none of this image."""
    frame = cache.frame(run.run_id, image["image_id"])
    maps = cache.maps(run.run_id, image["image_id"], method, "", [layer], [head] if isinstance(head, int) else None)
    if frame is None or maps is None:
        st.info(f"Run {run.run_id} has no such map of this picture: it could not be read, or came after the run.")
        return None
    maps = one_map(maps, method, head)
    size = (image["width"], image["height"])
    scene = Scene(
        Image.new("RGB", (1, 1)), size, Frame(frame.x0, frame.y0, frame.x1, frame.y1, *maps.grid), image["title"]
    )
    (values,), bar = panels.scaled([(maps, scene)], style)
    panel = panels.panel(maps, 0, values[0], scene, style)
    drawn = MapLayer(
        source_of(values[0], style), panel.alt, panel.frame, style.opacity, style.smooth, scene.seen() < WHOLE
    )
    return Drawn(drawn, f"{panel.title}: {panel.note}.", bar)


def one_map(maps: AttentionMaps, method: str, head: int | str | None) -> AttentionMaps:
    """The map that is meant, with its unit and title; of all heads their mean."""
    maps = replace(maps, unit="evidence" if kind_of(method) == "attribution" else "share")
    if head == MEAN:
        return map_values.fuse_heads(maps, MEAN)
    layer = int(maps.layers[0])
    title = f"{depth_noun(method)} {layer}" if maps.fused else map_values.title(layer, int(maps.heads[0]))
    return replace(maps, titles=(title,))


def source_of(values: np.ndarray, style: MapStyle) -> str:
    """Values in 0..1 (rows, cols) in colours, one pixel a patch, as a data URL."""
    colours = colour_table(style.colours)[np.rint(np.nan_to_num(values) * 255).astype(np.uint8)]
    file = io.BytesIO()
    Image.fromarray(colours.astype(np.uint8)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
