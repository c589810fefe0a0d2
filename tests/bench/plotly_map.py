"""The same map as layout images of a Plotly figure, to compare the canvas with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go


def figure(table: pd.DataFrame, sources: Mapping[int, str]) -> go.Figure:
    """The map of `table` (image_id, x, y, width, height, hover as HTML), its pictures from `sources` {image_id: URL}, with
    unseen points over them for hovering and choosing."""
    points = go.Scatter(
        x=table["x"].to_numpy(),
        y=table["y"].to_numpy(),
        mode="markers",
        marker={"size": 6, "opacity": 0},
        customdata=table[["image_id"]].to_numpy().tolist(),
        hovertext=table["hover"].tolist(),
        hoverinfo="text",
    )
    side = picture_side(table[["x", "y"]].to_numpy())
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    ranges = [[float(table[key].min()) - 0.9 * side, float(table[key].max()) + 0.9 * side] for key in ("x", "y")]
    return go.Figure(points).update_layout(
        images=[image(row, side, sources[row.image_id]) for row in table.itertuples()],
        xaxis=axis | {"range": ranges[0]},
        yaxis=axis | {"range": ranges[1], "scaleanchor": "x", "scaleratio": 1},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        height=720,
        dragmode="pan",
        hovermode="closest",
    )


def picture_side(xy: np.ndarray) -> float:
    """The side, in data units, of a square picture that leaves the plane of points (n, 2) about half covered."""
    width, height = np.ptp(xy, axis=0)
    longest = max(width, height)
    area = max(width, longest / 4) * max(height, longest / 4)
    return min(0.8 * np.sqrt(area / len(xy)), 0.15 * longest)


def image(row: Any, side: float, source: str) -> dict[str, Any]:
    """A picture at its point, with the area of a square of `side` and its own shape."""
    ratio = np.sqrt(row.width / row.height)
    place = {"xref": "x", "yref": "y", "xanchor": "center", "yanchor": "middle", "sizing": "contain", "layer": "below"}
    return {"source": source, "x": row.x, "y": row.y, "sizex": side * ratio, "sizey": side / ratio, **place}
