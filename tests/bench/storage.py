"""Bytes on disk for each image, against layers × heads × patches."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ingest.pipeline import Plan, process
from ingest.runs import add_run
from ingest.sources.registry import list_source
from ingest.sources.request import Request
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked
from tests.bench.ingest_rate import FILES, Quiet, make_files
from tests.bench.timing import table

STEPS = {
    "thumbnail, feature, metadata": ((), False),
    "`cls`": (("cls",), False),
    "`rollout`": (("cls", "rollout"), False),
    "`head_stats`": (("cls", "rollout"), True),
}


def measure() -> str:
    """Sizes of databases that differ by one kind of result each, committed in the usual chunks."""
    backbone = load("packaged")
    weights = {"`cls`": backbone.layers * backbone.heads * 256, "`rollout`": backbone.layers * 256}
    rows, before = [], 0
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder) / "files")
        for what, (methods, statistics) in STEPS.items():
            db = Path(folder) / f"{len(methods)}{statistics}.duckdb"
            listing = list_source(db, Request(str(Path(folder) / "files")), Quiet())
            run_id = add_run(db, listing.collection_id, backbone, "crop", 224)
            asked = tuple(map(Asked.parse, methods))
            process(
                Plan(db, listing.collection_id, "run", backbone, run_id, asked=asked, statistics=statistics),
                listing.tasks,
            )
            each, before = (db.stat().st_size - before) / FILES, db.stat().st_size
            count = weights.get(what)
            share = f"{each / count:.2f}" if count else ""
            rows.append(
                [what, f"{each:,.0f}", f"{count:,}" if count else "", share, "≤ 1.2" if what == "`cls`" else ""]
            )
    return (
        f"## Storage\n\n{FILES} images, DINOv2 ViT-S/14 at 224 px (12 layers, 6 heads, 256 patches), committed in chunks as "
        "`run` does. Each line is the growth of the file by that kind of result.\n\n"
        + table(["what", "bytes an image", "weights an image", "bytes a weight", "aim"], rows)
    )
