"""Figures of trainings: curves over the epochs, and results over what an experiment varies. No Streamlit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.drawing.colours import NAMED

TITLES = {
    "accuracy": "accuracy",
    "multilabel_accuracy": "share of pictures with every label right",
    "auc": "area under the ROC curve",
    "loss": "loss",
    "patches_on_objects": "share of selected patches with an object",
    "patches_on_objects_random": "share of random patches with an object",
    "objects_found": "share of objects in a selected patch",
    "objects_found_random": "share of objects in a random patch",
    "object_ratio": "object-to-image ratio in %",
    "train_size": "pictures to train with",
    "peak_memory_mb": "peak memory in MB",
    "knn_accuracy": "k-NN accuracy",
    "largest_class": "share of the largest class",
    "teacher_entropy": "entropy of the teacher's distribution",
    "feature_std": "spread of features",
    "pictures_per_second": "pictures a second",
}


def titled(task: str, metric: str) -> str:
    """What a measurement is called: `majority: accuracy`."""
    name = TITLES.get(metric, metric.replace("_", " "))
    return f"{task}: {name}" if task else name


def curves(metrics: pd.DataFrame, task: str, metric: str) -> go.Figure:
    """One measurement over the epochs, of training and test."""
    chosen = metrics[(metrics["task"] == task) & (metrics["metric"] == metric)]
    fig = go.Figure()
    for (split, rows), tint in zip(chosen.groupby("split", sort=True), NAMED, strict=False):
        x, y = rows["epoch"].tolist(), rows["value"].tolist()
        fig.add_scatter(x=x, y=y, mode="lines+markers", name=str(split), line={"color": tint}, marker={"size": 4})
    guess = metrics[(metrics["task"] == task) & (metrics["metric"] == "largest_class")]
    if metric == "knn_accuracy" and len(guess):
        line = {"color": "#8a8a8a", "dash": "dot"}
        x, y = guess["epoch"].tolist(), guess["value"].tolist()
        fig.add_scatter(x=x, y=y, mode="lines", name="who always says the commonest", line=line)
    return _laid_out(fig, "epoch", titled(task, metric))


def side_by_side(metrics: pd.DataFrame, names: Mapping[int, str], task: str, metric: str) -> go.Figure:
    """One measurement over the epochs of several trainings, called as `names` has them; the test's dashed where there
    is one of both."""
    chosen = metrics[(metrics["task"] == task) & (metrics["metric"] == metric)]
    dashed, fig = chosen["split"].nunique() > 1, go.Figure()
    for place, (number, name) in enumerate(names.items()):
        for split, rows in chosen[chosen["training_id"] == number].groupby("split", sort=True):
            line = {"color": NAMED[place % len(NAMED)], "dash": "dash" if dashed and split == "test" else "solid"}
            x, y = rows["epoch"].tolist(), rows["value"].tolist()
            shown = f"{name}, {split}" if dashed else name
            fig.add_scatter(x=x, y=y, mode="lines+markers", name=shown, line=line, marker={"size": 4})
    return _laid_out(fig, "epoch", titled(task, metric))


def varying(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters that have more than one value among trainings; all of them where none has."""
    names = list(dict.fromkeys(name for run in runs for name in run["parameters"]))
    several = [name for name in names if len({_word(run["parameters"].get(name)) for run in runs}) > 1]
    return several or names


def results(runs: Sequence[Mapping[str, Any]], metrics: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """A row for each training with this measurement in its last epoch: training_id, seed, value, its parameters."""
    chosen = metrics[(metrics["task"] == task) & (metrics["metric"] == metric) & (metrics["split"] == "test")]
    values = chosen.set_index(["training_id", "epoch"])["value"]
    rows = []
    for run in runs:
        value = values.get((run["training_id"], run["epochs"]))
        if value is not None:
            rows.append({"training_id": run["training_id"], "seed": run["seed"], "value": value, **run["parameters"]})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, over: str, lines: str | None) -> pd.DataFrame:
    """Mean, spread (standard deviation) and number of trainings for each value of `over` and each line."""
    by = [over] if lines is None else [over, lines]
    table = table.assign(**{name: [_plain(value) for value in table[name]] for name in by})
    found = table.groupby(by, dropna=False)["value"].agg(mean="mean", spread="std", trainings="count").reset_index()
    return found.fillna({"spread": 0.0})


def over_parameter(table: pd.DataFrame, over: str, lines: str | None, title: str) -> go.Figure:
    """The means of `summary` over a parameter, one line for each value of another, with their spread."""
    found = summary(table, over, lines)
    groups = [(None, found)] if lines is None else list(found.groupby(lines, sort=True))
    fig = go.Figure()
    for place, (value, rows) in enumerate(groups):
        value = value[0] if isinstance(value, tuple) else value
        name = "all" if lines is None else f"{TITLES.get(lines, lines)} {value}"
        tint = NAMED[place % len(NAMED)]
        fig.add_scatter(
            x=rows[over].tolist(),
            y=rows["mean"].tolist(),
            error_y={"array": rows["spread"].tolist(), "color": tint},
            mode="lines+markers",
            name=name,
            line={"color": tint},
        )
    return _laid_out(fig, TITLES.get(over, over), title)


def _laid_out(fig: go.Figure, below: str, beside: str) -> go.Figure:
    margin = {"l": 10, "r": 10, "t": 10, "b": 10}
    fig.update_layout(xaxis_title=below, yaxis_title=beside, height=380, margin=margin, showlegend=True)
    if below == "epoch":  # whole ones, also where there is but one
        traces: Any = fig.data
        last = max((max(trace.x, default=0) for trace in traces), default=0)
        fig.update_xaxes(range=[-0.2, last + 0.2], **({"dtick": 1} if last <= 12 else {}))
    return fig


def _plain(value: Any) -> Any:
    """A value to group by: numbers as they are, lists and words as text."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else _word(value)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
