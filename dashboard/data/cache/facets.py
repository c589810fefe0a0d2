"""Choosing images by metadata, by tags, and by SQL of a person's own."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial, reduce

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import charts
from dashboard.compute.arrangements import years
from dashboard.data.cache.collection import catalogue, list_columns, metadata_columns, number_columns, time_columns
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask, ask_cached, remembered, whole
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


def chart_columns(collection: str, run_id: int) -> dict[str, charts.Column]:
    """The columns of a collection that can be drawn as charts: the best of time first, texts that group, numbers that
    measure, tags, and the vocabularies of a run. Read-only."""
    known = remembered(lambda: _chart_columns(collection), "charts", collection)
    beside = [name for name in facet_columns(collection, run_id) if name not in metadata_columns(collection)]
    key = ("charts beside", collection, run_id, whole(db()))
    more = remembered(lambda: _with_parts(collection, beside, run_id), *key) if beside else {}
    found = known | {name: column for name, column in more.items() if column.names}
    _drawn[str(db()), whole(db()), collection, run_id] = found
    while len(_drawn) > DRAWN:
        _drawn.popitem(last=False)
    return found


# Of the collections whose charts are drawn: what they ask need not be asked of the database once more, which at 100,000
# images takes longer than all charts together.
_drawn: OrderedDict[tuple[str, str, str, int | None], dict[str, charts.Column]] = OrderedDict()
DRAWN = 4


def _chart_columns(collection: str) -> dict[str, charts.Column]:
    table, kinds, times = catalogue(collection), metadata_columns(collection), time_columns(collection)
    several = _with_parts(collection, [name for name in list_columns() if name in kinds], None)
    texts = [name for name in grouping(collection) if kinds.get(name) == "text" and name not in times]
    found: dict[str, charts.Column] = {}
    for name in times:
        base = years.range_column(name, kinds)
        if base == name:
            found[name] = charts.years_of(name, table[f"{name}_from"], table[f"{name}_to"])
        elif base is None:
            found[name] = (charts.days_of if kinds[name] == "date" else charts.numbers_of)(name, table[name])
    found |= {name: several[name] if name in several else charts.values_of(name, table[name]) for name in texts}
    numbers = {name: charts.numbers_of(name, table[name]) for name in number_columns(collection)}
    found |= {name: column for name, column in numbers.items() if not column.is_numbering}
    return {name: column for name, column in found.items() if not column.missing.all()}


def _with_parts(collection: str, names: Sequence[str], run_id: int | None) -> dict[str, charts.Values]:
    ids = catalogue(collection)["image_id"].to_numpy()
    with connection.reading(db()) as con:
        return {name: charts.parts_of(name, ids, *facets.parts(con, name, run_id)) for name in names}


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


@st.cache_resource(max_entries=48, show_spinner=False)
def _matching(path: str, token: str, collection: str, conditions: tuple, run_id: int | None) -> np.ndarray:
    columns = _drawn.get((path, token, collection, run_id), {})
    answers = {each: columns[each.column].holds(each) for each in conditions if each.column in columns}
    masks = [mask for mask in answers.values() if mask is not None]
    rest = [each for each in conditions if answers.get(each) is None]
    found = None
    if len(conditions) > 1 and rest:  # each by itself, since one click changes one of them
        alone = [_matching(path, token, collection, (each,), run_id) for each in rest]
        found = reduce(partial(np.intersect1d, assume_unique=True), alone)
    elif not masks:
        with connection.reading(path) as con:
            found = facets.matching(con, collection, rest, run_id)
    if masks:
        left = catalogue(collection)["image_id"].to_numpy()[np.logical_and.reduce(masks)]
        found = left if found is None else np.intersect1d(left, found, assume_unique=True)
    assert found is not None
    found = found.astype(np.int64)
    found.flags.writeable = False
    return found


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
