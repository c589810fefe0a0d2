"""A vocabulary over a run: a file of terms, scored over the stored vectors. No picture is read again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.errors import SourceError
from ingest.report import Report
from ingest.tables.tabular import SUFFIXES
from ingest.vision.words import labelling
from ingest.vision.words.scores import check_templates
from ingest.vision.words.terms import PROMPTS, terms_of, texts_of, vectors_of
from ingest.words import encode, lines_of, read_table, searchable_run, tower_of
from store import vectors, vocabularies
from store.connection import reading, writing
from store.counts import counted
from store.records import RunRecord
from store.vocabularies import Term, Vocabulary

if TYPE_CHECKING:
    from ingest.vision.words.tower import TextTower


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
    prompts = tuple(prompts) or PROMPTS
    check_templates(prompts)
    terms = read_terms(file, report)
    run = searchable_run(db, run_id)
    name = _name(db, run, file, name, terms, report)
    found, scale = _vectors(db, run, name, terms, prompts, device, report)
    ids, matrix = vectors.vectors(db, run.run_id)
    labels = labelling.label(matrix, found)
    kept = labelling.kept(len(ids), len(terms))
    settings = {**scale, "kept": kept, "pictures": len(ids), "file": file.name}
    vocabulary = Vocabulary(name, run.run_id, tuple(terms), prompts, settings)
    columns = (ids[labels.pictures], labels.terms, labels.scores, labels.ranks)
    with writing(db) as con:
        vocabularies.add_vocabulary(con, vocabulary, found, *columns)
    counts = {"terms": len(terms), "pictures": len(ids), "labels": len(labels.scores)}
    return {"db": str(db), "run_id": run.run_id, "vocabulary": name, **counts, "kept": kept, "prompts": list(prompts)}


def _name(db: Path, run: RunRecord, file: Path, name: str | None, terms: Sequence[Term], report: Report) -> str:
    """What the vocabulary of a file is called: the name that was given, else the file's. SourceError where that would
    replace the terms of another file; what else is replaced is said."""
    chosen = name or file.stem
    with reading(db) as con:
        before = next((each for each in vocabularies.vocabularies(con, run.run_id) if each.name == chosen), None)
    if before is None:
        return chosen
    other = before.settings.get("file", file.name)
    if name is None and other != file.name:
        raise SourceError(
            f"run {run.run_id} has a vocabulary {chosen} already, of {other}: name this one, --name OTHER, or replace "
            f"that one, --name {shlex.quote(chosen)}"
        )
    if lost := {each.term for each in before.terms} - {each.term for each in terms}:
        report.log(f"{chosen} is replaced: {counted(len(lost), 'term')} of before not in {file.name}")
    return chosen


def read_terms(file: Path, report: Report) -> list[Term]:
    """The terms of a file, each once: a table with a column term and, if you like, prompt and parent; of any other file
    each line is one. SourceError with a sentence for a file with none."""
    if file.suffix.lower() in SUFFIXES:
        sheet = read_table(file, "term", report)
        found, twice = terms_of(sheet.header, sheet.rows)
    else:
        found, twice = terms_of(["term"], [[line] for line in lines_of(file)])
    if not found:
        raise SourceError(f"{file.name} holds no term: a table with a column term is expected, or one a line")
    if twice:
        report.log(f"{twice} of the terms of {file.name} are repeated, and were left out")
    return [Term(*row) for row in found]


def _vectors(
    db: Path, run: RunRecord, name: str, terms: list[Term], prompts: Sequence[str], device: str, report: Report
) -> tuple[np.ndarray, dict[str, Any]]:
    """The terms' vectors (terms, dim), those of before where the same texts stand for them, and the network's scale and
    bias."""
    with reading(db) as con:
        before, scale = vocabularies.known_vectors(con, run.run_id, name, prompts)
    fresh = [term for term in terms if (term.term, term.prompt) not in before]
    if fresh:
        tower = tower_of(run, device, report)
        scale = {"model": tower.key, "logit_scale": tower.logit_scale, "logit_bias": tower.logit_bias}
        before |= _encoded(tower, fresh, prompts, report)
    return np.array([before[term.term, term.prompt] for term in terms], dtype=np.float32), scale


def _encoded(
    tower: TextTower, terms: list[Term], prompts: Sequence[str], report: Report
) -> dict[tuple[str, str | None], np.ndarray]:
    asked = [texts_of(term.term, term.prompt, prompts) for term in terms]
    if cut := tower.cut([text for texts in asked for text in texts]):
        report.log(
            f"{len(cut)} of the texts are longer than the {tower.most} tokens that are read, such as {cut[0][:60]!r}"
        )
    found = vectors_of(asked, lambda texts: encode(tower, texts, report))
    return {(term.term, term.prompt): vector for term, vector in zip(terms, found, strict=True)}
