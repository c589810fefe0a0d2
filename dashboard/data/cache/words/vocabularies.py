"""Vocabularies of a run: their terms as columns of pictures, thresholds, marks, and scoring one anew.

All of it is asked by `ask`: thresholds and marks are what people say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dashboard.data.cache.collection import catalogue_parts, metadata_columns
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import PATIENCE, annotating, ask
from dashboard.data.cache.networks import features
from dashboard.data.cache.words import text_tower
from store import connection, labelled
from store import thresholds as threshold_store
from store import vocabularies as vocabulary_store
from store.records import RunRecord
from store.vocabularies import Term, Vocabulary

if TYPE_CHECKING:
    from ingest.vision.words.terms import TermRow


def vocabularies(run_id: int) -> list[Vocabulary]:
    """The vocabularies of a run, by name."""
    return list(ask(vocabulary_store.vocabularies, run_id=run_id))


def vocabulary_columns(run: RunRecord) -> dict[str, str]:
    """{name of the column: vocabulary} of those of a run."""
    return dict(ask(labelled.columns, run_id=run.run_id))


def columns_with_labels(run: RunRecord) -> dict[str, str]:
    """{column: 'number', 'date' or 'text'} of the metadata of a run's pictures, and its vocabularies."""
    return metadata_columns(run.collection) | dict.fromkeys(vocabulary_columns(run), "text")


def catalogue_with_labels(run: RunRecord) -> pd.DataFrame:
    """`catalogue_parts` of a run's collection with a column for each vocabulary: tuples of the terms that a picture is
    labelled with, None where it was not scored."""
    table = catalogue_parts(run.collection)
    columns = {}
    for column, vocabulary in vocabulary_columns(run).items():
        terms = ask(labelled.terms, run_id=run.run_id, vocabulary=vocabulary)
        columns[column] = pd.Series([terms.get(image) for image in table["image_id"]], table.index, dtype=object)
    return table.assign(**columns)


def label_counts(run_id: int, vocabulary: str) -> dict[str, int]:
    """{term: pictures that it labels}, broader terms among them."""
    return dict(ask(labelled.counts, run_id=run_id, vocabulary=vocabulary))


def own_label_counts(run_id: int, vocabulary: str) -> dict[str, int]:
    """{term: pictures that it labels itself}."""
    return dict(ask(labelled.counts, run_id=run_id, vocabulary=vocabulary, own=True))


def term_scores(run_id: int, vocabulary: str, term: str) -> pd.DataFrame:
    """image_id, score (cosine) of a term's stored scores, the best first."""
    return ask(threshold_store.scores, run_id=run_id, vocabulary=vocabulary, term=term)


def thresholds(run_id: int, vocabulary: str) -> dict[str, float]:
    """{term: the least score that it labels} of the terms that have a threshold."""
    return dict(ask(threshold_store.thresholds, run_id=run_id, vocabulary=vocabulary))


def set_threshold(run_id: int, vocabulary: str, term: str, threshold: float | None) -> None:
    """Store a term's threshold, a cosine; None takes it away."""
    with annotating() as con:
        threshold_store.set_threshold(con, run_id, vocabulary, term, threshold)


def marks(run_id: int, vocabulary: str, term: str) -> pd.DataFrame:
    """image_id, correct, current: what people said of pictures, as `store.thresholds.marks`."""
    return ask(threshold_store.marks, run_id=run_id, vocabulary=vocabulary, term=term)


def add_marks(run_id: int, vocabulary: str, term: str, found: Mapping[int, bool]) -> None:
    """Store what somebody says of these pictures, {image_id: whether the term is right}."""
    with annotating() as con:
        threshold_store.add_marks(con, run_id, vocabulary, term, found)


def score_vocabulary(run: RunRecord, name: str, terms: Sequence[TermRow | Term], prompts: Sequence[str]) -> list[str]:
    """Score terms over a run's stored vectors, in place of its vocabulary of this name; returns the texts that are
    longer than the network reads. Only where a text is new is the text tower needed: raises its NoTextTower, and
    TextError for a prompt without a place for the term."""
    from ingest.vision.words import labelling
    from ingest.vision.words.scores import check_templates
    from ingest.vision.words.terms import texts_of, vectors_of

    check_templates(prompts)
    rows = [Term(each.term, each.prompt, each.parent) for each in terms]
    before, about = ask(vocabulary_store.known_vectors, run_id=run.run_id, name=name, prompts=tuple(prompts))
    known, cut = dict(before), []
    if fresh := [row for row in rows if (row.term, row.prompt) not in known]:
        tower = text_tower(run)
        texts = [texts_of(row.term, row.prompt, prompts) for row in fresh]
        cut = tower.cut([text for each in texts for text in each])
        about = {"model": tower.key, "logit_scale": tower.logit_scale, "logit_bias": tower.logit_bias}
        keys = [(row.term, row.prompt) for row in fresh]
        known |= dict(zip(keys, vectors_of(texts, tower.encode), strict=True))
    vectors = np.array([known[row.term, row.prompt] for row in rows], np.float32)
    ids, matrix = features(run.run_id)
    found = labelling.label(matrix, vectors)
    settings = {**about, "kept": labelling.kept(len(ids), len(rows)), "pictures": len(ids)}
    vocabulary = Vocabulary(name, run.run_id, tuple(rows), tuple(prompts), settings)
    columns = (ids[found.pictures], found.terms, found.scores, found.ranks)
    # The names of clusters come from vocabularies: what is remembered is out of date, as it is not by annotations.
    with connection.writing(db(), wait=PATIENCE) as con:
        vocabulary_store.add_vocabulary(con, vocabulary, vectors, *columns)
    return cut
