"""How long words take over 100,000 pictures: to the first results, and a vocabulary of 1,000 terms.

`python -m tests.bench words`; it needs 2 GB of memory.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ingest.vision.words import labelling
from ingest.vision.words.tower import TextTower
from store import vectors, vocabularies, write
from store.connection import writing
from store.records import ImageRecord, Results, Run
from store.vocabularies import Term, Vocabulary
from tests.bench.timing import ratio, table, take_turns

PICTURES, TERMS, DIM, K, ROUNDS = 100_000, 1_000, 768, 50, 7  # the space of siglip2-base
CHUNK = 25_000
ENCODED = "text tower alone"


def measure(pictures: int = PICTURES) -> str:
    """Seconds to the first results of words, and of a vocabulary, each against a named baseline."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"], before = folder, os.environ.get("XDG_CACHE_HOME")
        try:
            path = Path(folder) / "words.duckdb"
            run = _database(path, pictures)
            search, vocabulary = _search(path, run), _vocabulary(path, run, pictures)
        finally:
            del os.environ["XDG_CACHE_HOME"]
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before
    return (
        f"## Words\n\n{pictures:,} pictures, vectors of {DIM} float32. Words to the {K} pictures most like them, with the "
        "text tower of siglip2-base (its shape, random weights) and the vectors in memory; the baseline is the text tower "
        f"alone.\n\n{search}\n\nA vocabulary of {TERMS:,} terms whose vectors are known, from stored vectors to stored "
        f"labels; the baseline is the product of the two matrices.\n\n{vocabulary}"
    )


def _search(path: Path, run: int) -> str:
    tower = _tower()
    ids, matrix = vectors.vectors(path, run)
    words = iter(f"a boat on the sea {number}" for number in range(10_000))
    cases: dict[str, Callable[[], Any]] = {
        ENCODED: lambda: tower.encode([next(words)]),
        "words to first results": lambda: vectors.nearest(ids, matrix, tower.encode([next(words)])[0], K),
    }
    seconds = take_turns(cases, ROUNDS)
    rows = [
        [name, f"{statistics.median(seconds[name]) * 1000:.0f}", f"{ratio(seconds, name, ENCODED):.2f}"]
        for name in cases
    ]
    return table(["case", "ms", f"ratio to {ENCODED}"], rows)


def _vocabulary(path: Path, run: int, pictures: int) -> str:
    random = np.random.default_rng(3)
    terms = _unit(random.standard_normal((TERMS, DIM), np.float32))
    steps: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = perf_counter()
        found = step()
        steps[name] = perf_counter() - began
        return found

    ids, matrix = vectors.vectors(path, run)
    timed("product of the matrices", lambda: matrix @ terms.T)
    labels = timed("scores, ranks and what is kept of them", lambda: labelling.label(matrix, terms))
    vocabulary = Vocabulary("bench", run, tuple(Term(f"term {n}") for n in range(TERMS)), ("{}",))

    def store() -> None:
        with writing(path) as con:
            columns = (ids[labels.pictures], labels.terms, labels.scores, labels.ranks)
            vocabularies.add_vocabulary(con, vocabulary, terms, *columns)

    timed("storing them", store)
    steps["all of it"] = steps["scores, ranks and what is kept of them"] + steps["storing them"]
    base = steps["product of the matrices"]
    rows = [[name, f"{seconds:.2f}", f"{seconds / base:.2f}"] for name, seconds in steps.items()]
    note = f"Labels: {len(labels.scores):,} ({labelling.kept(pictures, TERMS)})."
    return f"{table(['step', 's', 'ratio to product of the matrices'], rows)}\n\n{note}"


def _tower() -> TextTower:
    """A text tower of the shape of siglip2-base."""
    import transformers

    from ingest.vision.words.opening import text_half
    from ingest.vision.words.tiny import siglip_tokenizer

    text = {"vocab_size": 256_000, "projection_size": DIM, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
    module = text_half(transformers.SiglipModel)(transformers.SiglipConfig(text_config=text)).eval()
    return TextTower("bench", "siglip2-base", "siglip", DIM, 64, 100.0, -12.0, module, siglip_tokenizer())


def _database(path: Path, pictures: int) -> int:
    """A database with one run of so many vectors, gathered round a hundred centres as pictures are."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((100, DIM), np.float32)
    with writing(path) as con:
        collection = write.add_collection(con, "words", "/nowhere")
        write.add_images(con, collection, [ImageRecord("a.jpg", "a", 1, 1, 1, 0.0, {}, b"", 1, 1)])
        run = write.add_run(con, collection, Run("b", "w", 12, 12, DIM, 16, 0, "model", 224, {}, {}))
        for start in range(0, pictures, CHUNK):
            ids = np.arange(start, min(start + CHUNK, pictures)) + 1
            found = centres[random.integers(0, 100, len(ids))] + random.standard_normal((len(ids), DIM), np.float32)
            write.add_results(con, run, Results(ids, _unit(found)))
    return run


def _unit(found: np.ndarray) -> np.ndarray:
    return found / np.linalg.norm(found, axis=1, keepdims=True)
