"""Texts with their vectors: what a run's pictures were searched for, and can be again without a network."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from store import rows
from store.errors import StoreError

Connection = duckdb.DuckDBPyConnection
_NEAREST = re.compile(r"image_id IN \(SELECT image_id FROM nearest_text\(\d+, '((?:[^']|'')*)', (\d+)\)\)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class StoredText:
    """A text as a run's network reads it: `vector` (dim,) float32, L2-normalised, in the space of the run's features;
    `model` names the text tower; what its cosines are multiplied by and what is added to them, None of CLIP; whether
    the text was `cut`, being longer than the network reads."""

    text: str
    vector: np.ndarray
    model: str
    logit_scale: float
    logit_bias: float | None = None
    cut: bool = False


def add_texts(con: Connection, run_id: int, texts: Iterable[StoredText]) -> int:
    """Store texts of a run, each once: one that is there gets the new vector. Returns how many are new.

    Raises StoreError for vectors of another length than the run's, or a run that is not there.
    """
    latest = {each.text: each for each in texts}
    found = rows.first(con, "SELECT dim FROM run WHERE run_id = ?", [run_id])
    if found is None:
        raise StoreError(f"There is no run {run_id}, so no text can be stored with it.")
    for each in latest.values():
        if each.vector.shape != found:
            raise StoreError(
                f"The features of run {run_id} have {found[0]} numbers; the vector of {each.text!r} has "
                f"{len(each.vector)}: it is of another network."
            )
    before = rows.one(con, "SELECT count(*) FROM stored_text WHERE run_id = ?", [run_id])[0]
    query = "DELETE FROM stored_text WHERE run_id = ? AND text IN (SELECT unnest(?::VARCHAR[]))"
    rows.fetch(con, query, [run_id, list(latest)])
    if latest:
        rows.insert(con, "stored_text", _columns(run_id, rows.next_id(con, "stored_text"), [*latest.values()]))
    return rows.one(con, "SELECT count(*) FROM stored_text WHERE run_id = ?", [run_id])[0] - before


def texts(con: Connection, run_id: int, wanted: Sequence[str] | None = None) -> dict[str, StoredText]:
    """{text: StoredText} of a run's texts, those that are `wanted` or all, the oldest first."""
    query = "SELECT text, vector, model, logit_scale, logit_bias, cut FROM stored_text WHERE run_id = $run"
    params = {"run": run_id}
    if wanted is not None:
        query, params = f"{query} AND text IN (SELECT unnest($texts::VARCHAR[]))", {**params, "texts": list(wanted)}
    return {
        text: StoredText(text, np.array(vector, dtype=np.float32), *rest)
        for text, vector, *rest in rows.fetch(con, f"{query} ORDER BY stored_text_id", params)
    }


def nearest_condition(run_id: int, text: str, k: int) -> str:
    """SQL for the k images of a run that are most like a stored text, as a condition on the catalogue."""
    quoted = text.replace("'", "''")
    return f"image_id IN (SELECT image_id FROM nearest_text({int(run_id)}, '{quoted}', {int(k)}))"


def text_of_condition(sql: str) -> tuple[str, int] | None:
    """The text and the number of images in a `nearest_condition`; None for any other SQL."""
    found = _NEAREST.fullmatch(sql)
    return (found[1].replace("''", "'"), int(found[2])) if found else None


def delete_texts(con: Connection, run_id: int, unwanted: Iterable[str]) -> None:
    """Forget these texts of a run."""
    query = "DELETE FROM stored_text WHERE run_id = ? AND text IN (SELECT unnest(?::VARCHAR[]))"
    rows.fetch(con, query, [run_id, list(unwanted)])


def _columns(run_id: int, first: int, found: list[StoredText]) -> dict:
    return {
        "stored_text_id": np.arange(first, first + len(found)),
        "run_id": [run_id] * len(found),
        "text": [each.text for each in found],
        "vector": rows.lists(np.stack([each.vector.astype(np.float32) for each in found])),
        "model": [each.model for each in found],
        "logit_scale": [each.logit_scale for each in found],
        "logit_bias": [each.logit_bias for each in found],
        "cut": [each.cut for each in found],
        "created_at": [rows.now()] * len(found),
    }
