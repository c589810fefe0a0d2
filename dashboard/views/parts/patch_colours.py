"""Pictures in the colours of their patches: what a network takes for the same kind of place has the same colour."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.drawing.figure import ColourBar, Plate
from dashboard.drawing.panels import Scene, percent
from ingest.vision.geometry import Frame
from ingest.vision.overlay import overlay
from store.records import RunRecord

MOST = 24  # pictures that are looked at together
_RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


@dataclass(frozen=True)
class Style:
    """How the colours are drawn: opacity 0..1, interpolated or one flat square a patch, and whether what the network
    sets apart as background shows the bare picture."""

    opacity: float = 0.85
    smooth: bool = False
    foreground: bool = False


@dataclass(frozen=True)
class Coloured:
    """The colours of one picture's patches (rows, cols, 3) in 0..1, NaN where it has none: padding and background."""

    image_id: int
    frame: Frame
    colours: np.ndarray


@dataclass(frozen=True)
class Palette:
    """Pictures in the colours of one basis, and the share of the variance (3,) that red, green and blue stand for."""

    pictures: tuple[Coloured, ...]
    explained: tuple[float, ...]


@dataclass(frozen=True)
class Parts:
    """What a network found in some pictures: their colours over all patches, and over the foreground alone.

    `missing` pictures could not be read, `thumbnails` were seen only as such; `seconds` is what the network took.
    """

    everything: Palette
    foreground: Palette
    missing: int
    thumbnails: int
    seconds: float


def find(run: RunRecord, ids: Sequence[int], advance: Callable[[int], object] = lambda done: None) -> Parts | None:
    """The parts of these images as the run's network sees them, computed now unless they were just before; `advance`
    gets how many pictures are done. None if not one of them can be read. Raises whatever a network raises that cannot
    be used here."""
    backbone = cache.backbone(run)
    return cache.computed(lambda: _compute(run, backbone, ids, advance), "parts", run.run_id, tuple(ids))


def _compute(run: RunRecord, backbone: Any, ids: Sequence[int], advance: Callable[[int], object]) -> Parts | None:
    from ingest.vision.token_pca import TokenPCA, patch_tokens

    start, found = time.perf_counter(), []
    for done, image_id in enumerate(ids):
        advance(done)
        if seen := cache.picture(image_id):
            found.append((image_id, seen, *patch_tokens(backbone, seen[0], run.fit, run.size, _size(image_id))))
    seconds = time.perf_counter() - start
    if not found:
        return None
    cells = [frame.picture_cells(*seen[0].size) for _, seen, _, frame in found]

    def palette(foreground: bool) -> Palette:
        pca = TokenPCA.fit([tokens for _, _, tokens, _ in found], cells, foreground)
        pictures = []
        for (image_id, seen, tokens, frame), inside in zip(found, cells, strict=True):
            shown = inside & pca.foreground(tokens)
            colours = np.where(shown[..., None], pca.colours(tokens), np.nan)
            pictures.append(Coloured(image_id, _in_original(frame, image_id, seen[0]), colours))
        return Palette(tuple(pictures), tuple(pca.explained.tolist()))

    both = palette(False), palette(True)
    thumbnails = sum(not original for _, (_, original), _, _ in found)
    return Parts(*both, len(ids) - len(found), thumbnails, seconds)


def _size(image_id: int) -> tuple[int, int]:
    """Width and height of the original."""
    row = cache.image_row(image_id)
    return row["width"], row["height"]


def _in_original(frame: Frame, image_id: int, picture: Image.Image) -> Frame:
    """A frame of the picture as it was looked at, in pixels of the original."""
    width, height = _size(image_id)
    across, down = width / picture.width, height / picture.height
    return replace(frame, x0=frame.x0 * across, x1=frame.x1 * across, y0=frame.y0 * down, y1=frame.y1 * down)


def scenes(palette: Palette) -> list[Scene]:
    """The pictures as they are drawn on, with what the network saw of each."""
    found = []
    for coloured in palette.pictures:
        row, picture = cache.image_row(coloured.image_id), cache.original(coloured.image_id)
        found.append(Scene(picture, (row["width"], row["height"]), coloured.frame, row["title"]))
    return found


# ---- drawing --------------------------------------------------------------------------------------------------------


def draw(coloured: Coloured, scene: Scene, style: Style) -> Image.Image:
    """The colours over exactly what the network saw of the picture; what it did not see is dimmed."""
    channels = [
        overlay(
            scene.picture,
            coloured.colours[..., channel],
            scene.frame,
            scene.size,
            _RAMP,
            opacity=style.opacity,
            smooth=style.smooth,
            dim=panels.DIM,
        ).getchannel(channel)
        for channel in range(3)
    ]
    return Image.merge("RGB", channels)


def pair(coloured: Coloured, scene: Scene, style: Style) -> Image.Image:
    """The picture and its colours, side by side if it is upright, one under the other if it is broad."""
    picture, colours = panels.framed(scene), draw(coloured, scene, style)
    width, height = picture.size
    if width > height:
        both = Image.new("RGB", (width, 2 * height))
        both.paste(colours, (0, height))
    else:
        both = Image.new("RGB", (2 * width, height))
        both.paste(colours, (width, 0))
    both.paste(picture, (0, 0))
    return both


def legend(palette: Palette) -> ColourBar:
    """The colours that occur, in the order of the first component."""
    every = np.concatenate([coloured.colours.reshape(-1, 3) for coloured in palette.pictures])
    every = every[np.isfinite(every).all(1)]
    every = every[np.argsort(every[:, 0], kind="stable")]
    steps = np.stack([part.mean(0) for part in np.array_split(every, min(32, len(every)))])
    at = np.linspace(0, 1, len(steps))
    table = np.stack([np.interp(np.linspace(0, 1, 256), at, channel) for channel in steps.T], axis=1)
    words = (
        "The colours that occur, in the order of the first component. None means anything by itself: places of one "
        "colour, in whatever picture, are alike to the network."
    )
    return ColourBar(np.rint(255 * table).astype(np.uint8), "one end", "the other", words)


def variance(palette: Palette) -> str:
    """How much of what tells the patches apart the colours show, as a sentence."""
    red, green, blue = map(percent, palette.explained)
    whole = percent(sum(palette.explained))
    return (
        f"The colours show {whole} of what tells the patches of these pictures apart (their variance): "
        f"red {red}, green {green}, blue {blue}."
    )


def plate(palette: Palette, drawn_on: Sequence[Scene], style: Style, title: str, credit: str, side: int) -> Plate:
    """The figure for print: each picture with its colours, `side` pixels for the longer side of a pair."""
    pairs = []
    for coloured, scene in zip(palette.pictures, drawn_on, strict=True):
        short, long = sorted(scene.size)
        own = round(side * long / max(long, 2 * short))
        large = replace(scene, picture=panels.fitted(scene.picture, own, enlarge=True))
        pairs.append(pair(coloured, large, style))
    width, height = (max(picture.size[axis] for picture in pairs) for axis in (0, 1))
    on_white = [Image.new("RGB", (width, height), "white") for _ in pairs]
    for sheet, picture in zip(on_white, pairs, strict=True):
        sheet.paste(picture, (0, 0))
    titles = [_short(scene.name) for scene in drawn_on]
    columns = min(4, len(pairs))
    return Plate(title, tuple(zip(titles, on_white, strict=True)), columns, legend(palette), credit)


def _short(words: str) -> str:
    return words if len(words) <= 40 else words[:39].rstrip() + "…"
