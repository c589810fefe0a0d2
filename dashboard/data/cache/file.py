"""Which database the person looks at."""

import os
from pathlib import Path

import streamlit as st

from store import connection


def databases() -> list[Path]:
    """The databases one may choose from: the default one and its neighbours. Never empty; the first may be missing."""
    default = connection.default_path()
    others = [path for path in neighbours(str(default.parent)) if path.name != default.name]
    if default.exists() or "BILDERATLAS_DB" in os.environ or not others:
        return [default, *others]
    return others


def database(name: str | None) -> Path | None:
    """The database of this file name (None: the first), or None if it is not one that may be chosen."""
    return next((path for path in databases() if name is None or path.name == name), None)


def default() -> Path:
    """The first of `databases`: it is asked for hundreds of times a page."""
    first = connection.default_path()
    return first if "BILDERATLAS_DB" in os.environ or first.exists() else databases()[0]


def db() -> Path:
    """The database in view."""
    name, first = st.session_state.get("db"), default()
    return first if name in (None, first.name) else database(name) or first


@st.cache_resource(ttl=3, max_entries=8, show_spinner=False)
def neighbours(folder: str) -> list[Path]:
    """The databases of a folder, by name, as they were some seconds ago."""
    try:
        return sorted(path for path in Path(folder).glob("*.duckdb") if path.is_file())
    except OSError:
        return []
