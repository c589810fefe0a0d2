"""The canvas of the map, or two of them side by side, and what somebody selects there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from dashboard.components import canvas
from dashboard.data import cache
from dashboard.data.layouts import LayoutOptions
from dashboard.drawing import colours
from dashboard.selection import actions, selected
from store.atlas import Layout
from store.counts import counted

FIGURE, SECOND = "map", "map2"
_MARKED_AT = "_map_marked_at"  # in the session: when something was selected last, by the browser's clock


@dataclass(frozen=True)
class Looks:
    """What two maps share: `tints`, the colours of the frames, which change with `key`, what they mean, how large the
    pictures are, and which are `wanted` by the filter, None for all."""

    tints: colours.Colours | None
    key: tuple[str, ...]
    legend: canvas.Legend | None
    size: float
    wanted: np.ndarray | None


def draw(
    layout: Layout,
    source: canvas.Source,
    title: str,
    looks: Looks,
    pairing: canvas.Pairing | None = None,
    other: Layout | None = None,
) -> None:
    """A canvas; beside an `other` one its `pairing` says which it is. The legend stands in the first."""
    second = pairing is not None and pairing.second
    tints, figure = looks.tints, SECOND if second else FIGURE
    canvas.canvas(
        source,
        figure,
        f"Map of {counted(len(layout.ids), 'picture')} by {title}. They can be chosen by their metadata above.",
        fill=True,
        tints=None
        if tints is None
        else cache.remembered(lambda: canvas.rgb(tints.of), "tints", figure, source.points, layout.version, looks.key),
        legend=None if second else looks.legend,
        included=None if looks.wanted is None else np.isin(layout.ids, looks.wanted),
        marked=np.isin(layout.ids, selected.ids()),
        size=looks.size,
        on_marked=partial(mark, figure, source, layout, other),
        actions=actions.offered(),
        on_done=partial(actions.done_on_map, figure),
        pairing=pairing,
    )


def source_of(
    layout: Layout, projection_id: int, layout_options: LayoutOptions, clusters: bool, second: bool = False
) -> canvas.Source:
    """Where the browser finds the points and pictures of a layout. A page that is published begins with the part in
    view of the first of two maps."""
    page = f"/atlas/page/{layout.collection_id}/{layout.atlas}/{{cell}}/{{page}}"
    return canvas.Source(
        n=len(layout.ids),
        points=cache.points_route(projection_id, layout_options) or "",
        thumb=cache.route("/thumb/{id}", layout.version),
        about=cache.route("/atlas/about/{id}", cache.version()),
        page=cache.route(page, layout.atlas) if layout.atlas else "",
        clusters=cache.clusters_route(projection_id, layout_options.level) if clusters else "",
        view="" if second else cache.route(f"/atlas/view/{token()}", "1"),
        tiles=cache.route("/atlas/tiles/{id}", "1"),
    )


def token() -> str:
    """A word for this session's map, which nobody else can guess."""
    return st.session_state.setdefault("_map_token", secrets.token_urlsafe(12))


def mark(figure: str, source: canvas.Source, layout: Layout, other: Layout | None) -> None:
    """Remember what was selected on a map: by id, so that it stays with another projection. Who adds to a selection in
    one of two maps has what only the other holds still selected."""
    marked = canvas.selection(st.session_state[figure], source)
    if marked is None:
        return
    at = int((st.session_state[figure].get("marked") or {}).get("at", 0))
    if at < st.session_state.get(_MARKED_AT, 0):
        return  # both were clicked before the first was heard of, and the other one later
    st.session_state[_MARKED_AT] = at
    chosen, before = layout.ids[marked], selected.ids()
    here = before[np.isin(before, layout.ids)]
    if other is not None and len(here) and np.isin(here, chosen).all():
        chosen = np.union1d(chosen, before[np.isin(before, other.ids) & ~np.isin(before, layout.ids)])
    selected.choose(chosen)
