"""The part and a place where it was found: side by side, as a region, as a figure."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard.components.card import regions, tiles
from dashboard.components.card.tiles import Tiles
from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.drawing.panels import fitted
from dashboard.views.details import figures, finding, pair_viewer
from dashboard.views.details.finding import Query
from dashboard.views.details.pair_viewer import Side
from ingest.vision.details import search
from ingest.vision.details.search import Hit
from ingest.vision.geometry import Box

OWN = 1600  # pixels of a picture that somebody brought, which has no tiles


def show(query: Query, hit: Hit) -> None:
    """The part and the place side by side, and the place as a region."""
    image = cache.image_row(hit.image_id)
    st.subheader(words.plain(image["title"]))
    how = search.STAGES[hit.stage]
    mirrored = ", in mirror image" if hit.mirrored else ""
    st.caption(f"{how[0].upper()}{how[1:]}{mirrored}; similarity of the patches {hit.score:.3f}.")
    beside(query, hit)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        regions.form(hit.image_id, shares(image, hit.box), "hit_region")
        download(query, hit)


def beside(query: Query, hit: Hit) -> None:
    """The two pictures in the viewer."""
    image = cache.image_row(hit.image_id)
    width, height = query.size
    other = tiles.tiles_of(image)
    points = finding.joined(query, hit) / (width, height, *other.size)
    points = np.random.default_rng(0).permutation(points)  # those that are drawn are spread over the part
    x0, y0, x1, y1 = query.edges
    own = Side("Your part", alt_of(query), tiles_of(query), (x0 / width, y0 / height, x1 / width, y1 / height))
    found = Side(image["title"], image["alt"], other, shares(image, hit.box))
    key = str((*query.key, hit.image_id, hit.box, own.tiles.version, other.version))
    pair_viewer.viewer(key, [own, found], points, finding.leads(query, hit), cache.library_route())


def tiles_of(query: Query) -> Tiles:
    """The pixels of the picture searched with; of one that somebody brought its thumbnail alone."""
    if query.own is not None or query.image_id is None:
        return Tiles(query.size, markup.source(fitted(query.picture, OWN)))
    return tiles.tiles_of(cache.image_row(query.image_id))


def alt_of(query: Query) -> str:
    """The picture searched with in words."""
    return "your own picture" if query.image_id is None else cache.image_row(query.image_id)["alt"]


def download(query: Query, hit: Hit) -> None:
    """The pair as a figure for print."""
    image, found = cache.image_row(hit.image_id), cache.picture(hit.image_id)
    if found is None:
        return
    st.download_button(
        "Figure for print (PNG, 300 dpi)",
        lambda: figures.for_print(figures.pair(query, hit, found[0], (image["width"], image["height"]))),
        f"detail-{hit.image_id}.png",
        "image/png",
        key="detail_figure",
        on_click="ignore",
    )


def shares(image: cache.ImageRow, box: Box) -> Box:
    """A box in pixels as shares of its picture's sides."""
    x0, y0, x1, y1 = np.clip(regions.in_shares(image, box), 0, 1).tolist()
    return x0, y0, x1, y1
