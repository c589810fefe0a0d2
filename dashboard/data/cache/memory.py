"""What is kept, and for how long: as long as a token of the database's state stays the same.

There are two tokens. `whole` changes with any change of the database. `cache_token` does not change when this very
process wrote annotations of pictures, their tags, selections and regions and the names of heads, and nobody wrote
anything since: an answer that depends on none of these is then as good as before, and at 100,000 pictures takes
seconds to find.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard.data.cache.file import db
from store import connection

PATIENCE = 8.0  # seconds that a button waits for others to finish
T = TypeVar("T")
Query = Callable[..., Any]  # a function of `store` that reads from a connection

# ---- tokens ---------------------------------------------------------------------------------------------------------


def whole(path: Path | str) -> str:
    """A token that changes whenever the database does."""
    return connection.state(path)


def cache_token(path: Path | str) -> str:
    """A token that stays while nothing but `annotating` changes the database."""
    now = connection.state(path)
    after, before = _annotated.get(str(path), ("", ""))
    return before if now == after else now


@contextmanager
def annotating(more: Callable[[], bool] = lambda: False) -> Iterator[Any]:
    """A connection to the database in view that writes what people say of pictures, and nothing else, unless at the end
    there is `more`. Waits some seconds for others to finish."""
    path = db()
    with connection.writing(path, wait=PATIENCE) as con:
        before = cache_token(path)
        yield con
        connection.commit_to_file(con, path)
        if more():
            return
        _annotated[str(path)] = connection.state(path), before  # both while nobody else can write


_annotated: dict[str, tuple[str, str]] = {}  # path -> the state that `annotating` left, the cache token from before


def version() -> str:
    """A short word that changes whenever the database in view does."""
    return hashlib.sha256(cache_token(db()).encode()).hexdigest()[:12]


# ---- answers --------------------------------------------------------------------------------------------------------


def ask(query: Query, **how: Any) -> Any:
    """What a function of `store` answers of the database in view, asked again whenever that has changed."""
    return _asked(whole(db()), query, how)


def ask_cached(query: Query, **how: Any) -> Any:
    """The same for a function that reads nothing of what people say."""
    return _asked(cache_token(db()), query, how)


def ask_cached_of(path: Path, query: Query, **how: Any) -> Any:
    """The same of the database at `path`. Any thread may ask."""
    return _asked(cache_token(path), query, how, path)


def remembered(make: Callable[[], T], *key: Any) -> T:
    """What `make` returns, kept for as long as the database and `key` are the same: it is to depend on nothing
    that people say, unless the key holds it. Shared by all: read-only."""
    return _remembered(str(db()), cache_token(db()), key, make)


def noted(make: Callable[[], T], *key: Any) -> T:
    """The same for what is small, a sentence or some numbers, of which many can be kept."""
    return _noted(str(db()), cache_token(db()), key, make)


def measured(make: Callable[[], T], *key: Any) -> T:
    """The same for what takes seconds to make and little room: it is not pushed out by what else is remembered."""
    return _measured(str(db()), cache_token(db()), key, make)


def computed(make: Callable[[], T], *key: Any) -> T:
    """What `make` finds by letting a network look, kept while the whole database and `key` stay: what is explained may
    be a tag. Shared by all: read-only. `make` may draw how far it is: it is called outside of what Streamlit caches,
    which would draw that again at every later question, and fail."""
    return _place(str(db()), whole(db()), key).filled(make)


def whole_numbers(values: Iterable[int] | None) -> tuple[int, ...] | None:
    """Ids, layers or heads as a key to remember something by."""
    return None if values is None else tuple(int(value) for value in values)


def _asked(token: str, query: Query, how: dict[str, Any], path: Path | None = None) -> Any:
    answer = _answer(str(path or db()), token, f"{query.__module__}.{query.__qualname__}", tuple(how.items()), query)
    return answer.copy(deep=False) if isinstance(answer, pd.DataFrame) else answer


@st.cache_resource(max_entries=256, show_spinner=False)
def _answer(path: str, token: str, name: str, how: tuple, _query: Query) -> Any:
    with connection.reading(path) as con:
        answer = _query(con, **dict(how))
    return to_frame(answer) if isinstance(answer, pa.Table) else answer


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A table as pandas has it, whole numbers whole where some are missing. In one piece: to take one row of a table in
    hundreds of pieces, pyarrow looks through all of them."""
    table = table.combine_chunks()
    frame = table.to_pandas()
    for field in table.schema:
        if pa.types.is_integer(field.type) and table[field.name].null_count:
            frame[field.name] = table[field.name].to_pandas(types_mapper=lambda _: pd.Int64Dtype())  # 1830, not 1830.0
    return frame


@st.cache_resource(max_entries=16, show_spinner=False)
def _remembered(path: str, token: str, key: tuple, _make: Callable[[], T]) -> T:
    return _make()


@st.cache_resource(max_entries=256, show_spinner=False)
def _noted(path: str, token: str, key: tuple, _make: Callable[[], T]) -> T:
    return _make()


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured(path: str, token: str, key: tuple, _make: Callable[[], T]) -> T:
    return _make()


class _Place:
    """Room for one value, which is made by the first who asks while others wait; a failure leaves it empty."""

    def __init__(self) -> None:
        self._lock, self._values = threading.RLock(), []

    def filled(self, make: Callable[[], T]) -> T:
        with self._lock:
            if not self._values:
                self._values.append(make())
            return self._values[0]


@st.cache_resource(max_entries=48, show_spinner=False)
def _place(path: str, token: str, key: tuple) -> _Place:
    return _Place()
