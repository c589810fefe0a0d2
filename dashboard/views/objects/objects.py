"""Objects: what stands out in each picture, found without training, as a gallery of crops."""

from __future__ import annotations

import base64
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import card
from dashboard.components.card import picture
from dashboard.components.card.objects import words as words_of
from dashboard.components.card.regions import in_shares
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.drawing import markup, tables
from dashboard.drawing.text import glossary
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.selection import Selection
from dashboard.state import controls, filter_bar, navigation
from dashboard.state.busy import jobs
from store.counts import counted
from store.objects import ObjectRunRecord

PAGE = 60  # objects on one page of the gallery
SIZE = 150  # of a crop, in pixels
ORDERS = {
    "score": "highest score first",
    "area": "largest first",
    "smallest": "smallest first",
    "picture": "by picture",
}


def page() -> None:
    """The page."""
    navigation.heading("objects")
    runs = [run for run in cache.object_runs() if run.images]
    if not runs:
        nothing_yet()
        return
    st.markdown("A box is a suggestion: double-click a crop to see where it lies.")
    run = chosen_run(runs)
    unfinished(run)
    found = filtered(run)
    if found is None:
        return
    if found.empty:
        st.info("In none of these pictures does anything stand out.")
        return
    gallery(run, found)


def nothing_yet() -> None:
    """What to type where no objects were looked for."""
    st.markdown(
        "No objects have been looked for in these pictures yet. This page shows what stands out in each of them: boxes "
        "that need no training."
    )
    look()


def look() -> None:
    """The search over the collection in view: how far it is, or a button that begins it or goes on with it."""
    jobs.offer_for_collection("objects", "Look for objects", "objects_start")


def unfinished(run: ObjectRunRecord) -> None:
    """Says so where the newest run of the collection in view has not searched all of its pictures, and how to go on."""
    view, own = cache.current_run(), [each for each in cache.object_runs() if each.collection == run.collection]
    every = int(cache.collections().set_index("name")["images"][run.collection])
    in_view = view is not None and view.collection == run.collection
    if in_view and run.images < every and run.run_id == own[-1].run_id:
        st.markdown(f"{run.images:,} of {counted(every, 'picture')} have been searched so far.")
        look()


def chosen_run(runs: list[ObjectRunRecord]) -> ObjectRunRecord:
    """The run whose objects are shown: at first the newest of the collection in view."""
    by_id, view = {run.run_id: run for run in runs}, cache.current_run()
    several = len({run.collection for run in runs}) > 1
    own = [place for place, run in enumerate(runs) if view is not None and run.collection == view.collection]

    def named(number: int) -> str:
        run = by_id[number]
        most = run.settings["options"]["objects"]
        of = f" · {run.collection}" if several else ""
        return f"{number}: {run.title} · {counted(most, 'object')} at most{of}"

    first = own[-1] if own else len(runs) - 1
    chosen = controls.selectbox(
        "Objects found by",
        list(by_id),
        first,
        key="object_run",
        format_func=named,
        follows=True,
        help=glossary.sense_of("objects"),
    )
    return by_id[chosen]


def filtered(run: ObjectRunRecord) -> pd.DataFrame | None:
    """The objects of the pictures that the filter leaves; None where it leaves no picture."""
    found, network = cache.objects(run.run_id), cache.current_run()
    own = network if network is not None and network.collection == run.collection else None
    chosen = filter_bar.bar(own or run, "their objects alone are shown")
    return None if chosen.empty else found[chosen.among(found["image_id"].to_numpy())]


def gallery(run: ObjectRunRecord, found: pd.DataFrame) -> None:
    """The crops by pages; opened, the picture's card has the box on it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = controls.selectbox("Order", list(ORDERS), key="object_order", format_func=ORDERS.__getitem__, width=220)
        first_only = controls.toggle("The first of each picture alone", key="object_first")
    if first_only:
        found = found[found["rank"] == 1]
    found = arranged(found, order)
    pages = max(1, -(-len(found) // PAGE))
    number = controls.pagination(pages, key="object_page") if pages > 1 else 1
    shown = found.iloc[(number - 1) * PAGE : number * PAGE].reset_index(drop=True)
    done = actions.gallery(items(run, shown), "object_wall", SIZE, in_view(shown))
    st.html(markup.small(summary(run, found)))
    download(found)
    if done is not None and done.item_id < len(shown):
        open_at(records(shown)[done.item_id])
    act(run, found)


def act(run: ObjectRunRecord, found: pd.DataFrame) -> None:
    """What can be done with the pictures of these objects, as below every gallery."""
    selected.read_from_url(run.collection)
    st.header("Selection", anchor=False)
    by_picture = found.groupby("image_id")["score"].agg(["size", "max"])
    places = by_picture.rename(columns={"size": "objects", "max": "best_object_score"})
    among = np.unique(cache.objects(run.run_id)["image_id"].to_numpy(np.int64))
    marked = among[np.isin(among, selected.ids())]
    ids = marked if len(marked) else places.index.to_numpy(np.int64)
    selecting.show(Selection(run.collection, ids, among, places, f"objects-{run.collection}"), "")


def arranged(found: pd.DataFrame, order: str) -> pd.DataFrame:
    """The objects in this order; equal ones by picture and rank."""
    if order == "picture":
        return found.sort_values(["image_id", "rank"])
    column = "score" if order == "score" else "area"
    return found.sort_values([column, "image_id", "rank"], ascending=[order == "smallest", True, True])


def items(run: ObjectRunRecord, shown: pd.DataFrame) -> list[dict]:
    """Objects as a gallery shows them, each with its place in it."""
    rows = records(shown)
    small = cache.object_thumbnails(run.run_id, [(row["image_id"], row["rank"]) for row in rows])
    known = {item["image_id"]: item for item in cache.items(shown["image_id"].unique())}
    found = []
    for place, row in enumerate(rows):
        item, data = known.get(row["image_id"]), small.get((row["image_id"], row["rank"]))
        if item is None or data is None:
            continue
        found.append(
            {
                "image_id": row["image_id"],
                "item_id": place,
                "title": item["title"],
                "caption": f"{row['score']:.2f} · {row['area']:.0%}",
                "alt": f"{item['alt']}: object {row['rank']}, {words_of(row)}",
                "src": f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
            }
        )
    return found


def in_view(shown: pd.DataFrame) -> int | None:
    """The place of the picture in view among the objects shown."""
    places = np.flatnonzero(shown["image_id"].to_numpy() == cache.current_image())
    return int(places[0]) if len(places) else None


def open_at(row: dict) -> None:
    """The picture's card, with the object's box drawn on it."""
    image = cache.image(int(row["image_id"]))
    if image is None:
        return
    picture.put_box(image["image_id"], in_shares(image, (row["x0"], row["y0"], row["x1"], row["y1"])))
    card.show_later(image["image_id"])


def summary(run: ObjectRunRecord, found: pd.DataFrame) -> str:
    """How many objects of how many pictures are shown, and what the numbers mean."""
    pictures = found["image_id"].nunique()
    return (
        f"{counted(len(found), 'object')} in {counted(pictures, 'picture')}; the run searched "
        f"{counted(run.images, 'picture')} and found {counted(run.objects, 'object')}. Below each crop: its score, "
        "how much more alike the patches of the object are to each other than to the rest of the picture, as cosines; "
        f"and its share of the patches. {run.title}, run {run.run_id}."
    )


def download(found: pd.DataFrame) -> None:
    """The boxes as a table."""
    paths = cache.images()["path"]
    table = found.assign(path=found["image_id"].map(paths))
    columns = ["image_id", "path", "rank", "x0", "y0", "x1", "y1", "score", "area"]
    st.download_button(
        "Boxes (CSV)",
        partial(tables.safe_csv, table[columns]),
        "objects.csv",
        "text/csv",
        key="object_csv",
        on_click="ignore",
        icon=":material/download:",
    )


page()
