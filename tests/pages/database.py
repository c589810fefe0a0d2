"""A small database made through `store` alone: real paintings, random but seeded features and maps, one failure."""

import csv
import hashlib
import io
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from store import connection, write
from store.records import FrameRecord, HeadStats, ImageRecord, Results, Run, RunRecord
from tests.support.maps import stored_maps

PAINTINGS = Path(__file__).parents[2] / "examples" / "paintings"
NAMES = (
    "hokusai-great-wave-1829.jpg",
    "hokusai-ejiri-1830.jpg",
    "van-gogh-night-cafe-1888.jpg",
    "cassatt-summertime-1894.jpg",
    "leonardo-mona-lisa-1503.jpg",
    "hiroshige-benzaiten-shrine-in-snow.jpg",
)
LAYERS, HEADS, DIM, ROWS, COLS = 3, 2, 8, 4, 6
BROKEN = ("broken.jpg", "read", "The file ends too early: it holds 12 of 4,096 bytes.")


def metadata() -> dict[str, dict]:
    """The rows of the paintings' metadata.csv by file name, years as numbers, empty cells left out."""
    with open(PAINTINGS / "metadata.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {row.pop("file"): {key: value for key, value in row.items() if value} for row in rows}
    for row in found.values():
        if row.get("year", "").isdigit():
            row["year"] = int(row["year"])
    return found


def record(name: str, facts: dict) -> ImageRecord:
    """An ImageRecord of one of the paintings."""
    data = (PAINTINGS / name).read_bytes()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    small = image.copy()
    small.thumbnail((256, 256))
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    sha = hashlib.sha256(data).hexdigest()
    return ImageRecord(name, sha, *image.size, len(data), 0.0, facts, jpeg.getvalue(), *small.size)


# What is stored of a network with one special token, whose summary is read from its patches.
MEASURED = {"rows": 3, "cols": 5, "special": 1, "before": 1, "reading_order": True, "cls": 0, "place": 0, "dim": DIM}
MEASURED |= {"summary": "patches", "summary_special": 0.0, "score": None, "score_special": None, "sizes": "any"}
MEASURED |= {"notes": []}


def run_record(**other) -> Run:
    """A run of an invented network."""
    settings = {
        "title": "Tiny test network",
        "model": "tiny",
        "methods": ["cls", "rollout"],
        "note": "Random weights: it has learnt nothing.",
        "precision": "float32",
        "measured": MEASURED,
    }
    if other.get("prefix_tokens") == 0:
        settings["measured"] = MEASURED | {"special": 0, "before": 0, "cls": None, "summary": "patches"}
    values = {"backbone": "tiny", "weights_sha256": "ab" * 32, "layers": LAYERS, "heads": HEADS, "dim": DIM}
    values |= {"patch": 14, "prefix_tokens": 1, "fit": "crop", "size": 84}
    return Run(**(values | {"settings": settings, "versions": {"torch": "2.15.0"}} | other))


def stored_run(number: int, **other) -> RunRecord:
    """The same as it is read from a database."""
    run = run_record(**other)
    return RunRecord(**vars(run), run_id=number, collection="c", created_at=datetime(2026, 1, 1), images=1)


def results(ids: np.ndarray, sizes: list[tuple[int, int]], seed: int = 0) -> Results:
    """Features, frames (the whole picture), `cls` and `rollout` maps and head statistics of these images."""
    random, n = np.random.default_rng(seed), len(ids)
    vectors = random.normal(size=(n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    image, layer, head = (part.ravel() for part in np.meshgrid(ids, range(LAYERS), range(HEADS), indexing="ij"))
    weights = random.dirichlet(np.full(ROWS * COLS, 0.3), len(image)).astype(np.float32) * 0.9
    depth_image, depth = (part.ravel() for part in np.meshgrid(ids, range(LAYERS), indexing="ij"))
    rolled = random.dirichlet(np.full(ROWS * COLS, 0.5), len(depth)).astype(np.float32)
    numbers = {"distance": 30, "distance_share": 0.3, "distance_raw": 28, "entropy": 2.5}
    values = {key: (value * random.uniform(0.5, 1, len(image))).astype(np.float32) for key, value in numbers.items()}
    values |= {
        "mass_cls": np.full(len(image), 0.1, np.float32),
        "mass_registers": np.zeros(len(image), np.float32),
        "mass_patches": np.full(len(image), 0.9, np.float32),
        "peak": weights.max(1),
    }
    frames = [
        FrameRecord(int(i), 0.0, 0.0, float(w), float(h), ROWS, COLS) for i, (w, h) in zip(ids, sizes, strict=True)
    ]
    maps = [
        stored_maps("cls", "", ROWS, COLS, image, layer, head, weights),
        stored_maps("rollout", "", ROWS, COLS, depth_image, depth, None, rolled),
    ]
    return Results(ids, vectors, frames, maps, [HeadStats(image, layer, head, values)])


def make(path: Path, names: tuple[str, ...] = NAMES, collection: str = "paintings", run: bool = True) -> dict[str, int]:
    """Write the database and return {file name: image_id}."""
    facts = metadata()
    records = [record(name, facts.get(name, {})) for name in names]
    with connection.writing(path) as con:
        number = write.add_collection(con, collection, str(PAINTINGS))
        found = write.add_images(con, number, records)
        write.add_failures(con, number, [BROKEN])
        if run:
            add_run(con, number, np.array([found[name] for name in names]), [(r.width, r.height) for r in records])
    return found


def add_run(con, collection: int, ids: np.ndarray, sizes: list[tuple[int, int]], **other) -> int:
    """Add a run with results and three projections of these images."""
    run = write.add_run(con, collection, run_record(**other))
    found = results(ids, sizes)
    write.add_results(con, run, found)
    for method, settings in (("umap", {"n_neighbors": 5, "seed": 0}), ("tsne", {"perplexity": 2.0}), ("pca", {})):
        shift = {"umap": 0, "tsne": 2, "pca": 4}[method]
        write.add_projection(con, run, method, settings, ids, found.vectors[:, shift : shift + 2] * 10)
    return run
