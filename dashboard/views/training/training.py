"""Training: curves of what was trained here, results of experiments, and which patches a trained network selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.data.results import trainings
from dashboard.drawing import tables
from dashboard.state import controls, navigation
from dashboard.views.training import comparison, figures, patches, probes, starting, views
from store.counts import counted

NONE = "–"
COSTS = ("seconds", "pictures_per_second", "peak_memory_mb", "learning_rate", "weight_decay", "momentum")
Runs = Sequence[Mapping[str, Any]]

PLAIN = {"displayModeBar": False}  # of a chart: its buttons would lie upon the names of its curves


def page() -> None:
    """The page."""
    navigation.heading("training")
    starting.under_way()
    runs = trainings.trainings()
    if not runs:
        st.info("Nothing has been trained into this database yet.")
        starting.begin()
        st.caption(
            "The selection of patches in large pictures is trained by labels that a table has, and with a file of "
            "settings:"
        )
        st.code(
            "python -m ingest train ips --config examples/configs/megapixel-mnist.yml", language=None, wrap_lines=True
        )
        views.show(None)
        return
    starting.begin()
    show_experiment(runs)
    run = pick(runs)
    beside = comparison.choose(run, runs)
    metrics = trainings.metrics([each["training_id"] for each in (run, *beside)])
    show_curves(run, beside, metrics)
    comparison.show_settings([run, *beside], metrics)
    if run["kind"] == "ssl":
        probes.show(run)
        views.show(run)
    show_selected(run)


# ---- experiments --------------------------------------------------------------------------------------------------


def show_experiment(runs: Runs) -> None:
    """The results of one experiment over what it varies; nothing where there is none."""
    names = list(dict.fromkeys(run["experiment"] for run in runs if run["experiment"]))
    if not names:
        return
    st.header("Results of an experiment", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = controls.selectbox("Experiment", names, key="experiment", width=220)
        members = [run for run in runs if run["experiment"] == name][::-1]
        metrics = trainings.metrics([run["training_id"] for run in members])
        measured = measurements(metrics[metrics["split"] == "test"])
        if not measured:
            st.info("No training of it has come to a test yet.")
            return
        metric = controls.selectbox(
            "Measure", measured, key="measure", format_func=lambda m: figures.titled(*m), width=300
        )
        varying = figures.varying(members)
        over, lines = axes(varying)
    table = figures.results(members, metrics, *metric)
    if table.empty:
        st.info(f"None of the {counted(len(members), 'training')} is through its last epoch yet.")
        return
    st.plotly_chart(
        figures.over_parameter(table, over, lines, figures.titled(*metric)), key="experiment_chart", config=PLAIN
    )
    done = f"{len(table)} of {counted(len(members), 'training')}"
    st.caption(f"Means over the seeds and over all else that varies, of {done}; bars are standard deviations.")
    st.download_button(
        "CSV", tables.safe_csv(table), f"{name}.csv", "text/csv", key="experiment_csv", icon=":material/download:"
    )


def axes(varying: list[str]) -> tuple[str, str | None]:
    """What lies on the axis and what has a line each."""
    if not varying:
        return "seed", None
    first = varying.index("object_ratio") if "object_ratio" in varying else 0
    over = controls.selectbox("Over", varying, first, key="over", format_func=shown, width=200)
    others = [NONE, *(name for name in varying if name != over)]
    second = others.index("train_size") if "train_size" in others else min(1, len(others) - 1)
    lines = controls.selectbox("A line for each", others, second, key="lines", format_func=shown, width=200)
    return over, None if lines == NONE else lines


def shown(name: str) -> str:
    return figures.TITLES.get(name, name)


def measurements(metrics: pd.DataFrame) -> list[tuple[str, str]]:
    """(task, metric) of all that was measured, the tasks' own metrics first, losses and costs last."""
    found = list(dict.fromkeys(zip(metrics["task"], metrics["metric"], strict=True)))
    return sorted(found, key=lambda each: (each[1] in COSTS, each[1] == "loss", not each[0], each[1], each[0]))


# ---- one training -------------------------------------------------------------------------------------------------


def pick(runs: Runs) -> Mapping[str, Any]:
    """The training that is looked at."""
    st.header("One training", anchor=False)
    by_number = {run["training_id"]: run for run in runs}
    number = controls.selectbox(
        "Training", list(by_number), key="training", format_func=lambda n: label(by_number[n]), width=520
    )
    run = by_number[number]
    state = "finished" if run["finished_at"] is not None else "not finished"
    st.caption(f"{run['done']} of {counted(run['epochs'], 'epoch', 'epochs')} · seed {run['seed']} · {state}")
    starting.go_on(run)
    with st.expander("Settings", icon=":material/settings:"):
        st.json(run["config"])
    return run


def label(run: Mapping[str, Any]) -> str:
    """What a training is called in the list."""
    varied = ", ".join(f"{name} {value}" for name, value in run["parameters"].items())
    seed = f", seed {run['seed']}" if run["experiment"] else ""
    return f"{run['training_id']} · {run['name']}{f' · {varied}' if varied else ''}{seed}"


def show_curves(run: Mapping[str, Any], beside: Runs, metrics: pd.DataFrame) -> None:
    """What was measured in each epoch, of this training and of those beside it."""
    if metrics.empty:
        st.info("No epoch is done yet. This page shows the first one as soon as it is.")
        return
    offered = measurements(metrics)
    first = offered.index(("", "loss")) if ("", "loss") in offered else 0
    chosen = controls.selectbox(
        "Curve", offered, first, key="curve", format_func=lambda m: figures.titled(*m), width=320
    )
    names = {each["training_id"]: label(each) for each in (run, *beside)}
    figure = figures.side_by_side(metrics, names, *chosen) if beside else figures.curves(metrics, *chosen)
    st.plotly_chart(figure, key="training_chart", config=PLAIN)
    own = metrics[metrics["training_id"] == run["training_id"]]
    if sentence := comparison.collapsed(run, own):
        st.warning(sentence)
    elif sentence := comparison.learnt(run, own):
        st.info(sentence, icon=":material/school:")
    st.download_button(
        "CSV of all curves",
        tables.safe_csv(metrics),
        f"training-{run['training_id']}.csv",
        "text/csv",
        key="training_csv",
        icon=":material/download:",
    )


def show_selected(run: Mapping[str, Any]) -> None:
    """Pictures of the test with the patches that the trained network selects."""
    examples = trainings.examples(run["training_id"])
    if not examples:
        return
    st.header("Selected patches", anchor=False)
    most = max(len(example["patches"]) for example in examples)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = [example["name"] for example in examples]
        name = controls.selectbox("Picture of the test", names, key="example", width=320)
        count = (
            controls.slider(
                "Best patches",
                1,
                most,
                most,
                key="best",
                width=260,
                help="So many of the patches to which the trained network gives most attention.",
            )
            if most > 1
            else most
        )
        objects = (
            controls.toggle(
                "Objects", True, key="objects", help="White boxes where the objects are that the training was to find."
            )
            if any(e["boxes"] for e in examples)
            else False
        )
    example = examples[names.index(name)]
    picture, words = st.columns([2, 1])
    picture.image(patches.drawn(example, count, objects), caption=f"{name}: {counted(count, 'patch')} selected")
    words.dataframe(pd.DataFrame(patches.described(example)), hide_index=True, key="predictions")
    words.caption(
        "Framed: the patches with the highest share of attention, brighter frames for higher shares, from the least to "
        "the largest of this picture. White: where the objects are. What was not selected is dimmed."
    )


page()
