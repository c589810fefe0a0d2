"""Choosing images by metadata, by tags, and by SQL of a person's own."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask, ask_cached, whole
from store import connection, errors, facets, sandbox, schema

CONDITION_SECONDS = 10.0  # that a typed condition may take


def grouping(collection: str) -> list[str]:
    """The metadata columns that group images: not those in which nearly every image has a text of its own."""
    return list(ask_cached(facets.grouping, collection=collection))


def facet_columns(collection: str, run_id: int | None = None) -> dict[str, str]:
    """{column: 'number', 'date' or 'text'} of all that images can be chosen by: their metadata, their tags, and the
    vocabularies of a run."""
    return dict(ask(facets.columns, collection=collection, run_id=run_id))


def categories(
    collection: str, column: str, search: str = "", also: Sequence[str] = (), run_id: int | None = None
) -> facets.Categories:
    """The most frequent values of a column that hold the text `search`, and those of `also`."""
    how = {"search": search, "also": tuple(also), "run_id": run_id}
    return ask(facets.categories, collection=collection, column=column, **how)


def spread(collection: str, column: str) -> facets.Spread | None:
    """How the numbers or dates of a column lie."""
    return ask_cached(facets.spread, collection=collection, column=column)


def statement(
    collection: str, conditions: Iterable[facets.Condition], condition: str = "", run_id: int | None = None
) -> str:
    """SQL for the images that `matching` finds, those among them for which somebody's own condition holds."""
    how = {"conditions": tuple(conditions), "condition": condition, "run_id": run_id}
    return ask(facets.statement, collection=collection, **how)


def matching(collection: str, conditions: Iterable[facets.Condition], run_id: int | None = None) -> np.ndarray:
    """The ids (n,) int64, ascending, of the images for which all these conditions hold. Read-only."""
    return _matching(str(db()), whole(db()), collection, tuple(conditions), run_id)


def satisfying(condition: str) -> np.ndarray:
    """The ids (n,) int64, ascending, of the images for which a person's own SQL condition on the catalogue holds.
    Read-only. Raises SqlRefused, SqlFailed or SqlTimeout, the second time at once."""
    found = _satisfying(str(db()), whole(db()), condition)
    if isinstance(found, errors.StoreError):
        raise type(found)(str(found))
    return found


def query(sql: str, seconds: float = 10.0, rows: int = 1000) -> sandbox.QueryResult:
    """A person's own SQL in the sandbox. Remembers nothing. Raises SqlRefused, SqlFailed or SqlTimeout."""
    return sandbox.query(db(), sql, seconds=seconds, rows=rows)


def usable() -> pd.DataFrame:
    """kind ('view' or 'macro'), name, parts: what a query can use."""
    return ask_cached(schema.usable)


def state() -> str:
    """A word that changes whenever the database in view does."""
    return whole(db())


@st.cache_resource(max_entries=16, show_spinner=False)
def _matching(path: str, token: str, collection: str, conditions: tuple, run_id: int | None) -> np.ndarray:
    with connection.reading(path) as con:
        return facets.matching(con, collection, conditions, run_id)


@st.cache_resource(max_entries=16, show_spinner=False)
def _satisfying(path: str, token: str, condition: str) -> np.ndarray | errors.StoreError:
    try:
        found = np.array(sandbox.matching(path, condition, CONDITION_SECONDS))
    except (errors.SqlRefused, errors.SqlFailed, errors.SqlTimeout) as error:
        return error
    if found.dtype.kind not in "iu" and found.size:  # a condition that closes our bracket and opens one of its own
        return errors.SqlRefused("Type one condition on the columns of the catalogue, such as year > 1500.")
    found = np.unique(found).astype(np.int64)
    found.flags.writeable = False
    return found
