"""What was removed from a collection, and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd
import streamlit as st

from dashboard.components.pictures import Offered, wall
from dashboard.compute.rows import records
from dashboard.data import cache
from dashboard.data.routes import thumb_route
from dashboard.selection import actions
from dashboard.selection.selection import pictures
from dashboard.state import busy, controls, url

KEY = "removed_wall"
MOST = 500  # pictures on the page
BACK = actions.Action("back", "Put back", ("b",), "↩")
SELECT = actions.Action("select", "Select", ("s", " "), "✓", "write")
_CHOSEN = "_removed_chosen"  # in the session: what is selected here


def choose(collection: str) -> pd.DataFrame | None:
    """The switch to what was removed from a collection, where anything was; returns that where it is on."""
    gone = cache.removed_images(collection)
    if gone.empty:  # also where the last one has just been put back: the wall is what is wanted now
        st.session_state.pop("removed", None)
        url.put("removed", [])
        return None
    on = controls.toggle(f"Removed pictures ({len(gone):,})", key="removed")
    return gone if on else None


def show(gone: pd.DataFrame) -> None:
    """Pictures that were removed, with who did it and when."""
    busy.explain(KEY)
    ids = gone["image_id"].tolist()
    chosen = [each for each in st.session_state.get(_CHOSEN, []) if each in ids]
    st.markdown(
        f"{pictures(len(gone))} that no other page, no search and no view shows, with the day of removal. All that is "
        "known of them stays until the database is pruned (`python -m ingest prune`): then name and thumbnail are left."
    )
    with st.container(horizontal=True):
        if chosen:
            one = f"Put back the {'selected picture' if len(chosen) == 1 else f'{len(chosen):,} selected'}"
            st.button(
                one, key="removed_back", type="primary", icon=":material/undo:", on_click=put_back, args=(chosen,)
            )
        if len(chosen) < len(gone):
            st.button("Put all back", key="removed_all_back", icon=":material/undo:", on_click=put_back, args=(ids,))
    offered = Offered([asdict(BACK), asdict(SELECT)], chosen, 0, actions.applied(KEY))
    wall(items(gone.head(MOST)), KEY, offered, _done)
    if len(gone) > MOST:
        st.caption(f"The {MOST:,} that were removed last are shown.")


def items(gone: pd.DataFrame) -> list[dict]:
    """As a wall takes them."""
    return [
        {
            "image_id": row["image_id"],
            "title": row["title"],
            "caption": f"{row['removed_at']:%-d %b %Y}" + (f", {row['who']}" if row["who"] else ""),
            "alt": f"{row['title']}, removed {row['removed_at']:%-d %B %Y}",
            "src": thumb_route(row["image_id"], row["sha256"][:12]),
        }
        for row in records(gone)
    ]


@busy.whole
def put_back(ids: Iterable[int]) -> None:
    """Callback: bring pictures back into their collection."""
    ids = [int(each) for each in ids]
    if busy.attempt(KEY, cache.restore_images, ids):
        st.toast(f"{pictures(len(ids))} put back.")


def _done() -> None:
    """Callback of the wall: what is selected here is no selection of other pages, which do not know these pictures."""
    chosen = set(st.session_state.get(_CHOSEN, []))
    for act, what, *_ in actions.fresh(KEY, st.session_state[KEY].get("done") or {}):
        if act == "back":
            put_back(chosen if what in chosen else [what])
        elif act in ("only", "add", "drop"):
            chosen = set(what) if act == "only" else chosen | set(what) if act == "add" else chosen - set(what)
    st.session_state[_CHOSEN] = sorted(int(each) for each in chosen)
