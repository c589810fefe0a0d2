"""What is in the figure: its pictures, one a row, and its columns, with the controls for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.compute import words
from dashboard.compute.methods import entry_of, kind_of
from dashboard.data import cache
from dashboard.selection import selected
from dashboard.selection.maps import columns, figures, options, targets
from dashboard.selection.maps.columns import Column
from dashboard.selection.maps.figures import COLUMNS, MOST_COLUMNS, MOST_PICTURES, PICTURES
from dashboard.state import controls, pickers
from dashboard.state.url import Param
from dashboard.state.url import words as url_words
from dashboard.views.figure import caption
from store.counts import counted
from store.records import RunRecord

EDITED, TITLE, _PREFIX, _SHOWN = "figure_column", "figure_title", "figure_", "_figure_shown"
HELP = "One row each, in the order in which they are chosen here. What is selected anywhere is in it at first."


def pick_pictures(run: RunRecord) -> tuple[list[int], list[int]]:
    """The pictures that are in the figure, and those that were asked for beyond what it has room for."""
    known = cache.images(run.collection)
    first = [each for each in selected.ids().tolist() if each in known.index] or [cache.image_in_view()]
    asked = [int(text) for text in url_words(PICTURES) if text.isdecimal() and len(text) < 19]
    held = [*first, *asked, *(st.session_state.get(PICTURES) or [])]
    held = [each for each in dict.fromkeys(held) if each in known.index]
    ids = known.index.to_numpy()
    offered = ids.tolist() if len(ids) <= pickers.MANY else pickers.search(ids, "figure_search")
    listed = [*held, *(each for each in offered if each not in held)]
    labels = pickers.image_labels(known.loc[listed])
    first = [each for each in first if each in known.index]
    chosen = controls.multiselect(
        "Pictures", listed, first, key=PICTURES, follows=True, always=True, format_func=words.named(labels), help=HELP
    )
    return chosen[:MOST_PICTURES], chosen[MOST_PICTURES:]


def pick_columns(run: RunRecord) -> list[Column]:
    """The columns of maps: all in a row, of which one has its controls below."""
    found = _load(run)
    tabs = st.container(horizontal=True, vertical_alignment="bottom")
    edited = min(st.session_state.get(EDITED) or 0, len(found) - 1)
    usual = [replace(each, title="") for each in found]
    changed = _edit(run, found[edited], caption.column_titles(usual)[0][edited])
    if changed != found[edited]:
        found = [*found[:edited], changed, *found[edited + 1 :]]
        st.session_state[COLUMNS] = tuple(found)
    st.session_state[_SHOWN] = (edited, changed)
    with tabs:
        _tabs(found, edited)
    return found


def _load(run: RunRecord) -> list[Column]:
    """What the address says or was chosen here; at first what was last on the page Attention."""
    runs = {each.run_id for each in cache.runs(run.collection)}
    usual = [columns.first_column(run.run_id)]
    stored = list(cache.methods(run.run_id)["method"])
    if "rollout" in stored:
        usual.append(Column(run.run_id, "rollout", run.layers - 1, ""))

    def read(texts: list[str]) -> tuple[Column, ...] | None:
        known = [column for column in map(Column.parse, texts) if column and column.run_id in runs]
        return tuple(known[:MOST_COLUMNS]) or None

    def write(value: Sequence[Column]) -> list[str]:
        return [column.text for column in value]

    first = figures.seen(run.run_id) or tuple(usual)
    found = Param(COLUMNS, first, read, write, always=True, follows=True).load()
    found = tuple(column for column in found if column.run_id in runs and _fits(column)) or tuple(usual)
    st.session_state[COLUMNS] = found
    return list(found)


def _fits(column: Column) -> bool:
    """Whether the run has such a layer and head."""
    run = cache.run(column.run_id)
    head = int(column.head) if column.head.isdecimal() else 0
    return column.layer < run.layers and head < run.heads


def _tabs(found: Sequence[Column], edited: int) -> None:
    """Which column is edited, and what can be done with them."""
    state, names = st.session_state, caption.column_titles(found)[0]
    state[EDITED] = edited
    count = len(found)
    st.segmented_control(
        "Columns",
        range(count),
        key=EDITED,
        required=True,
        format_func=lambda place: f"{place + 1} {names[place]}" if place < count else "",
        help="Choose one to change it with the controls below.",
    )
    with st.container(horizontal=True, width="content"):  # they go to the next line together
        _buttons(found[edited], found, edited)


def _buttons(one: Column, found: Sequence[Column], edited: int) -> None:
    """What can be done with the columns."""
    count = len(found)
    full = count >= MOST_COLUMNS
    reason = f"A figure has at most {MOST_COLUMNS} columns." if full else None
    # Another key for another number of columns: it closes when it has added some, which it would lie upon.
    with st.popover("Add", icon=":material/add:", disabled=full, help=reason, key=f"figure_more_{count}"):
        _buttons_to_add(one, found, edited)
    for name, by, icon in (("Left", -1, "back"), ("Right", 1, "forward")):
        st.button(
            name,
            key=f"figure_{name.lower()}",
            icon=f":material/arrow_{icon}:",
            on_click=_move,
            args=(by,),
            disabled=not 0 <= edited + by < count,
            help=f"Move the chosen column to the {name.lower()}",
        )
    st.button(
        "Remove",
        key="figure_remove",
        icon=":material/delete:",
        on_click=_remove,
        disabled=count == 1,
        help="Remove the chosen column",
    )


def _buttons_to_add(one: Column, found: Sequence[Column], edited: int) -> None:
    """The columns that may be added behind one: no more than there is room for, and none that is there already."""
    room, method = MOST_COLUMNS - len(found), entry_of(one.method)
    _button_to_add("One more column", "figure_add", [columns.another(one, found)][:room], edited)
    if method is None or not method.one_layer:
        more = columns.varied(one, "layers", min(room + 1, 4), found)[:room]
        _button_to_add(f"{counted(len(more), 'layer')} of it", "figure_layers", more, edited)
    if method is None or method.per_head:
        more = columns.varied(one, "heads", room, found)
        _button_to_add(f"{counted(len(more), 'head')} of it", "figure_heads", more, edited)


def _button_to_add(label: str, key: str, more: Sequence[Column], place: int) -> None:
    st.button(label, key=key, on_click=_add, args=(more, place), disabled=not more, width="stretch")


def _edit(run: RunRecord, column: Column, named: str) -> Column:
    """The controls of the column, which is usually `named` so, and what they say."""
    state = st.session_state
    if state.get(_SHOWN, (None, None))[1] != column or f"{_PREFIX}run" not in state:
        columns.set_controls(_PREFIX, column)
        state["figure_kind"], state[TITLE] = kind_of(column.method), column.title
        new = True
    else:
        new = False
    row = st.container(horizontal=True, vertical_alignment="bottom")
    kind = row.segmented_control(
        "Kind", list(options.KINDS), key="figure_kind", required=True, format_func=words.named(options.KINDS)
    )
    runs = [each.run_id for each in cache.runs(run.collection)]
    found = columns.pick(_PREFIX, runs, kind or "attention", row)
    title = row.text_input(
        "Title of the column",
        key=TITLE,
        width=300,
        max_chars=columns.LONGEST_TITLE,
        placeholder=named,
        help="Printed above the column in place of what it shows; the caption says both. Empty it for the usual title.",
    )
    found = replace(found, title=(title or "").strip())
    method = entry_of(found.method)
    if method is None or not method.needs_target:
        return found
    record = cache.run(found.run_id)
    stored = cache.methods(record.run_id)
    known = stored["target"][stored["method"] == found.method].tolist()
    able = targets.reach(record, None, known)
    if not able.kinds:
        st.info("This network has no classifier, and there are no other pictures: choose a kind of attention.")
        return found
    if new and column.target:
        targets.aim(column.target, able)
    return replace(found, target=targets.choose_target(able))


# ---- what is pressed ------------------------------------------------------------------------------------------------


def _add(more: Sequence[Column], place: int) -> None:
    """Put columns behind the one at `place`, and edit the first of them."""
    found = list(st.session_state[COLUMNS])
    found[place + 1 : place + 1] = more
    st.session_state[COLUMNS] = tuple(found[:MOST_COLUMNS])
    st.session_state[EDITED] = place + 1


def _move(by: int) -> None:
    state = st.session_state
    state[COLUMNS] = tuple(columns.moved(state[COLUMNS], state[EDITED], by))
    state[EDITED] = int(np.clip(state[EDITED] + by, 0, len(state[COLUMNS]) - 1))


def _remove() -> None:
    state = st.session_state
    state[COLUMNS] = tuple(each for place, each in enumerate(state[COLUMNS]) if place != state[EDITED])
    state[EDITED] = max(0, state[EDITED] - 1)
