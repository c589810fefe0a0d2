"""Selections that are saved under a name: save, open, combine, rename, delete."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.selection import selected
from dashboard.selection.selection import Selection, pictures
from dashboard.state import busy

_REPLACE, _DELETED = "_saved_replace", "_saved_deleted"
COMBINE = {
    "saved_add": ("Add it to these", "These pictures and those", np.union1d),
    "saved_without": ("Take it from these", "These pictures without those", np.setdiff1d),
    "saved_both": ("Keep what both have", "Pictures that are in both", np.intersect1d),
}


def show(selection: Selection) -> None:
    """Save the present selection; open and change saved ones."""
    busy.explain("saved")
    collection, known = selection.collection, selected.name(selection.collection)
    if known is None:
        form(selection)
    else:
        st.markdown(f"This selection is saved as **{words.plain(known)}**, and a link to this page opens it.")
    undo(collection)
    every = cache.saved_selections(collection)
    if every.empty:
        return
    name = pick(collection)
    row = every[every["name"] == name].iloc[0]
    if row["note"]:
        st.caption(words.plain(row["note"]))
    with st.container(horizontal=True):
        for key, (label, help_, how) in COMBINE.items():
            st.button(label, key=key, help=help_, on_click=combine, args=(collection, name, selection.ids, how))
        with st.popover("Rename"):
            st.text_input("Name", name, key=f"saved_name_{name}", max_chars=100)
            st.text_area("Note", row["note"], key=f"saved_note_{name}")
            st.button("Save", key="saved_rename", on_click=rename, args=(collection, name), type="primary")
        st.button("Delete", key="saved_delete", on_click=delete, args=(collection, name, row["note"]))


def form(selection: Selection) -> None:
    """Save the present selection."""
    with st.form("saved_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Save as", key="saved_new", placeholder="a name", max_chars=100, width=260)
        st.text_input("Note", key="saved_new_note", placeholder="what it is for", width=360)
        label = f"Save {pictures(len(selection.ids))}"
        given = (selection.collection, selection.ids)
        st.form_submit_button(label, key="saved_save", on_click=save, args=given, type="primary")
    taken = st.session_state.pop(_REPLACE, None)
    if taken is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"There is a selection **{words.plain(taken)}** already.", width="content")
            st.button("Replace it", key="saved_replace", on_click=save, args=(*given, True))


def pick(collection: str) -> str | None:
    """Open a saved selection; returns the one that is picked."""
    every = cache.saved_selections(collection)
    return selected.pick(
        "Saved selection", every["name"], every["images"], "saved_pick", "Open", partial(open_saved, collection)
    )


def undo(collection: str) -> None:
    """What was deleted last can come back."""
    gone = st.session_state.get(_DELETED)
    if gone is None or gone[0] != collection:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{words.plain(gone[1])}** is deleted.", width="content")
        st.button("Undo", key="saved_undo", on_click=restore)


@busy.whole
def save(collection: str, ids: np.ndarray, replace: bool = False) -> None:
    """Callback: save pictures under the name that was typed."""
    state = st.session_state
    name = " ".join((state["saved_new"] or "").split())
    if not replace and name and cache.selection_members(collection, name) is not None:
        state[_REPLACE] = name
    elif busy.attempt("saved", cache.save_selection, collection, name, ids, state["saved_new_note"] or "", replace):
        state["saved_new"], state["saved_new_note"], state["saved_pick"] = "", "", name
        selected.choose(ids, name)
        st.toast("Saved.")


def open_saved(collection: str, name: str) -> None:
    """Callback: select what is saved under this name."""
    members = cache.selection_members(collection, name)
    if members is not None:  # somebody else may have deleted it
        selected.choose(members, name)


def combine(collection: str, name: str, ids: np.ndarray, how) -> None:
    """Callback: the present pictures and the saved ones, put together."""
    members = cache.selection_members(collection, name)
    if members is not None:
        selected.choose(how(ids, members))


@busy.whole
def rename(collection: str, name: str) -> None:
    """Callback: the name and note that were typed."""
    state = st.session_state
    to, note = " ".join((state[f"saved_name_{name}"] or "").split()), state[f"saved_note_{name}"] or ""
    present = selected.name(collection) == name
    if busy.attempt("saved", cache.rename_selection, collection, name, to, note):
        state["saved_pick"] = to
        if present:
            selected.choose(selected.ids(), to)
        st.toast("Saved.")


@busy.whole
def delete(collection: str, name: str, note: str) -> None:
    """Callback: forget a selection, and remember it for `undo`."""
    ids = cache.selection_members(collection, name)
    if busy.attempt("saved", cache.delete_selection, collection, name):
        st.session_state[_DELETED] = (collection, name, ids, note)


@busy.whole
def restore() -> None:
    """Callback: the one that was deleted comes back."""
    collection, name, ids, note = st.session_state[_DELETED]
    if busy.attempt("saved", cache.save_selection, collection, name, ids, note):
        del st.session_state[_DELETED]
        st.session_state["saved_pick"] = name
