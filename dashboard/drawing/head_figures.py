"""The heads of a network as figures: a statistic over the layers, and as a matrix. No Streamlit, no database.

Tables have a row for each head: layer, head, mean, spread (standard deviation), images, name and note ('' without).
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from dashboard.drawing import charts
from dashboard.drawing.colours import SCALE, Colours, colour
from dashboard.drawing.panels import percent
from dashboard.drawing.tables import safe_csv
from ingest.vision.colour_maps import colour_table
from ingest.vision.head_statistics import HEAD_STATISTICS
from ingest.vision.overlay import scale_values

NUMBERED = 160  # heads; the points of more are too small for their numbers
BY = ("head", "name")  # what the colours of the points can say
SIDE = 240  # pixels of a map's long side without a picture

PERCENT = ".2~%"  # as Plotly writes it: two digits after the point at most, none that says nothing
_REACH = 0.36  # how far from its layer's place a point may stand, so that heads of one number line up


@dataclass(frozen=True)
class Statistic:
    """A number that every head has: its key in the database, its name, its unit ('' or 'share' are not written), and
    what it means, with {who} for the token that asks and {input} for the network's input."""

    key: str
    title: str
    unit: str
    meaning: str

    @property
    def axis(self) -> str:
        """What an axis or a colour bar says."""
        return f"{self.title} ({self.unit})" if self.unit not in ("", "share") else self.title

    def words(self, value: float) -> str:
        """A number of it with the digits that matter, and its unit."""
        if self.unit == "share":
            return percent(value)
        return f"{value:,.3g} {self.unit}".strip() if abs(value) < 1000 else f"{value:,.0f} {self.unit}".strip()


STATISTICS = {
    statistic.key: Statistic(statistic.key, statistic.title, statistic.unit, statistic.meaning)
    for statistic in HEAD_STATISTICS
}
STATISTICS["importance"] = Statistic(  # of which a head has one for each score
    "importance",
    "Importance",
    "",
    "How much the score would change, to first order, if the head wrote nothing into the CLS token (Michel et "
    "al. 2019): low heads could go unnoticed.",
)


def title(layer: int, head: int, name: str = "") -> str:
    """What a head is called: layers and heads count from 0."""
    return f"Layer {layer} · head {head}" + (f" · {name}" if name else "")


def scored(target: str) -> str:
    """What the score is that importances are about, in words."""
    kind, _, rest = target.partition(":")
    if target == "class:predicted":
        return "the class that is predicted for each image"
    ways = {
        "class": "class {}",
        "neighbours": "similarity to the {} nearest neighbours",
        "image": "similarity to image {}",
    }
    ways |= {"label": "{} against the rest", "vote": "the neighbours' vote on {}"}
    return ways[kind].format(rest) if kind in ways and rest else target


def figure(
    table: pd.DataFrame,
    statistic: Statistic,
    by: str = "head",
    spread: bool = False,
    chosen: tuple[int, int] | None = None,
) -> go.Figure:
    """Above, the statistic of each head over the layers, with the mean of each layer as a line; below, the same as a
    matrix whose columns are the layers. `by` is one of BY, `spread` draws standard deviations, `chosen` (layer, head)
    is marked. The points and the cells carry (layer, head) as customdata."""
    count = _heads(table)
    below = min(26 * count + 20, 420)
    fig = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=44 / (400 + below), row_heights=[400, below]
    )
    hover = [_hover(row, statistic) for row in table.itertuples()]
    numbers = zip(table["layer"], table["head"], strict=True)
    pairs = [[int(layer), int(head)] for layer, head in numbers]  # packed arrays come back empty
    layer_means = table.groupby("layer")["mean"].mean()
    fig.add_trace(
        go.Scatter(
            x=layer_means.index.tolist(),
            y=layer_means.tolist(),
            mode="lines",
            line={"color": charts.GREY, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for trace in _points(table, by, spread, hover, pairs):
        fig.add_trace(trace)
    _name(fig, table)
    fig.add_trace(_matrix(table, statistic, below / (444 + below)), row=2, col=1)
    fig.add_trace(_handles(table, hover, pairs), row=2, col=1)
    if chosen is not None:
        _mark(fig, table, chosen)
    return fig.update_layout(_layout(table, statistic, spread, 444 + below))


def selected(points: list) -> tuple[int, int] | None:
    """The (layer, head) of a selection as Streamlit reports it, None if nothing is selected."""
    for point in points:
        data = point.get("customdata")
        if isinstance(data, list | tuple) and len(data) == 2:
            return int(data[0]), int(data[1])
    return None


def places(table: pd.DataFrame) -> np.ndarray:
    """Where on the axis of layers each head stands, (n,): about its layer, the heads from left to right."""
    count = _heads(table)
    step = 2 * _REACH / max(count - 1, 1)
    return table["layer"].to_numpy() + (table["head"].to_numpy() - (count - 1) / 2) * step


def tints(table: pd.DataFrame, by: str) -> Colours:
    """A colour for each head by its number or its name; up to eight heads have colours that all eyes tell apart."""
    if by == "name":
        return colour([name or None for name in table["name"]], "text")
    few = _heads(table) <= 8
    return colour([str(head) if few else int(head) for head in table["head"]], "text" if few else "number")


def bare(weights: np.ndarray, colours: str = "inferno", side: int = SIDE) -> Image.Image:
    """Weights (rows, cols) as a picture by themselves, from their least to their greatest, one flat square a patch."""
    values = scale_values(weights[None], "map")[0][0]
    factor = max(1, side // max(weights.shape))
    pixels = colour_table(colours)[np.rint(np.nan_to_num(values) * 255).astype(np.uint8)]
    return Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def csv(table: pd.DataFrame, statistic: Statistic, **about: Any) -> bytes:
    """The numbers of the figure, a row for each head; `about` are columns that say the same in every row."""
    about |= {"statistic": statistic.key, "unit": statistic.unit}
    rows = table.rename(columns={"spread": "standard_deviation"}).assign(**about)
    columns = [*about, "layer", "head", "name", "note", "mean", "standard_deviation", "images"]
    return safe_csv(rows[columns])


def printed(table: pd.DataFrame, statistic: Statistic, by: str, spread: bool, caption: str, ending: str) -> bytes:
    """The same two figures for print with a caption below, as the bytes of a PNG file at 300 dpi or an SVG file."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    matplotlib.rcParams["svg.fonttype"] = "none"  # words stay words; the same value at every call
    lines = textwrap.wrap(caption, 118)
    above, below, foot = 3.4, min(max(0.16 * _heads(table), 0.7), 3.2), 0.14 * len(lines) + 0.25  # inches
    height = above + below + foot + 0.5
    layout = ConstrainedLayoutEngine(rect=(0, foot / height, 1, 1 - foot / height))
    sheet = Figure(figsize=(7.2, height), dpi=300, layout=layout)
    points, matrix = sheet.subplots(2, 1, sharex=True, height_ratios=[above, below])
    _print_points(points, table, statistic, by, spread)
    bar = sheet.colorbar(_print_matrix(matrix, table), ax=matrix, pad=0.01)
    for axis in (points.yaxis, bar.ax.yaxis) if statistic.unit == "share" else ():
        axis.set_major_formatter(lambda value, _: percent(value))
    for axes in (points, matrix, bar.ax):
        axes.tick_params(labelsize=7)
    sheet.text(0.01, 0.04 / height, "\n".join(lines), fontsize=6.5, va="bottom", parse_math=False)
    file = io.BytesIO()
    sheet.savefig(file, format=ending, metadata={"Date": None} if ending == "svg" else None)
    return file.getvalue()


def _print_points(axes: Any, table: pd.DataFrame, statistic: Statistic, by: str, spread: bool) -> None:
    fills, x, y = [_opaque(tint) for tint in tints(table, by).of], places(table), table["mean"]
    layer_means = table.groupby("layer")["mean"].mean()
    axes.plot(layer_means.index, layer_means, color=charts.GREY, linewidth=0.8, zorder=1)
    if spread:
        axes.errorbar(x, y, table["spread"], fmt="none", ecolor=charts.GREY, elinewidth=0.5, zorder=1)
    axes.scatter(x, y, s=max(8, min(60, 4000 / len(table))), c=fills, zorder=2)
    centred = {"ha": "center", "parse_math": False, "textcoords": "offset points"}
    for at, fill, row in zip(x, fills, table.itertuples(), strict=True):
        if len(table) <= NUMBERED:
            number = {"fontsize": 4.5, "color": _ink(fill), "va": "center", "zorder": 3}
            axes.annotate(str(row.head), (at, row.mean), (0, 0), **centred, **number)
        if row.name:
            axes.annotate(row.name, (at, row.mean), (0, 6), **centred, fontsize=6.5)
    axes.set_ylim(bottom=min(0, y.min()))
    axes.set_ylabel(statistic.axis, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _print_matrix(axes: Any, table: pd.DataFrame) -> Any:
    from matplotlib.ticker import MaxNLocator

    grid = _grid(table)
    values = np.ma.masked_invalid(grid.to_numpy())
    drawn = axes.pcolormesh(grid.columns, grid.index, values, cmap="viridis", shading="nearest", linewidth=0)
    axes.invert_yaxis()
    for axis, label, most in ((axes.xaxis, "Layer", 24), (axes.yaxis, "Head", 12)):
        axis.set_label_text(label, fontsize=8)
        axis.set_major_locator(MaxNLocator(most, integer=True))
    return drawn


# ---- parts of the figure ---------------------------------------------------------------------------------------


def _points(table: pd.DataFrame, by: str, spread: bool, hover: list[str], pairs: list) -> list[go.Scatter]:
    """The trace of the points, and those of the legend."""
    found, x, y = tints(table, by), places(table), table["mean"].tolist()
    numbered, few = len(table) <= NUMBERED, len(table) <= NUMBERED / 2
    fills = [_opaque(one) for one in found.of]
    points = go.Scatter(
        x=x.tolist(),
        y=y,
        mode="markers+text" if numbered else "markers",
        text=[str(head) for head in table["head"]] if numbered else None,
        textfont={"size": 10 if few else 8, "color": [_ink(fill) for fill in fills]},
        marker={"color": fills, "size": (16 if few else 13) if numbered else 8, "line": {"width": 0}},
        error_y={
            "array": table["spread"].fillna(0).tolist(),
            "color": charts.GREY,
            "thickness": 1,
            "width": 0,
            "visible": spread,
        },
        customdata=pairs,
        hovertext=hover,
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    named = (table["name"] != "").any()
    legend = [
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            name="no name" if name == "not given" else _short(name),
            marker={"color": _opaque(tint), "size": 12},
            hoverinfo="skip",
        )
        for name, tint, _ in (found.legend if by == "name" and named else [])
    ]
    return [points, *legend]


def _name(fig: go.Figure, table: pd.DataFrame) -> None:
    """The names over the points of the heads that have one."""
    for x, row in zip(places(table), table.itertuples(), strict=True):
        if row.name:
            fig.add_annotation(x=float(x), y=row.mean, text=_short(str(row.name)), showarrow=False, yshift=18)


def _matrix(table: pd.DataFrame, statistic: Statistic, share: float) -> go.Heatmap:
    grid = _grid(table)
    bar = {"thickness": 12, "outlinewidth": 0, "len": share, "y": 0, "yanchor": "bottom", "nticks": 5}
    if statistic.unit == "share":
        bar |= {"tickformat": PERCENT}
    return go.Heatmap(
        x=grid.columns.tolist(),
        y=grid.index.tolist(),
        z=[[None if np.isnan(value) else value for value in row] for row in grid.to_numpy().tolist()],
        colorscale=list(SCALE),
        colorbar=bar,
        xgap=1,
        ygap=1,
        hoverinfo="skip",
    )


def _handles(table: pd.DataFrame, hover: list[str], pairs: list) -> go.Scatter:
    """Unseen points over the cells, for hovering and choosing: a heat map by itself cannot be chosen from."""
    return go.Scatter(
        x=table["layer"].tolist(),
        y=table["head"].tolist(),
        mode="markers",
        marker={"size": 18, "opacity": 0, "symbol": "square"},
        customdata=pairs,
        hovertext=hover,
        hoverinfo="text",
        showlegend=False,
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
    )


def _mark(fig: go.Figure, table: pd.DataFrame, chosen: tuple[int, int]) -> None:
    """A ring round the chosen head's point, a frame round its cell."""
    layer, head = chosen
    here = ((table["layer"] == layer) & (table["head"] == head)).to_numpy()
    if not here.any():
        return
    ring = {"color": charts.ACCENT, "size": 23, "symbol": "circle-open", "line": {"width": 3}}
    x, y = float(places(table)[here][0]), float(table.loc[here, "mean"].iloc[0])
    fig.add_trace(
        go.Scatter(x=[x], y=[y], mode="markers", marker=ring, cliponaxis=False, hoverinfo="skip", showlegend=False)
    )
    box = {"x0": layer - 0.5, "x1": layer + 0.5, "y0": head - 0.5, "y1": head + 0.5}
    fig.add_shape(type="rect", **box, line={"color": charts.ACCENT, "width": 3}, row=2, col=1)


def _layout(table: pd.DataFrame, statistic: Statistic, spread: bool, height: int) -> dict:
    first, last = int(table["layer"].min()), int(table["layer"].max())
    every = {"tickmode": "linear", "dtick": 1 if last - first < 30 else 5, "tick0": 0, "zeroline": False}
    layers = every | {"range": [first - 0.55, last + 0.55], "showgrid": False}
    heads = {"tickmode": "linear", "dtick": 1 if _heads(table) <= 16 else 4, "tick0": 0, "zeroline": False}
    share = {"tickformat": PERCENT} if statistic.unit == "share" else {}
    highest = float((table["mean"] + (table["spread"].fillna(0) if spread else 0)).max())
    reach = [min(0.0, float(table["mean"].min())), 1.08 * highest or 1.0]  # from 0, with room for a name at the top
    return {
        "height": height,
        "margin": {"l": 0, "r": 0, "t": 24, "b": 44},
        "xaxis": layers | {"showticklabels": True},
        "xaxis2": layers | {"title": {"text": "Layer"}},
        "yaxis": {"title": {"text": statistic.axis}, "range": reach, "zeroline": False} | share,
        "yaxis2": heads | {"title": {"text": "Head"}, "range": [_heads(table) - 0.5, -0.5], "showgrid": False},
        "dragmode": False,
        "hovermode": "closest",
        "clickmode": "event+select",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "itemclick": False, "itemdoubleclick": False},
        "hoverlabel": {"align": "left", "bgcolor": "#26231f", "bordercolor": "#26231f", "font": {"color": "#f4efe6"}},
    }


def _hover(row, statistic: Statistic) -> str:
    facts = {statistic.title: statistic.words(row.mean)}
    if not np.isnan(row.spread):
        facts["standard deviation"] = statistic.words(row.spread)
    return charts.hover(title(row.layer, row.head, row.name), facts | {"images": f"{row.images:,}"})


def _short(name: str) -> str:
    return escape(name if len(name) <= 24 else name[:23] + "…")


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    """The means, heads by layers; NaN where there is none."""
    return table.pivot(index="head", columns="layer", values="mean")


def _heads(table: pd.DataFrame) -> int:
    return int(table["head"].max()) + 1


def _opaque(tint: str) -> str:
    """Without the transparency that `colours` gives to what is not known: lines run behind the points."""
    return "#b9b4ab" if len(tint) == 9 else tint


def _ink(fill: str) -> str:
    """Black or white, whichever can be read on this colour."""
    red, green, blue = (int(fill[i : i + 2], 16) for i in (1, 3, 5))
    return "#16130f" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
