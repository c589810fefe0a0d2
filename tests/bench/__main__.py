"""Runs every benchmark and writes what the README quotes: `python -m tests.bench [capture|ingest|storage …] [--gpu]`."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

import torch

from tests.bench import capture, drawing, fit, ingest_rate, memory, search, storage

REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BENCHES = {
    "capture": capture,
    "memory": memory,
    "ingest": ingest_rate,
    "storage": storage,
    "drawing": drawing,
    "search": search,
    "fit": fit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], help="which ones; all unless named")
    parser.add_argument("--gpu", action="store_true", help="the capture table for ViT-B/14 in bfloat16 on the GPU")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    sections = []
    if arguments.gpu:
        sections.append(capture.on_gpu())
        print(sections[-1], flush=True)
    else:
        for name in arguments.benches or BENCHES:
            sections.append(BENCHES[name].measure())
            print(sections[-1], flush=True)
    if not arguments.benches and not arguments.gpu:
        arguments.report.parent.mkdir(exist_ok=True)
        arguments.report.write_text("\n\n".join([heading(), *sections]) + "\n")
        print(f"written: {arguments.report}", file=sys.stderr)


def heading() -> str:
    return (
        "# Benchmarks\n\nWritten by `make bench`. Every ratio is against the baseline named in the same table, measured in the "
        f"same run.\n\nMachine: {platform.machine()} {platform.system()}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


if __name__ == "__main__":
    main()
