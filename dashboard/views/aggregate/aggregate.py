"""Two groups of pictures: where each draws attention on average, and whether they differ by more than chance."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.compute.contrast import Contrast, permutation
from dashboard.compute.methods import entry_of, registry
from dashboard.data import cache
from dashboard.drawing import markup, panels, tables
from dashboard.drawing.text import glossary
from dashboard.state import controls, filter_bar, navigation, widgets
from dashboard.state.busy import jobs
from dashboard.views.aggregate import comparison, figures, grouping, summary
from dashboard.views.aggregate.comparison import Choice, GroupComparison, Settings
from dashboard.views.aggregate.figures import GroupFigures, Style, Unit
from dashboard.views.aggregate.groups import Pair
from ingest.vision import described
from store.records import RunRecord

OWN = "each picture's own"
SHUFFLES = (500, 2000, 10_000)


def page() -> None:
    """The page."""
    navigation.heading("aggregate")
    run = cache.run_in_view()
    stored = cache.methods(run.run_id)
    if stored.empty:
        st.info(f"Run {run.run_id} holds no attention maps. Choose another run, or have them made.")
        methods = "cls,rollout" if described.has_cls(run.measured, run.prefix_tokens) else "received"
        arguments = ["explain", "--run", str(run.run_id), "--methods", methods]
        jobs.offer(f"Attention of run {run.run_id}", arguments, "Make them", "aggregate_start")
        return
    if not cache.columns_with_labels(run):
        st.info(
            "Groups are chosen by metadata, and there is none about these pictures. "
            "`python -m ingest run FOLDER --metadata FILE` adds a table of it."
        )
        return
    filtered = filter_bar.bar(run, "both groups come from these alone")
    if filtered.empty:
        return
    choice = choose(run, stored)
    pair, named = grouping.choose(run, filtered)
    style, chosen, settings = choose_style(choice)
    if pair is None or not ready(pair):
        return
    with st.spinner("Comparing the groups …"):
        found = comparison.find(run, choice, pair, settings)
    if found is None:
        st.info(
            f"Run {run.run_id} holds no such maps of one of the groups. Choose another layer or other groups; the "
            "same `python -m ingest run` as before adds what is missing."
        )
        return
    unit = unit_of(chosen, found.contrast, settings)
    size = figures.canvas(found.contrast.rows, found.contrast.cols)
    grounds = (comparison.average(run, found.a, size), comparison.average(run, found.b, size)) if style.behind else None
    drawn = cache.remembered(
        lambda: figures.draw(found.contrast, named, unit, style, grounds),
        "aggregate figures",
        *comparison.key_of(run, choice, pair, settings),
        *map(repr, (named, unit, style)),
    )
    maps(drawn, summary.sentences(run, found))
    result(found.contrast, unit)
    credit = summary.credit(run, choice, named, found, settings)
    if filtered.ids is not None:
        credit += f" Both groups are of {filtered.describe(filtered.count)}."
    st.html(markup.small(credit))
    downloads(run, drawn, found, f"{credit} {figures.drawn_as(style)}")


# ---- controls ---------------------------------------------------------------------------------------------------


def choose(run: RunRecord, stored: pd.DataFrame) -> Choice:
    """Method, target, layer and head."""
    known, keys = registry(), list(dict.fromkeys(stored["method"]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = controls.selectbox(
            "Method",
            keys,
            key="aggregate_method",
            always=True,
            format_func=lambda key: known[key].title if key in known else key,
            help="\n".join(f"- **{known[key].title}**: {known[key].explanation}" for key in keys if key in known),
            width=300,
        )
        targets = sorted(stored.loc[stored["method"] == method, "target"])
        target = targets[0]
        if len(targets) > 1:
            target = controls.selectbox(
                "What is explained",
                [OWN, *targets],
                key="aggregate_target",
                width=240,
                help=glossary.sense_of("target"),
            )
        layers, heads = cache.map_levels(run.run_id, method)
        entry = entry_of(method)
        depth = "Depth" if entry is None else entry.depth
        label, head = ("Layer", "mean") if heads else (depth, None)
        last = len(layers) - 1
        layer = controls.selectbox(label, layers, last, key="aggregate_layer", width=120)
        alone = entry is not None and entry.accumulates and choose_alone(depth.lower())
        if heads:
            head = controls.selectbox(
                "Head",
                ["mean", "max", *map(str, heads)],
                key="aggregate_head",
                width=140,
                help="The mean or, patch by patch, the maximum of all heads of the layer, or one head.",
            )
    number = int(head) if head is not None and head.isdecimal() else head
    return Choice(method, None if target == OWN else target, layer, number, alone)


def choose_alone(noun: str) -> bool:
    """Of a method that accumulates: whether a layer, called `noun`, is taken alone."""
    shown = {"accumulated": f"accumulated to this {noun}", "alone": f"this {noun} alone"}
    chosen = controls.selectbox("Shown", list(shown), key="aggregate_shown", format_func=words.named(shown), width=240)
    return chosen == "alone"


def choose_style(choice: Choice) -> tuple[Style, str, Settings]:
    """How the maps are drawn, their unit, and how the groups are compared."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        smooth = widgets.smooth("aggregate_edges")
        even = controls.segmented_control(
            "Weights",
            ["per picture", "raw"],
            key="aggregate_weights",
            help="Per picture: each map is divided by its sum over the patches, so that every picture counts the same. "
            "Raw: as the method gave them; pictures with more on the patches count more.",
        )
        units = ["own"] if comparison.attribution(choice) and even == "raw" else ["× uniform", "share"]
        unit = controls.segmented_control(
            "Unit",
            units,
            key="aggregate_unit",
            help="× uniform: 1 is what each patch had if all had the same.",
        )
        with st.popover("Pictures, test", icon=":material/tune:"):
            behind = controls.toggle("Average picture behind the means", key="aggregate_behind")
            only = controls.toggle(
                "Only patches that differ", key="aggregate_only", help=glossary.sense_of("false discovery rate")
            )
            shuffles = controls.selectbox("Shuffles", SHUFFLES, 1, key="aggregate_shuffles")
            seed = controls.number_input("Seed", 0, 2**31, permutation.SEED, key="aggregate_seed")
    return Style(smooth, only, behind), unit, Settings(even != "raw", shuffles, int(seed))


def unit_of(chosen: str, found: Contrast, settings: Settings) -> Unit:
    """The unit that was chosen."""
    if chosen == "own":
        return Unit(1, "score", "In the method's own unit")
    if chosen == "share":
        of = "a token's attention" if not settings.even else "what each picture's map holds"
        return Unit(1, "share", f"Share of {of}")
    return Unit(found.rows * found.cols, "uniform", "Times uniform: 1 is what each patch had if all had the same")


def ready(pair: Pair) -> bool:
    """Whether both groups hold pictures; says so if not."""
    if not len(pair.a):
        st.info("Group A holds no pictures. Choose other values for it.")
    elif not len(pair.b):
        st.info(f"Group B holds no pictures{' that are not in A' if pair.both else ''}. Choose other values for it.")
    return len(pair.a) > 0 and len(pair.b) > 0


# ---- what it shows ----------------------------------------------------------------------------------------------


def maps(drawn: GroupFigures, notes: list[str]) -> None:
    """The three maps beside each other, their scales below."""
    for place, panel in zip(st.columns(3), drawn.panels, strict=True):
        place.html(markup.large(panel))
    means, difference = st.columns([2, 1])
    means.html(markup.colour_bar(drawn.means))
    difference.html(markup.colour_bar(drawn.difference))
    st.caption(" ".join(notes))


def result(found: Contrast, unit: Unit) -> None:
    """The test in words and numbers."""
    st.header("Chance or difference", anchor=False)
    st.markdown(summary.conclusion(found))
    for caution in summary.cautions(found):
        st.warning(caution)
    st.table(summary.table(found, unit), border="horizontal", hide_index=True)
    st.caption(
        "p is the share of divisions, by chance alone, with as clear a difference in this patch or any other; for the "
        "centres, in this direction or the other. It holds for groups that were chosen beforehand: of twenty layers, "
        "heads or groups tried out, one will seem to differ."
    )


def downloads(run: RunRecord, drawn: GroupFigures, found: GroupComparison, credit: str) -> None:
    """The figure for print and the numbers."""
    stem = panels.file_stem(f"aggregate-{run.collection}-run{run.run_id}")
    title = f"Two groups of pictures in {run.collection}"
    with st.container(horizontal=True):
        widgets.figures("aggregate", stem, partial(figures.plate, title, credit, drawn))
        data = tables.safe_csv(found.contrast.table())
        st.download_button(
            "Maps as CSV",
            data,
            f"{stem}.csv",
            "text/csv",
            key="aggregate_csv",
            on_click="ignore",
            icon=":material/download:",
        )


page()
