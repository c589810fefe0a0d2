"""Two mean maps and their difference as pictures: what the page of groups shows and its printed figure repeats."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from dashboard.compute.contrast import CLEAR, Contrast
from dashboard.drawing import panels
from dashboard.drawing.figure import ColourBar, Plate
from dashboard.drawing.panels import Panel, percent, times
from dashboard.views.aggregate.groups import pictures
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from ingest.vision.overlay import overlay

SIDE = 600  # pixels of a map's long side, or some more: patches are whole numbers of pixels
GROUND = (128, 128, 128)  # what an average picture shows where a picture has padding
MORE = "red where A has more, blue where B has more"
_TITLE = 38  # letters of a title that fit over a map in print
_LINE = 3  # pixels of the line round the patches that differ


@dataclass(frozen=True)
class Unit:
    """What a weight is multiplied by, how it is said ("uniform": a multiple of uniform attention, "share" or "score", a
    plain number), and what it then means, without a full stop."""

    factor: float
    kind: str
    meaning: str

    def say(self, weight: float) -> str:
        """As on a scale: "3.1 ×", "0.4 %"."""
        value = weight * self.factor
        if self.kind == "share":
            return percent(value)
        number = times(value) if value >= 1 else f"{value:.2g}"
        return f"{number}\u00a0×" if self.kind == "uniform" else f"{value:.3g}"

    def signed(self, weight: float) -> str:
        """With its sign, as differences are."""
        sentence = self.say(abs(weight))
        return sentence if weight == 0 else f"{'+' if weight > 0 else '−'}{sentence}"


@dataclass(frozen=True)
class Style:
    """How the maps are drawn: smooth or one flat square a patch; whether of the difference only those patches are shown
    that differ by more than chance; whether average pictures lie behind the means."""

    smooth: bool = False
    only_clear: bool = False
    behind: bool = False


@dataclass(frozen=True)
class GroupFigures:
    """The panels of A, B and A - B, with the colour bar of the first two and that of the third."""

    panels: tuple[Panel, Panel, Panel]
    means: ColourBar
    difference: ColourBar


def draw(
    contrast: Contrast,
    names: tuple[str, str],
    unit: Unit,
    style: Style,
    grounds: tuple[Image.Image, Image.Image] | None = None,
) -> GroupFigures:
    """The three maps. `names` say who is in the groups, `grounds` are average pictures of `canvas` size to lie faintly
    behind the maps of A and B."""
    found, size = contrast.patches, canvas(contrast.rows, contrast.cols)
    plain = Image.new("RGB", size, "white")
    behind = (plain, plain, plain) if grounds is None else (*grounds, plain)
    means = [contrast.grid(mean) for mean in (found.mean_a, found.mean_b)]
    low, high = min(mean.min() for mean in means), max(mean.max() for mean in means)
    spread = (high - low) or 1.0
    opacity = 1.0 if grounds is None else 0.72
    drawn = []
    for letter, name, mean, ground, count in zip("AB", names, means, behind, contrast.pictures, strict=False):
        picture = _over(ground, (mean - low) / spread, colour_table("inferno"), style.smooth, opacity)
        note = f"{pictures(count)} · peak {unit.say(mean.max())}"
        alt = f"Mean of group {letter}, {name}: it peaks {panels.peak_place(mean)}."
        drawn.append(Panel(f"{letter}: {name}", note, alt, picture))
    bars = mean_bar(low, high, unit), difference_bar(_reach(contrast), unit)
    a, b = drawn
    return GroupFigures((a, b, _difference(contrast, unit, style, plain)), *bars)


def plate(title: str, caption: str, group_figures: GroupFigures) -> Plate:
    """The figure for print: both scales in one strip, as a Plate has one bar."""
    left, right = group_figures.means, group_figures.difference
    lut = np.full((256, 3), 255, np.uint8)
    part = 105
    places = np.rint(np.linspace(0, 255, part)).astype(int)
    lut[:part], lut[-part:] = left.lut[places], right.lut[places]
    edge = part / 256
    marks = ((edge, left.high), (1 - edge, right.low), (1 - edge / 2, "0"))
    words = f"{left.label} Left: A and B. Right: A minus B, {MORE}."
    bar = ColourBar(lut, left.low, right.high, words, marks)
    shown = tuple((shorten(panel.title, _TITLE), panel.picture) for panel in group_figures.panels)
    return Plate(title, shown, len(shown), bar, caption)


def drawn_as(style: Style) -> str:
    """How the maps are drawn, for the printed figure."""
    sentence = "Smooth between the centres of patches." if style.smooth else "One flat square for each patch."
    if style.only_clear:
        sentence += " Of the difference only the surrounded patches are coloured."
    if style.behind:
        sentence += " Behind the means lies the average picture of each group."
    return sentence


def canvas(rows: int, cols: int) -> tuple[int, int]:
    """(width, height) in pixels of a map of this grid."""
    each = -(-SIDE // max(rows, cols))
    return cols * each, rows * each


def average(jpegs: Iterable[tuple[bytes, tuple[float, float, float, float]]], size: tuple[int, int]) -> Image.Image:
    """The mean of pictures, each cut to a box (x0, y0, x1, y1) in shares of its sides and brought to `size`."""
    total, count = np.zeros((size[1], size[0], 3)), 0
    for data, (x0, y0, x1, y1) in jpegs:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        width, height = picture.size
        box = (x0 * width, y0 * height, x1 * width, y1 * height)
        how = (Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
        total += np.asarray(picture.transform(size, *how, fillcolor=GROUND))
        count += 1
    return Image.fromarray(np.rint(total / max(count, 1)).astype(np.uint8))


def mean_bar(low: float, high: float, unit: Unit) -> ColourBar:
    """The scale of both means."""
    return ColourBar(colour_table("inferno"), unit.say(low), unit.say(high), f"{unit.meaning}.")


def difference_bar(reach: float, unit: Unit) -> ColourBar:
    """The scale of the difference, from -reach to reach."""
    words = f"{unit.meaning}; {MORE}."
    return ColourBar(diverging(), unit.signed(-reach), unit.signed(reach), words, ((0.5, "0"),))


def shorten(title: str, letters: int) -> str:
    """At most so many letters."""
    return title if len(title) <= letters else title[: letters - 1].rstrip() + "…"


@cache
def diverging() -> np.ndarray:
    """uint8 (256, 3): blue, white, red of ColorBrewer (RdBu), told apart by colour-blind eyes too."""
    import matplotlib

    return np.rint(matplotlib.colormaps["RdBu_r"](np.arange(256))[:, :3] * 255).astype(np.uint8)


def _reach(contrast: Contrast) -> float:
    return float(np.abs(contrast.patches.difference).max()) or 1.0


def _difference(contrast: Contrast, unit: Unit, style: Style, ground: Image.Image) -> Panel:
    found, clear = contrast.grid(contrast.patches.difference), contrast.clear()
    row, col = contrast.peak()
    values = 0.5 + found / (2 * _reach(contrast))
    shown = clear if style.only_clear else None
    picture = _ringed(_over(ground, values, diverging(), style.smooth, 1.0, shown), clear)
    count = f"{clear.sum():,} of {clear.size:,} patches with p < {CLEAR:g}"
    who = "A" if found[row, col] > 0 else "B"
    place = panels.peak_place(np.abs(contrast.grid(contrast.patches.z)))
    alt = f"Mean of A minus mean of B: the clearest difference lies {place}, where {who} has more. {count}."
    return Panel("A minus B", f"{count} · clearest {unit.signed(found[row, col])}", alt, picture)


def _over(ground, values, lut, smooth: bool, opacity: float, mask: np.ndarray | None = None) -> Image.Image:
    frame = Frame(0, 0, *ground.size, *values.shape)
    return overlay(ground, values, frame, ground.size, lut, opacity=opacity, smooth=smooth, mask=mask)


def _ringed(picture: Image.Image, cells: np.ndarray) -> Image.Image:
    """Draws a line where a patch of `cells` (rows, cols), bool, has a neighbour that is none, inside the patch."""
    pen, padded = ImageDraw.Draw(picture), np.pad(cells, 1)
    wide, high = picture.width // cells.shape[1], picture.height // cells.shape[0]
    for row, col in np.argwhere(cells):
        left, top = col * wide, row * high
        right, bottom = left + wide - 1, top + high - 1
        edge = _LINE - 1
        sides = {
            (0, 1): (left, top, right, top + edge),
            (2, 1): (left, bottom - edge, right, bottom),
            (1, 0): (left, top, left + edge, bottom),
            (1, 2): (right - edge, top, right, bottom),
        }
        for (down, across), box in sides.items():
            if not padded[row + down, col + across]:
                pen.rectangle(box, fill=(25, 25, 25))
    return picture
