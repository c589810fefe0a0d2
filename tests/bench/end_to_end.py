"""`run` end to end on a GPU, from JPEG files on a disk, against the slower of its two halves: reading files alone, and
the network alone over tensors that are on the GPU already."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import transformers

from ingest.models import choose_batch_size, choose_precision, load_backbone
from ingest.pipeline import Plan, prepared_pictures
from ingest.runs import Settings
from ingest.sources.listing import Listing
from ingest.sources.registry import list_source
from ingest.sources.request import Request
from ingest.vision.backbones import PUBLISHED
from ingest.vision.backbones.from_transformers import published_config
from ingest.vision.embedding import observe
from ingest.workflow import observe_collection, reading_threads
from tests.bench.ingest_rate import Quiet, make_files
from tests.bench.timing import table

MODELS = ("dinov2-small", "dinov2-base")
COPIES = 12  # of each of the 500 files: a GPU is quick
BARE_SECONDS = 10.0
SIZE = 224  # pixels; the networks take 518 by themselves


@dataclass(frozen=True)
class Rates:
    """Images a second: of reading alone, of the network alone, of everything."""

    reading: float
    network: float
    whole: float

    @property
    def share(self) -> float:
        return self.whole / min(self.reading, self.network)


def measure(device: str = "cuda", copies: int = COPIES) -> str:
    """The table of both networks, storing features alone and with attention."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(make_files(folder / "files"), copies)
        rows = []
        for key in MODELS:
            weights = random_weights(key, folder / key)
            for title, methods in (("features", ()), ("features, cls, rollout, head_stats", ("cls", "rollout"))):
                found = rates(folder, f"hf:{weights}", methods, device)
                numbers = (f"{rate:.0f}" for rate in (found.whole, found.reading, found.network))
                rows.append([key, title, *numbers, f"{found.share:.2f}", "≥ 0.8"])
        count = len(list((folder / "files").iterdir()))
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return (
        f"## Ingest, end to end ({'GPU' if device == 'cuda' else device})\n\n{where}, {str(choose_precision(device)).removeprefix('torch.')}, "
        f"{reading_threads(device)} reading threads, {count} JPEG files (600–800 px, about 100 kB), {SIZE} px, random weights "
        "of the published shapes. Reading: files to thumbnails and pixels, without a network. Network: the same methods over "
        "tensors on the device. Share: of the smaller of the two.\n\n"
        + table(["network", "run stores", "images/s", "reading", "network alone", "share", "aim"], rows)
    )


def copy(files: list[Path], copies: int) -> None:
    """Other names for the same pictures: each is read and hashed like a picture of its own."""
    for number in range(1, copies):
        for file in files:
            file.with_stem(f"{file.stem}-{number}").hardlink_to(file)


def random_weights(key: str, folder: Path) -> Path:
    """A folder with a network of a published model's shape."""
    torch.manual_seed(0)
    transformers.AutoModel.from_config(published_config(PUBLISHED[key])).save_pretrained(folder)
    return folder


def rates(folder: Path, model: str, methods: tuple[str, ...], device: str) -> Rates:
    """Of one network over the files of `folder`, each from the beginning, with the settings that `run` chooses."""
    backbone = load_backbone(model, None, None, device)
    db = folder / f"{Path(model).name}-{len(methods)}.duckdb"
    listing = list_source(db, Request(str(folder / "files")), Quiet())
    reading = reading_rate(listing, backbone)
    network = network_rate(backbone, methods)
    settings = Settings(model=model, methods=methods, device=device, fit="crop", size=SIZE)
    counts = observe_collection(db, listing, settings, "run", Quiet())
    assert counts["new"] == len(listing.tasks), counts
    return Rates(reading, network, counts["images_per_second"])


def reading_rate(listing: Listing, backbone: Any) -> float:
    rule, threads = SimpleNamespace(rule=backbone.rule), reading_threads(backbone.device)
    plan = Plan(Path("none"), 0, "read", rule, size=SIZE, workers=threads, batch_size=64)
    began = time.perf_counter()
    count = sum(1 for _ in prepared_pictures(plan, listing.tasks))
    return count / (time.perf_counter() - began)


def network_rate(backbone: Any, methods: tuple[str, ...]) -> float:
    batch = choose_batch_size(backbone, SIZE)
    pictures = torch.randint(0, 256, (batch, SIZE, SIZE, 3), dtype=torch.uint8).to(backbone.device)
    observe(backbone, pictures, methods, bool(methods))
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < BARE_SECONDS:
        observe(backbone, pictures, methods, bool(methods))
        rounds += 1
    return rounds * batch / (time.perf_counter() - began)
