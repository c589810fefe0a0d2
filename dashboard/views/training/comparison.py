"""Trainings beside each other: which, in what their settings differ, and what each has come to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.state import controls
from dashboard.views.training import figures

Runs = Sequence[Mapping[str, Any]]
LAST = (("train", "loss"), ("test", "knn_accuracy"), ("train", "feature_std"), ("train", "teacher_entropy"))

# What Zhang found on cluttered digits (TUM, 2022), by the settings of `train ssl`:
# https://github.com/ge75her/Interpretability-of-self-attention-maps-in-self-supervised-representation-learning
FINDINGS = {
    "loss.kind": "Both are fine; nce is a little easier to read.",
    "views.views": "1, 2 or 4 views a branch make no difference.",
    "views.branches": "Different views are what makes attention leave the clutter, visible after one epoch; with the "
    "same it goes to every white pixel.",
    "data.redraw": "Other clutter for each branch teaches to leave it; the same clutter does not.",
    "views.size": "One of the two that matter most.",
    "model.arguments.patch_size": "One of the two that matter most: patches of 8 pixels.",
    "training.epochs": "After 10 epochs the heads part, and some go back to the clutter.",
}


def choose(run: Mapping[str, Any], runs: Runs) -> list[Mapping[str, Any]]:
    """The trainings of the same kind that are shown beside one."""
    others = {each["training_id"]: each for each in runs if each["kind"] == run["kind"] and each is not run}
    if not others:
        return []
    chosen = controls.multiselect(
        "Beside it", list(others), key="beside", format_func=lambda n: f"{n} · {others[n]['name']}"
    )
    return [others[number] for number in chosen]


def show_settings(runs: Runs, metrics: pd.DataFrame) -> None:
    """In what trainings differ, with what each has come to, and what is known of these settings."""
    is_ssl = runs[0]["kind"] == "ssl"
    if len(runs) < 2 and not is_ssl:
        return
    with st.expander("Comparison of settings", icon=":material/table:", expanded=len(runs) > 1):
        st.dataframe(table(runs, metrics), key="settings_table")
        if is_ssl:
            st.caption(
                "The study: self-attention of networks trained without labels on cluttered digits (Zhang, 2022). Its "
                "findings are of those pictures; what holds of yours the rows above tell."
            )


def table(runs: Runs, metrics: pd.DataFrame) -> pd.DataFrame:
    """A row for each setting in which trainings differ, or of which the study has found something, and for the last of
    each measurement; a column for each training, and the study's."""
    flat = {f"{run['training_id']} · {run['name']}": flattened(run["config"]) for run in runs}
    names = list(dict.fromkeys(name for own in flat.values() for name in own))
    known = FINDINGS if runs[0]["kind"] == "ssl" else {}
    wanted = [name for name in names if name in known or len({own.get(name, "–") for own in flat.values()}) > 1]
    rows: dict[str, dict[str, str]] = {
        name: {run: own.get(name, "–") for run, own in flat.items()}
        | ({"The study": known.get(name, "")} if known else {})
        for name in wanted
    }
    for split, metric in LAST:
        values = {f"{run['training_id']} · {run['name']}": last(metrics, run, split, metric) for run in runs}
        if any(value is not None for value in values.values()):
            shown = {run: "–" if value is None else f"{value:.3f}" for run, value in values.items()}
            rows[f"last {figures.TITLES.get(metric, metric)}"] = shown
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def flattened(config: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Settings by their dotted names, as text."""
    found: dict[str, str] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{above}{name}.")
        else:
            found[above + name] = value if isinstance(value, str) else json.dumps(value)
    return found


def last(metrics: pd.DataFrame, run: Mapping[str, Any], split: str, metric: str) -> float | None:
    """What a training has come to, by its newest epoch."""
    own = metrics[
        (metrics["training_id"] == run["training_id"]) & (metrics["split"] == split) & (metrics["metric"] == metric)
    ]
    return None if own.empty else float(own.loc[own["epoch"].idxmax(), "value"])


def learnt(run: Mapping[str, Any], metrics: pd.DataFrame) -> str:
    """Whether a training has come to anything, by k-NN accuracy before it, now, and of who always says the commonest;
    '' where no column was named for it, or it has not begun."""
    measured = metrics[(metrics["metric"] == "knn_accuracy") & (metrics["split"] == "test")].sort_values("epoch")
    if run["kind"] != "ssl" or len(measured) < 2:
        return ""
    before, now = measured["value"].iloc[0], measured["value"].iloc[-1]
    guess = last(metrics, run, "test", "largest_class") or 0.0
    column = words.plain(str(run["config"]["data"]["label"]))
    sentence = (
        f"The pictures most similar to a picture agree with it in *{column}* in {now:.0%} of all cases; before the "
        f"training in {before:.0%}, and who always says the commonest is right in {guess:.0%}."
    )
    if now <= before:
        return f"{sentence} So it has not got better: more pictures or epochs may help, or it sees these well already."
    return f"{sentence} " + (
        "So it has learnt something of it." if now > guess else "That is still no better than guessing."
    )


def collapsed(run: Mapping[str, Any], metrics: pd.DataFrame) -> str:
    """What is to be said of a training that has collapsed, by its newest epoch; '' of any other."""
    spread = last(metrics, run, "train", "feature_std")
    if run["kind"] != "ssl" or spread is None:
        return ""
    from ingest.vision.training.ssl.collapse import collapse

    said = collapse(spread, last(metrics, run, "train", "teacher_entropy"), run["config"]["head"]["outputs"])
    return f"{said[:1].upper()}{said[1:]}." if said else ""
