"""How long a search takes: ours against NumPy, DuckDB's SQL and scikit-learn, over the same vectors.

`python -m tests.bench.search [--million]`; the million needs 6 GB of memory and as much disk.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from store import vectors, write
from store.connection import reading, writing
from store.records import ImageRecord, Results, Run
from tests.bench.report import update
from tests.bench.timing import ratio, table, take_turns
from tests.support.search import nearest_to

DIM, K, ROUNDS = 384, 50, 15
SIZES = (10_000, 100_000)
CHUNK = 50_000
CASES = ("numpy", "ours", "ours, 10 % of the images", "scikit-learn", "DuckDB SQL")


def measure(sizes: tuple[int, ...] = SIZES) -> str:
    """Milliseconds a search, each case in turn with another query in each round."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"], before = folder, os.environ.get("XDG_CACHE_HOME")
        try:
            for size in sizes:
                rows += _rows(Path(folder) / f"{size}.duckdb", size)
        finally:
            del os.environ["XDG_CACHE_HOME"]
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before
    texts = (
        f"The {K} images most like one of n, vectors of {DIM} float32. Recall: the share of NumPy's {K} images that a "
        "case finds. The SQL case includes opening the database."
    )
    return f"## Search\n\n{texts}\n\n" + table(["n", "case", "ms", "ratio to numpy", "recall"], rows)


def _rows(path: Path, size: int) -> list[list[str]]:
    run = _database(path, size)
    ids, matrix = vectors.vectors(path, run)
    cases = _cases(path, run, ids, matrix)
    queries = np.random.default_rng(1).integers(0, size, 2 * ROUNDS + 8)
    recall = {
        name: statistics.mean(_recall(case, cases["numpy"], q) for q in queries[:5]) for name, case in cases.items()
    }
    assert min(share for name, share in recall.items() if "%" not in name) == 1.0, recall
    turns = {name: iter(queries) for name in cases}
    timed = {name: lambda case=case, turn=turns[name]: case(next(turn)) for name, case in cases.items()}
    seconds = take_turns(timed, ROUNDS)
    return [
        [
            f"{size:,}",
            name,
            f"{statistics.median(seconds[name]) * 1000:.2f}",
            f"{ratio(seconds, name, 'numpy'):.2f}",
            "–" if "%" in name else f"{recall[name]:.2f}",
        ]
        for name in CASES
    ]


def _cases(path: Path, run: int, ids: np.ndarray, matrix: np.ndarray) -> dict[str, Callable[[int], np.ndarray]]:
    from sklearn.neighbors import NearestNeighbors

    plain = np.array(matrix)  # in memory, as whoever uses NumPy alone would have it
    brute = NearestNeighbors(algorithm="brute", metric="cosine").fit(plain)
    some = np.random.default_rng(2).random(len(ids)) < 0.1

    def numpy(place: int) -> np.ndarray:
        scores = plain @ plain[place]
        best = np.argpartition(scores, len(ids) - K)[-K:]
        return ids[best[np.argsort(-scores[best])]]

    def sql(place: int) -> np.ndarray:
        with reading(path) as con:
            return nearest_to(con, run, matrix[place], K)["image_id"].to_numpy()

    return {
        "numpy": numpy,
        "ours": lambda place: vectors.nearest(ids, matrix, matrix[place], K)[0],
        "ours, 10 % of the images": lambda place: vectors.nearest(ids, matrix, matrix[place], K, some)[0],
        "scikit-learn": lambda place: ids[brute.kneighbors(plain[place : place + 1], K, False)[0]],
        "DuckDB SQL": sql,
    }


def _recall(case: Callable[[int], np.ndarray], truth: Callable[[int], np.ndarray], place: int) -> float:
    return len(np.intersect1d(case(place), truth(place))) / K


def _database(path: Path, size: int) -> int:
    """A database with one run of `size` vectors, gathered round a hundred centres as pictures are."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(100, DIM)).astype(np.float32)
    with writing(path) as con:
        collection = write.add_collection(con, "search", "/nowhere")
        write.add_images(con, collection, [ImageRecord("a.jpg", "a", 1, 1, 1, 0.0, {}, b"", 1, 1)])
        run = write.add_run(con, collection, Run("b", "w", 12, 6, DIM, 14, 1, "crop", 224, {}, {}))
        for start in range(0, size, CHUNK):
            ids = np.arange(start, min(start + CHUNK, size)) + 1
            found = centres[random.integers(0, 100, len(ids))] + random.standard_normal((len(ids), DIM), np.float32)
            found /= np.linalg.norm(found, axis=1, keepdims=True)
            write.add_results(con, run, Results(ids, found))
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="1,000,000 vectors too")
    found = measure((*SIZES, 1_000_000) if parser.parse_args().million else SIZES)
    print(found)
    update([found])
