"""Runs the benchmarks and writes what the README quotes: `python -m tests.bench [capture|ingest|storage …] [--gpu]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench import (
    capture,
    charts,
    details,
    drawing,
    end_to_end,
    fit,
    ingest_rate,
    layouts,
    memory,
    objects,
    pages,
    parts,
    patches,
    reading,
    recurring,
    search,
    storage,
    tiles,
    words,
)
from tests.bench import map as picture_map
from tests.bench.report import REPORT, update

BENCHES = {
    "capture": capture,
    "memory": memory,
    "ingest": ingest_rate,
    "reading": reading,
    "storage": storage,
    "parts": parts,
    "drawing": drawing,
    "search": search,
    "map": picture_map,
    "pages": pages,
    "charts": charts,
    "layouts": layouts,
    "fit": fit,
    "words": words,
    "tiles": tiles,
    "details": details,
    "recurring": recurring,
    "patches": patches,
    "objects": objects,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], help="which ones; all unless named")
    parser.add_argument("--gpu", action="store_true", help="what a GPU does: capture in bfloat16, `run` from files")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    sections = []
    if arguments.gpu:
        for measure in (capture.on_gpu, end_to_end.measure):
            sections.append(measure())
            print(sections[-1], flush=True)
    else:
        for name in arguments.benches or BENCHES:
            sections.append(BENCHES[name].measure())
            print(sections[-1], flush=True)
    update(sections, arguments.report)
    print(f"written: {arguments.report}", file=sys.stderr)


if __name__ == "__main__":
    main()
