"""Vocabularies: lists of terms that were scored over the pictures of a run, and the labels that pictures got so."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows, thresholds
from store.errors import StoreError
from store.present import PRESENT

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Term:
    """A term of a vocabulary; `prompt` is the text that stands for it where that is not made by the vocabulary's
    prompts, `parent` a broader term."""

    term: str
    prompt: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary of a run: its terms in their order, and the `prompts`, whose mean vector stands for a term.
    `settings` say which scores were kept (`kept`), and the network's `logit_scale` and `logit_bias`."""

    name: str
    run_id: int
    terms: tuple[Term, ...]
    prompts: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


def add_vocabulary(
    con: Connection,
    vocabulary: Vocabulary,
    vectors: np.ndarray,
    image_ids: np.ndarray,
    positions: np.ndarray,
    scores: np.ndarray,
    ranks: np.ndarray,
) -> int:
    """Store a vocabulary and its labels in place of those of the run's vocabulary of this name; returns its id.

    `vectors` (terms, dim) float32, L2-normalised; a label is an image id, the position of its term, the cosine and the
    rank of the term at this picture: four arrays (m,). What people said of pictures stays, and so do the thresholds of
    terms with the same vectors as before. Raises StoreError where lengths do not go together.
    """
    if len(vectors) != len(vocabulary.terms) or len({len(image_ids), len(positions), len(scores), len(ranks)}) > 1:
        raise StoreError(
            "Each term of a vocabulary needs a vector, and each label a picture, a term, a score and a rank."
        )
    known, new = term_vectors(con, vocabulary.run_id, vocabulary.name), [each.term for each in vocabulary.terms]
    outdated = thresholds.outdated(dict(zip(*known, strict=True)), dict(zip(new, vectors, strict=True)))
    thresholds.forget_thresholds(con, vocabulary.run_id, vocabulary.name, outdated)
    _delete_scores(con, vocabulary.run_id, vocabulary.name)
    number = rows.next_id(con, "vocabulary")
    settings = rows.to_json(vocabulary.settings, sort_keys=True)
    row = [number, vocabulary.run_id, vocabulary.name, list(vocabulary.prompts), settings, rows.now()]
    rows.fetch(con, "INSERT INTO vocabulary VALUES (?, ?, ?, ?, ?, ?)", row)
    terms = {name: [getattr(each, name) for each in vocabulary.terms] for name in ("term", "prompt", "parent")}
    places = {"vocabulary_id": [number] * len(vocabulary.terms), "position": np.arange(len(vocabulary.terms))}
    rows.insert(con, "vocabulary_term", {**places, **terms, "vector": rows.lists(vectors)})
    labels = {"image_id": image_ids, "position": positions, "score": scores, "rank": ranks}
    rows.insert(con, "term_score", {"vocabulary_id": np.full(len(scores), number, np.int32), **labels})
    return number


def delete_vocabulary(con: Connection, run_id: int, name: str) -> None:
    """Forget a vocabulary of a run, its terms, labels and thresholds, and what people said of its labels."""
    _delete_scores(con, run_id, name)
    thresholds.forget_vocabulary(con, run_id, name)


def _delete_scores(con: Connection, run_id: int, name: str) -> None:
    found = rows.first(con, "SELECT vocabulary_id FROM vocabulary WHERE run_id = ? AND name = ?", [run_id, name])
    for table in ("term_score", "vocabulary_term", "vocabulary") if found else ():
        rows.fetch(con, f"DELETE FROM {table} WHERE vocabulary_id = ?", found)


def vocabularies(con: Connection, run_id: int | None = None) -> list[Vocabulary]:
    """The vocabularies of a run, of all runs without one, by name; with their terms."""
    query = """
        SELECT v.name, v.run_id, v.prompts, v.settings::VARCHAR, v.created_at, t.term, t.prompt, t.parent
        FROM vocabulary v JOIN vocabulary_term t USING (vocabulary_id)
        WHERE $run IS NULL OR v.run_id = $run ORDER BY v.run_id, v.name, t.position
    """
    found: dict[tuple[int, str], tuple[list[Term], tuple]] = {}
    for name, run, prompts, settings, created_at, *term in rows.fetch(con, query, {"run": run_id}):
        terms, _ = found.setdefault((run, name), ([], (tuple(prompts), json.loads(settings), created_at)))
        terms.append(Term(*term))
    return [Vocabulary(name, run, tuple(terms), *rest) for (run, name), (terms, rest) in found.items()]


def term_vectors(con: Connection, run_id: int, name: str) -> tuple[list[str], np.ndarray]:
    """The terms of a vocabulary in their order, and their vectors (terms, dim) float32, L2-normalised."""
    query = """
        SELECT t.term, t.vector FROM vocabulary_term t JOIN vocabulary v USING (vocabulary_id)
        WHERE v.run_id = ? AND v.name = ? ORDER BY t.position
    """
    found = rows.fetch(con, query, [run_id, name])
    return [term for term, _ in found], np.array([vector for _, vector in found], dtype=np.float32)


def known_vectors(
    con: Connection, run_id: int, name: str, prompts: Sequence[str]
) -> tuple[dict[tuple[str, str | None], np.ndarray], dict[str, Any]]:
    """{(term, prompt): vector} of the run's vocabulary of this name, and its model, scale and bias, if it was made with
    the same prompts; else nothing."""
    known = next((each for each in vocabularies(con, run_id) if each.name == name), None)
    if known is None or known.prompts != tuple(prompts):
        return {}, {}
    _, found = term_vectors(con, run_id, name)
    own = {key: known.settings.get(key) for key in ("model", "logit_scale", "logit_bias")}
    return {(term.term, term.prompt): row for term, row in zip(known.terms, found, strict=True)}, own


def labels_of(
    con: Connection, run_id: int, image_id: int, name: str | None = None, most: int | None = None
) -> pa.Table:
    """vocabulary, term, parent, score, rank of the terms that an image has of a vocabulary, or of all of the run's, the
    best first; no more than the `most` best of each."""
    query = """
        SELECT v.name AS vocabulary, t.term, t.parent, s.score, s.rank
        FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position)
        WHERE v.run_id = $run AND s.image_id = $image AND ($name IS NULL OR v.name = $name)
            AND ($most IS NULL OR s.rank <= $most)
        ORDER BY v.name, s.rank, t.position
    """
    params = {"run": run_id, "image": image_id, "name": name, "most": most}
    return con.sql(query, params=rows.plain(params)).to_arrow_table()


def images_of(
    con: Connection, run_id: int, name: str, term: str, k: int, among: Iterable[int] | None = None
) -> pa.Table:
    """image_id, score, rank of the k images with the highest stored scores of a term, best first, `among` these."""
    query = f"""
        SELECT s.image_id, s.score, s.rank
        FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position)
        WHERE v.run_id = $run AND v.name = $name AND t.term = $term
            AND s.{PRESENT} AND ($ids IS NULL OR s.image_id IN (SELECT unnest($ids::BIGINT[])))
        ORDER BY s.score DESC, s.image_id LIMIT $k
    """
    ids = None if among is None else [int(each) for each in among]
    params = {"run": run_id, "name": name, "term": term, "ids": ids, "k": k}
    return con.sql(query, params=rows.plain(params)).to_arrow_table()


def term_counts(con: Connection, run_id: int, name: str, ids: Sequence[int] | None = None) -> pa.Table:
    """term, parent, first (images of which it is the best term), kept (images that keep a score of it), mean (of these
    scores), over the images `ids` or all, in the order of the vocabulary."""
    query = f"""
        SELECT t.term, t.parent, count(*) FILTER (s.rank = 1) AS first, count(s.image_id) AS kept, avg(s.score) AS mean
        FROM vocabulary_term t JOIN vocabulary v USING (vocabulary_id)
        LEFT JOIN term_score s ON s.vocabulary_id = t.vocabulary_id AND s.position = t.position
            AND s.{PRESENT} AND ($ids IS NULL OR s.image_id IN (SELECT unnest($ids::BIGINT[])))
        WHERE v.run_id = $run AND v.name = $name
        GROUP BY t.position, t.term, t.parent ORDER BY t.position
    """
    params = {"run": run_id, "name": name, "ids": None if ids is None else [int(each) for each in ids]}
    return con.sql(query, params=rows.plain(params)).to_arrow_table()
