"""What the page Similar says of a whole run: the least typical images, near-duplicates, another run's neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import neighbours
from dashboard.data import cache
from dashboard.drawing import markup, tables
from dashboard.drawing.text import glossary, nearness
from dashboard.selection import actions
from dashboard.state import controls
from dashboard.state.filter_bar import Filtered
from store.counts import counted
from store.records import RunRecord

NEAREST = 10  # neighbours that say how typical an image is
MANY = 20_000  # images up to which all of them are compared with all for it: some seconds
# Cosines from which two images can be near-duplicates, and from which they are at first; where all images of a run are
# much alike to the network, the half and nine tenths of the way from two arbitrary ones to two of the same.
FLOOR, START = (0.85, 0.5), (0.95, 0.9)
GROUPS = 12  # groups on the screen
SLACK = 1e-6  # the slider's steps and the vectors' lengths are only nearly exact

SEARCH = actions.Action("subject", "Search with this one alone", ("c",), "→")


def captions(
    found: pd.DataFrame,
    also: dict[int, str] | None = None,
    scores: Sequence[str] | None = None,
    run: RunRecord | None = None,
    meanings: Sequence[str] | None = None,
) -> dict[int, str]:
    """{image_id: its score, what `also` says, and who made it and when}; the `scores` (rows,) in words, or cosines.
    A line of its own before says what they mean in this collection: `meanings` (rows,), or where these are cosines of
    two pictures of a `run` what they are among all pairs."""
    known, also = cache.described(found["image_id"])["caption"], also or {}
    shown = [f"{score:.3f}" for score in found["similarity"]] if scores is None else scores
    above = meanings or ([""] * len(found) if run is None else nearness.words(run, found["similarity"]))
    rows = zip(found["image_id"], above, shown, strict=True)
    return {
        int(i): "\n".join(filter(None, (line, " · ".join(filter(None, (score, also.get(i), known.get(i, "")))))))
        for i, line, score in rows
    }


# ---- the least typical ----------------------------------------------------------------------------------------------


def least_typical(run: RunRecord, chosen: Filtered, k: int) -> actions.Done | None:
    """The images least like the others; returns what was done with one."""
    ids, matrix = cache.features(run.run_id)
    among = chosen.among(ids)
    count = int(among.sum())
    if count < 2:
        st.info("There are no two images to compare.")
        return None
    way = "the centre of all"
    if count <= MANY:
        ways = ["their nearest neighbours", way]
        way = controls.segmented_control("Compared with", ways, key="typical")
    by_neighbours = way != "the centre of all"
    measure = _by_neighbours if by_neighbours else neighbours.centrality
    with st.spinner("Comparing the images …"):
        scores = cache.remembered(lambda: measure(matrix[among]), "typical", run.run_id, way, among.tobytes())
    order = np.lexsort((ids[among], scores))[:k]
    found = pd.DataFrame({"image_id": ids[among][order], "similarity": scores[order]})
    if by_neighbours:
        sentence = (
            f"Mean cosine similarity of an image to its {min(NEAREST, count - 1)} nearest others, the lowest first:"
        )
        meanings, explained = nearness.words(run, found["similarity"]), nearness.explained(run)
    else:
        sentence = "Cosine similarity of an image to the centre of all, the mean of their features, the lowest first:"
        meanings = nearness.among_pictures(scores, found["similarity"], "farther")
        explained = "“Farther than 99 %”: of 100 images, 99 are nearer to the centre."
    limit = "" if count <= MANY else f" Neighbours are compared up to {MANY:,} images: filter them for that."
    st.html(markup.small(f"{sentence} what has no like here. Among {chosen.describe(count)}. {explained}{limit}"))
    said = captions(found, meanings=meanings)
    return actions.gallery(cache.items(found["image_id"], said), "least_typical", 140, own=(SEARCH,))


def _by_neighbours(matrix: np.ndarray) -> np.ndarray:
    return neighbours.typicality(matrix, NEAREST)


# ---- near-duplicates ----------------------------------------------------------------------------------------------


def near_duplicates(run: RunRecord, chosen: Filtered) -> actions.Done | None:
    """Groups of images that are nearly the same to the network; returns what was done with one."""
    ids, matrix = cache.features(run.run_id)
    among = chosen.among(ids)
    usual = cache.remembered(lambda: neighbours.ordinary(matrix[among]), "ordinary", run.run_id, among.tobytes())
    floor, start = (min(round(max(least, usual + way * (1 - usual)), 3), 0.999) for least, way in (FLOOR, START))
    threshold = _threshold(floor, start)
    with st.spinner(f"Comparing {counted(int(among.sum()), 'image')} with each other …"):
        key = ("links", run.run_id, among.tobytes())
        links = cache.remembered(lambda: neighbours.links(matrix[among], floor - SLACK), *key)
    groups = links.groups(threshold - SLACK)
    table = _groups_table(ids[among], matrix[among], groups)
    st.html(markup.small(_explained(run, groups, threshold, usual, chosen.describe(len(ids[among])))))
    if not groups:
        st.info("No two images are that much alike. A lower threshold finds more.")
        return None
    st.download_button(
        "Download the groups as CSV",
        lambda: _csv(table),
        f"near-duplicates-run{run.run_id}.csv",
        "text/csv",
        key="duplicates_csv",
        on_click="ignore",
        icon=":material/download:",
    )
    return _show_groups(run, table, len(groups))


def _threshold(floor: float, start: float) -> float:
    """The slider from `floor` to 1, at first at `start`."""
    return controls.slider(
        "Alike from",
        floor,
        1.0,
        min(start, 1.0),
        0.001,
        key="alike",
        format="%.3f",
        width=420,
        help=glossary.sense_of("cosine similarity"),
    )


def _explained(run: RunRecord, groups: list[np.ndarray], threshold: float, usual: float, among: str) -> str:
    (meaning,) = nearness.words(run, [threshold])
    return (
        f"{counted(len(groups), 'group')} with {sum(map(len, groups)):,} of {among}. Two images are linked if their "
        f"cosine similarity is {threshold:.3f} or more{meaning and f', which is {meaning} of all pairs'}; a group is "
        f"what links hold together, so that its ends may be less alike. Two arbitrary ones have {usual:.3f}. The "
        "numbers below a picture are about its similarity to the first of its group, the one most like the others. "
        f"{nearness.explained(run)}"
    )


def _show_groups(run: RunRecord, table: pd.DataFrame, count: int) -> actions.Done | None:
    pages = -(-count // GROUPS)
    page = 1
    if pages > 1:
        page = controls.number_input(f"Page of {pages}", 1, pages, 1, key="groups_page", width=140)
    done = None
    for number in range((page - 1) * GROUPS + 1, min(page * GROUPS, count) + 1):
        group = table[table["group"] == number]
        st.markdown(f"**Group {number}** · {counted(len(group), 'image')}")
        shown = group.head(60)
        got = actions.gallery(
            cache.items(shown["image_id"], captions(shown, run=run)), f"group_{number}", 140, own=(SEARCH,)
        )
        if len(group) > len(shown):
            st.caption(f"The first {len(shown)} are shown; the CSV has all.")
        done = got if done is None else done
    return done


def _groups_table(ids: np.ndarray, matrix: np.ndarray, groups: list[np.ndarray]) -> pd.DataFrame:
    """group (from 1), image_id, similarity: to the group's first image, the one most like the group's mean."""
    parts = []
    for number, group in enumerate(groups, 1):
        middle = group[neighbours.centrality(matrix[group]).argmax()]
        similarity = np.minimum(matrix[group] @ matrix[middle], 1)
        order = np.lexsort((ids[group], -similarity, group != middle))
        parts.append(pd.DataFrame({"group": number, "image_id": ids[group][order], "similarity": similarity[order]}))
    columns = {"group": "int64", "image_id": "int64", "similarity": "float32"}
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns)).astype(columns)


def _csv(table: pd.DataFrame) -> bytes:
    return tables.safe_csv(table, float_format="%.4f")


# ---- two runs -------------------------------------------------------------------------------------------------------


def two_runs(run: RunRecord, image_id: int, chosen: Filtered, k: int) -> actions.Done | None:
    """The neighbours of one image under this run and another of the same collection; returns what was done with one."""
    runs = {
        str(other.run_id): other for other in cache.runs(run.collection) if other.run_id != run.run_id and other.images
    }
    if not runs:
        st.info(
            "There is only this run of the collection. `python -m ingest run FOLDER --model NAME` makes another; "
            "`python -m ingest models` lists the networks."
        )
        return None
    other = runs[
        controls.selectbox(
            "The other run",
            list(runs),
            key="other",
            format_func=lambda key: _name(runs[key]),
            width=420,
            help=glossary.sense_of("run"),
        )
    ]
    found = []
    for each in (run, other):
        table = _neighbours(each, image_id, chosen, k)
        if table is None:
            st.info(f"Run {each.run_id} has no feature of this image.")
            return None
        found.append(table)
    both = set(found[0]["image_id"]) & set(found[1]["image_id"])
    share = neighbours.agreement(found[0]["image_id"].to_numpy(), found[1]["image_id"].to_numpy())
    most = max(map(len, found))
    st.html(
        markup.small(
            f"{len(both)} of {most} neighbours of {cache.image_row(image_id)['title']} ({100 * share:.0f} %) are the "
            "same under both runs. Compare the order and the percents, not the cosines, of which each network has its "
            f"own scale. {nearness.explained(run)}"
        )
    )
    done = None
    for column, each, table in zip(st.columns(2, gap="large"), (run, other), found, strict=True):
        with column:
            st.markdown(f"**{markup.markdown(_name(each))}**")
            also = {image: "in both" for image in both}
            shown = cache.items(table["image_id"], captions(table, also, run=each))
            got = actions.gallery(shown, f"under_{each.run_id}", 140, own=(SEARCH,))
            done = got if done is None else done
    return done


def _name(run: RunRecord) -> str:
    layer = run.settings.get("layer")
    return f"Run {run.run_id}: {run.title}" + ("" if layer is None else f", feature of layer {layer}")


def _neighbours(run: RunRecord, image_id: int, chosen: Filtered, k: int) -> pd.DataFrame | None:
    ids, matrix = cache.features(run.run_id)
    place = np.flatnonzero(ids == image_id)
    if not len(place):
        return None
    among = chosen.among(ids) & (ids != image_id)
    return cache.nearest_to(run.run_id, matrix[place[0]], k, among)
