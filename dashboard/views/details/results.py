"""The places that were found: a gallery, what can be done with their pictures, and the pairs as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components.card import regions
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.selection import actions, selected
from dashboard.selection import show as selecting
from dashboard.selection.selection import Selection
from dashboard.state import url
from dashboard.state.filter_bar import Filtered
from dashboard.state.url import Param
from dashboard.views.details import exports, figures
from dashboard.views.details.finding import DetailHits, Query
from ingest.vision.details.search import Hit
from ingest.vision.geometry import Box
from store.counts import counted
from store.records import RunRecord

TILE = 150  # pixels of a place in the gallery
HIT = "hit"  # in the address: the image whose place is shown beside the part
HINT = "There is nothing to select."
COMPARE = actions.Action("compare", "Compare with the part", ("c",), "⇄")


def choose(run: RunRecord, query: Query, found: DetailHits, filtered: Filtered) -> Hit | None:
    """The places as a gallery; returns the one to be compared, at first the best."""
    if not found.hits:
        st.info("There is no other picture to search in.")
        return None
    st.html(
        markup.small(
            f"Searched in {filtered.describe(found.searched)}. First come the places on which key points agree, then "
            "those that similar patches vote for, of which many are wrong. ⇄ compares one with the part, + and − ask "
            "Similar for more and less like its picture."
        )
    )
    hits = {hit.image_id: hit for hit in found.hits}
    number = number_of(HIT, query)
    shown = found.hits[0] if number is None else hits.get(number, found.hits[0])
    selected.read_from_url(run.collection)
    known = cache.features(run.run_id)[0].tolist()
    done = selecting.results(tiles(found.hits), "detail_wall", known, TILE, shown.image_id, (COMPARE,))
    if done is not None and done.image_id in hits:
        st.session_state[HIT] = done.image_id
        st.rerun()
    return shown


def number_of(key: str, query: Query) -> int | None:
    """A number that the address keeps under a key: that of a query, another one has none at first."""
    state, is_new = st.session_state, url.is_new(key)
    Param(key, None, lambda texts: int(texts[0]) if texts[0].isdecimal() else None, lambda own: [str(own)]).load()
    if state.get(f"_{key}_of", query.key) != query.key and not is_new:
        state[key] = None
    state[f"_{key}_of"] = query.key
    return state[key]


def tiles(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """What the gallery shows: each place in its surroundings."""
    items = cache.items([hit.image_id for hit in hits], {hit.image_id: caption(hit) for hit in hits})
    for item, hit in zip(items, hits, strict=True):
        item["src"] = tile(hit.image_id, hit.box)
        item["alt"] = f"{item['alt']}: the place that was found, with what lies round it"
    return items


def tile(image_id: int, box: Box) -> str:
    """The address of a picture of a place, in pixels of the original, in its surroundings; of the thumbnail where there
    is no picture."""
    made = cache.remembered(lambda: _source(image_id, box), "detail tile", image_id, box)
    return made or cache.thumb_url(image_id)


def _source(image_id: int, box: Box) -> str | None:
    """The place in its surroundings, marked, as a data URL; None where there is no picture."""
    image = cache.image_row(image_id)
    wide = figures.surroundings(box)
    x0, y0, x1, y1 = max(0, int(wide[0])), max(0, int(wide[1])), int(wide[2]) + 1, int(wide[3]) + 1
    window = x0, y0, min(image["width"], x1), min(image["height"], y1)
    scale = 2 * TILE / max(window[2] - x0, window[3] - y0)
    size = max(1, round((window[2] - x0) * scale)), max(1, round((window[3] - y0) * scale))
    cut = cache.part(image_id, window, size)
    if cut is None:
        found = cache.picture(image_id)
        if found is None:
            return None
        factor = found[0].width / image["width"]
        left, top, right, bottom = (edge * factor for edge in window)
        cut = found[0].resize(size, box=(left, top, right, bottom))
    left, top, right, bottom = ((edge - start) * scale for edge, start in zip(box, (x0, y0) * 2, strict=True))
    return markup.source(figures.marked(cut, (left, top, right, bottom)))


def caption(hit: Hit) -> str:
    """What decided, in a word or two."""
    how = f"{counted(hit.matches, 'key point')}" if hit.matches else f"votes, {hit.score:.2f}"
    return f"{how}, mirrored" if hit.mirrored else how


def selection(run: RunRecord, found: DetailHits) -> None:
    """What can be done with the selected pictures of the run, or without any with all that were found: read, tag, save,
    take away."""
    among = cache.features(run.run_id)[0]
    marked = among[np.isin(among, selected.ids())]
    ids = marked if len(marked) else np.sort([hit.image_id for hit in found.hits])
    selecting.show(Selection(run.collection, ids, among, places(found.hits), f"details-{run.collection}"), HINT)


def places(hits: Sequence[Hit]) -> pd.DataFrame:
    """Where in each picture the part was found, in pixels of the original, and how sure that is."""
    rows = [(hit.image_id, hit.score, hit.stage, hit.matches, *exports.sized(hit.box)) for hit in hits]
    names = [
        "image_id",
        "detail_score",
        "detail_stage",
        "detail_matches",
        *(f"detail_{edge}" for edge in exports.EDGES),
    ]
    return pd.DataFrame(rows, columns=names).set_index("image_id")


def downloads(query: Query, found: DetailHits) -> None:
    """The pairs as files."""
    rows = [(hit, cache.image_row(hit.image_id)) for hit in found.hits]
    own = None if query.image_id is None else cache.image_row(query.image_id)
    part = None if own is None or query.box is None else regions.in_pixels(own, query.box)
    with st.container(horizontal=True):
        table = exports.table(own, part, rows)
        st.download_button("Pairs (CSV)", table, "details.csv", "text/csv", key="detail_csv", on_click="ignore")
        linked = None if own is None or part is None else exports.annotations(own, part, rows, cache.services())
        if linked is not None:
            st.download_button(
                "IIIF annotations", linked, "details.json", "application/json", key="detail_iiif", on_click="ignore"
            )
