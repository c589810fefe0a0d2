"""A small database with everything in it, and the makers of its parts."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from store import write
from store.connection import writing
from store.records import FrameRecord, HeadStats, ImageRecord, Results, Run
from tests.support.maps import stored_maps

LAYERS, HEADS, DIM, ROWS, COLS = 3, 2, 8, 3, 5  # a grid that is not square tells rows from columns


def image(path: str, metadata: dict | None = None, content: str | None = None, **changes) -> ImageRecord:
    sha256 = hashlib.sha256((content or path).encode()).hexdigest()
    facts = {
        "width": 640,
        "height": 480,
        "bytes": 1234,
        "modified": 1700000000.25,
        "thumbnail": b"\xff\xd8" + path.encode(),
    }
    return ImageRecord(
        path=path, sha256=sha256, metadata=metadata or {}, thumbnail_width=256, thumbnail_height=192, **facts | changes
    )


def run_record(**changes) -> Run:
    facts = {"backbone": "tiny", "weights_sha256": "0" * 64, "layers": LAYERS, "heads": HEADS, "dim": DIM, "patch": 14}
    more = {"prefix_tokens": 1, "fit": "crop", "size": 70, "settings": {"model": "tiny"}, "versions": {"torch": "2"}}
    return Run(**facts | more | changes)


def softmax(rng: np.random.Generator, count: int, cells: int, peak: float = 2.0) -> np.ndarray:
    weights = np.exp(peak * rng.standard_normal((count, cells)))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def results(ids, seed: int = 0, rows: int = ROWS, cols: int = COLS) -> Results:
    """Everything a run can find out, of random numbers: cls maps of all layers and heads, rollout maps without heads."""
    rng = np.random.default_rng(seed)
    ids = np.asarray(ids)
    vectors = rng.standard_normal((len(ids), DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    each = np.repeat(ids, LAYERS * HEADS)
    layers = np.tile(np.repeat(np.arange(LAYERS), HEADS), len(ids))
    heads = np.tile(np.arange(HEADS), LAYERS * len(ids))
    cls = stored_maps("cls", "", rows, cols, each, layers, heads, softmax(rng, len(each), rows * cols))
    depth = np.tile(np.arange(LAYERS), len(ids))
    rollout = stored_maps(
        "rollout", "", rows, cols, np.repeat(ids, LAYERS), depth, None, softmax(rng, len(depth), rows * cols)
    )
    values = {"entropy": rng.random(len(each), dtype=np.float32), "peak": rng.random(len(each), dtype=np.float32)}
    frames = [FrameRecord(int(i), 80.0, 0.5, 560.0, 480.0, rows, cols) for i in ids]
    return Results(ids, vectors, frames, [cls, rollout], [HeadStats(each, layers, heads, values)])


@dataclass(frozen=True, repr=False)
class Filled:
    """A database with one collection of five images and one run over them."""

    path: Path
    collection: int
    run: int
    ids: dict[str, int]
    results: Results


@pytest.fixture
def make():
    """The makers above, for tests that build their own."""

    class Make:
        image, run, results, softmax = map(staticmethod, (image, run_record, results, softmax))

    return Make


@pytest.fixture(scope="session")
def templates(tmp_path_factory) -> tuple[Path, Filled]:
    """The databases that `empty` and `filled` are copies of."""
    folder = tmp_path_factory.mktemp("templates")
    with writing(folder / "empty.duckdb"):
        pass
    with writing(folder / "filled.duckdb") as con:
        collection = write.add_collection(con, "Gemälde", "/pictures")
        metadata = {name: {"title": f"Bild {name}", "year": 1800 + place} for place, name in enumerate("abcdé")}
        ids = write.add_images(con, collection, [image(f"folder/{name}.jpg", metadata[name]) for name in metadata])
        run = write.add_run(con, collection, run_record())
        found = results(list(ids.values()))
        write.add_results(con, run, found)
        write.add_projection(con, run, "pca", {"seed": 0}, found.image_ids, np.arange(10).reshape(5, 2) / 7)
        write.add_failures(con, collection, [("broken.jpg", "decode", "cut off")])
    return folder / "empty.duckdb", Filled(folder / "filled.duckdb", collection, run, ids, found)


@pytest.fixture
def empty(templates, tmp_path) -> Path:
    return Path(shutil.copy(templates[0], tmp_path))


@pytest.fixture
def filled(templates, tmp_path) -> Filled:
    return replace(templates[1], path=Path(shutil.copy(templates[1].path, tmp_path)))


@pytest.fixture
def ids(filled) -> list[int]:
    """The numbers of its five images."""
    return sorted(filled.ids.values())
