"""What people do, in the journal of the database in view: whose it is, how it is undone, and done again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboard.data.cache.memory import annotating, ask
from store import edits as journal
from store.edits import Author, Edit, EditRefused

COOKIE = "bilderatlas_edits"  # in the browser: a word by which it finds its own edits again after a reload
OF_PICTURES = {"removal", "correction"}  # tables after whose edits nothing that is remembered holds


def word() -> str:
    """The word of this browser, or else of this session, which nobody else can guess."""
    known = st.context.cookies.get(COOKIE, "")
    return known if len(known) > 20 else st.session_state.setdefault("_edits_word", secrets.token_urlsafe(24))


def author() -> Author:
    """Who does something just now; the database has a digest of the word, not the word."""
    session = hashlib.sha256(word().encode()).hexdigest()[:32]
    try:
        user: Any = st.user.to_dict()
    except Exception:  # where nobody logs in
        user = {}
    known = bool(user.get("is_logged_in"))
    return Author(session, str(user.get("name") or user.get("email") or "") if known else "")


@contextmanager
def editing(words: str, *tables: str) -> Iterator[Any]:
    """A connection that writes annotations into these tables, as an edit that is called so."""
    by = author()
    with annotating(lambda: bool(OF_PICTURES & set(tables))) as con, journal.recorded(con, by, words, tables):
        yield con


def at_hand() -> tuple[Edit | None, Edit | None]:
    """What this session would undo and do again next."""
    return ask(journal.at_hand, session=author().session)


def undo() -> Edit | None:
    """Undo the last edit of this session. Raises EditRefused, and lets go of that edit then."""
    return _revert(journal.undo, 0)


def redo() -> Edit | None:
    """Do again what was undone last. Raises as `undo`."""
    return _revert(journal.redo, 1)


def _revert(how: Any, place: int) -> Edit | None:
    session, tables = author().session, set[str]()
    try:
        with annotating(lambda: bool(OF_PICTURES & tables)) as con:
            done = how(con, session)
            tables |= set(done.tables if done else ())
            return done
    except EditRefused:
        with annotating() as con:
            refused = journal.at_hand(con, session)[place]
            if refused is not None:
                journal.drop(con, refused.edit_id)
        raise


def of_pictures(ids: Iterable[int]) -> str:
    """How many pictures an edit is about, in words."""
    count = len(list(ids))
    return "1 picture" if count == 1 else f"{count:,} pictures"
