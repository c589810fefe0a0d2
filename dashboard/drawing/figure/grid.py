"""The figure of a paper: rows of pictures, columns of maps, on the scales that were asked for, laid out on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from dashboard.drawing import panels
from dashboard.drawing.figure import DPI
from dashboard.drawing.figure.lines import height as height_of
from dashboard.drawing.figure.lines import wrapped
from dashboard.drawing.figure.plan import (
    BAR,
    GAP,
    ROW_GAP,
    SMALL,
    TEXT,
    TEXT_GAP,
    TICKS,
    Cell,
    Grid,
    Plan,
    Row,
    bars_height,
    below_panel,
    letter,
    planned,
    row_height,
    small_bar_height,
)
from dashboard.drawing.figure.scales import OnScale, on_scale
from dashboard.drawing.figure.sheet import INCH, Area, Bitmap, Sheet, Words, snapped, text_block
from dashboard.drawing.panels import Scene
from ingest.vision.colour_maps import colour_table

Item = Words | Bitmap | Area


def sheet(grid: Grid, dpi: int = DPI) -> Sheet:
    """The figure laid out: panels at their own aspect, rows aligned, bitmaps at `dpi`. ValueError without a row or a
    column."""
    if not grid.rows or not grid.columns:
        raise ValueError("a figure needs at least one picture and one column")
    paper, plan = planned(grid)
    pairs = [
        [None if cell.maps is None else (cell.maps.weights[0], _scene(cell).cells()) for cell in row.cells]
        for row in grid.rows
    ]
    scaled = on_scale(pairs, grid.scale, grid.clip)
    left, y = paper.margin, paper.margin
    xs = [left + number * (plan.panel + GAP) for number in range(len(plan.heads))]
    items: list[Item] = []
    head = max(map(len, plan.heads))
    for x, lines in zip(xs, plan.heads, strict=True):
        # Beside a longer title a short one stands at the bottom, next to its panels.
        items += text_block(x, y + height_of(head - len(lines), TEXT), lines, TEXT)
    y += height_of(head, TEXT) + TEXT_GAP
    count = 0
    for number, row in enumerate(grid.rows):
        if plan.titles[number]:
            items += text_block(left, y, plan.titles[number], TEXT, bold=False)
            y += height_of(len(plan.titles[number]), TEXT) + TEXT_GAP
        if grid.letters == "panels":
            for place, x in enumerate(xs):
                items += text_block(x, y, [letter(count + place)], TEXT, bold=True)
            count += len(xs)
            y += height_of(1, TEXT)
        items += _row(grid, row, number, scaled[number], xs, y, plan, dpi)
        y += row_height(row, plan.panel)
        if grid.scale == "row" and (one := _first(scaled[number])) is not None:
            right = xs[-1] + plan.panel + GAP
            items += _upright_bar(grid, row, one, right, y - row_height(row, plan.panel), y, dpi)
        y += below_panel(grid, plan.panel) + ROW_GAP
    y -= ROW_GAP - TEXT_GAP
    items += _bars(grid, scaled, xs, y, plan, dpi)
    y += bars_height(grid, plan.panel, plan.width)
    if plan.caption:
        y += ROW_GAP
        items += text_block(left, y, plan.caption, plan.points)
    tall = max(plan.height, paper.tallest if paper.fixed else 0)
    return Sheet(paper.width, tall, tuple(items), grid.title, grid.caption, dpi)


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
    plan: Plan,
    dpi: int,
) -> list[Item]:
    """The panels of one picture."""
    high = row_height(row, plan.panel)
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
            items += _small_bar(grid, one, cell.maps.unit, xs[column + shift], y + high + TEXT_GAP, plan.panel, dpi)
    return items


def _missing(problem: str, x: float, y: float, width: float, height: float) -> list[Item]:
    """In the place of a map that there is not: why."""
    lines = wrapped(problem, width - 2, TICKS)
    room = max(1, int((height - 2) / height_of(1, TICKS)))
    if len(lines) > room:
        lines = [*lines[: room - 1], "…"]
    return [Area(x, y, width, height, 0.92), *text_block(x + 1, y + 1, lines, TICKS)]


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
    below = y + BAR
    lower = below + (0 if width >= SMALL else height_of(1, TICKS))
    return [
        _bar(grid, x, y, width, BAR, dpi, f"bar-{round(x * 10)}-{round(y * 10)}"),
        *text_block(x, below, [low], TICKS),
        *text_block(x + width, lower, [high], TICKS, anchor="end"),
    ]


def _upright_bar(grid: Grid, row: Row, one: OnScale, x: float, top: float, bottom: float, dpi: int) -> list[Item]:
    low, high = _ends(grid, one, _unit(row.cells))
    return [
        _bar(grid, x, top, BAR, bottom - top, dpi, f"bar-{round(top * 10)}"),
        *text_block(x + BAR + 0.6, top, [high], TICKS),
        *text_block(x + BAR + 0.6, bottom - height_of(1, TICKS), [low], TICKS),
    ]


def _bars(
    grid: Grid, scaled: list[list[OnScale | None]], xs: list[float], y: float, plan: Plan, dpi: int
) -> list[Item]:
    """The bars below all rows, and the line that says what they measure."""
    items: list[Item] = []
    left, shift = xs[0], int(grid.original)
    if grid.scale in ("figure", "absolute"):
        one = _first([each for line in scaled for each in line])
        if one is None:
            return []
        y += TEXT_GAP
        unit = _unit([cell for row in grid.rows for cell in row.cells])
        long = min(60.0, plan.width)
        low, high = _ends(grid, one, unit)
        middle = _ends(grid, replace(one, low=(one.low + one.high) / 2), unit)[0]
        items.append(_bar(grid, left, y, long, BAR, dpi, "bar"))
        y += BAR
        items += text_block(left, y, [low], TICKS)
        items += text_block(left + long / 2, y, [middle], TICKS, anchor="middle")
        items += text_block(left + long, y, [high], TICKS, anchor="end")
        y += height_of(1, TICKS)
    if grid.scale == "column":
        for column in range(len(grid.columns)):
            one = _first([line[column] for line in scaled])
            if one is not None:
                unit = _unit([row.cells[column] for row in grid.rows])
                items += _small_bar(grid, one, unit, xs[column + shift], y, plan.panel, dpi)
        y += small_bar_height(plan.panel) - TEXT_GAP
    return items + text_block(left, y + TEXT_GAP, wrapped(grid.unit, plan.width, TICKS), TICKS)


def _first(found: Sequence[OnScale | None]) -> OnScale | None:
    return next((each for each in found if each is not None), None)


def _unit(cells: Sequence[Cell]) -> str:
    return next((cell.maps.unit for cell in cells if cell.maps is not None), "share")
