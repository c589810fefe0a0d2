"""Tags: words for pictures, with notes."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.selection import selected
from dashboard.selection.selection import Selection, pictures
from dashboard.state import busy
from store.counts import counted

LINES = 30  # tags of the selection that are listed
OFFERED = 24  # tags in use, the commonest, that a click gives


def show(selection: Selection) -> None:
    """The tags of the selection, and a way to select the pictures of one."""
    edit(selection)
    pick(selection.collection)


def edit(selection: Selection, key: str = "tag") -> None:
    """Add tags, see those that are there, change notes, take tags away. `key` begins the keys of the controls."""
    form(selection, key)
    lines(selection, key)


def quick(selection: Selection, key: str) -> None:
    """The same where a word and Enter is all that it takes."""
    busy.explain(key)
    label = f"Tag {pictures(len(selection.ids))}"
    with st.form(f"{key}_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Tag", key=f"{key}_words", placeholder="a word, or several, with commas", width=480)
        st.form_submit_button(label, key=f"{key}_add", on_click=add, args=(selection.ids, key), type="primary")
    known = cache.tags(selection.collection).sort_values("images", ascending=False).head(OFFERED)
    given = cache.tags_among(selection.ids)
    whole = given.loc[given["images"] == len(selection.ids), "tag"].tolist()
    if rest := [tag for tag in known["tag"] if tag not in whole]:
        st.caption("In use; a click tags with it:")
        with st.container(horizontal=True, gap="xsmall"):
            for tag in rest:
                st.button(words.plain(tag), f"{key}_known_{tag}", on_click=add_one, args=(selection.ids, tag, key))
    lines(selection, key)


def form(selection: Selection, key: str) -> None:
    """Tags to choose or to type, with a note."""
    busy.explain(key)
    known = cache.tags(selection.collection)
    with st.form(f"{key}_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "Tags",
            known["tag"].tolist(),
            key=f"{key}_words",
            accept_new_options=True,
            placeholder="type a new one, or choose",
            width=360,
        )
        st.text_input("Note", key=f"{key}_note", placeholder="why, or where you read it", width=360)
        label = f"Tag {pictures(len(selection.ids))}"
        st.form_submit_button(label, key=f"{key}_add", on_click=add, args=(selection.ids, key), type="primary")
    st.caption("A picture has a tag once. Tagging it again changes the note, if you type one.")


def lines(selection: Selection, key: str) -> None:
    """The tags that are there."""
    found = cache.tags_among(selection.ids)
    for row in found.head(LINES).to_dict("records"):
        line(selection, row, key)
    if len(found) > LINES:
        st.caption(f"The {LINES} commonest of {counted(len(found), 'tag')}.")


def line(selection: Selection, row: dict, key: str) -> None:
    """One tag of the selection."""
    tag, notes = row["tag"], list(row["notes"])
    ids = selection.ids
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        sentence = f"**{words.plain(tag)}** · {row['images']:,} of {len(ids):,}"
        if notes:
            sentence += f" · *{words.plain(notes[0])}*" if len(notes) == 1 else f" · {counted(len(notes), 'note')}"
        st.markdown(sentence)
        if row["images"] < len(ids):
            st.button("Tag all", key=f"{key}_all_{tag}", on_click=add_one, args=(ids, tag, key), type="tertiary")
        with st.popover("Note", type="tertiary"):
            for note in notes if len(notes) > 1 else []:
                st.markdown(f"- {words.plain(note)}")
            field = f"{key}_note_{tag}"
            st.text_area("Note", notes[0] if len(notes) == 1 else "", key=field, label_visibility="collapsed")
            label = f"Save for {pictures(row['images'])}"
            st.button(label, key=f"{key}_save_{tag}", on_click=note_one, args=(ids, tag, field, key))
        st.button("Remove", key=f"{key}_remove_{tag}", on_click=remove, args=(ids, tag, key), type="tertiary")


def pick(collection: str) -> None:
    """Select all pictures of a tag."""
    known = cache.tags(collection)
    selected.pick(
        "Pictures with the tag", known["tag"], known["images"], "tag_pick", "Select", partial(select, collection)
    )


def select(collection: str, tag: str) -> None:
    """Callback: the pictures of a tag, and no others."""
    selected.choose(cache.tagged(tag, collection))


@busy.whole
def add(ids: np.ndarray, key: str = "tag") -> None:
    """Callback of the form."""
    state = st.session_state
    typed, note = state[f"{key}_words"], state.get(f"{key}_note") or ""
    tags = [each.strip() for each in typed.split(",") if each.strip()] if isinstance(typed, str) else typed
    if not tags:
        ending = "." if isinstance(typed, str) else ", and press Enter after it."
        state[f"_{key}_problem"] = f"Type a tag first{ending}"
    elif busy.attempt(key, cache.add_tags, ids, tags, note):
        state[f"{key}_words"] = type(typed)()
        if f"{key}_note" in state:
            state[f"{key}_note"] = ""
        st.toast("Saved.")


@busy.whole
def add_one(ids: np.ndarray, tag: str, key: str) -> None:
    """Callback: the tag for those pictures, too, that lack it."""
    busy.attempt(key, cache.add_tags, ids, [tag], "")


@busy.whole
def note_one(ids: np.ndarray, tag: str, field: str, key: str) -> None:
    """Callback: the note of those pictures that have the tag."""
    if busy.attempt(key, cache.note_tag, ids, tag, st.session_state[field] or ""):
        st.toast("Saved.")


@busy.whole
def remove(ids: np.ndarray, tag: str, key: str) -> None:
    """Callback."""
    busy.attempt(key, cache.remove_tag, ids, tag)
