"""What can be done with pictures that were found (open, search with, select), and with selected ones: look, read,
compare with the rest, tag, keep, ask, take away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components import page_link
from dashboard.compute import words
from dashboard.data import cache
from dashboard.selection import actions, contrast, files, saved, selected, statement, tagging
from dashboard.selection.actions import examples
from dashboard.selection.selection import Selection, pictures
from dashboard.state import controls
from store.counts import counted

ROWS = 10_000  # of the table on the screen
SIZES = (70, 260, 130)  # of a thumbnail, in pixels: least, most, at first


@dataclass(frozen=True)
class Part:
    """One of the things to do; `key` is its word in the address."""

    key: str
    title: str


PARTS = (
    Part("pictures", "Pictures"),
    Part("table", "Table"),
    Part("typical", "Typical"),
    Part("tags", "Tags"),
    Part("saved", "Saved"),
    Part("sql", "SQL"),
    Part("files", "Files"),
)


def results(
    items: Sequence[Mapping[str, Any]],
    key: str,
    known: Iterable[int],
    size: int,
    shown: int | None = None,
    own: Sequence[actions.Action] = (),
) -> actions.Done | None:
    """A gallery of what a page has found: beside what can be done with pictures everywhere, each can be an example or
    counter-example of a search on Similar among the images `known` there, none where no network has seen them. Returns
    what was done of the page's `own`."""
    known = list(known)
    done = examples.act(actions.gallery(items, key, size, shown, [*own, *(examples.ACTIONS if known else ())]))
    search_with_examples(known)
    return done


def search_with_examples(known: Sequence[int]) -> None:
    """How many examples for Similar there are among the images `known` there, and the way to it; nothing for none."""
    more = examples.examples(known) if known else None
    if not more:
        return
    pairs = ((more.like, "example"), (more.unlike, "counter-example"))
    parts = [counted(len(ids), noun) for ids, noun in pairs if ids]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.caption(f"{' and '.join(parts)} to search for whole pictures with.", width="content")
        page_link("similar", "Search with them", icon=":material/image_search:")


def show(selection: Selection, hint: str) -> None:
    """The part that somebody chose. `hint` says how to select where nothing is selected. `selected.read_from_url` comes
    before this, which puts the selection into the address."""
    _show(selection, hint)
    if not selected.write_to_url(selection.collection):
        st.caption("These are too many scattered pictures for a link: save the selection, and its name will be in it.")


def _show(selection: Selection, hint: str) -> None:
    if missing := selected.gone():
        st.warning(words.plain(missing), icon=":material/link_off:")
    if not len(selection.ids):
        st.markdown(hint)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            tagging.pick(selection.collection)
            saved.pick(selection.collection)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        known = selected.name(selection.collection)
        named = f": {words.plain(known)}" if known else ""
        st.markdown(f"**{len(selection.ids):,}** of {pictures(len(selection.among))}{named}", width="content")
        if len(selected.ids()):
            st.button("Clear selection", key="selection_clear", on_click=selected.choose, args=([],), type="tertiary")
    elsewhere = np.setdiff1d(selected.ids(), selection.among, assume_unique=True)
    if len(elsewhere):
        st.caption(
            f"{pictures(len(elsewhere))} of the selection {'is' if len(elsewhere) == 1 else 'are'} not in this run."
        )
    part = choose_part()
    if part == "pictures":
        gallery(selection)
    elif part == "table":
        table(selection)
    else:
        rooms = {"typical": contrast, "tags": tagging, "saved": saved, "sql": statement, "files": files}
        rooms[part].show(selection)


def choose_part() -> str:
    """Which part; the address keeps its word."""
    key, known = "selection_part", {part.key: part for part in PARTS}
    return controls.segmented_control(
        "About the selection",
        list(known),
        format_func=lambda name: known[name].title,
        key=key,
        label_visibility="collapsed",
    )


def gallery(selection: Selection) -> None:
    """The pictures, as many as there are."""
    least, most, first = SIZES
    place = st.container()
    size = controls.slider(
        "Size of the pictures",
        least,
        most,
        first,
        10,
        key="selection_size",
        format="%d px",
        width=240,
    )
    version = cache.pictures_version(selection.collection)
    with place:
        actions.wall_of(
            selection.ids,
            "selection_wall",
            cache.route("/thumb/{id}", version),
            cache.route("/atlas/abouts/{ids}", version),
            size,
            cache.current_image(),
            bool(np.isin(selection.ids, selected.ids()).all()),
        )


def table(selection: Selection) -> None:
    """The metadata."""
    rows = selection.rows()
    st.dataframe(rows.head(ROWS), hide_index=True, width="stretch")
    if len(rows) > ROWS:
        st.caption(f"The first {ROWS:,} rows of {len(rows):,}; the files have all of them.")
