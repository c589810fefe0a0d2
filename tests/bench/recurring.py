"""How many details that were copied from one picture into another are found without asking, and in what time.

`python -m tests.bench.recurring [--copies 20]`
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np
from PIL import Image, ImageOps

from ingest.models import load_backbone
from ingest.vision.details import measuring, search
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.crops import DEGRADED, QUALITY, RESCALED, TURNED, overlap
from ingest.vision.details.matching import PatchBank, best_cosines, max_similarity
from ingest.vision.details.recurring.boxes import sample_boxes
from ingest.vision.details.recurring.grouping import DETAIL, Group, group
from ingest.vision.details.recurring.searching import CHECKED, search_picture
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import KeyPoints, key_points
from ingest.vision.geometry import Box
from tests.bench.details import bank_of
from tests.bench.report import update
from tests.bench.timing import table
from tests.support import PAINTINGS

COPIES, SHARES, ENOUGH = 20, (0.14, 0.28), 0.3


@dataclass(frozen=True)
class Copy:
    """A box `here` of the picture at one place of a sequence that was copied to the box `there` of another."""

    here_place: int
    here: Box
    there_place: int
    there: Box
    change: str


def plant(pictures: Sequence[Image.Image], count: int, seed: int = 0) -> tuple[list[Image.Image], list[Copy]]:
    """The pictures with so many details copied from one into another: turned, rescaled, saved as JPEG, every fourth
    mirrored and every fourth tinted. No copy lies over another or over where one was taken from."""
    random = np.random.default_rng(seed)
    found, copies = [picture.copy() for picture in pictures], []
    taken: list[list[Box]] = [[] for _ in pictures]
    while len(copies) < count:
        here_place, there_place = random.choice(len(pictures), 2, replace=False).tolist()
        source, target = pictures[here_place], found[there_place]
        side = random.uniform(*SHARES, size=2) * max(source.size)
        width, height = (min(int(each), whole - 1) for each, whole in zip(side, source.size, strict=True))
        x, y = (int(random.integers(0, whole - own)) for whole, own in zip(source.size, (width, height), strict=True))
        here = (x, y, x + width, y + height)
        change = ("plain", "mirrored", "plain", "tinted")[len(copies) % 4]
        cut, mask = _changed(source.crop(here), change, random)
        if cut.width >= target.width or cut.height >= target.height:
            continue
        x, y = (int(random.integers(0, whole - own)) for whole, own in zip(target.size, cut.size, strict=True))
        there = (x, y, x + cut.width, y + cut.height)
        if any(overlap(here, each) for each in taken[here_place]) or any(
            overlap(there, each) for each in taken[there_place]
        ):
            continue
        target.paste(cut, there[:2], mask)
        taken[here_place].append(here), taken[there_place].append(there)
        copies.append(Copy(here_place, here, there_place, there, change))
    return found, copies


def _changed(cut: Image.Image, change: str, random: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """A detail as it is copied, and a mask of what of its upright box it fills."""
    scale, turn = random.uniform(*RESCALED), random.uniform(-TURNED, TURNED)
    cut = cut.resize([max(8, round(side * scale)) for side in cut.size], Image.Resampling.BICUBIC)
    cut = ImageOps.mirror(cut) if change == "mirrored" else DEGRADED["tinted"](cut) if change == "tinted" else cut
    buffer = io.BytesIO()
    cut.save(buffer, "JPEG", quality=QUALITY)
    cut = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    mask = Image.new("L", cut.size, 255).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    return cut.rotate(turn, Image.Resampling.BICUBIC, expand=True), mask


def measure(count: int = COPIES) -> str:
    """The section of the report."""
    blocks = BlockTokens(load_backbone("packaged", None, None, "cpu"))
    plain = [Image.open(file).convert("RGB") for file in sorted(PAINTINGS.glob("*.jpg"))]
    coding = measuring.choose_coding(blocks, plain)
    pictures, copies = plant(plain, count)
    bank = bank_of(blocks, coding, pictures)
    groups, boxes, seconds = _groups(blocks, coding, bank, pictures)
    right = [each for each in groups if any(_holds(each, copy) for copy in copies)]
    rows = []
    for change in ("all", *dict.fromkeys(copy.change for copy in copies)):
        some = [copy for copy in copies if change in ("all", copy.change)]
        found = [copy for copy in some if any(_holds(each, copy) for each in groups)]
        rows.append([change, str(len(some)), str(len(found))])
    bare, _, _ = _groups(blocks, coding, bank_of(blocks, coding, plain), plain)
    longest, places = [max(picture.size) for picture in pictures], sum(len(each.places) for each in right)
    return (
        f"## Details that recur\n\n{len(pictures)} paintings of {min(longest)}–{max(longest)} pixels, and {count} details copied from one into "
        f"another: {SHARES[0]:.0%}–{SHARES[1]:.0%} of its long side, turned by up to {TURNED:g}°, rescaled by {RESCALED[0]}–"
        f"{RESCALED[1]}, JPEG of quality {QUALITY}. Everything is searched, mirror images too: {boxes:,} boxes in "
        f"{seconds:.0f} s of one core (process time, key points counted). A copy is found where a group has a place of an "
        f"overlap of {ENOUGH} or more with both of its ends. Groups: {len(groups)}, of which {len(groups) - len(right)} are "
        f"of no copy; places in the others: {places}. In the paintings without any copy: "
        f"{sum(each.kind == DETAIL and each.matches > 0 for each in bare)} groups by key points, "
        f"{sum(each.matches == 0 for each in bare)} by votes.\n\n{table(['copies', 'n', 'found'], rows)}\n\n"
        + _ranking(blocks, coding, bank, pictures, copies)
    )


def _groups(
    blocks: BlockTokens, coding: PatchCoding, bank: PatchBank, pictures: Sequence[Image.Image]
) -> tuple[list[Group], int, float]:
    """The groups of all pictures, how many boxes were searched for, and in how many seconds of one core."""
    began, links, boxes = process_time(), [], 0
    points: dict[int, tuple[KeyPoints, float]] = {
        number: (key_points(np.asarray(picture)), 1.0) for number, picture in enumerate(pictures)
    }
    for number, picture in enumerate(pictures):
        found = search_picture(blocks, coding, bank, number, picture, points.get, mirrored=True)
        links += found.links
        boxes += found.boxes
    return group(links), boxes, process_time() - began


def _holds(found: Group, copy: Copy) -> bool:
    """Whether a group has both ends of a copy among its places."""
    ends = ((copy.here_place, copy.here), (copy.there_place, copy.there))
    return all(
        any(each.image_id == place and overlap(each.box, box) >= ENOUGH for each in found.places) for place, box in ends
    )


def _ranking(
    blocks: BlockTokens,
    coding: PatchCoding,
    bank: PatchBank,
    pictures: Sequence[Image.Image],
    copies: Sequence[Copy],
) -> str:
    """Whether a box is better searched for by the patches that are stored of its picture, or cut out and passed through
    the network anew: how many copies have a sampled box that ranks the right picture so high."""
    ranks: dict[str, list[int]] = {"stored": [], "anew": []}
    for copy in copies:
        best = {"stored": len(bank), "anew": len(bank)}
        ends = ((copy.here_place, copy.here, copy.there_place), (copy.there_place, copy.there, copy.here_place))
        for here, box, there in ends:
            cosines, others = best_cosines(bank, bank.of(here)), np.arange(len(bank)) != here
            for each in sample_boxes(bank, here, cosines, others, 0):
                if overlap(each.box, box) < ENOUGH:
                    continue
                part = search.part_of(blocks, coding, pictures[here].crop([round(edge) for edge in each.box]))
                scores = {
                    "stored": np.where(others, cosines[each.patches].mean(axis=0), -np.inf),
                    "anew": max_similarity(bank, part.vectors[part.kept], others),
                }
                best = {way: min(best[way], int((found > found[there]).sum())) for way, found in scores.items()}
        for way, rank in best.items():
            ranks[way].append(rank)
    tops = (1, 5, CHECKED, 20)
    rows = [[way, *(str(sum(rank < top for rank in found)) for top in tops)] for way, found in ranks.items()]
    return (
        "Copies of which a sampled box ranks the right picture among the first n, by the patches stored of the box's own "
        f"picture, or cut out and passed through the network anew, as is done ({CHECKED} are then compared by key points):"
        "\n\n" + table(["patches of the box", *map(str, tops)], rows)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=COPIES)
    section = measure(parser.parse_args().copies)
    print(section)
    update([section])
