"""What can be done with a picture, and with several, wherever pictures stand: one list for every gallery, for the map
and for the picture's card. A page adds what it alone can do as items of the menu, never as another meaning of a click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components import card, pictures, wall
from dashboard.data import cache
from dashboard.selection import selected
from dashboard.selection.actions import dialogs, examples
from dashboard.selection.actions.action import Action, Done
from dashboard.selection.maps import figures
from dashboard.state import busy, navigation

_APPLIED, _OWN = "_actions_applied", "_actions_own"  # in the session: by gallery, what was done there
MOST_EXAMPLES = 12  # pictures of a selection that are searched with


OPEN = Action("open", "Open", ("Enter",), group="open")
ACTIONS = (
    OPEN,
    Action("picture", "Open its page", group="open"),
    Action("select", "Add to the selection", ("s", " "), "✓", "write"),
    Action("tag", "Tag …", ("t",), group="write"),
    Action("note", "Write a note …", ("n",), group="write"),
    Action("similar", "Find similar", ("f",), group="go"),
    Action("attention", "See the network’s attention", ("a",), group="go"),
    Action("figure", "Make a figure", ("p",), group="go"),
    Action("export", "Export …", ("e",), group="out"),
    Action("remove", "Remove from the collection …", ("Delete", "Backspace"), group="out"),
)
SUBJECT = Action("subject", "Choose as the picture in view", ("c",), "→")  # of pages that are about one picture
MAPS = Action("maps", "See all its maps", ("c",), "▦")
NEED_A_RUN = {"similar", "attention", "figure"}


def offered(own: Sequence[Action] = ()) -> list[dict[str, Any]]:
    """The actions as the JavaScript takes them, a page's own after the ways to open a picture."""
    known = [one for one in ACTIONS if one.key not in NEED_A_RUN or cache.current_run() is not None]
    return [asdict(one) for one in [*known[:2], *own, *known[2:]]]


def gallery(
    items: Sequence[Mapping[str, Any]],
    key: str,
    size: int = 150,
    shown: int | None = None,
    own: Sequence[Action] = (),
    handler: Callable[[str, bool], None] | None = None,
) -> Done | None:
    """A gallery of pictures with all that can be done with them, and the page's `own`; returns what was done of these,
    or that an item was opened which is a part of a picture. `items` as `cache.items` makes them, those of parts with
    `item_id`; the one with the number `shown` is marked. A `handler` that calls `on_done` stands in for it."""
    by_parts = any("item_id" in item for item in items)
    pictures.wall(items, key, of_items(items, key, own), partial(handler or on_done, key, by_parts), size, shown)
    own_done = done_here(key)
    return own_done[-1] if own_done else None


def of_items(items: Sequence[Mapping[str, Any]], key: str, own: Sequence[Action] = ()) -> pictures.Offered:
    """What a gallery of these items offers."""
    marked, here = selected.ids(), np.unique([int(item["image_id"]) for item in items])
    inside = np.isin(marked, here)
    return pictures.Offered(offered(own), marked[inside], int((~inside).sum()), applied(key))


def wall_of(ids: np.ndarray, key: str, thumb: str, about: str, size: int, shown: int | None, chosen: bool) -> None:
    """A gallery of any number of pictures, of which only those in view are on the page; `chosen` where these are what
    is selected."""
    marked = selected.ids()
    inside = np.isin(marked, ids)
    what = pictures.Offered(offered(), () if chosen else marked[inside], int((~inside).sum()), applied(key))
    wall.wall(ids, key, thumb, about, what, partial(on_done, key), size, shown, chosen)


@busy.whole
def done_on_map(key: str) -> None:
    """Callback of the map: a picture was opened, or its menu used."""
    act, image_id = (st.session_state[key].get("done") or ["", 0])[:2]
    if any(act == one.key for one in ACTIONS):
        perform(act, int(image_id))


def perform(act: str, image_id: int) -> None:
    """Do one of ACTIONS with a picture, and where that is selected with all that are. For callbacks."""
    if act == "open":
        card.show_later(image_id)
    elif act == "picture":
        navigation.choose("image", image_id, act)
    elif act == "select":
        selected.toggle(image_id)
    elif act in NEED_A_RUN:
        go_to(act, image_id)
    else:
        dialogs.ask(act, targets(image_id))


def go_to(page: str, image_id: int) -> None:
    """To Attention with a picture, or to Similar with it, where others that are selected with it are searched with
    too; or to the figure of all that are selected with it."""
    if page == "figure":
        figures.open_with(targets(image_id), image_id)
        return
    if page == "similar":
        examples.clear()
        others = [each for each in targets(image_id).tolist() if each != image_id]
        for other in others[:MOST_EXAMPLES]:
            examples.add(other, "like")
        st.session_state["_find_pending"] = {"find": "neighbours", "words": ""}
    navigation.choose("image", image_id, page)


def targets(image_id: int) -> np.ndarray:
    """What is meant by a picture: all that are selected, if it is one of them."""
    marked = selected.ids()
    return marked if image_id in marked else np.array([image_id], dtype=np.int64)


def choose(how: str, ids: Iterable[int]) -> None:
    """Select these pictures `only`, or `add` them, or `drop` them."""
    ids = np.asarray(list(ids), dtype=np.int64)
    if how == "only":
        selected.choose(ids)
    else:
        selected.choose((np.union1d if how == "add" else np.setdiff1d)(selected.ids(), ids))


@busy.whole
def on_done(key: str, by_parts: bool = False) -> None:
    """Callback of a gallery."""
    handle(key, st.session_state[key].get("done") or {}, by_parts)


def handle(key: str, event: Mapping[str, Any], by_parts: bool = False) -> None:
    """Does what a gallery sends and has not been done yet."""
    for act, what, *item in fresh(key, event):
        if act in ("only", "add", "drop"):
            choose(act, what)
        elif any(act == one.key for one in ACTIONS) and not (act == "open" and by_parts):
            perform(act, int(what))
        else:
            one = Done(act, int(what), int(item[0]) if item else int(what))
            st.session_state.setdefault(_OWN, {}).setdefault(key, []).append(one)


def fresh(key: str, event: Mapping[str, Any]) -> list[list[Any]]:
    """Of what a gallery sends, [act, what, ...], that which has not been done yet; from now on it counts as done. The
    browser sends all that it has no answer to."""
    client, done = str(event.get("client", "")), event.get("done") or []
    known = st.session_state.setdefault(_APPLIED, {})
    last = known[key][1] if key in known and known[key][0] == client else 0
    known[key] = (client, max([last, *(number for number, *_ in done)]))
    return [what for number, *what in done if number > last]


def applied(key: str) -> tuple[str, int] | None:
    """What of a gallery has been done, as `pictures.Offered` takes it."""
    return st.session_state.get(_APPLIED, {}).get(key)


def done_here(key: str) -> list[Done]:
    """What was done of a page's own in a gallery, once."""
    return st.session_state.get(_OWN, {}).pop(key, [])
