"""What recurs: places that occur in several pictures, found without asking for any (`python -m ingest recurring`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import card, crop
from dashboard.components.card import picture, regions
from dashboard.compute import rows
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.actions import examples
from dashboard.selection.selection import Selection
from dashboard.state import busy, controls, navigation
from dashboard.state.busy import jobs
from dashboard.state.filter_bar import Filtered
from dashboard.views.details import results
from ingest.vision.details.recurring.grouping import DETAIL, SAME_PICTURE
from ingest.vision.details.search import KEY_POINTS, VOTES
from ingest.vision.geometry import Box
from store.counts import counted
from store.records import RunRecord
from store.spreadsheets import csv_of_frame

VIEWS = ("Search a part", "What recurs")  # the parts of the page
VIEW = "details_view"  # which of them, in the address
GROUPS, SHOWN = 10, 40  # groups on a page, and pictures of a group
EDGES = ["x0", "y0", "x1", "y1"]
COPIED, SUGGESTED, WHOLE = "Copied details", "Suggestions by votes", "The same picture"
EXPLAINED = {
    COPIED: "Key points agree on these places (SIFT and RANSAC), from each picture to the other and back: the same "
    "lines are there. The box goes round the points that agree, so that it may be smaller than what was copied.",
    SUGGESTED: "No key points agree; patches alone lead from each place to the other and back. Many are wrong.",
    WHOLE: "Pictures that are in each other as a whole. Their details are not listed one by one.",
}


def chosen() -> bool:
    """Whether this part of the page is wanted, and not the search for a part that is drawn."""
    view = controls.segmented_control("Details", VIEWS, key=VIEW, label_visibility="collapsed")
    return view == VIEWS[1]


def show(run: RunRecord, filtered: Filtered) -> None:
    """The groups of a run, the largest first, in the pictures that the filter leaves."""
    st.markdown("What was copied here: parts that occur in several pictures, the most widespread first.")
    selected.read_from_url(run.collection)
    searches, known = cache.recurring_searches(run.run_id), cache.recurring_details(run.run_id)
    if not searches:
        st.info("Nothing has been searched for yet: the pictures have to be searched against each other.")
        search_more(run)
        return
    pictures = cache.runs_with_patches().get(run.run_id, 0)
    st.html(markup.small(coverage(searches, pictures)))
    if searches[-1]["pictures"] < pictures and not searches[-1]["condition"]:
        search_more(run)
    places = among(known, filtered)
    parts = {name: part for name, part in divided(places).items() if len(part)}
    if not parts:
        st.info(
            "No group of places in two or more pictures has been found" + (" among these." if filtered.words else ".")
        )
        return
    kind = controls.segmented_control("Which", list(parts), key="recurs", label_visibility="collapsed")
    found = parts[kind]
    groups = found["group_id"].unique().tolist()
    st.html(markup.small(f"{counted(len(groups), 'group')}. {EXPLAINED[kind]}"))
    st.download_button(
        "Groups (CSV)",
        lambda: table(found),
        f"recurring-run{run.run_id}.csv",
        "text/csv",
        key="recurs_csv",
        on_click="ignore",
        icon=":material/download:",
    )
    pages = -(-len(groups) // GROUPS)
    page = controls.pagination(pages, key="recurs_page") if pages > 1 else 1
    for number in groups[(page - 1) * GROUPS : page * GROUPS]:
        group(run, found[found["group_id"] == number])
    selection(run)


def selection(run: RunRecord) -> None:
    """What can be done with the selected pictures of the run, where there are any."""
    known = cache.features(run.run_id)[0]
    selecting.search_with_examples(known.tolist())
    marked = known[np.isin(known, selected.ids())]
    if not len(marked):
        selected.write_to_url(run.collection)
        return
    st.header("Selection", anchor=False)
    selecting.show(Selection(run.collection, marked, known, name=f"recurring-{run.collection}"), "")


def search_more(run: RunRecord) -> None:
    """A button that searches for some minutes more."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        minutes = st.number_input("Minutes", 1, 10000, 10, key="recurs_minutes", width=120)
        mirrored = st.toggle("In mirror image too", key="recurs_mirrored")
    arguments = ["recurring", "--run", str(run.run_id), "--budget", f"{int(minutes)} minutes"]
    arguments += ["--mirrored"] * mirrored
    hint = "It stops by itself, and goes on there another time."
    jobs.offer(f"Search for what recurs in run {run.run_id}", arguments, "Search", "recurs_start", hint=hint)


def coverage(searches: list[dict[str, Any]], pictures: int) -> str:
    """How much of the run has been searched, in a sentence or two."""
    last = searches[-1]
    boxes = sum(each["boxes"] for each in searches)
    widest = max(searches, key=lambda each: each["pictures"])
    line = f"Searched: {counted(boxes, 'box')} in {widest['pictures']:,} of {counted(pictures, 'picture')}"
    if len(searches) > 1:
        line += f", in {counted(len(searches), 'search')}"
    if not any(each["mirrored"] for each in searches):
        line += ", not in mirror image"
    if last["pictures"] < pictures and not last["condition"]:
        line += "; a further search goes on where it was"
    return f"{line}."


def among(known: pd.DataFrame, filtered: Filtered) -> pd.DataFrame:
    """The places in the pictures that the filter leaves, of groups that have two or more of these pictures; the largest
    group first, and `pictures` is how many are left."""
    left = known[filtered.among(known["image_id"].to_numpy())].copy()
    left["pictures"] = left.groupby("group_id")["image_id"].transform("nunique")
    return left[left["pictures"] > 1].sort_values(["pictures", "group_id"], ascending=[False, True], kind="stable")


def divided(places: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The kinds of groups by their titles."""
    detail = places["kind"] == DETAIL
    return {
        COPIED: places[detail & (places["stage"] == KEY_POINTS)],
        SUGGESTED: places[detail & (places["stage"] == VOTES)],
        WHOLE: places[places["kind"] == SAME_PICTURE],
    }


def group(run: RunRecord, places: pd.DataFrame) -> None:
    """One group: its places in their surroundings, and what can be done with it."""
    number, pictures = int(places["group_id"].iloc[0]), int(places["pictures"].iloc[0])
    least = int(places["matches"].min())
    title = f"**Group {number}** · {counted(pictures, 'picture')}"
    title += f" · {counted(least, 'key point')} or more agree" if least else ""
    title += " · in mirror image" if places["mirrored"].any() else ""
    several = places["image_id"].value_counts()
    boxes = {int(row["image_id"]): box_of(row) for row in rows.records(places.drop_duplicates("image_id").head(SHOWN))}
    with st.container(gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(title, width="content")
            do(number, places)
        more = {image_id: f"{several[image_id]} places" for image_id in boxes if several[image_id] > 1}
        items = cache.items(list(boxes), {image_id: more.get(image_id, "") for image_id in boxes})
        for item, (image_id, box) in zip(items, boxes.items(), strict=True):
            item["item_id"] = image_id
            item["src"] = results.tile(image_id, box)
            item["alt"] = f"{item['alt']}: the place that recurs, with what lies round it"
        known = cache.features(run.run_id)[0]
        own = examples.ACTIONS if len(known) else ()
        done = examples.act(actions.gallery(items, f"recurs_{number}", results.TILE, own=own))
        if pictures > len(boxes):
            st.caption(f"The first {len(boxes)} are shown; the CSV has all.")
    if done is not None and done.image_id in boxes:
        open_at(done.image_id, boxes[done.image_id])


def box_of(row: Mapping[str, Any]) -> Box:
    """The box of a place, in pixels of the original."""
    return row["x0"], row["y0"], row["x1"], row["y1"]


def do(number: int, places: pd.DataFrame) -> None:
    """Tag the pictures of a group, select them, search for its surest place."""
    ids, first = np.unique(places["image_id"].to_numpy()), rows.records(places.head(1))[0]
    with st.popover("Tag", icon=":material/sell:", type="tertiary"):
        busy.explain("tag")
        with st.form(f"recurs_tag_{number}_form", border=False):
            st.text_input("Tag", key=f"recurs_tag_{number}", placeholder="what recurs here")
            label = f"Tag {counted(len(ids), 'picture')}"
            st.form_submit_button(label, on_click=tag, args=(number, ids), key=f"recurs_tag_{number}_add")
    st.button(
        "Select",
        key=f"recurs_select_{number}",
        on_click=selected.choose,
        args=(ids,),
        type="tertiary",
        icon=":material/check_circle:",
    )
    st.button("Search for it", key=f"recurs_search_{number}", on_click=search_for, type="tertiary",
              args=(first["image_id"], box_of(first), bool(first["mirrored"])), icon=":material/center_focus_strong:",
              help="In all pictures, also by patches alone, with its surest place as the part.")  # fmt: skip


@busy.whole
def tag(number: int, ids: np.ndarray) -> None:
    """Callback of the form."""
    word = (st.session_state[f"recurs_tag_{number}"] or "").strip()
    if not word:
        st.toast("Type a tag first.")
    elif busy.attempt("tag", cache.add_tags, ids, [word], ""):
        st.session_state[f"recurs_tag_{number}"] = ""
        st.toast("Saved.")


def search_for(image_id: int, box: Box, mirrored: bool) -> None:
    """Callback: the place is the part that is searched for, in mirror image too where its group shows it so."""
    st.session_state["mirrored"] = mirrored
    crop.put_box(shares(image_id, box), f"image {image_id}")
    st.session_state[VIEW] = VIEWS[0]
    navigation.choose("image", image_id)


def open_at(image_id: int, box: Box) -> None:
    """The picture's card, at this place. Ends the run."""
    picture.put_box(image_id, shares(image_id, box))
    card.show_later(image_id)


def shares(image_id: int, box: Box) -> Box:
    """A box in pixels as shares of its picture's sides."""
    x0, y0, x1, y1 = np.clip(regions.in_shares(cache.image_row(image_id), box), 0, 1).tolist()
    return x0, y0, x1, y1


def table(places: pd.DataFrame) -> str:
    """A CSV with a row for each place, box in pixels of the original."""
    images = [cache.image_row(image_id) for image_id in places["image_id"].tolist()]
    found = places.copy()
    found.insert(3, "path", [image["path"] for image in images])
    found.insert(4, "title", [image["title"] for image in images])
    found[EDGES] = found[EDGES].round(1)
    return csv_of_frame(found)
