"""Boxes of a picture that are searched for in the others: a grid at some sizes, the most distinctive first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.vision.details.matching import PatchBank
from ingest.vision.geometry import Box

SHARES = (0.12, 0.2, 0.32)  # sides of the boxes, as shares of the picture's long side
STRIDE = 0.5  # from one box to the next, as a share of its side
SHOWN = 0.75  # share of a box's cells that must have a patch: others are outliers, or show padding
MOST = 80  # boxes of a picture, at most


@dataclass(frozen=True, eq=False)
class SampledBox:
    """A `box` (x0, y0, x1, y1) in pixels of the upright original. `patches` (m,) int64: which of the picture's stored
    patches lie in it, in reading order; they are the `cells` (m,), from 0, of `rows` × `cols`."""

    box: Box
    patches: np.ndarray
    cells: np.ndarray
    rows: int
    cols: int


def count_boxes(bank: PatchBank, place: int, seed: int) -> int:
    """How many boxes of the picture at this place of the bank are searched for."""
    return min(MOST, sum(map(len, _grid_boxes(bank, place, seed))))


def sample_boxes(bank: PatchBank, place: int, best: np.ndarray, others: np.ndarray, seed: int) -> list[SampledBox]:
    """Up to MOST boxes of the picture at this place of the bank, those first that are least like the `others` (n,)
    bool, so that skies do not fill the budget; none where there are no others. `best` (patches, n) are the cosines of
    the picture's patches to the most similar ones of every picture. Another seed moves the grid."""
    if not others.any():
        return []
    rarity = 1 - best[:, others].mean(axis=1)
    # Neighbours overlap by half: of each size the rarest are taken in turn, or the smallest ones would fill the list.
    turns = [
        (turn, -mean, number, box)
        for number, boxes in enumerate(_grid_boxes(bank, place, seed))
        for turn, (mean, box) in enumerate(
            sorted(((float(rarity[box.patches].mean()), box) for box in boxes), key=lambda each: -each[0])
        )
    ]
    return [box for *_, box in sorted(turns, key=lambda each: each[:3])][:MOST]


def box_at(bank: PatchBank, place: int, box: Box) -> SampledBox | None:
    """The stored patches whose middles lie in a box, in pixels of the original, of the picture at this place. None
    where none of them does."""
    frame, kept = bank.frames[place], bank.cells[bank.starts[place] : bank.starts[place + 1]]
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(float(bank.sizes[place, 0]), box[2]), min(float(bank.sizes[place, 1]), box[3])
    across, down = (frame.x1 - frame.x0) / frame.cols, (frame.y1 - frame.y0) / frame.rows
    left, right = _between((x0 - frame.x0) / across, (x1 - frame.x0) / across, frame.cols)
    top, bottom = _between((y0 - frame.y0) / down, (y1 - frame.y0) / down, frame.rows)
    if left >= right or top >= bottom:
        return None
    row, col = kept // frame.cols, kept % frame.cols
    inside = np.flatnonzero((row >= top) & (row < bottom) & (col >= left) & (col < right))
    if not len(inside):
        return None
    cells = (row[inside] - top) * (right - left) + col[inside] - left
    return SampledBox((x0, y0, x1, y1), inside, cells, bottom - top, right - left)


def _between(first: float, last: float, count: int) -> tuple[int, int]:
    """The cells whose middles lie from `first` to `last`, as a range; at least the one in the middle of both."""
    low, high = int(np.ceil(first - 0.5)), int(np.ceil(last - 0.5))
    if low >= high:
        low = int((first + last) / 2)
        high = low + 1
    return max(0, low), min(count, high)


def _grid_boxes(bank: PatchBank, place: int, seed: int) -> list[list[SampledBox]]:
    """The boxes of each size, the largest first, that are shown well enough. Where their grid begins, the seed says."""
    random = np.random.default_rng([seed, int(bank.image_ids[place])])
    width, height = (float(side) for side in bank.sizes[place])
    found: list[list[SampledBox]] = []
    for share in sorted(SHARES, reverse=True):
        found.append([])
        side = share * max(width, height)
        corners = random.uniform(0, STRIDE * side, size=2)
        for y in _steps(corners[1], height, side):
            for x in _steps(corners[0], width, side):
                each = box_at(bank, place, (x, y, x + side, y + side))
                if each is not None and len(each.cells) >= SHOWN * each.rows * each.cols:
                    found[-1].append(each)
    return found


def _steps(first: float, length: float, side: float) -> list[float]:
    """Where boxes of this side begin along a length; one that fills it where it is shorter."""
    if side >= length:
        return [0.0]
    return np.arange(min(first, length - side), length - side + 1e-6, STRIDE * side).tolist()
