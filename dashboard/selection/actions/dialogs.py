"""What asks before it is done: tags, notes, files, the way out of the collection, each in a dialog over the page."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import numpy as np
import streamlit as st

from dashboard.components import card
from dashboard.compute import words
from dashboard.data import cache
from dashboard.selection import files, selected, tagging
from dashboard.selection.selection import Selection, pictures
from dashboard.state import busy

_WAITING = "_action_dialog"  # in the session: what was asked for, and for which pictures
TITLES = {"tag": "Tag", "note": "A note on", "export": "Export", "remove": "Remove"}


def ask(act: str, ids: Iterable[int]) -> None:
    """Open a dialog at the next run."""
    st.session_state[_WAITING] = (act, tuple(int(each) for each in ids))


def waiting() -> str | None:
    """A word for the dialog with a field to type into that will be opened now; None for none."""
    act, ids = st.session_state.get(_WAITING, ("", ()))
    return f"{act} {secrets.token_hex(4)}" if act in ("tag", "note") and ids else None


def show_waiting() -> None:
    """Open the picture's card or the dialog that was asked for, if one was. To be called once, before a page."""
    if card.show_waiting(beside):
        return
    act, ids = st.session_state.pop(_WAITING, (None, ()))
    known = cache.images()
    ids = [each for each in ids if each in known.index]
    if act not in TITLES or not ids:
        return
    collection = str(known.at[ids[0], "collection"])
    own = known.loc[ids, "collection"] == collection
    name = words.plain(str(known.at[ids[0], "title"])) if len(ids) == 1 else pictures(int(own.sum()))
    chosen = Selection(collection, np.sort(known.loc[ids].index[own].to_numpy(np.int64)), known.index.to_numpy())
    # What is behind the dialog shows what was written only after another run.
    st.dialog(f"{TITLES[act]} {name}", width="medium", on_dismiss="rerun")(_DRAW[act])(chosen)


def beside(image: cache.ImageRow) -> None:
    """In a picture's card: its tags, and what else can be done with it."""
    image_id, ids = image["image_id"], np.array([image["image_id"]], dtype=np.int64)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.popover("Tag", icon=":material/sell:", type="tertiary"):
            tagging.quick(Selection(image["collection"], ids, ids), "card_tag")
        chosen = image_id in selected.ids()
        icon = ":material/check_circle:" if chosen else ":material/radio_button_unchecked:"
        label = "Selected" if chosen else "Select"
        st.button(label, key="card_select", on_click=selected.toggle, args=(image_id,), type="tertiary", icon=icon)
        for act, name, icon in (("export", "Export", "download"), ("remove", "Remove", "delete")):
            icon = f":material/{icon}:"
            if st.button(name, key=f"card_{act}", on_click=ask, args=(act, ids), type="tertiary", icon=icon):
                st.rerun()  # one dialog gives way to the other
        tags = cache.tags_of(ids)["tags"].iloc[0]
        if len(tags):
            st.caption(words.plain(" · ".join(tags)), width="content")


def tag(selection: Selection) -> None:
    """All tags of the pictures, to add and take away."""
    tagging.quick(selection, "dialog_tag")


def note(selection: Selection) -> None:
    """One note, on each of the pictures."""
    busy.explain("dialog_note")
    with st.form("dialog_note_form", border=False):
        st.text_area("Note", key="dialog_note_text", height=140, placeholder="what you see, or where you read it")
        st.form_submit_button("Save the note", key="dialog_note_add", on_click=_note, args=(selection.ids,))
    if st.session_state.pop("_dialog_note_saved", False):
        st.rerun()
    st.caption("The picture’s card and its page show its notes, and the view `notes` has them all.")


def export(selection: Selection) -> None:
    """The pictures as files."""
    files.show(selection, "dialog")


def remove(selection: Selection) -> None:
    """Asked once."""
    busy.explain("dialog_remove")
    these = "This picture leaves" if len(selection.ids) == 1 else f"These {pictures(len(selection.ids))} leave"
    st.markdown(
        f"{these} the collection: every page, every search and every SQL view. The files stay where they are, and so "
        "do features, tags and notes, until somebody types `python -m ingest prune`. **Undo** brings them back."
    )
    with st.container(horizontal=True):
        if st.button("Remove", key="dialog_remove", type="primary", on_click=_remove, args=(selection,)):
            st.rerun()
        if st.button("Cancel", key="dialog_cancel"):
            st.rerun()


_DRAW = {"tag": tag, "note": note, "export": export, "remove": remove}


@busy.whole
def _note(ids: np.ndarray) -> None:
    state = st.session_state
    if busy.attempt("dialog_note", cache.add_notes, ids, state["dialog_note_text"] or ""):
        state["_dialog_note_saved"] = True
        st.toast("Saved.")


@busy.whole
def _remove(selection: Selection) -> None:
    if busy.attempt("dialog_remove", cache.remove_images, selection.ids):
        selected.choose(np.setdiff1d(selected.ids(), selection.ids))
        st.toast(
            f"{pictures(len(selection.ids))} removed. Undo brings {'it' if len(selection.ids) == 1 else 'them'} back."
        )
