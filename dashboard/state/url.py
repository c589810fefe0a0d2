"""The address bar: the one way in which the state of the pages gets into it and out of it.

`begin` comes first in every rerun and finds out where its address comes from; `finish` comes last and writes it once.
Between them a page declares each of its values as a `Param` and loads it before the control is drawn.

A browser sends its address with every rerun, and hears of a new one only afterwards: four quick clicks arrive with the
address of before the first. So an address is taken for news only where it must be one: when a session opens, on Back
and Forward (which Streamlit marks), when a link opens another page, or this one with the number that `follow` gave it,
and for words that the session has never had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

T = TypeVar("T")
FOLLOWED = "example"  # in the address of a link to what is on the same page: a number that it has for the first time
_STATE = "_url"  # in the session
REMEMBERED = 50  # earlier words of a key


class Origin(Enum):
    """Where the address of a rerun comes from."""

    OPENED = "a session that begins"
    HISTORY = "Back or Forward"
    LINK = "a link to another page"
    OURS = "what was written here, if perhaps some reruns ago"


@dataclass
class UrlState:
    """What a session knows of its address. `read` are the keys that were read since the last news, `seen` the words
    that each key has had, `written` those of this rerun, `asked` what is new in it, `saved` the last values of all
    Params on all pages, `firsts` what these were at first, and `offered` what their controls offered. So many links to
    what is on the same page were `followed`."""

    origin: Origin
    page: str
    read: set[str] = field(default_factory=set)
    seen: dict[str, list[list[str]]] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    loaded: dict[str, Param] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)
    firsts: dict[str, Any] = field(default_factory=dict)
    offered: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)
    followed: int = 0


def begin(page: str) -> None:
    """To be called first in a rerun, with the page's name."""
    session = st.session_state
    if _STATE not in session:
        session[_STATE] = UrlState(Origin.OPENED, page)
        _is_followed(session[_STATE])
        return
    state = session[_STATE]
    state.written, state.loaded, state.asked = {}, {}, {}
    followed = _is_followed(state)
    if _is_history_navigation():
        state.origin, state.read = Origin.HISTORY, set()
    elif page != state.page or followed:
        state.origin, state.read = Origin.LINK, set()
    # Else it stays: news that an interrupted rerun did not come to read is read now.
    state.page = page


def finish() -> None:
    """To be called last in a rerun that was not interrupted: writes what has changed into the address, and remembers
    the values for when their controls are drawn again."""
    state = _state()
    address = current()
    # After Back the browser may have been told the address of the rerun before, which was on its way just then.
    if address != _stands() or state.origin is Origin.HISTORY:
        st.query_params.from_dict(address)
    for key, param in state.loaded.items():
        param.save(state)
        _remember(state, key, param.words())
    for key, texts in state.written.items():
        _remember(state, key, texts)
    state.origin, state.read = Origin.OURS, set()


def remembered(key: str) -> Any:
    """The value of a Param in the session, be it that of an earlier page; None where it was never changed."""
    return st.session_state.get(key, _state().saved.get(key))


def keep() -> None:
    """To be called last in a part of a page that reruns by itself, such as a dialog: remembers the values of its
    controls as `finish` does, and leaves the address alone."""
    state = _state()
    for param in state.loaded.values():
        param.save(state)


@contextmanager
def bound(page: str) -> Iterator[None]:
    """Around a rerun: `begin` and, unless another rerun takes its place, `finish`."""
    begin(page)
    try:
        yield
    except RerunException:
        raise
    except BaseException:
        finish()
        raise
    finish()


def current() -> dict[str, list[str]]:
    """The address as it will be written: what stands there, with what this rerun has said of it so far."""
    state = _state()
    loaded = {key: param.words() for key, param in state.loaded.items()}
    return {key: texts for key, texts in {**_stands(), **state.written, **loaded}.items() if texts}


def words(key: str) -> list[str]:
    """What the address of this rerun says under a key; [] for nothing."""
    return st.query_params.get_all(key)


def is_new(key: str) -> bool:
    """Whether the address says something new under a key, or on Back and Forward nothing any more."""
    state, texts = _state(), words(key)
    if state.origin is Origin.OURS:
        return bool(texts) and texts not in state.seen.get(key, [])
    return key not in state.read and (bool(texts) or state.origin is Origin.HISTORY)


def changed_in_url(*keys: str) -> bool:
    """Whether one of these keys `is_new`. What has been asked for here is none any more."""
    state, new = _state(), [key for key in keys if is_new(key)]
    for key in keys:
        state.read.add(key)
        _remember(state, key, words(key))
    state.asked |= {key: words(key) for key in new if words(key)}
    return bool(new)


def put(key: str, texts: Sequence[str]) -> None:
    """Write these words under a key at the end of the rerun; none take it out."""
    _state().written[key] = list(texts)


def asked() -> dict[str, list[str]]:
    """What the address has asked for anew in this rerun, by key."""
    return _state().asked


@dataclass(frozen=True)
class Param(Generic[T]):
    """A value of the state: its `key` in the address and in the session, its value at `first`, and how it is read from
    words (None: they mean nothing here) and written. What is there at first is left out of the address unless
    `always`; where all pages carry the key, `shared`, an address of ours without it says that it is `first`. With
    `follows`, a value that nobody chose changes with `first`, as with another network. `offered` are the limits of its
    control."""

    key: str
    first: T
    read: Callable[[list[str]], T | None]
    write: Callable[[T], list[str]]
    always: bool = False
    shared: bool = False
    follows: bool = False
    offered: Any = None

    def load(self) -> T:
        """Before the control is drawn: the value in the session is what is new in the address, else what it was, be it
        before another page was opened, else `first`."""
        state, session = _state(), st.session_state
        from_link = self.shared and state.origin is Origin.LINK and self.key not in state.read and bool(words("run"))
        if changed_in_url(self.key) or from_link:
            texts = words(self.key)
            value = self.read(texts) if texts else self.first
            if value is not None or not texts:  # Back may lead to where there was none
                session[self.key] = value
        if self.key not in session:
            session[self.key] = state.saved.get(self.key, self.first)
        elif self.follows and session[self.key] == state.firsts.get(self.key):
            session[self.key] = self.first
        elif self.offered != state.offered.get(self.key):
            session[self.key] = session[self.key]  # Streamlit takes a control with other limits for a new one
        state.firsts[self.key], state.offered[self.key] = self.first, self.offered
        state.loaded[self.key] = self
        return session[self.key]

    def words(self) -> list[str]:
        """The words for the value in the session."""
        value = st.session_state.get(self.key, self.first)
        return [] if value is None or (value == self.first and not self.always) else self.write(value)

    def save(self, state: UrlState) -> None:
        """Remember the value, since Streamlit forgets it when the control is not drawn; not what is there at `first`,
        which is another one in another run."""
        value = st.session_state.get(self.key, self.first)
        if value == self.first:
            state.saved.pop(self.key, None)
        else:
            state.saved[self.key] = value


def _state() -> UrlState:
    return st.session_state[_STATE]


def _stands() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def follow() -> dict[str, str]:
    """What a link to the same page carries beside its values, so that all of these are news when it is followed."""
    return {FOLLOWED: str(_state().followed + 1)}


def _is_followed(state: UrlState) -> bool:
    """Whether this rerun follows such a link, whose number then leaves the address."""
    texts = words(FOLLOWED)
    if not texts:
        return False
    state.written[FOLLOWED] = []
    number = int(texts[-1]) if texts[-1].isdecimal() and len(texts[-1]) < 9 else 0
    if number <= state.followed:
        return False
    state.followed = number
    return True


def _is_history_navigation() -> bool:
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def _remember(state: UrlState, key: str, texts: list[str]) -> None:
    seen = state.seen.setdefault(key, [])
    if texts not in seen:
        seen.append(texts)
        del seen[:-REMEMBERED]
