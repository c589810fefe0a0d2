"""Searching a run by words: texts become vectors once, and are stored with the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.errors import SourceError
from ingest.report import Report
from ingest.runs import newest_run
from ingest.tables import encodings
from ingest.tables.tabular import SUFFIXES, Sheet, read_sheets
from ingest.vision.spaces import is_joint
from ingest.vision.words.scores import NEUTRAL, combined, readings
from store import read, sandbox, texts, vectors
from store.connection import reading, writing
from store.errors import SqlFailed, SqlRefused
from store.records import RunRecord
from store.texts import StoredText

if TYPE_CHECKING:
    from ingest.vision.words.tower import TextTower

REPORTED = 3  # of the texts that are cut
READINGS = ("probability", "percentile", "against_neutral")


def searchable_run(db: Path, run_id: int | None = None) -> RunRecord:
    """The run with this number; without one the newest that can be searched by words, else the newest. SourceError."""
    if run_id is None:
        with reading(db) as con:
            runs = [run for run in read.runs(con) if run.images and is_joint(run.settings)]
        if runs:
            return max(runs, key=lambda run: run.run_id)
    return newest_run(db, run_id)


def tower_of(run: RunRecord, device: str, report: Report) -> TextTower:
    """The text tower of a run's network. NoTextTower. It alone loads torch: what is stored needs none."""
    from ingest.models import choose_device
    from ingest.vision.words.opening import load_text_tower

    report.log(f"loading the text tower of {run.title} …")
    return load_text_tower(run.settings, choose_device(device))


def vectors_of(db: Path, run: RunRecord, wanted: Sequence[str], device: str, report: Report) -> dict[str, StoredText]:
    """{text: StoredText} of these texts: as they are stored, else encoded now and stored with the run. Only then is the
    text tower needed. NoTextTower, TextError, StoreError."""
    with reading(db) as con:
        found = texts.texts(con, run.run_id, wanted)
    if missing := [text for text in dict.fromkeys(wanted) if text not in found]:
        fresh = encoded(tower_of(run, device, report), missing, report)
        with writing(db) as con:
            texts.add_texts(con, run.run_id, fresh)
        found |= {each.text: each for each in fresh}
    cut = [text for text, each in found.items() if each.cut]
    for text in cut[:REPORTED]:
        report.log(f"longer than {run.title} reads, so that its end has no say: {text[:60]!r} …")
    if len(cut) > REPORTED:
        report.log(f"and {len(cut) - REPORTED} more (SELECT text FROM texts WHERE cut)")
    return found


def clean(text: str) -> str:
    """A text as it is stored: without spaces around it, half characters as question marks."""
    return text.encode(errors="replace").decode().strip()


def encode(tower: TextTower, wanted: Sequence[str], report: Report) -> np.ndarray:
    """`tower.encode`, with a progress bar where there are more texts than a batch."""
    from ingest.vision.words.tower import BATCH

    parts = []
    with report.progress(len(wanted) if len(wanted) > BATCH else 0, "encoding", "texts") as advance:
        for start in range(0, len(wanted), BATCH):
            parts.append(tower.encode(wanted[start : start + BATCH]))
            advance(len(parts[-1]))
    return np.concatenate(parts)


def encoded(tower: TextTower, wanted: Sequence[str], report: Report) -> list[StoredText]:
    """Texts as a tower reads them."""
    cut = set(tower.cut(wanted))
    about = (tower.key, tower.logit_scale, tower.logit_bias)
    return [
        StoredText(text, vector, *about, cut=text in cut)
        for text, vector in zip(wanted, encode(tower, wanted, report), strict=True)
    ]


def search(
    db: Path,
    words: str,
    minus: Sequence[str],
    k: int,
    where: str | None,
    run_id: int | None,
    device: str,
    report: Report,
) -> dict[str, Any]:
    """The k pictures of a run that are most like words and least like others, among those for which an SQL condition on
    the catalogue holds: `images` with rank, image_id, score (cosine), those of READINGS that are known, path, title.
    """
    words, minus = clean(words), [clean(text) for text in minus]
    run = searchable_run(db, run_id)
    # Of CLIP's cosines nobody knows whether they are large; of SigLIP's the network itself says so.
    found = vectors_of(db, run, [words, *minus], device, report)
    asked = found[words]
    neutral = vectors_of(db, run, NEUTRAL, device, report) if asked.logit_bias is None and not minus else None
    ids, matrix = vectors.vectors(db, run.run_id)
    direction = combined(asked.vector, np.array([found[text].vector for text in minus]))
    among = None if where is None else np.isin(ids, matching(db, where))
    nearest, cosines = vectors.nearest(ids, matrix, direction, k, among)
    rows = [{"rank": place, "image_id": int(image)} for place, image in enumerate(nearest, start=1)]
    columns = {"score": cosines}
    if not minus and len(nearest):  # a direction between texts is none that the network was trained to score
        places = np.searchsorted(ids, nearest)
        others = None if neutral is None else matrix[places] @ np.array([neutral[text].vector for text in NEUTRAL]).T
        every = matrix @ direction
        columns |= readings(every[places], every, asked.logit_scale, asked.logit_bias, others)
    with reading(db) as con:
        about = {row["image_id"]: row for row in read.images(con, ids=[row["image_id"] for row in rows]).to_pylist()}
    for place, row in enumerate(rows):
        row |= {name: round(float(values[place]), 4) for name, values in columns.items()}
        row |= {name: about[row["image_id"]][name] for name in ("path", "title")}
    return {"words": words, "minus": minus, "run_id": run.run_id, "model": run.backbone, "images": rows}


def store_texts(db: Path, file: Path, run_id: int | None, device: str, report: Report) -> dict[str, Any]:
    """Stores the vectors of the texts of a file, one a line, or a table's column `text`: counts of the last line."""
    wanted = read_texts(file, report)
    run = searchable_run(db, run_id)
    with reading(db) as con:
        known = texts.texts(con, run.run_id, wanted)
    vectors_of(db, run, wanted, device, report)
    return {"db": str(db), "run_id": run.run_id, "texts": len(wanted), "new": len(wanted) - len(known)}


def read_texts(file: Path, report: Report) -> list[str]:
    """The texts of a file, each once. SourceError with a sentence for a file with none."""
    if file.suffix.lower() in SUFFIXES:
        sheet = read_table(file, "text", report)
        found = [row[sheet.header.index("text")] for row in sheet.rows]
    else:
        found = lines_of(file)
    found = list(dict.fromkeys(text for each in found if (text := clean(each))))
    if not found:
        raise SourceError(f"{file.name} holds no text: one a line is expected, or a table with a column text")
    return found


def lines_of(file: Path) -> list[str]:
    """The lines of a text file in whatever encoding. SourceError."""
    try:
        return encodings.decoded(file.name, file.read_bytes()).text.splitlines()
    except OSError as error:
        raise SourceError(f"{file} could not be read: {error.strerror or error}") from None


def read_table(file: Path, needed: str, report: Report) -> Sheet:
    """The table of a file that has this column, in small letters; what is odd about its rows is said. SourceError."""
    sheets = [sheet for sheet in read_sheets(file) if needed in map(str.lower, sheet.header)]
    if not sheets:
        raise SourceError(f"{file.name} needs a column called {needed}, and names of columns in its first row")
    sheet = sheets[0]
    for number, sentence in sheet.odd[:3]:
        report.log(f"{file.name}, {sheet.grid.unit} {number}: {sentence}")
    return Sheet([name.lower() for name in sheet.header], sheet.rows, sheet.numbers)


def matching(db: Path, where: str) -> list[int]:
    """The ids of the images for which an SQL condition on the catalogue holds. SourceError."""
    try:
        return sandbox.matching(db, where)
    except (SqlFailed, SqlRefused) as error:
        raise SourceError(f"--where {where!r} cannot be asked of the catalogue: {error}") from error
