"""What one process loads a second of what the workers of a cluster have found out."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas  # noqa: F401  (pyarrow imports it where it first becomes an array: once a process, not once a picture)
import torch

from ingest.engines.ray import Loading
from ingest.engines.shards import Shards, to_table
from ingest.pipeline import Counts, Plan, Prepared, Processed, Writer
from ingest.vision.attention import Maps
from ingest.vision.explaining import Explanation
from ingest.vision.geometry import Frame
from store import connection, write
from store.records import Run
from tests.bench import synthetic
from tests.bench.synthetic import DIM, HEADS, LAYERS
from tests.bench.timing import table

PICTURES, PART, SIDE = 8192, 128, 16
HEAD_STATS = ("distance", "distance_share", "distance_raw", "entropy", "mass_cls", "mass_registers", "mass_patches", "peak")  # fmt: skip
TOKEN_STATS = ("outliers", "norm_median", "norm_max")


def measure() -> str:
    """Pictures a second and time of the processor, from parts on the local disk into a new database."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for title, maps, aim in (
            ("features, `cls`, `rollout`, statistics", True, "≥ 2000"),
            ("features alone", False, ""),
        ):
            place = Path(folder) / ("maps" if maps else "features")
            writing, size = write_parts(place, maps)
            wall, processor = load(place)
            rows.append(
                [
                    title,
                    f"{writing * 1000:.2f}",
                    f"{size / 1000:,.0f}",
                    f"{processor * 1000:.2f}",
                    f"{1 / wall:,.0f}",
                    aim,
                ]
            )
    head = ["what", "writing, ms of a core each", "kB each", "loading, ms of a core each", "loaded a second", "aim"]
    return (
        f"## Parts of a cluster\n\n{PICTURES:,} random pictures in parts of {PART}, DINOv2 ViT-S/14 at 224 px (12 layers, 6 "
        "heads, 256 patches): each part is written, as workers do, then one process loads all of them into a new "
        "database.\n\n" + table(head, rows)
    )


def write_parts(place: Path, maps: bool) -> tuple[float, float]:
    """Writes the parts; seconds of the processor and bytes, a picture."""
    random, shards = np.random.default_rng(0), Shards(str(place), "bench")
    thumbs, seconds = synthetic.variants(random), 0.0
    for start in range(0, PICTURES, PART):
        batch = pictures(range(start, start + PART), thumbs, random, maps)
        names = {prepared.record.path: (key(prepared.place), prepared.place) for prepared in batch[0]}
        began = time.process_time()
        shards.write(to_table([batch], [], names))
        seconds += time.process_time() - began
    return seconds / PICTURES, sum(file.stat().st_size for file in place.rglob("*.parquet")) / PICTURES


def load(place: Path) -> tuple[float, float]:
    """Loads the parts into a database beside them; seconds, and seconds of the processor, a picture."""
    db, shards = place.with_suffix(".duckdb"), Shards(str(place), "bench")
    with connection.writing(db) as con:
        collection = write.add_collection(con, "synthetic", None)
    run = Run("none", "0" * 64, LAYERS, HEADS, DIM, 14, 1, "crop", 224, {"title": "synthetic"}, {})
    counts = Counts()
    loading = Loading(shards, {key(number) for number in range(PICTURES)}, lambda count: None)
    began = time.perf_counter(), time.process_time()
    with Writer(Plan(db, collection, "run", run=run), counts, loading.committed, bulk=True) as writer:
        for name in shards.names():
            loading.load(name, writer)
        loading.flush(writer)
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    if counts.done != PICTURES:
        raise RuntimeError(f"{counts.done} of {PICTURES} pictures have been loaded")
    return wall / PICTURES, processor / PICTURES


def key(number: int) -> str:
    """What a part knows a picture by: any text of this length."""
    return f"{number:032d}"


def pictures(numbers: range, thumbs: list[synthetic.Thumb], random: np.random.Generator, maps: bool) -> Processed:
    """Pictures with random findings."""
    records = [synthetic.record(number, thumbs[random.integers(len(thumbs))], number % 50) for number in numbers]
    frame, count = Frame(0.0, 0.0, 400.0, 400.0, SIDE, SIDE), len(numbers)
    batch = [Prepared(number, record, None, frame) for number, record in zip(numbers, records, strict=True)]
    vectors = torch.from_numpy(random.normal(size=(count, DIM)).astype(np.float32))
    norms = vectors.norm(dim=1)
    found, statistics, tokens = [], {}, {}
    if maps:
        layers, heads = np.divmod(np.arange(LAYERS * HEADS), HEADS)
        found = [
            Maps("cls", tuple(layers.tolist()), tuple(heads.tolist()), shares(count, LAYERS * HEADS, random)),
            Maps("rollout", tuple(range(LAYERS)), None, shares(count, LAYERS, random)),
        ]
        statistics = {name: numbers_of((count, LAYERS, HEADS), random) for name in HEAD_STATS}
        tokens = {name: numbers_of((count,), random) for name in TOKEN_STATS}
    features = vectors / norms[:, None]
    return batch, Explanation(features, SIDE, SIDE, found, statistics, tokens, norms=norms)


def shares(count: int, maps: int, random: np.random.Generator) -> torch.Tensor:
    """Rows of a softmax, float32 (count, maps, SIDE * SIDE)."""
    scores = random.normal(scale=1.5, size=(count, maps, SIDE * SIDE)).astype(np.float32)
    return torch.from_numpy(scores).softmax(dim=-1)


def numbers_of(shape: tuple[int, ...], random: np.random.Generator) -> torch.Tensor:
    """Any numbers."""
    return torch.from_numpy(random.random(shape, dtype=np.float32))
