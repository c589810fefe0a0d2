"""Vocabularies as columns of pictures: the values of a picture are the terms that it is labelled with."""

from itertools import groupby
from operator import itemgetter

import duckdb

from store import rows
from store.catalogue import OWN
from store.identifiers import literal
from store.present import PRESENT

BESIDE = "vocabulary"  # what a column's name gets beside it where the metadata has one of that name
TAKEN = ("tag", "map cluster")  # what else stands among columns

Connection = duckdb.DuckDBPyConnection


def columns(con: Connection, run_id: int) -> dict[str, str]:
    """{name of the column: vocabulary} of a run's vocabularies, by name. One that is called as a column of the
    catalogue is, in any case of its letters, is "NAME (vocabulary)"."""
    names = [name for (name,) in rows.fetch(con, "SELECT name FROM catalogue_column")]
    taken = {name.casefold() for name in (*OWN, *TAKEN, *names)}
    found: dict[str, str] = {}
    for (vocabulary,) in rows.fetch(con, "SELECT name FROM vocabulary WHERE run_id = ? ORDER BY name", [run_id]):
        column, number = vocabulary, 1
        while column.casefold() in taken:
            column = f"{vocabulary} ({BESIDE})" if number == 1 else f"{vocabulary} ({BESIDE} {number})"
            number += 1
        taken.add(column.casefold())
        found[column] = vocabulary
    return found


def parts(run_id: int, vocabulary: str) -> str:
    """SQL for the rows (image_id, part): each term that a picture is labelled with."""
    of = f"run_id = {int(run_id)} AND vocabulary = {literal(vocabulary)}"
    return f"SELECT image_id, term AS part FROM labelled WHERE {of}"


def counts(con: Connection, run_id: int, vocabulary: str, own: bool = False) -> dict[str, int]:
    """{term: pictures that it labels}, broader terms among them, or with `own` only those that are labelled by the term
    itself; terms that label none are left out."""
    query = """
        SELECT term, count(*) FROM labelled WHERE run_id = ? AND vocabulary = ? AND NOT (? AND inherited)
        GROUP BY term ORDER BY term
    """
    return dict(rows.fetch(con, query, [run_id, vocabulary, own]))


def terms(con: Connection, run_id: int, vocabulary: str) -> dict[int, tuple[str, ...]]:
    """{image_id: the terms that it is labelled with, the best first and broader ones after it} of the images that the
    vocabulary was scored over."""
    params = {"run": run_id, "vocabulary": vocabulary}
    scored = f"""
        SELECT DISTINCT image_id FROM term_score JOIN vocabulary USING (vocabulary_id)
        WHERE run_id = $run AND name = $vocabulary AND {PRESENT}
    """
    query = """
        SELECT image_id, term FROM labelled WHERE run_id = $run AND vocabulary = $vocabulary
        ORDER BY image_id, rank, inherited, term
    """
    found: dict[int, tuple[str, ...]] = dict.fromkeys((image for (image,) in rows.fetch(con, scored, params)), ())
    for image, each in groupby(rows.fetch(con, query, params), itemgetter(0)):
        found[image] = tuple(term for _, term in each)
    return found


def run_of_projection(con: Connection, projection_id: int) -> int | None:
    """The run that a projection is of; None if there is no such projection."""
    found = rows.first(con, "SELECT run_id FROM projection WHERE projection_id = ?", [projection_id])
    return found[0] if found else None
