"""How well parts of pictures are found again, stage by stage, and how long a search takes.

`python -m tests.bench.details [--crops 200]`; 10,000 pictures need 3 GB of memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np
from PIL import Image

from ingest.models import load_backbone
from ingest.vision.details import matching, measuring, search, verification
from ingest.vision.details.coding import PatchCoding, encode
from ingest.vision.details.crops import DEGRADED, REDRAWN, Crop, overlap, random_crops
from ingest.vision.details.matching import PatchBank, max_similarity
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import KeyPoints
from ingest.vision.embedding import embed
from ingest.vision.geometry import Frame, fit_image
from tests.bench.report import update
from tests.bench.timing import table
from tests.support import PAINTINGS

CROPS, ENOUGH = 200, 0.3  # of a box's overlap
SIZES, PATCHES, DIM, PART, ROUNDS = (1_000, 10_000), 256, 64, 36, 5


@dataclass(frozen=True)
class Found:
    """What became of one crop: whether the right picture came first by each way, and the box's overlap."""

    change: str
    whole: bool
    patches: bool
    checked: bool
    points: bool
    first: bool
    overlap: float
    seconds: float


def measure(crops: int = CROPS) -> str:
    """The section of the report."""
    backbone = load_backbone("packaged", None, None, "cpu")
    blocks = BlockTokens(backbone)
    pictures = [Image.open(file).convert("RGB") for file in sorted(PAINTINGS.glob("*.jpg"))]
    coding = measuring.choose_coding(blocks, pictures)
    bank = bank_of(blocks, coding, pictures)
    points = [verification.key_points(np.asarray(picture)) for picture in pictures]
    whole = embed(backbone, pictures, "aspect")
    parts = []
    for title, changes, count, every in (
        (f"{crops} random crops, every second one degraded", DEGRADED, crops, 2),
        (f"{crops // 2} random crops whose pixels were changed", REDRAWN, crops // 2, 1),
    ):
        drawn = random_crops(pictures, count, changes, seed=1, every=every)
        found = [_found(blocks, coding, bank, pictures, points, whole, crop) for crop in drawn]
        parts.append(f"{title}:\n\n{_table(found)}")
    return (
        f"## Details\n\n{len(pictures)} paintings of {_side(pictures)} pixels; crops of 8–25 % of their sides, turned by up "
        "to 5°, rescaled by 0.7–1.4, JPEG of quality 60. Chosen on the collection: "
        f"{measuring.describe(coding.report)}. First: the share of crops whose own picture comes first, by the whole "
        "picture's feature, by patches alone, by key points alone (SIFT and RANSAC over all pictures), and by all stages "
        f"together; checked: whose picture is among the {search.CHECKED} that patches leave; box: whose box overlaps the "
        f"right one by {ENOUGH} or more. Seconds are of one core, key points of the pictures not counted.\n\n"
        + "\n\n".join(parts)
        + f"\n\n{times()}"
    )


def bank_of(blocks: BlockTokens, coding: PatchCoding, pictures: Sequence[Image.Image]) -> PatchBank:
    """The patches of pictures, as they are stored; their ids count from 0."""
    codes, scales, cells, frames = [], [], [], []
    for picture in pictures:
        pixels, frame = fit_image(picture, blocks.backbone.rule, coding.fit, coding.size)
        ((vectors, kept),) = search.patches_of(blocks, coding, [(pixels.copy(), frame, picture.size)])
        code, scale = encode(vectors[kept])
        codes.append(code), scales.append(scale), cells.append(np.flatnonzero(kept)), frames.append(frame)
    starts = np.concatenate([[0], np.cumsum([len(code) for code in codes])])
    columns = (np.arange(len(pictures)), starts, np.concatenate(codes), np.array(scales, np.float32))
    return PatchBank(*columns, np.concatenate(cells), frames, np.array([picture.size for picture in pictures]))


def _found(
    blocks: BlockTokens,
    coding: PatchCoding,
    bank: PatchBank,
    pictures: Sequence[Image.Image],
    points: Sequence[KeyPoints],
    whole: np.ndarray,
    crop: Crop,
) -> Found:
    feature = embed(blocks.backbone, [crop.picture], "aspect")[0]
    alone = _by_points(crop, points)
    try:
        part = search.part_of(blocks, coding, crop.picture)
    except search.BadPart:
        return Found(crop.change, False, False, False, alone, False, 0.0, 0.0)
    scores = max_similarity(bank, part.vectors[part.kept])
    rank = int((scores > scores[crop.place]).sum())
    began = process_time()
    hits = search.find(
        blocks,
        coding,
        bank,
        crop.picture,
        lambda image_id: (points[image_id], 1.0),
        k=1,
        mirrored=crop.change == "mirrored",
    )
    seconds = process_time() - began
    right = hits[0].image_id == crop.place
    return Found(
        crop.change,
        int((whole @ feature).argmax()) == crop.place,
        rank == 0,
        rank < search.CHECKED,
        alone,
        right,
        overlap(hits[0].box, crop.box) if right else 0.0,
        seconds,
    )


def _by_points(crop: Crop, points: Sequence[KeyPoints]) -> bool:
    """Whether key points over all pictures, without any patches, lead to the right one."""
    here = verification.key_points(np.asarray(crop.picture), part=True)
    agreed = [verification.agreement(here, each) for each in points]
    counts = [0 if each is None else len(each.here) for each in agreed]
    return max(counts) > 0 and int(np.argmax(counts)) == crop.place


def _table(found: Sequence[Found]) -> str:
    names = ("whole", "patches", "checked", "points", "first")
    rows = []
    for change in ("all", *dict.fromkeys(each.change for each in found)):
        some = [each for each in found if change in ("all", each.change)]
        shares = [np.mean([getattr(each, name) for each in some]) for name in names]
        shares.append(np.mean([each.overlap >= ENOUGH for each in some]))
        seconds = float(np.median([each.seconds for each in some]))
        rows.append([change, str(len(some)), *(f"{share:.1%}" for share in shares), f"{seconds:.2f}"])
    head = ["crops", "n", "whole picture", "patches", "checked", "key points", "all stages", "box", "s"]
    return table(head, rows)


def _side(pictures: Sequence[Image.Image]) -> str:
    sides = [max(picture.size) for picture in pictures]
    return f"{min(sides)}–{max(sides)}"


def times() -> str:
    """Seconds that patches take to rank so many pictures, exactly and by the index, on one core."""
    rows = [row for size in SIZES for row in _times(size)]
    note = (
        f"Ranking n pictures of {PATCHES} random patches by a part of {PART}, {DIM} components of a byte each "
        f"({PATCHES * DIM / 1000:.1f} kB a picture); seconds of one core (process time), the median of {ROUNDS}. The "
        f"parts are patches of a picture with noise: whether that comes first, and the recall of the {search.CHECKED} "
        "best pictures by exact comparison, which but for the first are chance here. Up to "
        f"{matching.EXACT:,} patches are compared exactly, of more the index chooses."
    )
    return f"{note}\n\n{table(['n', 'case', 's', 'right first', 'recall'], rows)}"


def _times(size: int) -> list[list[str]]:
    random = np.random.default_rng(0)
    centres = random.standard_normal((500, DIM), np.float32)
    kinds = random.integers(0, 500, size * PATCHES)
    codes = np.empty((size * PATCHES, DIM), np.int8)
    for start in range(0, len(codes), 1 << 18):
        some = centres[kinds[start : start + (1 << 18)]]
        some = some + random.standard_normal(some.shape, np.float32)
        codes[start : start + len(some)] = np.rint(np.clip(some * 25, -127, 127)).astype(np.int8)
    frames = [Frame(0, 0, 16, 16, 16, 16)] * size
    cells = np.tile(np.arange(PATCHES, dtype=np.int32), size)
    columns = (np.arange(size), np.arange(size + 1) * PATCHES, codes, np.ones(size, np.float32), cells)
    bank = PatchBank(*columns, frames, np.full((size, 2), 16))
    parts = []
    places = random.integers(0, size, ROUNDS).tolist()
    for place in places:
        part = bank.of(place)[random.permutation(PATCHES)[:PART]]
        part = part + 0.1 * random.standard_normal(part.shape, np.float32)
        parts.append(part / np.linalg.norm(part, axis=1, keepdims=True))
    before, rows, best = matching.EXACT, [], []
    try:
        for case, limit in (("exact", len(codes)), ("index", 0)):
            matching.EXACT = limit
            max_similarity(bank, parts[0])  # decodes all patches, or makes the index
            seconds, recall, first = [], [], []
            for number, part in enumerate(parts):
                began = process_time()
                scores = max_similarity(bank, part)
                seconds.append(process_time() - began)
                found = set(np.argsort(-scores)[: search.CHECKED].tolist())
                best += [found] if case == "exact" else []
                recall.append(len(found & best[number]) / search.CHECKED)
                first.append(int(scores.argmax()) == places[number])
            shares = (f"{np.mean(first):.2f}", f"{np.mean(recall):.2f}")
            rows.append([f"{size:,}", case, f"{np.median(seconds):.3f}", *shares])
    finally:
        matching.EXACT = before
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=int, default=CROPS)
    section = measure(parser.parse_args().crops)
    print(section)
    update([section])
