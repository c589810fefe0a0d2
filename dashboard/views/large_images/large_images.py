"""Large images: a scan down to its own pixels, with the patches that were selected of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import crop
from dashboard.components.card import regions
from dashboard.components.card.tiles import tiles_of
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.drawing.figure import ColourBar
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.selection import Selection
from dashboard.state import controls, filter_bar, navigation
from dashboard.state.busy import jobs
from dashboard.state.filter_bar import Filtered
from dashboard.views.large_images import exports
from dashboard.views.large_images.patch_viewer import Box, Goal, Patch, viewer
from ingest.vision.colour_maps import colour_table
from store.counts import counted
from store.patches import PatchRunRecord
from store.records import RunRecord

COLOURS = "viridis"
PLACE = actions.Action("place", "Show where it lies", ("c",), "◎")
LEADERS = 60  # pictures that are shown by their best patch
_GOAL = "_large_image_goal"  # in the session: the image, the rank of one of its patches, and how often one was chosen
MEANINGS = {
    "attention": "a patch's score is its share of the network's attention to the whole picture, seen small",
    "rarity": "a patch's score says how unlike the collection's patches it is: 1 − the mean cosine of its nearest five",
}


def page() -> None:
    """The page."""
    navigation.heading("large_images")
    image_id = cache.current_image()
    image = None if image_id is None else cache.image(image_id)
    runs = [run for run in cache.patch_runs(image["collection"] if image else None) if run.images]
    if image is None or not runs:
        nothing_yet()
        return
    network = cache.current_run()
    network = network if network is not None and network.collection == image["collection"] else None
    filtered = filter_bar.bar(network or runs[-1], "the list below holds these alone")
    run = chosen_run(runs)
    found = cache.patches(run.run_id, image["image_id"])
    if found.empty:
        st.info(f"Run {run.run_id} has no patches of this picture. These pictures have some:")
    else:
        show(run, image, found)
    if filtered.empty:
        return
    leaders(run, network, filtered)


def nothing_yet() -> None:
    """What to type where there are no patches."""
    st.markdown(
        "No patches have been selected of these pictures yet. Of scans that are too large to be seen at once, this "
        "page shows the places that are worth a look."
    )
    jobs.offer_for_collection("patches", "Select patches", "patches_start")


def chosen_run(runs: list[PatchRunRecord]) -> PatchRunRecord:
    """The run whose patches are shown, at first the newest."""
    by_id = {run.run_id: run for run in runs}

    def named(number: int) -> str:
        options = by_id[number].settings["options"]
        return f"{number}: {by_id[number].title} · {options['patch_size']} px · best {options['top']}"

    chosen = controls.selectbox(
        "Patches selected by",
        list(by_id),
        len(by_id) - 1,
        key="patch_run",
        format_func=named,
        follows=True,
        help="A selection has a network, a size of patches and how many of the best of each picture are stored.",
    )
    return by_id[chosen]


def show(run: PatchRunRecord, image: cache.ImageRow, found: pd.DataFrame) -> None:
    """The viewer, the threshold and the patches of a picture."""
    st.html(markup.heading(image["title"]))
    place = st.container()
    low, high = float(found["score"].min()), float(found["score"].max())
    least = low
    if len(found) > 1 and high > low:
        # In hundredths of the range: scores of two scorers differ by orders of magnitude.
        share = controls.slider("Least score, in percent of the range", 0, 100, 0, key="patch_least", width=340)
        least = low + (high - low) * share / 100
    # A score that is the least itself is not lost to rounding.
    left = found[found["score"] >= least - 1e-9 * max(1.0, abs(high))]
    rank, goal = goal_of(image, found)
    shown = left.to_dict("records")
    with place:
        viewer(
            image["image_id"],
            image["alt"],
            tiles_of(image),
            [patch_of(run, image, row, low, high) for row in shown],
            rank,
            goal,
            cache.library_route(),
            lambda number: choose(image["image_id"], number),
        )
    st.html(markup.notes([summary(run, image, len(left), len(found))], legend(run, low, high)))
    if goal is not None and rank is not None:
        act(image, rank, goal.box)
    st.subheader("The patches", anchor=False)
    st.caption(
        "A double click or Enter shows where a patch lies, as its own symbol does; all else is for its picture, as "
        "everywhere."
    )
    patches = items(run, image["image_id"], left)
    done = actions.gallery(patches, "selected_patches", 130, rank, (PLACE,))
    downloads(run, image, left)
    if done is not None:
        choose(image["image_id"], done.item_id)
        st.rerun()


def act(image: cache.ImageRow, rank: int, box: Box) -> None:
    """What can be done with the patch that was chosen: save it as a region, and search for it elsewhere."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.markdown(f"**Patch {rank}**", width="content")
        regions.form(image["image_id"], box, "patch_region")
        if cache.runs_with_patches():
            icon = ":material/center_focus_strong:"
            navigation.link("details", "Find this detail", image["image_id"], icon, crop=crop.words(box))


def downloads(run: PatchRunRecord, image: cache.ImageRow, left: pd.DataFrame) -> None:
    """The patches as files: those of the picture that are shown, and those of all pictures of the run."""
    names, image_id = cache.images(image["collection"]), image["image_id"]
    own = left.assign(image_id=image_id)
    with st.container(horizontal=True):
        for label, key, make in (
            ("These patches (CSV)", "patches_csv", partial(exports.table, own, names)),
            (
                "Those of all pictures (CSV)",
                "patches_all_csv",
                lambda: exports.table(cache.patch_boxes(run.run_id), names),
            ),
        ):
            st.download_button(label, make, f"{key[:-4]}-{run.run_id}.csv", "text/csv", key=key, on_click="ignore")
        rows = records(left)
        texts = [f"Patch {row['rank']}: {words(run, row['score'])}, {run.title}" for row in rows]
        page = exports.annotations(image, rows, texts, cache.services())
        if page is not None:
            kind = "application/json"
            st.download_button("IIIF annotations", page, "patches.json", kind, key="patches_iiif", on_click="ignore")


def patch_of(run: PatchRunRecord, image: cache.ImageRow, row: Mapping[Any, Any], low: float, high: float) -> Patch:
    """A patch as a box in the colour of its score among all of the picture."""
    share = (row["score"] - low) / (high - low) if high > low else 1.0
    colour = "#" + "".join(f"{value:02x}" for value in colour_table(COLOURS)[round(255 * share)].tolist())
    rank = int(row["rank"])
    return Patch(rank, box_of(image, row), colour, f"{rank}: {words(run, row['score'])}")


def box_of(image: cache.ImageRow, row: Mapping[Any, Any]) -> Box:
    """A patch in shares of the picture's sides."""
    width, height = image["width"], image["height"]
    return row["x0"] / width, row["y0"] / height, row["x1"] / width, row["y1"] / height


def words(run: PatchRunRecord, score: float) -> str:
    """A score, as it is said of the run."""
    return f"{score:.2%}" if run.settings["scorer"]["score"] == "share" else f"{score:.3f}"


def summary(run: PatchRunRecord, image: cache.ImageRow, left: int, selected: int) -> str:
    """How many patches are shown, of how many, and what their scores are."""
    options = run.settings["options"]
    grid = cache.patch_grid(run.run_id, image["image_id"])
    of = f" of the {grid[0] * grid[1]:,} that the picture was cut into ({grid[0]} × {grid[1]})" if grid else ""
    meaning = MEANINGS.get(run.scorer, "a patch's score is the attention that the trained network pays to it")
    return (
        f"{counted(left, 'patch')} of {selected} selected, {selected}{of}, each {options['patch_size']} pixels wide; "
        f"{meaning}. Selected {options['how']}, run {run.run_id}."
    )


def legend(run: PatchRunRecord, low: float, high: float) -> ColourBar:
    """What the colours mean."""
    return ColourBar(colour_table(COLOURS), words(run, low), words(run, high), "score of the patch")


def items(run: PatchRunRecord, image_id: int, found: pd.DataFrame) -> list[dict[str, Any]]:
    """A picture's patches as a gallery shows them, each with its rank."""
    return [
        {
            "image_id": image_id,
            "item_id": int(row["rank"]),
            "title": f"Patch {row['rank']}",
            "caption": words(run, row["score"]),
            "alt": f"Patch {row['rank']}, x {row['x0']} to {row['x1']}, y {row['y0']} to {row['y1']}",
            "src": f"data:image/jpeg;base64,{base64.b64encode(row['data']).decode()}",
        }
        for row in found.to_dict("records")
    ]


def goal_of(image: cache.ImageRow, found: pd.DataFrame) -> tuple[int | None, Goal | None]:
    """The patch of this picture that somebody chose, and where it lies."""
    owner, rank, turn = st.session_state.get(_GOAL, (None, None, 0))
    rows = found[found["rank"] == rank].to_dict("records") if owner == image["image_id"] else []
    return (rank, Goal(box_of(image, rows[0]), turn)) if rows else (None, None)


def choose(image_id: int, rank: int) -> None:
    """Bring a patch of this picture into view."""
    *_, turn = st.session_state.get(_GOAL, (None, None, 0))
    st.session_state[_GOAL] = (image_id, rank, turn + 1)


def leaders(run: PatchRunRecord, network: RunRecord | None, filtered: Filtered) -> None:
    """The pictures that have patches and that the filter leaves, by the score of their best, and what can be done with
    them."""
    every = cache.patch_leaders(run.run_id)
    found = every[filtered.among(every["image_id"].to_numpy(dtype=np.int64))]
    st.subheader("Pictures by their best patch", anchor=False)
    if found.empty:
        st.info(f"None of the pictures that the filter leaves has patches of run {run.run_id}.")
        return
    shown = found.head(LEADERS)
    if len(found) > len(shown):
        st.caption(f"The first {len(shown)} of {counted(len(found), 'picture')}.")
    captions = {
        int(row["image_id"]): f"{words(run, row['score'])} · {counted(int(row['patches']), 'patch')}"
        for row in shown.to_dict("records")
    }
    selected.read_from_url(run.collection)
    known = [] if network is None else cache.features(network.run_id)[0].tolist()
    pictures = cache.items(shown["image_id"].to_numpy(dtype=np.int64), captions)
    done = selecting.results(pictures, "patch_leaders", known, 130, cache.current_image(), (actions.SUBJECT,))
    if done is not None and done.image_id != cache.current_image():
        navigation.choose("image", done.image_id)
    st.header("Selection", anchor=False)
    places = found.set_index("image_id").rename(columns={"score": "best_patch_score"})
    among, ids = np.sort(every["image_id"].to_numpy(np.int64)), np.sort(found["image_id"].to_numpy(np.int64))
    marked = among[np.isin(among, selected.ids())]
    name = f"large-images-{run.collection}"
    selecting.show(Selection(run.collection, marked if len(marked) else ids, among, places, name), "")


page()
