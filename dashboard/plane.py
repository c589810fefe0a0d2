"""The map as a Plotly figure: the pictures themselves at their points. No Streamlit, no database."""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.colours import SCALE, Colours

PICTURES = 2000  # more of them would be small dots of colour anyway, and slow
ACCENT, GREY = "#b4553a", "#8f8a83"


def spread(xy: np.ndarray, count: int) -> np.ndarray:
    """Indices of `count` of the points (n, 2), ascending, spread over the whole plane: every region is visited once
    before any is visited twice, so that a dense cloud does not take all the places. All if there are no more."""
    n = len(xy)
    if n <= count:
        return np.arange(n)
    low, extent = xy.min(0), np.ptp(xy, axis=0).max() or 1.0
    side = max(int(np.sqrt(count)), 1)
    cell = np.minimum(((xy - low) / extent * side).astype(int), side - 1) @ np.array([side, 1])
    order = np.argsort(cell, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(cell[order])) + 1]
    rank = np.empty(n, dtype=int)  # how many of the same cell come before
    rank[order] = np.arange(n) - np.repeat(starts, np.diff(np.r_[starts, n]))
    return np.sort(np.lexsort((np.arange(n), rank))[:count])


def picture_side(xy: np.ndarray, scale: float = 1.0) -> float:
    """The side, in data units, of a square picture that leaves the plane of points (n, 2) about half covered."""
    width, height = np.maximum(np.ptp(xy, axis=0), 1e-9) if len(xy) else (1.0, 1.0)
    longest = max(width, height)
    if longest <= 1e-9:
        return scale
    area = max(width, longest / 4) * max(height, longest / 4)
    return scale * min(0.8 * np.sqrt(area / max(len(xy), 1)), 0.15 * longest)


def sides(width: int, height: int, side: float) -> tuple[float, float]:
    """Width and height, in data units, of a picture with the area of a square of `side` and its own aspect ratio.
    A very long scroll is held to three sides."""
    ratio = np.sqrt(max(width, 1) / max(height, 1))
    wide, high = side * ratio, side / ratio
    shrink = min(1.0, 3 * side / max(wide, high))
    return float(wide * shrink), float(high * shrink)


def figure(
    table: pd.DataFrame,
    sources: Mapping[int, str],
    colours: Colours | None = None,
    column: str = "",
    scale: float = 1.0,
    title: str = "",
) -> go.Figure:
    """The map of `table` (image_id, x, y, width, height, hover as HTML).

    The images in `sources` {image_id: URL or data URI} are drawn as pictures, each with a frame in its colour; the rest
    are dots. A frame is an image too, laid behind its picture, so that both keep together at every zoom.
    """
    shown = table["image_id"].isin(list(sources)).to_numpy()
    side = picture_side(table.loc[shown, ["x", "y"]].to_numpy(), scale)
    tints = np.array(colours.of if colours else [ACCENT] * len(table), dtype=object)
    fig = go.Figure()
    if (~shown).any():
        dots = list(tints[~shown]) if colours else GREY
        fig.add_trace(_points(table[~shown], go.Scattergl, size=4, color=dots, opacity=0.6))
    pictures = table[shown]
    # Unseen points over the pictures, for hovering and choosing; the chosen ones get a pin.
    pin = int(np.clip(90 / np.sqrt(max(len(pictures), 1)), 6, 16))
    pins = _points(pictures, go.Scatter, size=pin, color=ACCENT, opacity=0, line={"color": "white", "width": 2})
    fig.add_trace(pins.update(selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0}}))
    # Pictures lie below the pins, unless there are dots: those are points as well, and would bury the pictures.
    layer = "below" if shown.all() else "above"
    images = []
    for row, tint in zip(pictures.itertuples(), tints[shown], strict=True):
        wide, high = sides(row.width, row.height, side)
        if colours:
            rim = 0.09 * side
            images.append(_image(row, wide + rim, high + rim, _plain(tint), "stretch", layer))
        images.append(_image(row, wide, high, sources[row.image_id], "contain", layer))
    if colours:
        _explain(fig, colours, column)
    return fig.update_layout(_layout(table, side, title), images=images)


def standalone(fig: go.Figure) -> bytes:
    """A figure as an HTML page that needs no other file, with plotly.js in it. Changes the figure's looks for paper."""
    fig.update_layout(template="plotly_white", height=None, font_family="Georgia, serif")
    config = {"scrollZoom": True, "displaylogo": False}
    return fig.to_html(include_plotlyjs=True, config=config, default_height="96vh").encode()


def hover(title: str, facts: Mapping[str, Any], most: int = 8) -> str:
    """What hovering says, as Plotly's HTML: everything from the database is escaped and held short."""
    lines = [f"<b>{_short(title, 90)}</b>"]
    for key, value in facts.items():
        if value not in (None, "", title) and len(lines) <= most:
            lines.append(f"{_short(key, 30)}: {_short(value, 80)}")
    return "<br>".join(lines)


def _points(table: pd.DataFrame, kind: type, **marker: Any) -> Any:
    return kind(
        x=table["x"].to_numpy(),
        y=table["y"].to_numpy(),
        mode="markers",
        marker=marker,
        customdata=table[["image_id"]].to_numpy().tolist(),  # packed arrays come back from the browser empty
        hovertext=table["hover"].tolist(),
        hoverinfo="text",
        showlegend=False,
    )


def _image(row: Any, wide: float, high: float, source: str, sizing: str, layer: str) -> dict[str, Any]:
    return {
        "source": source,
        "x": row.x,
        "y": row.y,
        "sizex": wide,
        "sizey": high,
        "xref": "x",
        "yref": "y",
        "xanchor": "center",
        "yanchor": "middle",
        "sizing": sizing,
        "layer": layer,
    }


def _plain(colour: str) -> str:
    size = 'viewBox="0 0 1 1" preserveAspectRatio="none"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect width="1" height="1" fill="{colour}"/></svg>'
    return f"data:image/svg+xml,{quote(svg)}"


def _explain(fig: go.Figure, colours: Colours, column: str) -> None:
    """The legend, or the colour bar, as traces without points: the frames are images and can't explain themselves."""
    for name, tint, count in colours.legend:
        fig.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=f"{_short(name, 34)} ({count})",
                marker={"color": tint, "size": 12, "symbol": "square"},
                hoverinfo="skip",
            )
        )
    if colours.bar is None:
        return
    low, high = colours.bar
    bar = {"title": {"text": _short(column, 34)}, "thickness": 12, "len": 0.6, "outlinewidth": 0, "y": 0.62}
    if colours.ticks:
        bar |= {"tickvals": [at for at, _ in colours.ticks], "ticktext": [text for _, text in colours.ticks]}
    elif float(low).is_integer() and float(high).is_integer():
        bar |= {"tickformat": "d"}  # years: 1,850 would look like a sum of money
    fig.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={
                "color": [low],
                "cmin": low,
                "cmax": high if high > low else low + 1,
                "colorscale": list(SCALE),
                "showscale": True,
                "colorbar": bar,
            },
            hoverinfo="skip",
            showlegend=False,
        )
    )


def _layout(table: pd.DataFrame, side: float, title: str) -> dict[str, Any]:
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    ranges = [[float(table[key].min()) - 0.9 * side, float(table[key].max()) + 0.9 * side] for key in ("x", "y")]
    return {
        "xaxis": axis | {"range": ranges[0]},
        # One unit is as long across as it is up: distances on the map mean something, angles too.
        "yaxis": axis | {"range": ranges[1], "scaleanchor": "x", "scaleratio": 1},
        "title": {"text": title, "x": 0.01, "font": {"size": 14}} if title else None,
        "margin": {"l": 0, "r": 0, "t": 60 if title else 0, "b": 0},
        "height": 720,
        "dragmode": "pan",
        "hovermode": "closest",
        "hoverdistance": 40,
        "clickmode": "event+select",
        "uirevision": "map",
        "legend": {
            "orientation": "h",
            "yanchor": "top",
            "y": -0.01,
            "itemclick": False,
            "itemdoubleclick": False,
            "itemsizing": "constant",
        },
        "hoverlabel": {"align": "left", "bgcolor": "#26231f", "bordercolor": "#26231f", "font": {"color": "#f4efe6"}},
    }


def _short(value: Any, most: int) -> str:
    text = " ".join(str(value).split())
    return escape(text if len(text) <= most else text[: most - 1] + "…")
