"""From which score on a term of a vocabulary labels pictures, and what people have said of pictures to find that out.

Both go by the names of vocabulary and term. What changes them is for a connection that writes.
"""

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa

from store import rows
from store.present import PRESENT

SAME = 1e-5  # scores that differ by less are those of the same vectors

Connection = duckdb.DuckDBPyConnection


def scores(con: Connection, run_id: int, vocabulary: str, term: str) -> pa.Table:
    """image_id, score (cosine, float32) of all stored scores of a term, the best first; not of removed
    pictures."""
    query = f"""
        SELECT s.image_id, s.score
        FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position)
        WHERE v.run_id = $run AND v.name = $vocabulary AND t.term = $term AND s.{PRESENT}
        ORDER BY s.score DESC, s.image_id
    """
    found = con.execute(query, _named(run_id, vocabulary, term)).fetchnumpy()
    return pa.table({name: np.asarray(found[name]) for name in ("image_id", "score")})


def thresholds(con: Connection, run_id: int, vocabulary: str) -> dict[str, float]:
    """{term: the least score that it labels} of the terms that have a threshold."""
    query = "SELECT term, threshold FROM term_threshold WHERE run_id = ? AND vocabulary = ? ORDER BY term"
    return dict(rows.fetch(con, query, [run_id, vocabulary]))


def set_threshold(con: Connection, run_id: int, vocabulary: str, term: str, threshold: float | None) -> None:
    """Label with a term the pictures that score at least `threshold`, a cosine; None takes the threshold away."""
    query = "DELETE FROM term_threshold WHERE run_id = $run AND vocabulary = $vocabulary AND term = $term"
    rows.fetch(con, query, _named(run_id, vocabulary, term))
    if threshold is not None:
        about = {"run_id": [run_id], "vocabulary": [vocabulary], "term": [term]}
        rows.insert(con, "term_threshold", {**about, "threshold": [threshold], "created_at": [rows.now()]})


def marks(con: Connection, run_id: int, vocabulary: str, term: str) -> pa.Table:
    """image_id, correct, current (whether the picture still has the score that it was sampled by), by image_id."""
    query = f"""
        SELECT m.image_id, m.correct, coalesce(abs(l.score - m.score) < {SAME}, false) AS current
        FROM term_marks m LEFT JOIN labels l USING (run_id, vocabulary, term, image_id)
        WHERE m.run_id = $run AND m.vocabulary = $vocabulary AND m.term = $term ORDER BY m.image_id
    """
    return con.sql(query, params=rows.plain(_named(run_id, vocabulary, term))).to_arrow_table()


def add_marks(con: Connection, run_id: int, vocabulary: str, term: str, found: Mapping[int, bool]) -> None:
    """Store for these pictures, {image_id: whether the term is right}, what somebody found, in place of what was said
    of them before. Pictures without a score of the term are passed over."""
    about, ids = _named(run_id, vocabulary, term), [int(each) for each in found]
    query = """
        DELETE FROM term_mark WHERE run_id = $run AND vocabulary = $vocabulary AND term = $term
            AND image_id IN (SELECT unnest($ids::BIGINT[]))
    """
    rows.fetch(con, query, {**about, "ids": ids})
    query = """
        INSERT INTO term_mark BY NAME
        SELECT l.run_id, l.vocabulary, l.term, l.image_id, l.score, m.correct, $now::TIMESTAMP AS created_at
        FROM labels l JOIN (
            SELECT unnest($ids::BIGINT[]) AS image_id, unnest($correct::BOOLEAN[]) AS correct
        ) m USING (image_id)
        WHERE l.run_id = $run AND l.vocabulary = $vocabulary AND l.term = $term
    """
    correct = [bool(each) for each in found.values()]
    rows.fetch(con, query, {**about, "ids": ids, "correct": correct, "now": rows.now()})


def outdated(known: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> list[str]:
    """The terms whose vectors are others now, or that are gone: what was a threshold of their scores is none now."""
    return [term for term, vector in known.items() if term not in new or not np.allclose(vector, new[term], atol=SAME)]


def forget_thresholds(con: Connection, run_id: int, vocabulary: str, terms: list[str]) -> None:
    """Take the thresholds of these terms away; what people said of pictures stays."""
    query = """
        DELETE FROM term_threshold WHERE run_id = ? AND vocabulary = ? AND term IN (SELECT unnest(?::VARCHAR[]))
    """
    rows.fetch(con, query, [run_id, vocabulary, terms])


def forget_vocabulary(con: Connection, run_id: int, vocabulary: str) -> None:
    """Take away all thresholds of a vocabulary and all that people said of pictures."""
    for table in ("term_threshold", "term_mark"):
        rows.fetch(con, f"DELETE FROM {table} WHERE run_id = ? AND vocabulary = ?", [run_id, vocabulary])


def _named(run_id: int, vocabulary: str, term: str) -> dict[str, int | str]:
    return {"run": run_id, "vocabulary": vocabulary, "term": term}
