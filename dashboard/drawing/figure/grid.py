"""The figure of a paper: rows of pictures, columns of maps, on the scales that were asked for, laid out on a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dashboard.drawing import panels
from dashboard.drawing.figure import DPI
from dashboard.drawing.figure.lines import height as height_of
from dashboard.drawing.figure.lines import in_parts, wrapped
from dashboard.drawing.figure.scales import OnScale, on_scale
from dashboard.drawing.figure.sheet import INCH, Area, Bitmap, Sheet, Words, snapped, text_block
from dashboard.drawing.panels import MapStyle, Scene
from ingest.vision.colour_maps import colour_table
from store.maps import AttentionMaps

Item = Words | Bitmap | Area


@dataclass(frozen=True)
class Paper:
    """`width` of the sheet in mm with its `margin`, and the greatest height of the figure; a `fixed` sheet is that high
    in any case."""

    title: str
    width: float
    tallest: float
    margin: float = 1.0
    fixed: bool = False


WIDTHS = {
    "column": Paper("85 mm", 85, 240),
    "columns": Paper("175 mm", 175, 240),
    "page": Paper("A4 page", 210, 297, 17.5, fixed=True),
}
LETTERS = {"none": "none", "rows": "pictures", "panels": "panels"}
TALLEST = 1.5  # height of a panel in widths of its column: taller pictures are narrower
SMALL = 15  # mm: in narrower panels a map's patches are hard to see
SMALLEST = 12  # mm: rather is the sheet higher than its paper than panels narrower
_TEXT, _TICKS = 7.0, 6.0  # points
_GAP, _BAR, _ROW_BAR = 1.6, 1.8, 11.0  # mm between panels; of a colour bar's short side; of a bar with its numbers
_TEXT_GAP, _ROW_GAP = 0.8, 2.4


@dataclass(frozen=True)
class Cell:
    """One map of a picture, in the figure's unit, and what the network saw; or the `problem` why there is none."""

    maps: AttentionMaps | None = None
    scene: Scene | None = None
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """One picture, its words, and its maps, one a column. `photo` is drawn where the original is wanted."""

    title: str
    photo: Image.Image
    cells: tuple[Cell, ...]

    @property
    def aspect(self) -> float:
        return self.photo.width / self.photo.height


@dataclass(frozen=True)
class Grid:
    """The figure: `scale` is a key of scales.SCALES, `clip` cuts its upper end, `letters` is a key of LETTERS, `paper`
    of WIDTHS; `number` writes a value in the unit of its maps, `unit` names it beside the bar. With `original` the
    pictures themselves are the first column; with `grey` they lose their colours."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    style: MapStyle
    number: Callable[[float, str], str]
    unit: str
    caption: str = ""
    scale: str = "figure"
    clip: bool = False
    letters: str = "none"
    paper: str = "columns"
    original: bool = True
    grey: bool = False
    title: str = "Attention maps"
    captioned: bool = True


@dataclass(frozen=True)
class _Plan:
    """Where everything goes, in mm."""

    width: float
    panel: float  # width of a column
    heads: list[list[str]]
    titles: list[list[str]]
    caption: list[str]
    height: float


def letter(number: int) -> str:
    """(a), (b), … (z), (aa), …"""
    found = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(ord("a") + rest) + found
    return f"({found})"


def measures(grid: Grid) -> tuple[float, float, float]:
    """In mm how wide a column of panels will be printed, how high the figure is, and how high it should be at most."""
    paper, plan = _planned(grid)
    return plan.panel, plan.height, paper.tallest


def sheet(grid: Grid, dpi: int = DPI) -> Sheet:
    """The figure laid out: panels at their own aspect, rows aligned, bitmaps at `dpi`. ValueError without a row or a
    column."""
    if not grid.rows or not grid.columns:
        raise ValueError("a figure needs at least one picture and one column")
    paper, plan = _planned(grid)
    pairs = [
        [None if cell.maps is None else (cell.maps.weights[0], _scene(cell).cells()) for cell in row.cells]
        for row in grid.rows
    ]
    scaled = on_scale(pairs, grid.scale, grid.clip)
    left, y = paper.margin, paper.margin
    xs = [left + number * (plan.panel + _GAP) for number in range(len(plan.heads))]
    items: list[Item] = []
    head = max(map(len, plan.heads))
    for x, lines in zip(xs, plan.heads, strict=True):
        # Beside a longer title a short one stands at the bottom, next to its panels.
        items += text_block(x, y + height_of(head - len(lines), _TEXT), lines, _TEXT)
    y += height_of(head, _TEXT) + _TEXT_GAP
    count = 0
    for number, row in enumerate(grid.rows):
        if plan.titles[number]:
            items += text_block(left, y, plan.titles[number], _TEXT, bold=False)
            y += height_of(len(plan.titles[number]), _TEXT) + _TEXT_GAP
        if grid.letters == "panels":
            for place, x in enumerate(xs):
                items += text_block(x, y, [letter(count + place)], _TEXT, bold=True)
            count += len(xs)
            y += height_of(1, _TEXT)
        items += _row(grid, row, number, scaled[number], xs, y, plan, dpi)
        y += _row_height(row, plan.panel)
        if grid.scale == "row" and (one := _first(scaled[number])) is not None:
            right = xs[-1] + plan.panel + _GAP
            items += _upright_bar(grid, row, one, right, y - _row_height(row, plan.panel), y, dpi)
        y += _below(grid, plan.panel) + _ROW_GAP
    y -= _ROW_GAP - _TEXT_GAP
    items += _bars(grid, scaled, xs, y, plan, dpi)
    y += _bars_height(grid, plan.panel, plan.width)
    if plan.caption:
        y += _ROW_GAP
        items += text_block(left, y, plan.caption, _TEXT)
    tall = max(plan.height, paper.tallest if paper.fixed else 0)
    return Sheet(paper.width, tall, tuple(items), grid.title, grid.caption, dpi)


# ---- the plan -------------------------------------------------------------------------------------------------------


def _planned(grid: Grid) -> tuple[Paper, _Plan]:
    """The paper, upright or on its side where panels become larger so, and the widest panels that it has room for."""
    paper = WIDTHS[grid.paper]
    turned = replace(paper, width=paper.tallest, tallest=paper.width)
    plans = [(each, _fitted(grid, each)) for each in ((paper, turned) if paper.fixed else (paper,))]
    return max(plans, key=lambda one: (one[1].height <= one[0].tallest, one[1].panel))


def _fitted(grid: Grid, paper: Paper) -> _Plan:
    room = paper.width - 2 * paper.margin
    count = len(grid.columns) + grid.original
    beside = _ROW_BAR + _GAP if grid.scale == "row" else 0
    most = (room - beside - (count - 1) * _GAP) / count
    plan = _plan(grid, paper, most)
    low, high = min(most, SMALLEST), most
    if plan.height > paper.tallest:
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if _plan(grid, paper, middle).height <= paper.tallest else (low, middle)
        plan = _plan(grid, paper, low)
    return plan


def _plan(grid: Grid, paper: Paper, panel: float) -> _Plan:
    room = paper.width - 2 * paper.margin
    heads = [in_parts(words, panel, _TEXT) for words in (*(["Picture"] if grid.original else []), *grid.columns)]
    titles = []
    for number, row in enumerate(grid.rows):
        words = f"{letter(number)} {row.title}" if grid.letters == "rows" else row.title
        titles.append(wrapped(words, room, _TEXT))
    caption = wrapped(grid.caption, room, _TEXT) if grid.captioned else []
    height = 2 * paper.margin + height_of(max(map(len, heads)), _TEXT) + 2 * _TEXT_GAP - _ROW_GAP
    for row, lines in zip(grid.rows, titles, strict=True):
        height += height_of(len(lines), _TEXT) + _TEXT_GAP * bool(lines) + height_of(grid.letters == "panels", _TEXT)
        height += _row_height(row, panel) + _below(grid, panel) + _ROW_GAP
    height += _bars_height(grid, panel, room) + (_ROW_GAP + height_of(len(caption), _TEXT) if caption else 0)
    return _Plan(room, panel, heads, titles, caption, height)


def _row_height(row: Row, panel: float) -> float:
    return min(panel / row.aspect, TALLEST * panel)


def _below(grid: Grid, panel: float) -> float:
    """What a bar below each panel takes."""
    return _small_bar_height(panel) if grid.scale == "panel" else 0


def _small_bar_height(panel: float) -> float:
    return _TEXT_GAP + _BAR + height_of(1 if panel >= SMALL else 2, _TICKS)


def _bars_height(grid: Grid, panel: float, room: float) -> float:
    """What stands between the last row and the caption."""
    label = height_of(len(wrapped(grid.unit, room, _TICKS)), _TICKS) + _TEXT_GAP
    if grid.scale in ("figure", "absolute"):
        return _TEXT_GAP + _BAR + height_of(1, _TICKS) + label
    return label + (_small_bar_height(panel) if grid.scale == "column" else 0)


# ---- drawing --------------------------------------------------------------------------------------------------------


def _scene(cell: Cell) -> Scene:
    assert cell.scene is not None, "a map comes with its scene"
    return cell.scene


def _row(
    grid: Grid,
    row: Row,
    number: int,
    scaled: Sequence[OnScale | None],
    xs: list[float],
    y: float,
    plan: _Plan,
    dpi: int,
) -> list[Item]:
    """The panels of one picture."""
    high = _row_height(row, plan.panel)
    wide = high * row.aspect
    size = (max(1, round(wide * dpi / INCH)), max(1, round(high * dpi / INCH)))
    top, items = snapped(y, dpi), []
    box = (size[0] * INCH / dpi, size[1] * INCH / dpi)
    photo = row.photo.convert("L").convert("RGB") if grid.grey else row.photo
    photo = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    lefts = [snapped(x + (plan.panel - wide) / 2, dpi) for x in xs]
    name = f"{number + 1:02d}"
    if grid.original:
        items.append(Bitmap(lefts[0], top, *box, photo, f"{name}-picture", True, row.title))
    shift = int(grid.original)
    for column, (cell, one) in enumerate(zip(row.cells, scaled, strict=True)):
        x = lefts[column + shift]
        if one is None or cell.maps is None:
            items += _missing(cell.problem, x, top, *box)
            continue
        scene = replace(_scene(cell), picture=photo)
        panel = panels.panel(cell.maps, 0, one.values, scene, grid.style)
        items.append(Bitmap(x, top, *box, panel.picture, f"{name}-map-{column + 1}", False, panel.alt))
        if grid.scale == "panel":
            items += _small_bar(grid, one, cell.maps.unit, xs[column + shift], y + high + _TEXT_GAP, plan.panel, dpi)
    return items


def _missing(problem: str, x: float, y: float, width: float, height: float) -> list[Item]:
    """In the place of a map that there is not: why."""
    lines = wrapped(problem, width - 2, _TICKS)
    room = max(1, int((height - 2) / height_of(1, _TICKS)))
    if len(lines) > room:
        lines = [*lines[: room - 1], "…"]
    return [Area(x, y, width, height, 0.92), *text_block(x + 1, y + 1, lines, _TICKS)]


def _table(grid: Grid, upright: bool = False) -> Image.Image:
    lut = np.asarray(colour_table(grid.style.colours), np.uint8)
    return Image.fromarray(lut[::-1, None] if upright else lut[None])


def _bar(grid: Grid, x: float, y: float, width: float, height: float, dpi: int, name: str) -> Bitmap:
    upright = height > width
    size = (max(1, round(width * dpi / INCH)), max(1, round(height * dpi / INCH)))
    picture = _table(grid, upright).resize(size, Image.Resampling.BILINEAR)
    return Bitmap(snapped(x, dpi), snapped(y, dpi), size[0] * INCH / dpi, size[1] * INCH / dpi, picture, name)


def _ends(grid: Grid, one: OnScale, unit: str) -> tuple[str, str]:
    clipped = grid.clip or grid.scale == "absolute"
    unit = "uniform" if grid.scale == "absolute" else unit
    return grid.number(one.low, unit), ("≥ " if clipped else "") + grid.number(one.high, unit)


def _small_bar(grid: Grid, one: OnScale, unit: str, x: float, y: float, width: float, dpi: int) -> list[Item]:
    low, high = _ends(grid, one, unit)
    below = y + _BAR
    lower = below + (0 if width >= SMALL else height_of(1, _TICKS))
    return [
        _bar(grid, x, y, width, _BAR, dpi, f"bar-{round(x * 10)}-{round(y * 10)}"),
        *text_block(x, below, [low], _TICKS),
        *text_block(x + width, lower, [high], _TICKS, anchor="end"),
    ]


def _upright_bar(grid: Grid, row: Row, one: OnScale, x: float, top: float, bottom: float, dpi: int) -> list[Item]:
    low, high = _ends(grid, one, _unit(row.cells))
    return [
        _bar(grid, x, top, _BAR, bottom - top, dpi, f"bar-{round(top * 10)}"),
        *text_block(x + _BAR + 0.6, top, [high], _TICKS),
        *text_block(x + _BAR + 0.6, bottom - height_of(1, _TICKS), [low], _TICKS),
    ]


def _bars(
    grid: Grid, scaled: list[list[OnScale | None]], xs: list[float], y: float, plan: _Plan, dpi: int
) -> list[Item]:
    """The bars below all rows, and the line that says what they measure."""
    items: list[Item] = []
    left, shift = xs[0], int(grid.original)
    if grid.scale in ("figure", "absolute"):
        one = _first([each for line in scaled for each in line])
        if one is None:
            return []
        y += _TEXT_GAP
        unit = _unit([cell for row in grid.rows for cell in row.cells])
        long = min(60.0, plan.width)
        low, high = _ends(grid, one, unit)
        middle = _ends(grid, replace(one, low=(one.low + one.high) / 2), unit)[0]
        items.append(_bar(grid, left, y, long, _BAR, dpi, "bar"))
        y += _BAR
        items += text_block(left, y, [low], _TICKS)
        items += text_block(left + long / 2, y, [middle], _TICKS, anchor="middle")
        items += text_block(left + long, y, [high], _TICKS, anchor="end")
        y += height_of(1, _TICKS)
    if grid.scale == "column":
        for column in range(len(grid.columns)):
            one = _first([line[column] for line in scaled])
            if one is not None:
                unit = _unit([row.cells[column] for row in grid.rows])
                items += _small_bar(grid, one, unit, xs[column + shift], y, plan.panel, dpi)
        y += _small_bar_height(plan.panel) - _TEXT_GAP
    return items + text_block(left, y + _TEXT_GAP, wrapped(grid.unit, plan.width, _TICKS), _TICKS)


def _first(found: Sequence[OnScale | None]) -> OnScale | None:
    return next((each for each in found if each is not None), None)


def _unit(cells: Sequence[Cell]) -> str:
    return next((cell.maps.unit for cell in cells if cell.maps is not None), "share")
