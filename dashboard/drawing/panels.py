"""Attention maps as pictures with words: what the attention page shows and the printed figure repeats."""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from dashboard.drawing import map_values
from dashboard.drawing.figure import ColourBar, Plate
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from ingest.vision.overlay import ABSOLUTE_RANGE, overlay, scale_values, threshold_mass
from store.counts import counted
from store.maps import AttentionMaps

SCALES = {"map": "per map", "shared": "shared", "absolute": "absolute"}
WHOLE = 0.995  # from this share of its area on, a picture counts as seen whole: a cut of a pixel is no cut
USUAL, BROAD = 1.5, 3  # long side to short side; width to height
DIM = 0.55  # what the network did not see stands back, but can still be made out


@dataclass(frozen=True)
class MapStyle:
    """How maps are drawn: a key of COLOUR_MAPS, opacity 0..1, smooth or one flat square a patch, a key of SCALES,
    and `share`, the part of the mass whose patches are shown (None: all)."""

    colours: str = "inferno"
    opacity: float = 0.6
    smooth: bool = False
    scale: str = "map"
    share: float | None = None


@dataclass(frozen=True)
class Scene:
    """A picture at the size it is drawn, the (width, height) of its original, what the network saw, its title."""

    picture: Image.Image
    size: tuple[int, int]
    frame: Frame
    name: str = "The picture"

    def at(self, side: int) -> Scene:
        """The same scene with the picture's long side at most `side` pixels, or more where it is long, as scrolls are:
        they get as many pixels as others.

        Tiny pictures are enlarged to 128 pixels: below, a map's patches cannot be told apart.
        """
        short, long = sorted(self.picture.size)
        side = round(side * max(1.0, long / short / USUAL) ** 0.5)
        side = min(side, max(long, 128))
        return replace(self, picture=fitted(self.picture, side, enlarge=True))

    @property
    def broad(self) -> bool:
        """As `is_broad` of the picture."""
        return is_broad(self.size)

    def cells(self) -> np.ndarray:
        """bool (rows, cols): patches that show some of the picture, not padding."""
        return self.frame.picture_cells(*self.size)

    def seen(self) -> float:
        """The share of the picture's area that the network saw, 0..1."""
        width, height = self.size
        across = min(self.frame.x1, width) - max(self.frame.x0, 0)
        down = min(self.frame.y1, height) - max(self.frame.y0, 0)
        return max(0.0, across) * max(0.0, down) / (width * height)

    def seen_box(self) -> tuple[float, float, float, float]:
        """The frame's edges (x0, y0, x1, y1) as fractions of the picture's sides; padding lies outside 0..1."""
        (width, height), frame = self.size, self.frame
        return frame.x0 / width, frame.y0 / height, frame.x1 / width, frame.y1 / height


@dataclass(frozen=True)
class Panel:
    """One map over the picture, drawn; `note` says its peak and mass, `alt` says in words where it peaks.

    `frame` is what the network saw, (x0, y0, x1, y1) as fractions of the picture, and `rows` and `cols` its grid;
    `values`, one text a patch in reading order, may be left out.
    """

    title: str
    note: str
    alt: str
    picture: Image.Image
    frame: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    rows: int = 1
    cols: int = 1
    values: tuple[str, ...] = ()

    @cached_property
    def source(self) -> str:
        """The picture as a data URL."""
        return source(self.picture)


def source(image: Image.Image) -> str:
    """A picture as a data URL."""
    file = io.BytesIO()
    # Full colour resolution: the edges of patches are edges of colour, and 4:2:0 would smear them.
    image.save(file, "JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def is_broad(size: tuple[int, int]) -> bool:
    """Whether a picture of this (width, height) is so broad that its maps are better seen one above the other."""
    return size[0] >= BROAD * size[1]


def draw(maps: AttentionMaps, scene: Scene, style: MapStyle, only: int | None = None) -> tuple[list[Panel], ColourBar]:
    """The panels of `maps`, or of the one numbered `only`, and the colour bar that says what their colours mean.

    A scale shared by all maps stays so when only one is drawn. ValueError where the grid is not the frame's.
    """
    (values,), bar = scaled([(maps, scene)], style)
    numbers = range(len(values)) if only is None else [only]
    return [panel(maps, number, values[number], scene, style) for number in numbers], bar


def draw_together(
    groups: Sequence[tuple[AttentionMaps, Scene]], style: MapStyle
) -> tuple[list[list[Panel]], ColourBar]:
    """The panels of each group, all on one scale where the style shares one; the grids may differ."""
    values, bar = scaled(groups, style)
    drawn = [
        [panel(maps, number, each, scene, style) for number, each in enumerate(stack)]
        for (maps, scene), stack in zip(groups, values, strict=True)
    ]
    return drawn, bar


def scaled(groups: Sequence[tuple[AttentionMaps, Scene]], style: MapStyle) -> tuple[list[np.ndarray], ColourBar]:
    """Of each group the values in 0..1 (m, rows, cols) that colours stand for, and the colour bar."""
    unit, lut = groups[0][0].unit, colour_table(style.colours)
    if style.scale == "absolute":
        groups = [(map_values.per_uniform(maps, scene.cells()), scene) for maps, scene in groups]
    values, limits = zip(
        *(scale_values(maps.weights, style.scale, scene.cells()) for maps, scene in groups), strict=True
    )
    if style.scale == "shared":
        low, high = min(each[0, 0] for each in limits), max(each[0, 1] for each in limits)
        limits = [np.array([[low, high]])]
        if len(groups) > 1:
            span = (high - low) or 1.0
            values = [np.clip((maps.weights - low) / span, 0, 1) for maps, _ in groups]
    return list(values), colour_bar(style, limits[0], lut, unit)


def panel(maps: AttentionMaps, number: int, values: np.ndarray, scene: Scene, style: MapStyle) -> Panel:
    """One of the maps, drawn with `values` in 0..1 (rows, cols) over the scene."""
    cells, title, weights = scene.cells(), maps.titles[number], maps.weights[number]
    mask = None if style.share is None else threshold_mass(weights, style.share, cells)
    picture = overlay(
        scene.picture,
        values,
        scene.frame,
        scene.size,
        colour_table(style.colours),
        opacity=style.opacity,
        smooth=style.smooth,
        mask=mask,
        dim=DIM,
    )
    seen = np.where(cells, weights, 0)
    multiples = map_values.multiples(maps, number, cells)
    peak = f"peak ×{times(multiples[cells].max())}"
    note = f"{peak} · {percent(seen.sum())} on patches" if maps.unit == "share" else peak
    if mask is not None:
        note = f"{peak} · {int(mask.sum())} of {counted(int(cells.sum()), 'patch')}"
    what = "evidence" if maps.unit == "evidence" else "attention"
    alt = f"{scene.name}, {title[0].lower()}{title[1:]}: the {what} peaks {_where(seen)}."
    texts = _texts(maps, multiples, weights)
    return Panel(title, note, alt, _outlined(picture, scene), scene.seen_box(), *maps.grid, texts)


def _texts(maps: AttentionMaps, multiples: np.ndarray, weights: np.ndarray) -> tuple[str, ...]:
    if maps.unit == "share":
        both = zip(multiples.ravel().tolist(), weights.ravel().tolist(), strict=True)
        return tuple(f"×{times(many)} · {percent(share)}" for many, share in both)
    return tuple(f"×{times(many)}" for many in multiples.ravel().tolist())


def plate(
    title: str, caption: str, maps: AttentionMaps, scene: Scene, style: MapStyle, columns: int, credit: str
) -> Plate:
    """The figure for print of what the page shows. `scene` has the size that a panel gets, `caption` says who made
    the picture and when, `credit` where the maps are from."""
    drawn, bar = draw(maps, scene, style)
    return plate_of(title, caption, drawn, bar, scene, style, columns, credit)


def plate_of(
    title: str,
    caption: str,
    drawn: Sequence[Panel],
    bar: ColourBar,
    scene: Scene,
    style: MapStyle,
    columns: int,
    credit: str,
) -> Plate:
    """The same, of panels that have been drawn already; `scene` is for the original beside them."""
    between = "interpolated between the centres of patches" if style.smooth else "one flat square for each patch"
    drawn_as = f"Scale: {SCALES[style.scale]}; {between}; {style.colours} at an opacity of {percent(style.opacity)}."
    named = f"{title} ({caption})" if caption else title
    return Plate(
        title=named,
        panels=tuple((f"{panel.title} · {panel.note.split(' · ')[0]}", panel.picture) for panel in drawn),
        columns=columns,
        bar=bar,
        caption=f"{named}. {credit} {drawn_as} {mask_sentence(style)}".strip(),
        original=framed(scene),
        original_title="Original",
    )


def mask_sentence(style: MapStyle) -> str:
    """What the mask leaves to be seen; empty without one."""
    if style.share is None:
        return ""
    return f"Of each map only the fewest patches that together hold {percent(style.share)} of its mass are coloured."


def masses(stats: Mapping[str, float] | pd.Series) -> list[tuple[str, float]]:
    """Where the summary's attention lies, as named shares of a row of `head_stats`; what is missing from 1 lies on
    padding."""
    parts = [
        ("CLS token", float(stats["mass_cls"])),
        ("registers", float(stats["mass_registers"])),
        ("patches", float(stats["mass_patches"])),
    ]
    rest = 1 - sum(share for _, share in parts)
    return [*parts, ("padding", rest if rest > 0.005 else 0.0)]


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of 0 .. count - 1, evenly from the first to the last; one alone is the first."""
    if count <= wanted or wanted < 2:
        return list(range(min(count, max(wanted, 0))))
    return [round(step * (count - 1) / (wanted - 1)) for step in range(wanted)]


def file_stem(words: str) -> str:
    """A name for a file, of letters, digits and hyphens alone."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "picture"


def colour_bar(style: MapStyle, limits: np.ndarray, lut: np.ndarray, unit: str = "share") -> ColourBar:
    """What the colours mean, in words and numbers; `limits` (m, 2) as scale_values gives them, `unit` the maps'."""
    if style.scale == "map":
        words = (
            "Each map runs from its own least to its own greatest weight: its colours show where it looks, "
            "and cannot be compared with another map's."
        )
        return ColourBar(lut, "least", "greatest", words)
    if style.scale == "shared":
        low, high = limits[0]
        units = {
            "share": "as shares of a token's attention",
            "evidence": "in units of the target's score",
            "uniform": "as multiples of each map's mean",
        }
        words = (
            f"One scale for all maps shown, from the least to the greatest weight among them, {units[unit]}: "
            "colours can be compared."
        )
        ends = {"share": percent, "evidence": "{:.2g}".format, "uniform": lambda number: f"{times(number)} ×"}
        return ColourBar(lut, ends[unit](low), ends[unit](high), words)
    low, high = ABSOLUTE_RANGE
    times_what = "uniform attention" if unit == "share" else "each map's mean"
    words = (
        f"Times {times_what}, the same scale for every picture: 1 means as much as if all patches got "
        f"the same. Above {high:g} the colour stays."
    )
    return ColourBar(lut, f"{low:g}", f"{high:g} ×", words, tuple((n / high, f"{n} ×") for n in (1, 2, 4)))


def fitted(picture: Image.Image, side: int, enlarge: bool = False) -> Image.Image:
    """The picture with its long side at most `side` pixels, or just so if it may be enlarged."""
    factor = side / max(picture.size)
    if factor == 1 or (factor > 1 and not enlarge):
        return picture
    width, height = (max(1, round(edge * factor)) for edge in picture.size)
    # reducing_gap: a scan of 27 megapixels takes 25 ms instead of 220, and looks the same.
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2)


def framed(scene: Scene) -> Image.Image:
    """The picture with the edge of what the network saw drawn, and the rest dimmed."""
    nothing = np.zeros((scene.frame.rows, scene.frame.cols))
    lut = colour_table("greys")
    picture = overlay(scene.picture, nothing, scene.frame, scene.size, lut, opacity=0, dim=DIM)
    return _outlined(picture, scene, width=3)


def _outlined(picture: Image.Image, scene: Scene, width: int = 1) -> Image.Image:
    """Draws the edge of what the network saw, where that is not the whole picture."""
    if scene.seen() > WHOLE:
        return picture
    across, down = (shown / own for shown, own in zip(picture.size, scene.size, strict=True))
    left, right = (min(max(x * across, 0), picture.width) for x in (scene.frame.x0, scene.frame.x1))
    top, bottom = (min(max(y * down, 0), picture.height) for y in (scene.frame.y0, scene.frame.y1))
    pen = ImageDraw.Draw(picture)
    box = (round(left), round(top), round(right) - 1, round(bottom) - 1)
    if width > 1:
        pen.rectangle(box, outline=(20, 20, 20), width=width)  # dark under light: seen on any picture
    pen.rectangle(box, outline=(235, 235, 235) if width > 1 else (150, 150, 150), width=1)
    return picture


def seen_sentence(scene: Scene, fit: str) -> str:
    """What the network saw of the picture, as a sentence."""
    share = scene.seen()
    if share < WHOLE:
        return f"The network saw the central {percent(share)} of the picture; the dimmed rest was cut off."
    (width, height), frame = scene.size, scene.frame
    beyond = frame.x0 < -0.5 or frame.y0 < -0.5 or frame.x1 > width + 0.5 or frame.y1 > height + 0.5
    if fit == "pad" or (fit == "model" and beyond):
        return "The network saw the whole picture, on a ground of a plain colour."
    squeezed = (frame.x1 - frame.x0) / frame.cols / ((frame.y1 - frame.y0) / frame.rows)
    if fit in ("stretch", "model") and not 0.95 < squeezed < 1.05:
        into = "a square" if frame.rows == frame.cols else f"{frame.rows} × {frame.cols} patches"
        return f"The network saw the whole picture, squeezed into {into}."
    return "The network saw the whole picture."


def percent(share: float) -> str:
    """A share (0..1) as a percentage with the digits that matter, number and sign kept on one line."""
    digits = "0" if share < 1e-6 else f"{100 * share:.2g}" if share < 0.1 else f"{100 * share:.0f}"
    return f"{digits}\u00a0%"


def times(number: float) -> str:
    """A multiple of uniform attention with the digits that matter."""
    return f"{number:.1f}" if number < 10 else f"{number:.0f}"


def peak_place(weights: np.ndarray) -> str:
    """Where in what the network saw the greatest of weights (rows, cols) lies, as in "at the top left of …"."""
    return _where(weights)


def _where(weights: np.ndarray) -> str:
    rows, cols = weights.shape
    row, col = np.unravel_index(int(np.argmax(weights)), weights.shape)
    down = ("at the top", "in the middle", "at the bottom")[min(2, 3 * row // rows)]
    across = ("left", "centre", "right")[min(2, 3 * col // cols)]
    if (down, across) == ("in the middle", "centre"):
        return "in the middle of what the network saw"
    return f"{down} {across} of what the network saw"
