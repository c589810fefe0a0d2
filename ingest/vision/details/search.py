"""Finding a part elsewhere, in three stages: similar patches rank the pictures; in the first of these key points that
agree on one place decide, in the whole picture or in windows of a large one; where there are none, the patches vote for
the place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from ingest.vision.details.close_up import CloseUps, WindowPoints
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.matching import PatchBank, max_similarity
from ingest.vision.details.verification import Agreement, KeyPoints, agreement, key_points
from ingest.vision.details.voting import vote
from ingest.vision.geometry import Box, Frame, fit_image
from ingest.vision.windows.scan import PixelBox

if TYPE_CHECKING:
    from ingest.vision.details.tokens import BlockTokens

KEY_POINTS, VOTES = "key points", "votes"
STAGES = {
    KEY_POINTS: "key points agree on the place (SIFT and RANSAC)",
    VOTES: "no key points agree: the patches vote for the place",
}
BATCH = 32  # parts that go through the network together
READ = 2048  # pixels of the long side of what is read of an original: more is reduced first
CHECKED = 20  # pictures, at least, that are compared more closely than by their patches


class BadPart(ValueError):
    """A part of a picture that cannot be searched for; the message says why."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is searched for: its `picture`, upright RGB, and its patches `vectors` float32 (rows * cols, dim), of length
    1, in a grid of `rows` × `cols`; `kept` (rows * cols,) bool is False where a patch is an outlier or shows padding.
    """

    picture: Image.Image
    vectors: np.ndarray
    rows: int
    cols: int
    kept: np.ndarray


@dataclass(frozen=True, eq=False)
class Hit:
    """Where a part was found: the picture, the box (x0, y0, x1, y1) in pixels of its upright original, the `score`
    (mean cosine of the part's patches to the picture's most similar ones), and the `stage` that decided on the box.
    `matches` key points agree on it, as `agreement` says, None where there are none. `mirrored`: the part was found in
    mirror image."""

    image_id: int
    box: Box
    score: float
    stage: str
    matches: int = 0
    mirrored: bool = False
    agreement: Agreement | None = None


def cut(picture: Image.Image, box: Sequence[float] | None) -> Image.Image:
    """The part of a picture inside (x, y, width, height) in its pixels; all of it for None. BadPart for a box without
    size, or that does not lie inside the picture."""
    return picture if box is None else picture.crop(edges(picture.size, box))


def edges(size: tuple[int, int], box: Sequence[float]) -> PixelBox:
    """The edges (left, top, right, bottom) in whole pixels of a box (x, y, width, height) in a picture of this size
    (width, height). BadPart as for `cut`."""
    if len(box) != 4 or not np.isfinite(box).all():
        raise BadPart("a box has four numbers, x,y,width,height in pixels of the picture")
    x, y, width, height = box
    if width <= 0 or height <= 0:
        raise BadPart(f"a box needs a width and a height above 0; this one has {width:g} × {height:g}")
    if x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        raise BadPart(
            f"the box {x:g},{y:g},{width:g},{height:g} does not lie inside the picture, which has "
            f"{size[0]} × {size[1]} pixels"
        )
    left, top = int(x), int(y)
    return left, top, max(left + 1, round(x + width)), max(top + 1, round(y + height))


def read_size(width: int, height: int) -> tuple[int, int]:
    """At which size (width, height) a picture of this size, or a part of one, is read: at most READ pixels wide or
    high."""
    factor = min(1.0, READ / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def patches_of(
    blocks: BlockTokens, coding: PatchCoding, pictures: Sequence[tuple[np.ndarray, Frame, tuple[int, int]]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For pictures of one grid, as (pixels, Frame, original's size): their patches float32 (rows * cols, dim), and
    which of them are kept, bool (rows * cols,): neither outliers nor padding."""
    import torch  # the page is there sooner without it

    backbone = blocks.backbone
    batch = torch.from_numpy(np.stack([pixels for pixels, _, _ in pictures]))
    (tokens,) = blocks.read(backbone.pixels(batch), [coding.layer])
    found = []
    for own, (_, frame, size) in zip(tokens.cpu().numpy(), pictures, strict=True):
        kept = ~coding.outliers(own) & frame.picture_cells(*size).ravel()
        found.append((np.nan_to_num(coding.project(own)), kept))
    return found


def part_of(blocks: BlockTokens, coding: PatchCoding, picture: Image.Image) -> Part:
    """A picture, or a part that was cut from one, as it is searched for. BadPart for one smaller than a patch."""
    patch = blocks.backbone.patch
    if min(picture.size) < patch:
        raise BadPart(
            f"a part of {picture.width} × {picture.height} pixels is smaller than a patch of this network, which has "
            f"{patch} × {patch}; draw a larger box"
        )
    return parts_of(blocks, coding, [picture])[0]


def parts_of(blocks: BlockTokens, coding: PatchCoding, pictures: Sequence[Image.Image]) -> list[Part]:
    """The same of many parts: those of one grid go through the network together."""
    fitted = [fit_image(picture, blocks.backbone.rule, coding.fit, coding.query_size) for picture in pictures]
    grids: dict[tuple[int, int], list[int]] = {}
    for number, (_, frame) in enumerate(fitted):
        grids.setdefault((frame.rows, frame.cols), []).append(number)
    found: dict[int, Part] = {}
    for (rows, cols), numbers in grids.items():
        for some in (numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)):
            batch = [(fitted[number][0].copy(), fitted[number][1], pictures[number].size) for number in some]
            for number, (vectors, kept) in zip(some, patches_of(blocks, coding, batch), strict=True):
                kept = kept if kept.any() else np.ones_like(kept)
                found[number] = Part(pictures[number], vectors, rows, cols, kept)
    return [found[number] for number in range(len(pictures))]


def find(
    blocks: BlockTokens,
    coding: PatchCoding,
    bank: PatchBank,
    picture: Image.Image,
    points_of: Callable[[int], tuple[KeyPoints, float] | None],
    k: int = 10,
    among: np.ndarray | None = None,
    mirrored: bool = False,
    window_points: WindowPoints | None = None,
) -> list[Hit]:
    """The k best places of a picture, or of a part of one, best first, one for each picture of the bank.

    `points_of` gives the key points of an image, and how many pixels of its original a pixel is wide of the picture
    that they were found in; None where there is no picture: then the patches alone decide. `among` (n,) bool leaves
    only some pictures in question. With `mirrored` the part is searched for in mirror image too. `window_points`
    gives those of a window of an original, for a closer look at large ones; without it there is none. BadPart.
    """
    parts = [part_of(blocks, coding, picture)]
    if mirrored:
        parts.append(part_of(blocks, coding, ImageOps.mirror(picture)))
    scores = np.stack([max_similarity(bank, part.vectors[part.kept], among) for part in parts])
    best = scores.max(axis=0)
    count = min(max(k, CHECKED), int(np.isfinite(best).sum()))
    places = np.lexsort((bank.image_ids, -best))[:count]
    points = [key_points(np.asarray(part.picture), part=True) for part in parts]
    closer = None if window_points is None else CloseUps(window_points)
    found = []
    for place in places.tolist():
        there = points_of(int(bank.image_ids[place]))
        found.append(
            max(
                _placed(bank, place, part, float(score), here, there, number == 1, closer)
                for number, (part, score, here) in enumerate(zip(parts, scores[:, place], points, strict=True))
            )
        )
    return [each.hit for each in sorted(found, reverse=True)[:k]]


@dataclass(frozen=True, eq=False)
class _Placed:
    """A hit and what it is ranked by: agreeing key points before votes, then how many or how good they are."""

    hit: Hit
    rank: tuple[bool, float]

    def __lt__(self, other: _Placed) -> bool:
        return (*self.rank, -self.hit.image_id) < (*other.rank, -other.hit.image_id)


def _placed(
    bank: PatchBank,
    place: int,
    part: Part,
    score: float,
    here: KeyPoints,
    there: tuple[KeyPoints, float] | None,
    mirrored: bool,
    closer: CloseUps | None,
) -> _Placed:
    """Where in one picture the part lies."""
    image_id, (width, height) = int(bank.image_ids[place]), map(float, bank.sizes[place])
    size, frame = (width, height), bank.frames[place]
    agreed = None if there is None else agreement(here, there[0])
    if agreed is not None and there is not None:
        agreed = _scaled(agreed, there[1])
        if (hit := _agreed(image_id, agreed, part, score, size, mirrored)) is not None:
            return hit
    # Patches that were left out neither speak for a place nor against it.
    cosines = np.where(part.kept[:, None], bank.cosines(place, part.vectors), 0)
    found = vote(cosines, (part.rows, part.cols), (frame.rows, frame.cols))
    box = _inside(_in_pixels(found.box, frame), size) or (0.0, 0.0, size[0], size[1])
    if closer is not None:
        agreed = closer.find(image_id, size, part.picture.size, here, cosines[part.kept], frame)
        if agreed is not None and (hit := _agreed(image_id, agreed, part, score, size, mirrored)) is not None:
            return hit
    return _Placed(Hit(image_id, box, score, VOTES, 0, mirrored), (False, score + found.score))


def _agreed(
    image_id: int, agreed: Agreement, part: Part, score: float, size: tuple[float, float], mirrored: bool
) -> _Placed | None:
    """The hit of key points that agree on a place; None where that lies outside the picture."""
    box = _inside(agreed.box(*part.picture.size), size)
    if box is None:
        return None
    matches = len(agreed.here)
    return _Placed(Hit(image_id, box, score, KEY_POINTS, matches, mirrored, agreed), (True, float(matches)))


def _in_pixels(box: Box, frame: Frame) -> Box:
    """A box in cells of a grid as one in pixels of the original."""
    across, down = (frame.x1 - frame.x0) / frame.cols, (frame.y1 - frame.y0) / frame.rows
    return (
        frame.x0 + box[0] * across,
        frame.y0 + box[1] * down,
        frame.x0 + box[2] * across,
        frame.y0 + box[3] * down,
    )


def _inside(box: Box, size: tuple[float, ...]) -> Box | None:
    """What of a box lies in a picture of this size; None if nothing does."""
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(size[0], box[2]), min(size[1], box[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _scaled(found: Agreement, factor: float) -> Agreement:
    """The same agreement with a picture that is so many times as large."""
    return replace(found, there=found.there * factor, matrix=found.matrix * factor)
