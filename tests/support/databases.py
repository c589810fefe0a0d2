"""Databases of known features, and questions to a database past the store."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from store import write
from store.connection import writing
from store.records import ImageRecord, Results, Run


def database(path: Path, vectors: np.ndarray, name: str = "c") -> int:
    """A run over the collection of this name whose features are these vectors (pictures, dim); added to it if it is
    there. Returns its number."""
    with writing(path) as con:
        collection = write.add_collection(con, name, "/nowhere")
        records = [ImageRecord(f"{i}.jpg", f"{i}", 10, 10, 1, 0.0, {}, b"", 1, 1) for i in range(len(vectors))]
        ids = write.add_images(con, collection, records)
        run = write.add_run(con, collection, Run("b", "w", 1, 1, vectors.shape[1], 14, 1, "crop", 56, {}, {}))
        image_ids = np.array([ids[record.path] for record in records])
        write.add_results(con, run, Results(image_ids, vectors.astype(np.float32)))
    return run


def ask(db: Path, query: str, *values: object) -> list[tuple]:
    """The rows of an answer; DuckDB itself opens the file and closes it."""
    with duckdb.connect(str(db), read_only=True) as con:
        return con.execute(query, list(values)).fetchall()


def contents(db: Path) -> tuple[list[tuple], ...]:
    """All that an ingest found out, by the paths of the pictures: images, features, maps and statistics."""
    with duckdb.connect(str(db), read_only=True) as con:
        images = con.execute("SELECT path, sha256, width, height FROM images ORDER BY path").fetchall()
        features = con.execute(
            "SELECT path, vector FROM images JOIN features USING (image_id) ORDER BY path"
        ).fetchall()
        maps = con.execute(
            "SELECT path, method, layer, head, weights FROM images JOIN attention USING (image_id) ORDER BY ALL"
        ).fetchall()
        stats = con.execute("SELECT path, layer, head, entropy FROM images JOIN head_stats USING (image_id) ORDER BY ALL").fetchall()  # fmt: skip
    return images, features, maps, stats


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The file of this name that `make(path)` writes, one for all processes of a test run. Change only copies of it."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has a folder in it
    made, half = folder / name, folder / "unfinished" / name
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            half.parent.mkdir(exist_ok=True)
            half.unlink(missing_ok=True)
            make(half)
            half.rename(made)
    return made
