"""One line at the top of every page: how many pictures are selected, with what can be done with them, and what would be
undone and done again. Ctrl+Z and Ctrl+Shift+Z (⌘ on a Mac) do so too, but where somebody types."""

from __future__ import annotations

from functools import cache as once
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.components import card
from dashboard.components.modules import joined
from dashboard.components.pictures import MENU
from dashboard.data import cache
from dashboard.data.cache.annotations import edits
from dashboard.selection import actions, selected
from dashboard.selection.actions import dialogs
from dashboard.selection.selection import pictures
from dashboard.state import busy

KEY = "dock"
FOR_MANY = ("tag", "note", "similar", "attention", "figure", "export", "remove")
SHORT = {
    "similar": "Similar",
    "attention": "Attention",
    "figure": "Figure",
    "tag": "Tag",
    "note": "Note",
    "export": "Export",
    "remove": "Remove",
}
# It takes no room among what stands on the page.
PLACE = "<style>.st-key-dock_place {position: absolute; height: 0; width: 0}</style>"


def show(below: bool = False) -> None:
    """The line. To be called before a page, since what it does comes first. `below` for a page that has controls of its
    own at the top."""
    undo, redo = edits.at_hand()
    count = len(_present())
    offered = [{**each, "short": SHORT[each["key"]]} for each in actions.offered() if each["key"] in FOR_MANY]
    data = {
        "selected": count,
        "words": pictures(count),
        "actions": offered if count else [],
        "undo": undo and undo.words,
        "redo": redo and redo.words,
        "dialog": dialogs.waiting(),
        "below": below,
        "cookie": [edits.COOKIE, edits.word()],
    }
    with st.container(key="dock_place"):
        st.html(PLACE)
        _dock()(key=KEY, data=data, on_done_change=_done)
    busy.explain("edits")


@busy.whole
def _done() -> None:
    """Callback: what was pressed."""
    act = (st.session_state[KEY].get("done") or [""])[0]
    ids = _present()
    if act in ("undo", "redo"):
        card.show_again()
        _revert(act)
    elif act == "clear":
        selected.choose([])
    elif len(ids) and act in ("similar", "attention", "figure"):
        image = cache.current_image()
        actions.go_to(act, image if image is not None and image in ids else int(ids[0]))
    elif len(ids) and act in FOR_MANY:
        dialogs.ask(act, ids)


def _present() -> np.ndarray:
    """What is selected and has not been removed since, as in another window."""
    ids = selected.ids()
    return ids[np.isin(ids, cache.images().index.to_numpy())] if len(ids) else ids


def _revert(act: str) -> None:
    found = []
    if busy.attempt("edits", lambda: found.append((edits.undo if act == "undo" else edits.redo)())) and found[0]:
        st.toast(f"{'Undone' if act == 'undo' else 'Done again'}: {found[0].words}")


@once
def _dock():
    here = Path(__file__).parent
    css = (here / "dock.css", MENU.with_suffix(".css"))
    return st.components.v2.component(
        "bilderatlas_dock",
        html='<div class="dock" role="toolbar" aria-label="Selection and undo"></div>',
        css="\n".join(file.read_text(encoding="utf-8") for file in css),
        js=joined(here, (str(MENU), "dock")),
    )
