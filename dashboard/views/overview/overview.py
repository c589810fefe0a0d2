"""What is in this database: collections, runs, what went wrong, and all the pictures on a wall."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.charts import filtering
from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing import tables
from dashboard.drawing.text import inputs
from dashboard.selection import actions
from dashboard.state import controls, filter_bar, filters, navigation, ordering
from dashboard.state.busy import jobs
from dashboard.views.overview import readings, removed
from ingest.vision.described import one_line, usual_patches
from store.counts import counted
from store.records import RunRecord

PAGE = 120  # pictures on one page of the wall
DIVIDED = {";": "divided by semicolons", "|": "divided by bars", "json": "lists of JSON"}


def page() -> None:
    """The page."""
    collections, runs = cache.collections(), cache.runs()
    navigation.heading("")
    reading = jobs.of_command("run")
    for place, job in enumerate(reading):
        jobs.watch(job, f"overview_reading_{place}")
    runs, probed = ([run for run in runs if run.is_probe == probe] for probe in (False, True))
    counts(collections, runs)
    wall(collections)
    st.header("Runs", anchor=False)
    if not runs and not reading:
        st.info("No model has been run on this collection yet.")
        if len(collections):
            jobs.offer_for_collection("run", "Run a model", "overview_run")
    for run in reversed(runs):
        show_run(run)
    if probed:
        with st.expander(f"{counted(len(probed), 'epoch')} of trainings, each run on a few pictures"):
            for run in reversed(probed):
                show_run(run)
    show_collections(collections)
    show_metadata(collections)
    readings.show_tables()
    show_failures()


def counts(collections: pd.DataFrame, runs: Sequence[RunRecord]) -> None:
    """The numbers at the top."""
    maps = sum(int(cache.methods(run.run_id)["maps"].sum()) for run in runs)
    numbers = {
        "Pictures": int(collections["images"].sum()),
        "Collections": len(collections),
        "Runs": len(runs),
        "Attention maps": maps,
        "Failures": int(collections["failures"].sum()),
    }
    with st.container(horizontal=True, gap="medium"):
        for name, number in numbers.items():
            st.metric(name, f"{number:,}", width="content")


def wall(collections: pd.DataFrame) -> None:
    """All pictures, by pages; those that the filter leaves, where it is of this collection."""
    names = collections["name"].tolist()
    run = cache.current_run()
    bar, charts = st.container(), False
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(names) > 1:
            here = names.index(run.collection) if run else 0
            collection = controls.selectbox("Collection", names, here, key="wall_collection", follows=True, width=220)
        else:
            collection = names[0]
        fields, switch = (st.container(horizontal=True, vertical_alignment="bottom", width="content") for _ in range(2))
        with switch:
            gone = removed.choose(collection)
    if gone is not None:
        removed.show(gone)
        return
    filtered = run if run is not None and run.collection == collection else None
    with fields:
        typed = controls.text_input("Words", key=ordering.WORDS, placeholder="in title or metadata", width=280)
        order = controls.selectbox("Order", ordering.orders(collection), key=ordering.ORDER, width=200)
        if filtered:
            charts = filtering.switch(
                "overview_charts", "Charts of the metadata: each filters the others and the wall."
            )
    ids = cache.images(collection).index.to_numpy()
    if filtered:
        with bar:
            found = filter_bar.bar(filtered, "the wall shows these alone")
        if charts:
            filtering.drawer(filtered, filtering.timeline(filtered))
        if found.empty:
            return
        ids = ids[found.among(ids)]
    ids = ordering.holding(ids, typed)
    if not len(ids):
        st.info("No picture has these words." if typed else none_in(collection))
        return
    ids = ordering.arranged(ids, collection, order)
    pages = -(-len(ids) // PAGE)
    number = controls.pagination(pages, key="wall_page") if pages > 1 else 1
    shown = ids[(number - 1) * PAGE : number * PAGE]
    actions.gallery(cache.items(shown), "wall", shown=cache.current_image())


def none_in(collection: str) -> str:
    """Why a collection has no pictures."""
    if cache.removed_images(collection).empty:
        return "No picture has been read into this collection yet."
    return "All pictures of this collection have been removed. “Removed pictures” shows them, and puts them back."


def show_run(run: RunRecord) -> None:
    """One run: which network, how, over what; everything that made it what it is behind a click."""
    note = run.settings.get("note")
    with st.container(border=True):
        st.markdown(f"#### {run.run_id}: {words.plain(run.title)}")
        st.markdown(
            f"{counted(run.images, 'picture')} of *{words.plain(run.collection)}* · "
            f"{counted(run.layers, 'layer')} × {counted(run.heads, 'head')} · "
            f"features of {counted(run.dim, 'number')} · "
            f"patches of {run.patch} px · {inputs.of_run(run)} · "
            f"weights `{run.weights_sha256[:12]}`"
        )
        if note:
            st.markdown(f":material/info: {words.plain(note)}")
        if measured := run.measured:
            patches = usual_patches(measured, run.size, run.patch)
            st.caption(words.plain(one_line(measured, patches)))
        stored = cache.methods(run.run_id)
        names = [f"{row.method} {row.target}".strip() + f" ({row.maps:,})" for row in stored.itertuples()]
        projections = cache.projections(run.run_id)["method"].unique()
        st.caption(
            f"Stored maps: {words.plain(', '.join(names)) or 'none'}. Projections: {', '.join(projections) or 'none'}. "
            f"Made {run.created_at:%d %B %Y, %H:%M} UTC."
        )
        with st.expander("Settings and versions"):
            left, right = st.columns([2, 1])
            left.dataframe(_facts(run.settings | {"weights_sha256": run.weights_sha256}), width="stretch")
            right.dataframe(_facts(run.versions), width="stretch")


def _facts(facts: dict) -> pd.Series:
    return pd.Series(
        {key: value if isinstance(value, str) else _json(value) for key, value in facts.items()},
        dtype=object,
        name="value",
    ).rename_axis("setting")


def _json(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def show_collections(collections: pd.DataFrame) -> None:
    """Where the pictures came from."""
    st.header("Collections", anchor=False)
    st.dataframe(
        collections[["name", "images", "failures", "source", "created_at"]],
        hide_index=True,
        width="stretch",
        column_config={
            "name": "Collection",
            "images": st.column_config.NumberColumn("Pictures", format="localized"),
            "failures": st.column_config.NumberColumn("Failures", format="localized"),
            "source": st.column_config.TextColumn("Read from", width="large"),
            "created_at": st.column_config.DatetimeColumn("Since (UTC)", format="D MMM YYYY, HH:mm"),
        },
    )


def show_metadata(collections: pd.DataFrame) -> None:
    """What of the metadata was taken for what, where that is no matter of course."""
    lines = []
    if lists := cache.list_columns():
        named = [f"{words.plain(name)} ({DIVIDED[separator]})" for name, separator in lists.items()]
        lines.append(f"Columns in which a picture can have several values: {', '.join(named)}. Each value counts.")
    for collection in collections["name"]:
        for column, count, of, examples in cache.unread_dates(collection):
            some = ", ".join(f"“{filters.short(text)}”" for text in examples)
            lines.append(
                f"{count:,} of {of:,} entries of {words.plain(column)} in {words.plain(collection)} have no years "
                f"beside them, since they are no dates or are not understood: {words.plain(some)}."
            )
    if lines:
        st.header("Metadata", anchor=False)
        st.markdown("\n".join(f"- {line}" for line in lines))


def show_failures() -> None:
    """Which files could not be used, and why."""
    failures = cache.failures()
    if failures.empty:
        return
    st.header("Failures", anchor=False)
    st.markdown("These files could not be used. Mend or remove them, then run the same command again.")
    if (failures["stage"] == "project").any():
        st.markdown("Of a layout that could not be made, the reason says what to type; the others are there.")
    st.dataframe(
        failures,
        hide_index=True,
        width="stretch",
        column_config={
            "collection": "Collection",
            "path": "File",
            "stage": "While",
            "error": st.column_config.TextColumn("Reason", width="large"),
            "at": st.column_config.DatetimeColumn("At (UTC)", format="D MMM YYYY, HH:mm"),
        },
    )
    st.download_button(
        "Download the failures as CSV",
        partial(tables.safe_csv, failures),
        "failures.csv",
        "text/csv",
        key="failures_csv",
        on_click="ignore",
        icon=":material/download:",
    )


page()
