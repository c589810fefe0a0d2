"""A vocabulary over a run: a file of terms, scored over the stored vectors. No picture is read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import SourceError
from ingest.report import Report
from ingest.tables.tabular import SUFFIXES
from ingest.vision.words import labelling
from ingest.vision.words.scores import check_templates, pooled
from ingest.vision.words.tower import TextTower
from ingest.words import clean, encode, lines_of, read_table, searchable_run, tower_of
from store import vectors, vocabularies
from store.connection import reading, writing
from store.records import RunRecord
from store.vocabularies import Term, Vocabulary

PROMPTS = ("a picture of {}",)


def add_vocabulary(
    db: Path,
    file: Path,
    name: str | None,
    prompts: Sequence[str],
    run_id: int | None,
    device: str,
    report: Report,
) -> dict[str, Any]:
    """Scores the terms of a file over a run and stores the labels, in place of those of the vocabulary of this name:
    counts of the last line. SourceError, NoTextTower, TextError, StoreError."""
    name, prompts = name or file.stem, tuple(prompts) or PROMPTS
    check_templates(prompts)
    terms = read_terms(file, report)
    run = searchable_run(db, run_id)
    found, scale = _vectors(db, run, name, terms, prompts, device, report)
    ids, matrix = vectors.vectors(db, run.run_id)
    labels = labelling.label(matrix, found)
    kept = labelling.kept(len(ids), len(terms))
    vocabulary = Vocabulary(name, run.run_id, tuple(terms), prompts, {**scale, "kept": kept, "pictures": len(ids)})
    columns = (ids[labels.pictures], labels.terms, labels.scores, labels.ranks)
    with writing(db) as con:
        vocabularies.add_vocabulary(con, vocabulary, found, *columns)
    counts = {"terms": len(terms), "pictures": len(ids), "labels": len(labels.scores)}
    return {"db": str(db), "run_id": run.run_id, "vocabulary": name, **counts, "kept": kept, "prompts": list(prompts)}


def read_terms(file: Path, report: Report) -> list[Term]:
    """The terms of a file, each once: a table with a column term and, if you like, prompt and parent; of any other file
    each line is one. SourceError with a sentence for a file with none."""
    if file.suffix.lower() in SUFFIXES:
        sheet = read_table(file, "term", report)
        places = [sheet.header.index(key) if key in sheet.header else None for key in ("term", "prompt", "parent")]
        rows = [[None if at is None else clean(row[at]) for at in places] for row in sheet.rows]
    else:
        rows = [[clean(line), None, None] for line in lines_of(file)]
    found: dict[str, Term] = {}
    for term, prompt, parent in rows:
        if term and term not in found:
            found[term] = Term(term, prompt or None, parent or None)
    if not found:
        raise SourceError(f"{file.name} holds no term: a table with a column term is expected, or one a line")
    if twice := sum(bool(term) for term, *_ in rows) - len(found):
        report.log(f"{twice} of the terms of {file.name} are there before, and were left out")
    return list(found.values())


def texts_of(term: Term, prompts: Sequence[str]) -> list[str]:
    """The texts whose mean vector stands for a term: its own prompt, or it in each of the templates."""
    return [term.prompt] if term.prompt else [template.replace("{}", term.term) for template in prompts]


def _vectors(
    db: Path, run: RunRecord, name: str, terms: list[Term], prompts: Sequence[str], device: str, report: Report
) -> tuple[np.ndarray, dict[str, Any]]:
    """The terms' vectors (terms, dim), those of before where the same texts stand for them, and the network's scale and
    bias."""
    before, scale = _before(db, run.run_id, name, prompts)
    fresh = [term for term in terms if (term.term, term.prompt) not in before]
    if fresh:
        tower = tower_of(run, device, report)
        scale = {"model": tower.key, "logit_scale": tower.logit_scale, "logit_bias": tower.logit_bias}
        before |= _encoded(tower, fresh, prompts, report)
    return np.array([before[term.term, term.prompt] for term in terms], dtype=np.float32), scale


def _encoded(
    tower: TextTower, terms: list[Term], prompts: Sequence[str], report: Report
) -> dict[tuple[str, str | None], np.ndarray]:
    asked = [texts_of(term, prompts) for term in terms]
    flat = [text for texts in asked for text in texts]
    if cut := tower.cut(flat):
        report.log(
            f"{len(cut)} of the texts are longer than the {tower.most} tokens that are read, such as {cut[0][:60]!r}"
        )
    vectors_of_terms = np.split(encode(tower, flat, report), np.cumsum([len(texts) for texts in asked])[:-1])
    return {(term.term, term.prompt): pooled(each[None])[0] for term, each in zip(terms, vectors_of_terms, strict=True)}


def _before(
    db: Path, run_id: int, name: str, prompts: Sequence[str]
) -> tuple[dict[tuple[str, str | None], np.ndarray], dict[str, Any]]:
    """The vectors of the vocabulary of this name, by term and prompt, if it was made with the same prompts."""
    with reading(db) as con:
        known = [each for each in vocabularies.vocabularies(con, run_id) if each.name == name]
        if not known or known[0].prompts != tuple(prompts):
            return {}, {}
        _, found = vocabularies.term_vectors(con, run_id, name)
    own = {key: known[0].settings.get(key) for key in ("model", "logit_scale", "logit_bias")}
    return {(term.term, term.prompt): row for term, row in zip(known[0].terms, found, strict=True)}, own
