"""Maps one after the other, block by block: the frames of a player and of the film that can be taken away."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dashboard.components.player import Shot
from dashboard.drawing import markup, panels
from dashboard.drawing.panels import DIM, MapStyle, Scene
from ingest.vision.colour_maps import colour_table
from ingest.vision.overlay import overlay, scale_values
from store.maps import AttentionMaps

SIDE = 560  # pixels of a frame's long side
_PAPER, _INK = (255, 255, 255), (30, 30, 30)

SCALES = {"one": "one scale for all frames", "own": "each frame stretched"}


def frame_values(maps: AttentionMaps, cells: np.ndarray, accumulated: bool, scale: str) -> np.ndarray:
    """Values in 0..1 (blocks, rows, cols) of the frames, `scale` a key of SCALES.

    `maps` has what each block adds. `accumulated` adds them up, each frame all blocks so far; stretched, these are the
    frames as DAAM's authors draw them (Liao et al. 2025), in which early blocks look as strong as late ones.
    """
    from ingest.vision.attention.daam import honest_frames, seed_frames

    weights = np.where(cells, maps.weights, 0)
    if accumulated:
        return honest_frames(weights) if scale == "one" else seed_frames(weights)
    values, _ = scale_values(weights, "shared" if scale == "one" else "map", cells)
    return values


def draw_frames(values: np.ndarray, scene: Scene, style: MapStyle) -> list[Image.Image]:
    """Each frame over the picture."""
    small, lut = scene.at(SIDE), colour_table(style.colours)
    how = {"opacity": style.opacity, "smooth": style.smooth, "dim": DIM}
    return [overlay(small.picture, each, small.frame, small.size, lut, **how) for each in values]


def shots(pictures: Sequence[Image.Image], titles: Sequence[str], name: str) -> list[Shot]:
    """The frames as the player takes them."""
    return [
        Shot(markup.source(picture), title, f"{name}, {title[0].lower()}{title[1:]}.")
        for picture, title in zip(pictures, titles, strict=True)
    ]


def titled(picture: Image.Image, words: str) -> Image.Image:
    """The frame with its title in a strip below: a film has no captions of its own."""
    size = max(12, picture.height // 28)
    strip = round(size * 1.9)
    sheet = Image.new("RGB", (picture.width, picture.height + strip), _PAPER)
    sheet.paste(picture, (0, 0))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(sheet).text((size // 2, picture.height + strip // 2), words, _INK, font, anchor="lm")
    return sheet


def gif(pictures: Sequence[Image.Image], titles: Sequence[str], fps: float) -> bytes:
    """A GIF of one frame a block, each with its title."""
    from ingest.vision.film import encode_gif

    return encode_gif([titled(picture, words) for picture, words in zip(pictures, titles, strict=True)], fps)


def mp4(pictures: Sequence[Image.Image], titles: Sequence[str], fps: float) -> bytes:
    """The same as MP4, the last frame twice: players show a film's last frame for no time at all."""
    from ingest.vision.film import encode_mp4

    framed = [titled(picture, words) for picture, words in zip(pictures, titles, strict=True)]
    return encode_mp4(framed, fps)


def pngs(pictures: Sequence[Image.Image], titles: Sequence[str], about: str) -> bytes:
    """A ZIP file of the frames as PNG, numbered and named by their titles, without words in the picture; its file
    `about.txt` says what they show."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # PNG is compressed already
        for number, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
            content = io.BytesIO()
            picture.save(content, "PNG")
            archive.writestr(_entry(f"{number:02d}-{panels.file_stem(title)}.png"), content.getvalue())
        archive.writestr(_entry("about.txt"), f"{about}\n")
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """Without the time of day: the same frames make the same file."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
