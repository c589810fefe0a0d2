"""`run` end to end on JPEG files, against the network alone over tensors that are decoded already."""

from __future__ import annotations

import statistics
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
from ingest.vision.backbones import Backbone, load
from ingest.vision.embedding import observe
from ingest.vision.geometry import fit_image
from ingest.vision.loader import decode
from ingest.workflow import observe_collection
from tests.bench.timing import ratio, table, take_turns

PAINTINGS = Path(__file__).parents[2] / "examples" / "paintings"
FILES = 240
ROUNDS = 3


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
            processor: dict[str, list[float]] = {}
            cases = {
                RUN: counted(processor, RUN, lambda methods=methods: ingest(Path(folder), methods)),
                PLAIN: counted(processor, PLAIN, lambda: bare_loop(backbone, tensors, ())),
            }
            if methods:
                loop = lambda methods=methods: bare_loop(backbone, tensors, methods)  # noqa: E731
                cases[SAME] = counted(processor, SAME, loop)
            seconds = take_turns(cases, ROUNDS)
            cells = [title, f"{FILES / statistics.median(seconds[RUN]):.1f}"]
            for name in (SAME, PLAIN):
                found = name in cases
                cells.append(f"{FILES / statistics.median(seconds[name]):.1f}" if found else "")
                cells.append(f"{1 / ratio(seconds, RUN, name):.2f}" if found else "")
            lines.append([*cells, "≥ 0.85" if methods else "≥ 0.95", f"{ratio(processor, RUN, PLAIN):.2f}"])
    side = "600–800 px, about 100 kB"
    return (
        f"## Ingest, end to end (CPU)\n\n{FILES} JPEG files ({side}): reading, hashing, decoding, thumbnails, network, maps, "
        "commits; the bare loops run the network over tensors that are in memory already, in batches of 8: plain, or with the same "
        f"methods and nothing stored. Medians of {ROUNDS} rounds in which they take turns; the last column is the processor time of "
        "the run by that of the plain loop.\n\n"
        + table(["run stores", "images/s", "loop with methods", "ratio", "plain loop", "ratio", "aim", "CPU"], lines)
    )


RUN, PLAIN, SAME = "run", "plain loop", "loop with methods"


def counted(processor: dict[str, list[float]], name: str, case: Callable[[], object]) -> Callable[[], None]:
    """The case, which notes what it took of the processor; the first time, which warms up, not."""
    processor[name] = []
    warm = False

    def run() -> None:
        nonlocal warm
        began = time.process_time()
        case()
        if warm:
            processor[name].append(time.process_time() - began)
        warm = True

    return run


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


def bare_loop(backbone: Backbone, tensors: torch.Tensor, methods: tuple[str, ...], batch: int = 8) -> None:
    """The network over tensors in memory."""
    for start in range(0, len(tensors), batch):
        observe(backbone, tensors[start : start + batch], methods, bool(methods))


def ingest(folder: Path, methods: tuple[str, ...]) -> None:
    """The whole pipeline into a new database; the network is loaded already."""
    db = folder / "bench.duckdb"
    db.unlink(missing_ok=True)
    report = Quiet()
    listing = list_source(db, Request(str(folder / "files")), report)
    settings = Settings(model="packaged", methods=methods, fit="crop")  # as the loops that it is held against
    counts = observe_collection(db, listing, settings, "run", report)
    assert counts["new"] == FILES, counts
