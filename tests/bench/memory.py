"""Memory of a captured pass beside that of `output_attentions=True`: each case in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.bench.timing import table

CASES = ("plain forward", "cls + rollout + head_stats", "DAAM, all blocks", "output_attentions (eager)")
SIZE, BATCH = 518, 4


def measure() -> str:
    """Peak memory of one batch beyond that of the loaded network, in megabytes."""
    used = {case: _peak(case) for case in CASES}
    rows = [[case, f"{used[case]:.0f}", f"{used[case] / used[CASES[0]]:.1f}"] for case in CASES]
    return (
        f"## Memory of a pass\n\n{BATCH} pictures of {SIZE} px, DINOv2 ViT-S/14, float32, CPU: peak of the process beyond the loaded "
        "network.\n\n" + table(["case", "MB", "ratio"], rows)
    )


def _peak(case: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", case], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def _pass(case: str) -> float:
    import torch

    from ingest.vision.backbones import load
    from ingest.vision.embedding import observe
    from ingest.vision.explaining import Asked, explain_pictures
    from tests.bench.capture import towards_the_mean

    backbone = load("packaged")
    if case.startswith("output"):
        backbone.network.module.set_attn_implementation("eager")
    small = torch.zeros(1, 56, 56, 3, dtype=torch.uint8)
    observe(backbone, small)  # what any first pass takes
    pictures = torch.randint(0, 256, (BATCH, SIZE, SIZE, 3), dtype=torch.uint8)
    before = _peak_so_far()
    if case == "plain forward":
        observe(backbone, pictures)
    elif case.startswith("cls"):
        observe(backbone, pictures, ["cls", "rollout"], statistics=True)
    elif case.startswith("DAAM"):
        explain_pictures(backbone, pictures, [Asked("daam")], towards_the_mean(backbone))
    else:
        with torch.inference_mode():
            backbone.network.module(pixel_values=backbone.pixels(pictures), output_attentions=True)
    return _peak_so_far() - before


def _peak_so_far() -> float:
    """Of this process alone: what `resource` says begins with the peak of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    print(_pass(sys.argv[1]))
