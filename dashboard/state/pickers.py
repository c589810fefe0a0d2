"""The pickers for database, run and image in the sidebar, which every page shares."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.state import filter_bar, filters, navigation, not_found, ordering
from dashboard.state.ordering import Order
from store.records import RunRecord

MANY = 2000  # images; a longer list in the picker would be sent to the browser at every click
MATCHES = 200
CAPTION = 200  # characters


def database() -> None:
    """The picker of the database, where there is more than one to choose from."""
    names = [path.name for path in cache.databases()]
    if navigation.clamp("db", names, missing_database) and len(names) > 1:
        st.selectbox("Database", names, key="db")
    else:
        st.session_state.pop("db", None)
        not_found.hold("db")


def run_and_image(filtered: bool = False, ordered: bool = False, pictured: bool = True) -> None:
    """The pickers of run and image, each only where there is something to pick. Where `filtered`, the images are those
    that the filter leaves, and the one in view; where `ordered`, they also come as on the wall of Overview. With
    `pictured` the picture in view is shown too, which a page that shows it has no need of."""
    runs = cache.runs()
    # The newest first; what a training had come to after its epochs, of few pictures, only for who asks for it.
    asked = {navigation.asked("run"), str(st.session_state.get("run"))}
    ids = [run.run_id for run in reversed(runs) if not run.is_probe or str(run.run_id) in asked]
    follow_image(runs)
    if navigation.clamp("run", ids, missing_run):
        labels = run_labels()
        st.selectbox(
            "Run",
            ids,
            format_func=words.named(labels),
            key="run",
            help="A run is one network with fixed settings over one collection.",
        )
    run = cache.current_run()
    images = cache.images(run.collection if run else None)
    order = ordering.as_on_the_wall(run) if ordered else _as_ingested(images, run if filtered else None)
    offered = order.shown if order.kept.any() else order.ids
    options = search(offered) if len(offered) > MANY else offered.tolist()
    current = cache.current_image()
    if current is not None and current in images.index and current not in options:
        options = [current, *options]
    if not navigation.clamp("image", options, missing_image):
        return
    labels = image_labels(images.loc[options])
    st.selectbox("Image", options, format_func=words.named(labels), key="image")
    image_id = cache.image_in_view()
    shown = cache.image_row(image_id)
    turn(image_id, order)
    if pictured and (small := cache.thumbnail(image_id)):
        width, height = shown["width"], shown["height"]
        # A tall scroll would push all else off the sidebar.
        st.image(
            small,
            alt=shown["alt"],
            width="stretch" if height < 2 * width else round(480 * width / height),
        )
    st.caption(words.plain(filters.short(shown["caption"], CAPTION)))


def follow_image(runs: Sequence[RunRecord]) -> None:
    """A link that names a picture and no run means the newest run over the picture's collection."""
    if navigation.asked("image") is None or navigation.asked("run") is not None:
        return
    known = cache.images()
    if st.session_state.get("image") not in known.index:
        return
    collection = known.at[st.session_state["image"], "collection"]
    fitting = [run.run_id for run in runs if run.collection == collection]
    if fitting and st.session_state.get("run") not in fitting:
        st.session_state["run"] = fitting[-1]


def missing_database(name: str, shown: str | None) -> str:
    """What is said of a database that an address names and that is not there."""
    sentence = f"There is no database {not_found.quoted(name)} in this folder; shown is {shown}"
    numbered = navigation.asked("run") is not None or navigation.asked("image") is not None
    return f"{sentence}, in which the numbers of runs and pictures mean others." if numbered else f"{sentence}."


def missing_run(number: str, shown: int | None) -> str:
    """The same of a run."""
    if shown is None:
        return f"There is no run {not_found.quoted(number)}: this database has none yet."
    return f"There is no run {not_found.quoted(number)} in this database; shown is run {run_labels()[shown]}."


def missing_image(number: str, shown: int | None) -> str:
    """The same of a picture: it may be one of a collection that the run in view is not about."""
    if shown is None:
        return f"There is no picture {not_found.quoted(number)}: this collection has none."
    images, run = cache.images(), cache.current_run()
    if navigation.is_id(number) and int(number) in images.index:
        there, here = images.at[int(number), "collection"], run.collection if run else ""
        fitting = [each.run_id for each in cache.runs() if each.collection == there]
        way = f"choose run {fitting[-1]} to see it" if fitting else "no network has been run on that collection yet"
        sentence = f"Picture {number} is in the collection {there}, and this run is over {here}: {way}"
    else:
        sentence = f"There is no picture {not_found.quoted(number)} in this database"
    return f"{sentence}; shown is picture {shown}, {filters.short(str(images.at[shown, 'title']))}."


def _as_ingested(images: pd.DataFrame, run: RunRecord | None) -> Order:
    """The images as they were ingested, of which those are gone through that the filter of a run leaves."""
    left = filter_bar.current(run).ids if run else None
    return ordering.by_number(images, images.index.to_numpy() if left is None or not len(left) else left)


def turn(image_id: int, order: Order) -> None:
    """To the image before and after this one."""
    before, after = order.around(image_id)
    with st.container(horizontal=True, gap="xsmall"):
        for name, to, side in (("Previous", before, "left"), ("Next", after, "right")):
            st.button(
                name,
                key=f"image_{name.lower()}",
                icon=f":material/chevron_{side}:",
                icon_position=side,
                disabled=not to,
                on_click=navigation.choose,
                args=("image", to[0] if to else image_id),
                width="stretch",
            )


def search(ids: np.ndarray, key: str = "image_search") -> list[int]:
    """Of these images those whose title, caption or path holds what the person typed into the field of this key."""
    typed = st.text_input("Find an image", key=key, placeholder=f"in {len(ids):,} titles, makers and file names")
    if not (typed or "").split():
        return ids[:MATCHES].tolist()
    text = cache.images_text().loc[ids]
    for word in typed.split():
        text = text[text.str.contains(word.lower(), regex=False)]
    st.caption(f"{len(text):,} found" + (f", the first {MATCHES} are listed" if len(text) > MATCHES else ""))
    return text.index[:MATCHES].tolist()


def run_labels() -> dict[int, str]:
    """What each run is called in the picker; the collection is named where there are several."""
    runs = cache.runs()
    several = len({run.collection for run in runs}) > 1
    return {run.run_id: f"{run.run_id}: {run.title}" + (f", {run.collection}" if several else "") for run in runs}


def image_labels(images: pd.DataFrame) -> dict[int, str]:
    """Titles in one line; those that several images share are told apart by their paths."""
    titles = images["title"].map(filters.short)
    shared = titles.duplicated(keep=False)
    named = titles.where(~shared, titles + " · " + images["path"].map(filters.short))
    again = named.duplicated(keep=False)
    return named.where(~again, named + " · " + images["image_id"].astype(str)).to_dict()
