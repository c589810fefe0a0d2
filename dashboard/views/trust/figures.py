"""The figures of one evaluation: a matrix of layers and heads, a ranked table, and sentences. No Streamlit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.drawing import charts
from dashboard.drawing.colours import SCALE
from ingest.vision.evaluation.measures import MEASURES
from store.maps import FUSED

SURE = 0.05  # p-values, corrected for all maps, from which on nothing is claimed
FEW = 10  # pictures: with fewer nothing can be told from chance, however good the map is
WRITTEN = 200  # maps; the cells of more are too small for their numbers
NUMBER = "{:.2f}"


def rows_of(table: pd.DataFrame) -> list[Any]:
    """The rows, their values as attributes by the names of the view `evaluations`."""
    return list(table.itertuples())


def name(row: Any) -> str:
    """What a map is called, with the method and whatever it explains."""
    return f"{of(row.method, row.target)} · {place(row.layer, row.head)}"


def of(method: str, target: str) -> str:
    """A method and whatever its maps explain."""
    return f"{method} of {target}" if target else method


def place(layer: int, head: int) -> str:
    """Layer and head; a layer alone where no heads are told apart."""
    return f"layer {layer}" if head == FUSED else f"layer {layer}, head {head}"


def interval(row: Any) -> str:
    """The value with its interval."""
    if np.isnan(row.low):
        return NUMBER.format(row.value)
    return f"{NUMBER.format(row.value)} [{NUMBER.format(row.low)}, {NUMBER.format(row.high)}]"


def baselines(row: Any) -> dict[str, str]:
    """What stands beside a figure."""
    found = {} if np.isnan(row.baseline_area) else {"chance": NUMBER.format(row.baseline_area)}
    if not np.isnan(row.baseline_random):
        found["random weights"] = NUMBER.format(row.baseline_random)
    return found


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The maps, the best first (where neither is better, the highest): what the page's table shows."""
    found = in_order(table)
    shown = pd.DataFrame({"map": [name(row) for row in rows_of(found)]})
    for column, title in (
        ("value", "value"),
        ("low", "low"),
        ("high", "high"),
        ("baseline_area", "chance"),
        ("baseline_random", "random weights"),
        ("p_holm", "p (Holm)"),
    ):
        shown[title] = found[column].to_numpy(dtype=float)
    shown["pictures"] = found["n"].to_numpy()
    return shown.dropna(axis="columns", how="all")


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of one metric, size and split, the best map first."""
    lowest_first = bool(len(table)) and MEASURES[table["metric"].iloc[0]].higher is False
    return table.sort_values(["value", "layer", "head"], ascending=[lowest_first, True, True])


def matrix(table: pd.DataFrame, chosen: tuple[int, int] | None = None) -> go.Figure:
    """The values of one method, layers across and heads down; a frame marks the chosen map, and what is not
    surely better than chance is written in brackets. The points over the cells carry (layer, head) as customdata."""
    grid = table.pivot(index="head", columns="layer", values="value")
    heads = grid.index.tolist()
    labels = ["all heads" if head == FUSED else str(head) for head in heads]
    written = len(table) <= WRITTEN
    texts = {(row.layer, row.head): cell(row) if written else "" for row in rows_of(table)}
    fig = go.Figure(
        go.Heatmap(
            x=grid.columns.tolist(),
            y=list(range(len(heads))),
            z=[[None if np.isnan(value) else value for value in row] for row in grid.to_numpy().tolist()],
            text=[[texts.get((layer, head), "") for layer in grid.columns] for head in heads],
            texttemplate="%{text}",
            textfont={"size": 10},
            colorscale=list(SCALE),
            colorbar={"thickness": 12, "outlinewidth": 0, "nticks": 5},
            xgap=1,
            ygap=1,
            hoverinfo="skip",
        )
    )
    rows = rows_of(table)
    fig.add_trace(
        go.Scatter(
            x=[row.layer for row in rows],
            y=[heads.index(row.head) for row in rows],
            mode="markers",
            marker={"size": 22, "opacity": 0, "symbol": "square"},
            customdata=[[int(row.layer), int(row.head)] for row in rows],
            hovertext=[hover(row) for row in rows],
            hoverinfo="text",
            showlegend=False,
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
        )
    )
    if chosen is not None and chosen[1] in heads:
        at = heads.index(chosen[1])
        box = {"x0": chosen[0] - 0.5, "x1": chosen[0] + 0.5, "y0": at - 0.5, "y1": at + 0.5}
        fig.add_shape(type="rect", **box, line={"color": charts.ACCENT, "width": 3})
    return fig.update_layout(_layout(grid, labels))


def cell(row: Any) -> str:
    """A value with the digits that have room; in brackets what is not surely better than chance."""
    text = f"{row.value:.2f}".removeprefix("0")
    return text if np.isnan(row.p_holm) or row.p_holm < SURE else f"({text})"


def hover(row: Any) -> str:
    """What hovering over a cell says."""
    facts = {MEASURES[row.metric].title: interval(row), **baselines(row)}
    if not np.isnan(row.p_holm):
        facts["p, corrected for all maps"] = f"{row.p_holm:.2g}"
    return charts.hover(name(row), facts | {"pictures": f"{row.n:,}"})


def _layout(grid: pd.DataFrame, labels: list[str]) -> dict[str, Any]:
    layers = [int(str(layer)) for layer in grid.columns]
    return {
        "height": min(26 * len(labels), 480) + 90,
        "margin": {"l": 0, "r": 0, "t": 10, "b": 44},
        "xaxis": {
            "title": {"text": "Layer"},
            "tickmode": "linear",
            "dtick": 1 if len(layers) < 30 else 5,
            "tick0": 0,
            "range": [min(layers) - 0.5, max(layers) + 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {
            "title": {"text": "Head" if len(labels) > 1 else ""},
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "range": [len(labels) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "dragmode": False,
        "hovermode": "closest",
        "clickmode": "event+select",
        "hoverlabel": {"align": "left", "bgcolor": "#26231f", "bordercolor": "#26231f", "font": {"color": "#f4efe6"}},
    }


def summary(results: pd.DataFrame, metric: str, size: str) -> tuple[str, bool] | None:
    """The honest answer in words: the map that is best on one half, as it does on the other; and whether it is better
    there than chance and than random weights. None where no picture is held out or neither more nor less is better."""
    if MEASURES[metric].higher is None:
        return None
    rows = results[(results["metric"] == metric) & (results["size"] == size)]
    choosing = in_order(rows[rows["split"] == "choosing"])
    if choosing.empty:
        return None
    best = rows_of(choosing)[0]
    same = rows[(rows["split"] == "held-out") & (rows["layer"] == best.layer) & (rows["head"] == best.head)]
    others = rows_of(same[(same["method"] == best.method) & (same["target"] == best.target)])
    if not others:
        return None
    held_out = others[0]
    beside = "".join(f", {what} {value}" for what, value in baselines(held_out).items())
    words = (
        f"Of {len(choosing)} maps, {name(best)} is the best on the {best.n} pictures by which it was chosen "
        f"({NUMBER.format(best.value)}). On the {held_out.n} others it comes to {interval(held_out)}{beside}."
    )
    # One map was chosen elsewhere, so this is one test: nothing to correct. NaN, of a single picture, is no proof.
    if not held_out.p_value < SURE:
        few = f" {held_out.n} pictures are too few to say: draw the truth in some dozens." if held_out.n < FEW else ""
        return f"{words} That is not surely better than chance.{few}", False
    if not np.isnan(held_out.baseline_random):
        higher = MEASURES[metric].higher
        bound = held_out.low if higher else held_out.high
        better = bound > held_out.baseline_random if higher else bound < held_out.baseline_random
        if not better:
            return f"{words} That is not surely better than random weights.", False
    return words, True
