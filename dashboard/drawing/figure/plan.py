"""The figure of a paper, and how much room each of its parts gets: rows of pictures, columns of maps, bars, caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from dashboard.drawing.figure.lines import height as height_of
from dashboard.drawing.figure.lines import in_parts, wrapped
from dashboard.drawing.panels import MapStyle, Scene
from store.maps import AttentionMaps


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
TEXT, TICKS = 7.0, 6.0  # points
_CAPTION = (7.0, 6.0)  # points of a caption, the second where the first takes too much from the maps
_LEAST = 0.7  # of the width that maps have without a caption, a caption leaves them
CUT = "…"  # ends a caption for whose rest is no room
GAP, BAR, ROW_BAR = 1.6, 1.8, 11.0  # mm between panels; of a colour bar's short side; of a bar with its numbers
TEXT_GAP, ROW_GAP = 0.8, 2.4


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
class Plan:
    """Where everything goes, in mm."""

    width: float
    panel: float  # width of a column
    heads: list[list[str]]
    titles: list[list[str]]
    caption: list[str]
    height: float
    points: float = TEXT  # of the caption
    cut: bool = False


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
    paper, plan = planned(grid)
    return plan.panel, plan.height, paper.tallest


def caption_fits(grid: Grid) -> str:
    """ "small" where the caption is set in smaller letters, "cut" where even so its end has no room, else ""."""
    plan = planned(grid)[1]
    return "cut" if plan.cut else "small" if plan.caption and plan.points < _CAPTION[0] else ""


def planned(grid: Grid) -> tuple[Paper, Plan]:
    """The paper, upright or on its side where panels become larger so, and the widest panels that it has room for."""
    paper = WIDTHS[grid.paper]
    turned = replace(paper, width=paper.tallest, tallest=paper.width)
    plans = [(each, _fitted(grid, each)) for each in ((paper, turned) if paper.fixed else (paper,))]
    return max(plans, key=lambda one: (one[1].height <= one[0].tallest, one[1].panel))


def _fitted(grid: Grid, paper: Paper) -> Plan:
    """The widest panels of which the figure is no higher than the paper. A caption gives way to them: it is set in
    small letters, and then cut, before it takes more than a part of their width."""
    bare = _widest(grid, paper, None)
    if not (grid.captioned and grid.caption):
        return bare
    for points in _CAPTION:
        plan = _widest(grid, paper, points)
        if plan.height <= paper.tallest and plan.panel >= _LEAST * bare.panel:
            return plan
    panel = max(min(bare.panel, SMALLEST), _LEAST * bare.panel)
    room = paper.tallest - _plan(grid, paper, panel, None).height - ROW_GAP
    lines = max(1, int(room / height_of(1, _CAPTION[-1])))
    if len(_caption(grid, paper, _CAPTION[-1])) <= lines:
        return _plan(grid, paper, panel, _CAPTION[-1])
    return _plan(grid, paper, panel, _CAPTION[-1], lines)


def _widest(grid: Grid, paper: Paper, points: float | None) -> Plan:
    """With a caption of so many points, None for no caption."""
    room = paper.width - 2 * paper.margin
    count = len(grid.columns) + grid.original
    beside = ROW_BAR + GAP if grid.scale == "row" else 0
    most = (room - beside - (count - 1) * GAP) / count
    plan = _plan(grid, paper, most, points)
    low, high = min(most, SMALLEST), most
    if plan.height > paper.tallest:
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if _plan(grid, paper, middle, points).height <= paper.tallest else (low, middle)
        plan = _plan(grid, paper, low, points)
    return plan


def _caption(grid: Grid, paper: Paper, points: float) -> list[str]:
    return wrapped(grid.caption, paper.width - 2 * paper.margin, points)


def _plan(grid: Grid, paper: Paper, panel: float, points: float | None, lines: int = 0) -> Plan:
    """With panels of this width and a caption of so many points, of which no more than `lines` are set; 0 for all."""
    room = paper.width - 2 * paper.margin
    heads = [in_parts(words, panel, TEXT) for words in (*(["Picture"] if grid.original else []), *grid.columns)]
    titles = []
    for number, row in enumerate(grid.rows):
        words = f"{letter(number)} {row.title}" if grid.letters == "rows" else row.title
        titles.append(wrapped(words, room, TEXT))
    caption = [] if points is None else _caption(grid, paper, points)
    cut = 0 < lines < len(caption)
    if cut:
        caption = [*caption[: lines - 1], f"{caption[lines - 1].rpartition(' ')[0]} {CUT}".strip()]
    height = 2 * paper.margin + height_of(max(map(len, heads)), TEXT) + 2 * TEXT_GAP - ROW_GAP
    for row, title in zip(grid.rows, titles, strict=True):
        height += height_of(len(title), TEXT) + TEXT_GAP * bool(title) + height_of(grid.letters == "panels", TEXT)
        height += row_height(row, panel) + below_panel(grid, panel) + ROW_GAP
    points = points or TEXT
    height += bars_height(grid, panel, room) + (ROW_GAP + height_of(len(caption), points) if caption else 0)
    return Plan(room, panel, heads, titles, caption, height, points, cut)


def row_height(row: Row, panel: float) -> float:
    return min(panel / row.aspect, TALLEST * panel)


def below_panel(grid: Grid, panel: float) -> float:
    """What a bar below each panel takes."""
    return small_bar_height(panel) if grid.scale == "panel" else 0


def small_bar_height(panel: float) -> float:
    return TEXT_GAP + BAR + height_of(1 if panel >= SMALL else 2, TICKS)


def bars_height(grid: Grid, panel: float, room: float) -> float:
    """What stands between the last row and the caption."""
    label = height_of(len(wrapped(grid.unit, room, TICKS)), TICKS) + TEXT_GAP
    if grid.scale in ("figure", "absolute"):
        return TEXT_GAP + BAR + height_of(1, TICKS) + label
    return label + (small_bar_height(panel) if grid.scale == "column" else 0)
