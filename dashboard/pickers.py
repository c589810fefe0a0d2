"""The pickers for database, run and image in the sidebar, which every page shares."""

import pandas as pd
import streamlit as st

from dashboard import address, cache, words

MANY = 2000  # images; a longer list in the picker would be sent to the browser at every click
MATCHES = 200


def database() -> None:
    """The picker of the database, where there is more than one to choose from."""
    names = [path.name for path in cache.databases()]
    if address.settle("db", names) and len(names) > 1:
        st.selectbox("Database", names, key="db", on_change=address.picked, args=("db",))
    else:
        st.session_state.pop("db", None)


def run_and_image() -> None:
    """The pickers of run and image, each only where there is something to pick."""
    runs = cache.runs()
    ids = [int(run_id) for run_id in reversed(runs["run_id"].tolist())]
    if address.settle("run", ids):
        labels = run_labels()
        st.selectbox(
            "Run",
            ids,
            format_func=labels.get,
            key="run",
            on_change=address.picked,
            args=("run",),
            help="A run is one network with fixed settings over one collection.",
        )
    run = cache.current_run()
    images = cache.images(run["collection"] if run else None)
    options = images["image_id"].tolist()
    if len(options) > MANY:
        options = search(images)
    if not address.settle("image", options):
        return
    labels = image_labels(images.loc[options])
    st.selectbox("Image", options, format_func=labels.get, key="image", on_change=address.picked, args=("image",))
    image_id = cache.current_image()
    if small := cache.thumbnail(image_id):
        st.image(small, alt=images.at[image_id, "alt"], width="stretch")
    st.caption(words.plain(images.at[image_id, "caption"]))


def search(images: pd.DataFrame) -> list[int]:
    """The images whose title, caption or path holds what the person typed, and the one in view."""
    typed = st.text_input(
        "Find an image", key="image_search", placeholder=f"in {len(images):,} titles, makers and file names"
    )
    text = images["title"] + "\n" + images["caption"] + "\n" + images["path"]
    for word in (typed or "").split():
        text = text[text.str.contains(word, case=False, regex=False)]
    found = text.index[:MATCHES].tolist()
    if typed:
        st.caption(f"{len(text):,} found" + (f", the first {MATCHES} are listed" if len(text) > MATCHES else ""))
    current = st.session_state.get("image")
    return found if current in found or current not in images.index else [current, *found]


def run_labels() -> dict[int, str]:
    """What each run is called in the picker; the collection is named where there are several."""
    runs = cache.runs()
    several = runs["collection"].nunique() > 1
    labels = {}
    for run_id, collection in zip(runs["run_id"].tolist(), runs["collection"], strict=True):
        title = cache.run(run_id)["title"]
        labels[run_id] = f"{run_id}: {title}, {collection}" if several else f"{run_id}: {title}"
    return labels


def image_labels(images: pd.DataFrame) -> dict[int, str]:
    """Titles; those that several images share are told apart by their paths."""
    shared = images["title"].duplicated(keep=False)
    named = images["title"].where(~shared, images["title"] + " · " + images["path"])
    again = named.duplicated(keep=False)
    return named.where(~again, named + " · " + images["image_id"].astype(str)).to_dict()
