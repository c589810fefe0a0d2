"""Trust: how often each method, layer and head shows what is known to be in the pictures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.data.results import evaluations
from dashboard.drawing import head_figures, tables
from dashboard.drawing.panels import file_stem
from dashboard.drawing.text import glossary
from dashboard.selection import actions
from dashboard.state import controls, navigation
from dashboard.state.busy import jobs
from dashboard.views.trust import examples, figures
from dashboard.views.trust.examples import Chosen
from ingest.vision.evaluation.measures import MEASURES, SIZES
from store.counts import counted
from store.evaluations import METRICS
from store.maps import FUSED
from store.records import RunRecord

FIGURE = "trust_matrix"
SHOWN = 12  # pictures of one map
SPLITS = {
    "all": "all pictures",
    "held-out": "the half that is held out",
    "choosing": "the half by which a map is chosen",
}
ANY_SIZE = "all"
MASKS = "masks:"

# In a narrow window the cells have no room for their numbers, which hovering over them says too.
NARROW = (
    f"<style>@media (max-width: 1000px) {{.st-key-{FIGURE} .heatmap-label text {{font-size: 7.5px !important}}}} "
    f"@media (max-width: 640px) {{.st-key-{FIGURE} .heatmap-label {{display: none}}}}</style>"
)


def page() -> None:
    """The page."""
    navigation.heading("trust")
    run = cache.run_in_view()
    found = evaluations.of_run(run.run_id)
    if not found:
        st.info(
            "Where it is known what a picture shows, one can count how often a map shows it too. Nothing has been "
            f"evaluated for run {run.run_id} yet: ask a question below."
        )
        ask(run, opened=True)
        return
    evaluation = pick(found)
    results = evaluations.results(evaluation["evaluation_id"])
    metric, size, split = choose(results)
    table = results[(results["metric"] == metric) & (results["size"] == size) & (results["split"] == split)]
    explain(results, metric, size)
    show_ranking(run, evaluation, table)
    show_matrix(run, evaluation, table)
    ask(run)


def pick(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The evaluation that is looked at, and what is to be said of it."""
    by_number = {each["evaluation_id"]: each for each in found}
    number = controls.selectbox(
        "Truth", list(by_number), key="evaluation", format_func=lambda n: label(by_number[n]), width=520
    )
    evaluation = by_number[number]
    left_out, unknown = evaluation["left_out"], evaluation["settings"].get("unknown", 0)
    sentence = f"{counted(evaluation['images'], 'picture')} with a truth, {unknown:,} without"
    st.caption(f"{sentence}, {len(left_out):,} left out · evaluated {evaluation['created_at']:%Y-%m-%d %H:%M} UTC")
    if left_out:
        with st.expander(f"{counted(len(left_out), 'picture')} left out", icon=":material/visibility_off:"):
            names = cache.images()["path"].to_dict()
            rows = [{"picture": names.get(each["image_id"], "gone"), "reason": each["reason"]} for each in left_out]
            st.dataframe(pd.DataFrame(rows), hide_index=True, key="trust_left_out")
    return evaluation


def label(evaluation: dict[str, Any]) -> str:
    """What an evaluation is called in the list."""
    where = f" where {evaluation['condition']}" if evaluation["condition"] else ""
    return f"{evaluation['truth']}{where} · {counted(evaluation['images'], 'picture')}"


def choose(results: pd.DataFrame) -> tuple[str, str, str]:
    """The measure, the size of objects that count, and the pictures."""
    offered = [key for key in MEASURES if (results["metric"] == key).any()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = controls.selectbox(
            "Measure", offered, key="metric", format_func=lambda key: MEASURES[key].title, width=220
        )
        rows = results[results["metric"] == metric]
        sizes = [size for size in ("", *SIZES) if (rows["size"] == size).any()]
        size = ""
        if len(sizes) > 1:
            named = {each or ANY_SIZE: each for each in sizes}
            size = named[
                controls.segmented_control(
                    "Objects",
                    list(named),
                    key="size",
                    help="Only the pictures in which what is known to be there is so large.",
                )
            ]
        splits = [split for split in SPLITS if (rows["split"] == split).any()]
        split = controls.selectbox("Pictures", splits, key="split", format_func=lambda each: SPLITS[each], width=280)
    return metric, size, split


def explain(results: pd.DataFrame, metric: str, size: str) -> None:
    """How to read what follows, and the one figure to quote."""
    measure = MEASURES[metric]
    better = {True: "More is better.", False: "Less is better.", None: ""}[measure.higher]
    st.caption(words.plain(f"{measure.title}: {measure.meaning} ({measure.source}). {better}"))
    if found := figures.summary(results, metric, size):
        sentence, proven = found
        if proven:
            st.success(words.plain(sentence), icon=":material/verified:")
        else:
            st.warning(words.plain(sentence), icon=":material/help:")
        st.caption(
            "Quote this figure: by these pictures no map was chosen. Whoever looks at many maps finds a good one by "
            "accident; and a map is worth something only if it is better than chance, and better than the same network "
            "with random weights."
        )


def show_ranking(run: RunRecord, evaluation: dict[str, Any], table: pd.DataFrame) -> None:
    """All maps, the best first."""
    st.header("All maps", anchor=False)
    shown = figures.ranked(table)
    number = st.column_config.NumberColumn(format="%.3f")
    columns = {name: number for name in shown.columns if name not in ("map", "pictures", "p (Holm)")}
    columns["p (Holm)"] = st.column_config.NumberColumn(format="%.2g")
    st.dataframe(shown, hide_index=True, height=260, column_config=columns, key="trust_ranking")
    notes = [
        "low and high: the 95 % interval by bootstrap over the pictures",
        "chance: a map that is the same everywhere",
    ]
    if table["metric"].isin(["deletion", "insertion"]).any():
        notes[1] = "chance: the patches in a random order"
    if "random weights" in shown:
        notes.append("random weights: the same network before it learnt anything, the mean over a layer's heads")
    else:
        notes.append("for the baseline of random weights, measure once more below")
    if "p (Holm)" in shown:
        notes.append("p: of being no better than chance, corrected for all maps that were looked at")
    st.caption(words.plain("; ".join(notes) + "."))
    stem = file_stem(f"trust-run{run.run_id}-{evaluation['truth']}")
    results = evaluations.results(evaluation["evaluation_id"])
    st.download_button(
        "All numbers as CSV",
        tables.safe_csv(results.assign(head=results["head"].where(results["head"] != FUSED))),
        f"{stem}.csv",
        "text/csv",
        key="trust_csv",
        on_click="ignore",
        icon=":material/download:",
    )


# ---- one map ----------------------------------------------------------------------------------------------------


def show_matrix(run: RunRecord, evaluation: dict[str, Any], table: pd.DataFrame) -> None:
    """The maps of one method by layer and head, and the pictures behind one of them."""
    st.header("Layers and heads", anchor=False)
    best = figures.rows_of(figures.in_order(table))[0]
    methods = list(dict.fromkeys(zip(table["method"], table["target"], strict=True)))
    method, target = controls.selectbox(
        "Method",
        methods,
        methods.index((best.method, best.target)),
        key="trust_method",
        format_func=lambda each: figures.of(*each),
        words=lambda each: ":".join(filter(None, each)),
        width=320,
    )
    own = table[(table["method"] == method) & (table["target"] == target)]
    above = st.container()
    layer, head = pick_map(own)
    with above:
        st.html(NARROW)
        st.plotly_chart(
            figures.matrix(own, (layer, head)),
            key=FIGURE,
            on_select=point,
            selection_mode="points",
            config={"displaylogo": False, "displayModeBar": False},
            alt=f"{MEASURES[best.metric].title} of {counted(len(own), 'map')}. The pickers below open each of them.",
        )
        st.caption(
            "In brackets: not surely better than chance (p, corrected for all maps, of 0.05 and more). Click a cell "
            "for the pictures behind it."
        )
    here = own[(own["layer"] == layer) & (own["head"] == head)]
    if here.empty:
        st.info("There is no such map. Choose another layer or head.")
        return
    row = figures.rows_of(here)[0]
    beside = "".join(f", {what} {value}" for what, value in figures.baselines(row).items())
    st.markdown(f"**{words.plain(figures.name(row))}** · {words.plain(figures.interval(row) + beside)}")
    metric = row.metric if row.metric in METRICS else METRICS[0]
    show_examples(Chosen(evaluation["evaluation_id"], run.run_id, method, target, layer, head), metric, evaluation)


def point() -> None:
    """A click on the matrix opens its map."""
    pair = head_figures.selected(st.session_state[FIGURE].selection.points)
    if pair is not None:
        st.session_state["trust_layer"], st.session_state["trust_head"] = pair


def pick_map(table: pd.DataFrame) -> tuple[int, int]:
    """The open map: at first the best."""
    best = figures.rows_of(figures.in_order(table))[0]
    layers, heads = sorted(set(table["layer"].tolist())), sorted(set(table["head"].tolist()))
    with st.container(horizontal=True):
        layer = controls.selectbox("Layer", layers, layers.index(best.layer), key="trust_layer", width=120)
        head = FUSED
        if heads != [FUSED]:
            head = controls.selectbox("Head", heads, heads.index(best.head), key="trust_head", width=120)
    return layer, head


def show_examples(chosen: Chosen, metric: str, evaluation: dict[str, Any]) -> None:
    """The pictures in which a map does best, or worst, with the truth outlined."""
    ways = ["highest", "lowest"]
    way = controls.segmented_control("Pictures with the", ways, key="trust_order")
    found = evaluations.examples(chosen.evaluation_id, chosen.method, chosen.target, chosen.layer, chosen.head, metric)
    pictures = records((found if way == "highest" else found.iloc[::-1]).head(SHOWN))
    patches = evaluation["truth"].startswith("masks:")
    key = ("trust_examples", chosen, metric, way)
    shown = cache.remembered(lambda: examples.items(chosen, pictures, patches), *key)
    done = actions.gallery(shown, "trust_examples", 190, cache.current_image(), (actions.MAPS,))
    outlined = "the patches that count as truth" if patches else "the boxes of the truth"
    st.caption(
        f"Outlined in white: {outlined}. Below each picture: {MEASURES[metric].title.lower()}, and the half to which "
        "it belongs. Each map has a scale of its own. The map symbol on a picture leads to all its maps."
    )
    if done is not None:
        query: dict[str, Any] = {"image": done.image_id, "layer": chosen.layer, "method": chosen.method}
        query |= {} if chosen.head == FUSED else {"head": chosen.head}
        st.switch_page(navigation.script_of("attention"), query_params=navigation.query(**query))


# ---- a question of one's own ---------------------------------------------------------------------------------------


def ask(run: RunRecord, opened: bool = False) -> None:
    """A truth of one's own, and the button that measures by it: regions that were drawn, a tag, a column of boxes,
    masks."""
    with st.expander("Ask a question of your own", expanded=opened, icon=":material/help:"):
        offered = truths(run)
        st.markdown(
            "Which head agrees with you about faces, or ships, or hands? Draw them on the page **Picture** as regions "
            "with a note, some dozens of them in as many pictures as you can. Then choose the note here."
        )
        truth = st.selectbox(
            "Truth",
            offered,
            key="trust_question",
            format_func=lambda each: offered[each],
            width=420,
            help=glossary.sense_of("truth"),
        )
        if truth == MASKS:
            folder = st.text_input(
                "Folder of the masks", key="trust_masks", width=420, placeholder="/home/me/masks",
                help="Files that go by the names of the pictures, white on black.",
            )  # fmt: skip
            truth += folder.strip()
        random = st.toggle(
            "Compare with random weights", key="trust_random", value=True,
            help="The pictures pass through the same network once more, before it has learnt anything: what it does "
            "better than that, it has learnt.",
        )  # fmt: skip
        faithful = st.toggle(
            "Deletion and insertion, of the three best maps", key="trust_faithful",
            help="Does the network go by what they mark? It takes long: some 140 passes for each map and picture.",
        )  # fmt: skip
        arguments = ["evaluate", "--run", str(run.run_id), "--truth", truth]
        arguments += ["--random-weights"] * random + ["--faithfulness", "3"] * faithful
        if truth == MASKS:
            st.caption("Name the folder of the masks.")
            return
        jobs.offer(f"Evaluation of run {run.run_id}", arguments, "Measure", "trust_start")


def truths(run: RunRecord) -> dict[str, str]:
    """{what --truth takes: what it is called} of all that this collection has to offer, and of masks in a folder."""
    drawn = cache.regions_in(run.collection)
    notes = drawn["note"].str.strip().str.casefold()
    found = {}
    for note, count in notes[notes != ""].value_counts().items():
        found[f"regions:{note}"] = f"regions with the note “{note}” ({count:,})"
    if len(drawn):
        found["regions"] = f"all regions ({len(drawn):,})"
        with_regions = set(drawn["image_id"])
        for tag in cache.tags(run.collection)["tag"]:
            if with_regions & set(cache.tagged(tag, run.collection).tolist()):
                found[f"tag:{tag}"] = f"regions in pictures with the tag “{tag}”"
    for column, kind in cache.metadata_columns(run.collection).items():
        if kind == "text" and "box" in column.casefold():
            found[f"boxes:{column}"] = f"boxes in the column {column}"
    return found | {MASKS: "a folder of masks that go by the names of the pictures"}


page()
