"""Starting a training here, going on with one, and running what it has trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.compute import rows, words
from dashboard.data import cache, jobs
from dashboard.state import navigation
from dashboard.state.busy import jobs as work

AUGMENTATIONS = {
    "photographs": "colour photographs, paintings",
    "prints": "prints and drawings",
    "binary": "black and white",
    "none": "nothing is changed",
}
NO_LABEL = "–"
TITLE = "Training of "
CLASSES = 2, 60  # a column by which neighbours can agree has at least and at most so many values
COMMAND = {"ssl": ("train", "ssl"), "ips": ("train", "ips")}


def begin() -> None:
    """Fields for a training of the collection in view, and its button."""
    run = cache.current_run()
    source = None if run is None else cache.source_of(run.collection)
    if run is None or source is None:
        return
    under_way = bool(work.of_command("train"))
    with st.expander("Train a network on this collection", icon=":material/school:"):
        st.markdown(
            "A network that has seen photographs can go on learning from your pictures, without labels: it learns that "
            "two views of one picture are the same. It takes minutes for some hundred pictures, and a night for ten "
            "thousand. The result is a network to run like any other."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", clean(run.collection), key="train_name", width=200, max_chars=60)
            augment = st.selectbox(
                "The pictures are", list(AUGMENTATIONS), key="train_augment", format_func=words.named(AUGMENTATIONS),
                help="How views are drawn: of prints no hues are invented, and none is mirrored.", width=230,
            )  # fmt: skip
            epochs = st.number_input(
                "Epochs", 1, 1000, 10, key="train_epochs", help="How often all are seen.", width=120
            )
            label = st.selectbox(
                "Check with the column", [NO_LABEL, *labels(run.collection)], key="train_label",
                help="A column by which to measure how often the most similar pictures agree. Nothing is learned from "
                "it.", width=200,
            )  # fmt: skip
            probes = st.number_input(
                "Attention after every … epochs", 0, 1000, 2, key="train_probes", width=200,
                help="So many epochs, the attention of eight pictures is stored; 0: never.",
            )  # fmt: skip
        arguments = ["train", "ssl", source, "--collection", run.collection, "--name", clean(name) or "training"]
        arguments += ["--augment", augment, "--epochs", str(int(epochs))]
        arguments += ["--label", label] if label != NO_LABEL else []
        arguments += ["--probe-every", str(int(probes))] if probes else []
        if under_way:
            st.caption("A training is under way, see above: another can begin when it is through.")
        else:
            work.button(f"{TITLE}{clean(name)}", arguments, "Start the training", "train_start")


def under_way() -> None:
    """The trainings that run on this database, with how far they are; else how the last one ended."""
    running = work.of_command("train")
    for place, job in enumerate(running):
        work.watch(job, f"training_{place}")
    if not running:
        last = next((job for job in jobs.jobs(cache.db()) if job.arguments[0] == "train"), None)
        work.outcome(last, "training")


def go_on(training: Mapping[str, Any]) -> None:
    """A button for a training that has not come to its end, or for the network of one that has."""
    if training["kind"] not in COMMAND:
        return
    if training["finished_at"] is None:
        settings = jobs.write_settings(cache.db(), training["config"])
        arguments = [*COMMAND[training["kind"]], "--config", str(settings), "--name", training["name"]]
        arguments += ["--out", training["folder"]]
        hint = "It goes on after its last whole epoch, as if it had never stopped."
        if not work.of_command("train"):
            work.button(f"{TITLE}{training['name']}", arguments, "Go on", "train_on", hint)
    elif training["kind"] == "ssl" and not training["experiment"]:
        data = training["config"]["data"]
        arguments = ["run", data["source"], "--model", training["folder"]]
        arguments += ["--collection", data["collection"]] if data["collection"] else []
        work.offer(
            f"Run of {training['name']}", arguments, "Run it on its pictures", "train_run",
            hint="The network becomes a run beside the others: map, search, heads.", then=lead_on,
        )  # fmt: skip


def lead_on() -> None:
    """Links to the pages that show the newest run."""
    newest = next((run.run_id for run in reversed(cache.runs()) if not run.is_probe), None)
    with st.container(horizontal=True):
        for page, label in (("map", "Its map"), ("attention", "Its attention"), ("trust", "How far to trust it")):
            st.page_link(
                navigation.script_of(page), label=label, icon=navigation.PAGES[page].icon,
                query_params=navigation.query(run=newest),
            )  # fmt: skip


def labels(collection: str) -> list[str]:
    """The columns that sort the pictures into a few classes."""
    return list(cache.remembered(lambda: _labels(collection), "labels of trainings", collection))


def _labels(collection: str) -> list[str]:
    found = rows.read(cache.images(collection)["metadata"])
    columns = [name for name, kind in cache.metadata_columns(collection).items() if kind != "JSON"]
    values = {name: {_word(metadata.get(name)) for metadata in found} - {None, ""} for name in columns}
    least, most = CLASSES
    return [name for name, each in values.items() if least <= len(each) <= min(most, max(least, len(found) // 3))]


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def clean(name: str) -> str:
    """A name that a training can have: no slash and no @."""
    return re.sub(r"[@/\\]+", "-", "".join(filter(str.isprintable, name))).strip(" .")[:100]
