"""From links to groups: places that show the same, and pictures that are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.vision.details.crops import overlap
from ingest.vision.details.recurring.agreements import LEAST
from ingest.vision.details.recurring.searching import Link
from ingest.vision.details.search import KEY_POINTS, VOTES
from ingest.vision.geometry import Box

if TYPE_CHECKING:
    from scipy.cluster.hierarchy import DisjointSet

DETAIL, SAME_PICTURE = "detail", "same picture"
ONE_PLACE = 0.3  # overlap from which two boxes of a picture are one place
STRONG = 2 * LEAST  # matching points of a link that alone may join two groups


@dataclass(frozen=True)
class Place:
    """A `box` (x0, y0, x1, y1) in pixels of an image's upright original. By its best link `matches` key points agree
    with another place of its group, 0 where patches alone vote for it."""

    image_id: int
    box: Box
    matches: int


@dataclass(frozen=True)
class Group:
    """Places in two or more pictures that show the same. `kind`: a detail, or the same picture; `stage`: what decided;
    `mirrored`: some of them show it in mirror image of others. `places`: the surest first."""

    kind: str
    stage: str
    mirrored: bool
    places: tuple[Place, ...]

    @property
    def pictures(self) -> int:
        """How many pictures they are in."""
        return len({place.image_id for place in self.places})

    @property
    def matches(self) -> int:
        """How many key points at least hold each place."""
        return min(place.matches for place in self.places)


def group(links: Sequence[Link]) -> list[Group]:
    """The groups that these links make, the largest first, of equal ones the surest, whatever the links' order.

    Pictures that are the same make a group of their own kind, and other links between them count for nothing. Links by
    votes are grouped apart, of places that no key points hold. The surest links are taken first. Two boxes of a picture
    are one place where they overlap by ONE_PLACE with the surest of them, so that no chain of overlaps wanders off; and
    two groups are joined by a link on which STRONG or more key points agree, or by two links between other places: one
    weak link joins no two groups.
    """
    ordered = sorted(links, key=lambda each: (-each.matches, -each.score, each.image_id, each.other_id, each.here))
    from scipy.cluster.hierarchy import DisjointSet

    same = DisjointSet([image_id for link in ordered for image_id in (link.image_id, link.other_id)])
    for link in ordered:
        if link.same:
            same.merge(link.image_id, link.other_id)
    details = [link for link in ordered if not same.connected(link.image_id, link.other_id)]
    held = _grouped(KEY_POINTS, [link for link in details if link.stage == KEY_POINTS])
    known: dict[int, list[Box]] = {}
    for place in (place for each in held for place in each.places):
        known.setdefault(place.image_id, []).append(place.box)
    voted = [
        link
        for link in details
        if link.stage == VOTES
        and not any(
            overlap(box, other) >= ONE_PLACE
            for image_id, box in ((link.image_id, link.here), (link.other_id, link.there))
            for other in known.get(image_id, [])
        )
    ]
    found = [*_same(same, ordered), *held, *_grouped(VOTES, voted)]
    return sorted(found, key=lambda each: (-each.pictures, -each.matches, each.places[0].image_id, each.places[0].box))


def _same(same: DisjointSet, links: Sequence[Link]) -> list[Group]:
    """A group for each set of pictures that are the same: of each picture the largest part that is in another."""
    found = []
    for ids in same.subsets():
        own = [link for link in links if link.same and link.image_id in ids]
        if own:
            boxes: dict[int, Place] = {}
            for link in own:
                for image_id, box in ((link.image_id, link.here), (link.other_id, link.there)):
                    boxes.setdefault(image_id, Place(image_id, box, link.matches))
            places = sorted(boxes.values(), key=lambda each: (-each.matches, each.image_id))
            found.append(Group(SAME_PICTURE, KEY_POINTS, any(link.mirrored for link in own), tuple(places)))
    return found


def _grouped(stage: str, links: Sequence[Link]) -> list[Group]:
    """The groups of details that links of one stage make, the surest link first."""
    places: list[Place] = []
    of_image: dict[int, list[int]] = {}
    ends = []
    for link in links:
        numbers = []
        for image_id, box in ((link.image_id, link.here), (link.other_id, link.there)):
            own = of_image.setdefault(image_id, [])
            number = max(own, key=lambda each: overlap(places[each].box, box), default=-1)
            if number < 0 or overlap(places[number].box, box) < ONE_PLACE:
                number = len(places)
                places.append(Place(image_id, box, link.matches)), own.append(number)
            numbers.append(number)
        ends.append((min(numbers), max(numbers), link))
    sets = _joined(len(places), ends)
    found = []
    for numbers in sets.subsets():
        own = tuple(places[number] for number in sorted(numbers))
        mirrored = any(link.mirrored for here, _, link in ends if here in numbers)
        if len({place.image_id for place in own}) > 1:
            found.append(Group(DETAIL, stage, mirrored, own))
    return found


def _joined(count: int, ends: Sequence[tuple[int, int, Link]]) -> DisjointSet:
    """Which of `count` places belong together by links between two of them, the surest first."""
    from scipy.cluster.hierarchy import DisjointSet

    sets, waiting = DisjointSet(range(count)), []
    for here, there, link in ends:
        alone = min(sets.subset_size(here), sets.subset_size(there)) == 1
        if alone or link.matches >= STRONG:
            sets.merge(here, there)
        else:
            waiting.append((here, there))
    while True:
        between: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for here, there in waiting:
            if not sets.connected(here, there):
                roots = sorted((sets[here], sets[there]))
                between.setdefault((roots[0], roots[1]), set()).add((here, there))
        pair = next((pair for pair, several in sorted(between.items()) if len(several) > 1), None)
        if pair is None:
            return sets
        sets.merge(*pair)
