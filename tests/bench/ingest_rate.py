"""`run` end to end on 500 JPEG files, against the network alone over tensors that are decoded already."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ingest.report import Report
from ingest.runs import Settings
from ingest.sources.registry import list_source
from ingest.sources.request import Request
from ingest.vision.backbones import load
from ingest.vision.embedding import observe
from ingest.vision.geometry import fit_image
from ingest.vision.loader import decode
from ingest.workflow import observe_collection
from tests.bench.timing import table

PAINTINGS = Path(__file__).parents[2] / "examples" / "paintings"
FILES = 500


class Quiet(Report):
    """Says nothing."""

    def log(self, line: str) -> None:
        pass

    @contextmanager
    def progress(self, total: int, title: str) -> Iterator[Callable[[int], None]]:
        yield lambda n: None


def measure() -> str:
    """Images per second of ingests with and without attention, and their ratio to the bare loops."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder) / "files")
        backbone = load("packaged")
        decoded = [fit_image(decode(file).image, backbone.rule)[0] for file in files]
        tensors = torch.from_numpy(np.stack(decoded))
        lines = []
        for title, methods in (("features alone", ()), ("features, cls, rollout, head_stats", ("cls", "rollout"))):
            plain = bare_rate(backbone, tensors, ())
            same = bare_rate(backbone, tensors, methods) if methods else plain
            rate = ingest_rate(Path(folder), methods)
            again = bare_rate(backbone, tensors, ())
            plain = (plain + again) / 2
            lines.append(
                [
                    title,
                    f"{rate:.1f}",
                    f"{same:.1f}",
                    f"{rate / same:.2f}",
                    f"{plain:.1f}",
                    f"{rate / plain:.2f}",
                    "≥ 0.85" if methods else "≥ 0.95",
                ]
            )
    side = "600–800 px, about 100 kB"
    return (
        f"## Ingest, end to end (CPU)\n\n{FILES} JPEG files ({side}): reading, hashing, decoding, thumbnails, network, maps, "
        "commits; the bare loops run the network over tensors that are in memory already, in batches of 8: plain, or with the same "
        "methods and nothing stored.\n\n"
        + table(["run stores", "images/s", "loop with methods", "ratio", "plain loop", "ratio", "aim"], lines)
    )


def make_files(folder: Path, count: int = FILES) -> list[Path]:
    """JPEG files cut at random from the sample paintings."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    sources = [Image.open(file).convert("RGB") for file in sorted(PAINTINGS.glob("*.jpg"))]
    files = []
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = (round(side * chance.uniform(0.85, 1)) for side in source.size)
        x, y = chance.integers(0, source.width - width + 1), chance.integers(0, source.height - height + 1)
        files.append(folder / f"{number:04}.jpg")
        source.crop((x, y, x + width, y + height)).save(files[-1], quality=88)
    return files


def bare_rate(backbone, tensors: torch.Tensor, methods: tuple[str, ...], batch: int = 8) -> float:
    """Images per second of the network over tensors in memory."""
    count = min(len(tensors), 240)
    observe(backbone, tensors[:batch], methods, bool(methods))
    began = time.perf_counter()
    for start in range(0, count, batch):
        observe(backbone, tensors[start : start + batch], methods, bool(methods))
    return count / (time.perf_counter() - began)


def ingest_rate(folder: Path, methods: tuple[str, ...]) -> float:
    """Images per second of the whole pipeline into a new database, loading the network not counted."""
    db = folder / f"bench-{len(methods)}.duckdb"
    report = Quiet()
    listing = list_source(db, Request(str(folder / "files")), report)
    settings = Settings(model="packaged", methods=methods, fit="crop")  # as the loops that it is held against
    counts = observe_collection(db, listing, settings, "run", report)
    assert counts["new"] == FILES, counts
    return counts["images_per_second"]
