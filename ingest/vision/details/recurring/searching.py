"""One picture's boxes searched for in the other pictures: which places lead there, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ingest.vision.details import verification
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.crops import overlap
from ingest.vision.details.matching import PatchBank, best_cosines, max_similarity
from ingest.vision.details.recurring.agreements import BACK, agreements, extent, mirror
from ingest.vision.details.recurring.boxes import SampledBox, box_at, sample_boxes
from ingest.vision.details.search import KEY_POINTS, VOTES, Part, parts_of
from ingest.vision.details.verification import Agreement, KeyPoints
from ingest.vision.details.voting import vote
from ingest.vision.geometry import Box

if TYPE_CHECKING:
    from ingest.vision.details.tokens import BlockTokens

CHECKED = 10  # pictures in which a box is looked for by key points: those most similar by their patches
SAME = 0.5  # share of both pictures that one agreement covers where they are the same picture
LEAD = 0.1  # by how much a place that patches alone vote for is more similar than the best one of any third picture

PointsOf = Callable[[int], tuple[KeyPoints, float] | None]


@dataclass(frozen=True, eq=False)
class Link:
    """Two places that lead to each other: the box `here` in one image and `there` in the other, (x0, y0, x1, y1) in
    pixels of the upright originals. By key points (`stage`): the boxes round the `matches` points that agree, and
    `matrix` (2, 3), the similarity that leads from here to there. By votes: the box that was sampled, and the place
    that its patches vote for. `score`: mean cosine of the patches here to the most similar ones there. `mirrored`: in
    mirror image. `same`: the agreement covers both pictures, which are the same picture."""

    image_id: int
    other_id: int
    here: Box
    there: Box
    stage: str
    score: float
    matches: int = 0
    matrix: np.ndarray | None = None
    mirrored: bool = False
    same: bool = False


@dataclass(frozen=True, eq=False)
class Searched:
    """What the search of one picture found: of how many `boxes`, how many of these were `plain`, with too few key
    points to be known again, and the links."""

    boxes: int
    plain: int
    links: list[Link]


def search_picture(
    blocks: BlockTokens,
    coding: PatchCoding,
    bank: PatchBank,
    image_id: int,
    picture: Image.Image,
    points_of: PointsOf,
    seed: int = 0,
    among: np.ndarray | None = None,
    mirrored: bool = False,
) -> Searched:
    """Searches for boxes of an image in the other pictures of the bank, of which `among` (n,) bool leaves some in
    question. `picture` is its upright original, or smaller; `points_of` that of `search.find`. What is found depends on
    the pictures and the seed alone."""
    place = int(np.searchsorted(bank.image_ids, image_id))
    best = best_cosines(bank, bank.of(place))
    wanted = np.diff(bank.starts) > 0
    wanted[place] = False
    if among is not None:
        wanted &= among
    boxes, own = sample_boxes(bank, place, best, wanted, seed), points_of(image_id)
    if not boxes or own is None:
        return Searched(len(boxes), len(boxes), [])
    scale = picture.width / bank.sizes[place, 0]
    inside = [_inside(*own, box.box) for box in boxes]
    least = blocks.backbone.patch / scale
    textured = [
        number for number, box in enumerate(boxes)
        if len(inside[number]) >= verification.LEAST and min(_sides(box.box)) >= least
    ]  # fmt: skip
    parts = parts_of(blocks, coding, [picture.crop(_scaled(boxes[number].box, scale)) for number in textured])
    scores = [max_similarity(bank, part.vectors[part.kept], wanted) for part in parts]
    asked: dict[int, list[np.ndarray]] = {}
    for number, own_scores in zip(textured, scores, strict=True):
        for other in _first(own_scores):
            asked.setdefault(other, []).append(inside[number])
    links = []
    for other, numbers in sorted(asked.items()):
        there = points_of(int(bank.image_ids[other]))
        for flipped in (False, True) if mirrored else (False,):
            if there is not None:
                found = agreements(mirror(own[0]) if flipped else own[0], there[0], numbers)
                links += [
                    _link(bank, place, other, _upright(each, own, there, flipped), best, flipped) for each in found
                ]
    by_number = dict(zip(textured, zip(parts, scores, strict=True), strict=True))
    return Searched(len(boxes), len(boxes) - len(textured), links + _voted(bank, place, boxes, by_number, links))


def _first(scores: np.ndarray) -> list[int]:
    """The places of the CHECKED best scores that are finite."""
    order = np.argsort(-scores, kind="stable")[:CHECKED]
    return order[np.isfinite(scores[order])].tolist()


def _inside(points: KeyPoints, scale: float, box: Box) -> np.ndarray:
    """The numbers of the key points in a box in pixels of the original."""
    x, y = (points.places * scale).T
    return np.flatnonzero((x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3]))


def _upright(
    agreed: Agreement, own: tuple[KeyPoints, float], there: tuple[KeyPoints, float], flipped: bool
) -> Agreement:
    """An agreement in pixels of the originals; of a picture that was mirrored in those of the picture as it is."""
    here, matrix = agreed.here.copy(), agreed.matrix.copy()
    if flipped:
        width = own[0].size[0]
        here[:, 0] = width - here[:, 0]
        matrix[:, 2] += matrix[:, 0] * width
        matrix[:, 0] *= -1
    matrix[:, :2] /= own[1]
    return Agreement(here * own[1], agreed.there * there[1], matrix * there[1])


def _link(bank: PatchBank, place: int, other: int, agreed: Agreement, best: np.ndarray, flipped: bool) -> Link:
    here, there = extent(agreed.here), extent(agreed.there)
    part = box_at(bank, place, here)
    score = float("nan") if part is None else float(best[part.patches, other].mean())
    covered = [np.prod(_sides(box)) / np.prod(bank.sizes[at]) for box, at in ((here, place), (there, other))]
    ids = int(bank.image_ids[place]), int(bank.image_ids[other])
    same = bool(min(covered) >= SAME)
    return Link(*ids, here, there, KEY_POINTS, score, len(agreed.here), agreed.matrix, flipped, same)


def _voted(
    bank: PatchBank,
    place: int,
    boxes: list[SampledBox],
    found: dict[int, tuple[Part, np.ndarray]],
    links: list[Link],
) -> list[Link]:
    """Links by patches alone, of boxes in which no link of key points lies. One picture must be more similar to the box
    than any other by LEAD, this box's picture to the place there as well, and the votes must lead there and back."""
    voted = []
    for number, (part, scores) in found.items():
        box, other = boxes[number].box, int(scores.argmax())
        if any(overlap(link.here, box) > 0 for link in links) or not _leads(scores, other):
            continue
        there = _vote(bank, other, np.where(part.kept[:, None], part.vectors, 0), (part.rows, part.cols))
        if there is None:
            continue
        own = bank.of(other)[there.patches]
        back = max_similarity(bank, own, np.arange(len(bank)) != other)
        if int(back.argmax()) != place or not _leads(back, place):
            continue
        vectors = np.zeros((there.rows * there.cols, own.shape[1]), np.float32)
        vectors[there.cells] = own
        again = _vote(bank, place, vectors, (there.rows, there.cols))
        if again is not None and overlap(again.box, box) >= BACK:
            ids = int(bank.image_ids[place]), int(bank.image_ids[other])
            voted.append(Link(*ids, box, there.box, VOTES, float(scores[other])))
    return voted


def _leads(scores: np.ndarray, first: int) -> bool:
    """Whether a picture's score is above all others by LEAD; never where there are no others."""
    others = np.delete(scores, first)
    return bool(np.isfinite(others).any() and scores[first] - others.max() >= LEAD)


def _vote(bank: PatchBank, place: int, vectors: np.ndarray, grid: tuple[int, int]) -> SampledBox | None:
    """Where in a picture some patches (rows * cols, dim) of a grid (rows, cols) vote for."""
    frame = bank.frames[place]
    won = vote(bank.cosines(place, vectors), grid, (frame.rows, frame.cols)).box
    across, down = (frame.x1 - frame.x0) / frame.cols, (frame.y1 - frame.y0) / frame.rows
    x0, y0, x1, y1 = won
    box = (frame.x0 + x0 * across, frame.y0 + y0 * down, frame.x0 + x1 * across, frame.y0 + y1 * down)
    return box_at(bank, place, box)


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def _scaled(box: Box, scale: float) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    return x0, y0, x1, y1
