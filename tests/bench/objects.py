"""How often the box of an object is right in pictures whose box is known, and how long it takes to find.

`python -m tests.bench.objects [--pictures 100]`.
"""

from __future__ import annotations

import argparse
from time import process_time

import numpy as np
import torch

from ingest.models import load_backbone
from ingest.vision.backbones import Backbone
from ingest.vision.details.crops import overlap
from ingest.vision.geometry import fit_image
from ingest.vision.objects import METHODS, patch_keys, propose
from tests.bench.report import update
from tests.bench.timing import table
from tests.support.objects import centred, scene

PICTURES, RIGHT = 100, 0.5  # of a box's overlap
WAYS = ({"centre": True}, {"centre": False})


def measure(pictures: int = PICTURES, size: int | None = None) -> str:
    """The section of the report."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        backbone = load_backbone("packaged", None, None, "cpu")
        rows, seconds = found(backbone, pictures, size)
    finally:
        torch.set_num_threads(threads)
    texts = (
        f"{pictures} generated pictures of one textured object on a texture, 300 to 520 pixels a side, the object a "
        f"fifth to three fifths of each, anywhere; {backbone.title} at {size or backbone.rule.size} pixels, one core. "
        f"A box is right where it overlaps the object's by {RIGHT} (intersection over union): CorLoc. Beside it the same "
        "of a box in the middle of the picture, of as much area as the one that was found. The network takes "
        f"{1000 * seconds / pictures:.0f} ms a picture, and the method what the last column says."
    )
    head = ["method", "keys", "right", "mean overlap", "centre box right", "found none", "ms a picture"]
    return f"## Objects without training\n\n{texts}\n\n" + table(head, rows)


def found(backbone: Backbone, pictures: int, size: int | None) -> tuple[list[list[str]], float]:
    """A row of the table for each way, and how many seconds the network took in all."""
    overlaps: dict[tuple[str, bool], list[tuple[float, float, float]]] = {}
    seconds = 0.0
    for seed in range(pictures):
        picture, box = scene(seed)
        pixels, frame = fit_image(picture, backbone.rule, "aspect", size)
        began = process_time()
        (keys,) = patch_keys(backbone, torch.from_numpy(pixels.copy())[None])
        seconds += process_time() - began
        for method in METHODS:
            for way in WAYS:
                began = process_time()
                proposals = propose(keys, method, **way)
                took = process_time() - began
                own = proposals[0].box(frame, *picture.size) if proposals else None
                pair = (overlap(own, box), overlap(centred(own, *picture.size), box)) if own else (0.0, np.nan)
                overlaps.setdefault((method, way["centre"]), []).append((*pair, took))
    rows = []
    for (method, centre), values in overlaps.items():
        own, middle, took = np.array(values).T
        none = int(np.isnan(middle).sum())
        right = f"{(np.nan_to_num(middle) >= RIGHT).mean():.0%}"
        rows.append(
            [
                METHODS[method].title,
                "less their mean" if centre else "as they are",
                f"{(own >= RIGHT).mean():.0%}",
                f"{own.mean():.2f}",
                right,
                str(none),
                f"{1000 * took.mean():.0f}",
            ]
        )
    return rows, seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--size", type=int)
    arguments = parser.parse_args()
    section = measure(arguments.pictures, arguments.size)
    print(section)
    update([section])
