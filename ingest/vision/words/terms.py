"""The terms of a vocabulary: how they are read from a table, and the texts and vectors that stand for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ingest.vision.words.scores import TextError, pooled

PROMPTS = ("a picture of {}",)
COLUMNS = ("term", "prompt", "parent")
_DELIMITERS = ",;\t|"


class TermRow(NamedTuple):
    """A term as a table has it; `prompt` is the text that stands for it where that is not made by the vocabulary's
    prompts, `parent` a broader term."""

    term: str
    prompt: str | None = None
    parent: str | None = None


def terms_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[TermRow], int]:
    """The terms of a table with a column `term` and, if you like, `prompt` and `parent`, each once, and how many were
    left out since they had been there before. TextError for a table with no such column."""
    names = [name.strip().lower() for name in header]
    if "term" not in names:
        raise TextError("the table needs a column called term, and names of columns in its first row")
    places = [names.index(column) if column in names else None for column in COLUMNS]
    cells = [[_cell(row, place) for place in places] for row in rows]
    given = [TermRow(term, prompt, parent) for term, prompt, parent in cells if term]
    found: dict[str, TermRow] = {}
    for row in given:
        found.setdefault(row.term, row)
    return [*found.values()], len(given) - len(found)


def read_csv(data: bytes) -> tuple[list[TermRow], int]:
    """The terms of a CSV file's bytes, in UTF-8, UTF-16 or Windows-1252, divided by comma, semicolon, tab or |; of one
    without a column `term`, and with one cell a line, each line is a term. As `terms_of`; TextError for no term."""
    text = _decoded(data)
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row))]
    if rows and not any(name.strip().lower() == "term" for name in rows[0]) and max(map(len, rows)) == 1:
        rows.insert(0, ["term"])
    found = terms_of(rows[0] if rows else ["term"], rows[1:])
    if not found[0]:
        raise TextError("the file holds no term: a table with a column term is expected, or one term a line")
    return found


def texts_of(term: str, prompt: str | None, prompts: Sequence[str]) -> list[str]:
    """The texts whose mean vector stands for a term: its own prompt, or it in each of the templates."""
    return [prompt] if prompt else [template.replace("{}", term) for template in prompts]


def vectors_of(texts: Sequence[Sequence[str]], encode: Callable[[list[str]], np.ndarray]) -> np.ndarray:
    """One vector a term, float32 (t, dim), L2-normalised: the mean of those of its `texts`. `encode` gives the vectors
    (n, dim) of n texts."""
    flat = [text for each in texts for text in each]
    parts = np.split(encode(flat), np.cumsum([len(each) for each in texts])[:-1])
    return np.concatenate([pooled(part[None]) for part in parts])


def _cell(row: Sequence[str], place: int | None) -> str | None:
    """A cell without spaces around it, half characters as question marks; None for an empty one."""
    text = "" if place is None or place >= len(row) else row[place].encode(errors="replace").decode().strip()
    return text or None


def _decoded(data: bytes) -> str:
    for encoding in ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TextError("the file is not a text file: save the table as CSV UTF-8")
