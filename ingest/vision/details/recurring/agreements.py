"""What the key points of two pictures agree on: from the points in some boxes to all that share one similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest.vision.details import verification
from ingest.vision.details.crops import overlap
from ingest.vision.details.verification import Agreement, KeyPoints, agree
from ingest.vision.geometry import Box

LEAST = 8  # matching points that must agree: of thousands of boxes and pictures fewer agree by chance
BACK = 0.3  # overlap of a place with where the other place leads back to
REFITS = 3


def mirror(points: KeyPoints) -> KeyPoints:
    """The key points as they are in the mirror image of their picture. A SIFT descriptor is turned over by exchanging
    its 4 × 4 histograms across the key point's own direction, and the 8 directions of each."""
    places = points.places.copy()
    places[:, 0] = points.size[0] - places[:, 0]
    histograms = points.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    return KeyPoints(places, np.ascontiguousarray(histograms.reshape(-1, 128)), points.size)


def agreements(here: KeyPoints, there: KeyPoints, boxes: Sequence[np.ndarray]) -> list[Agreement]:
    """Agreements of a picture with another that begin in some boxes of it (the numbers of the key points in each), are
    grown to all points of the picture that share them, and lead back."""
    nearest, good = _matches(here, there, np.unique(np.concatenate(boxes)) if boxes else np.empty(0, int))
    every: tuple[np.ndarray, np.ndarray] | None = None
    explained, found = np.zeros(len(here.places), bool), []
    # Boxes with many matching points first: what they lead to explains those of their neighbours.
    for numbers in sorted(boxes, key=lambda each: -int(good[each].sum())):
        left = numbers[good[numbers] & ~explained[numbers]]
        agreed = agree(here.places[left], there.places[nearest[left]], there.size)
        if agreed is None:
            continue
        if every is None:
            every = _matches(here, there, np.arange(len(here.places)))
        grown, taken = _grown(agreed, here, there, *every)
        explained |= taken
        if grown is not None and _leads_back(grown, here, there):
            found.append(grown)
    return found


def extent(places: np.ndarray) -> Box:
    """The box round some places (n, 2)."""
    (x0, y0), (x1, y1) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    return x0, y0, x1, y1


def _matches(here: KeyPoints, there: KeyPoints, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(nearest, good) of some points, as `verification.matches` gives them, for all points of `here`."""
    nearest, good = np.zeros(len(here.places), int), np.zeros(len(here.places), bool)
    if len(asked) >= verification.LEAST and len(there.places) >= verification.LEAST:
        nearest[asked], good[asked] = verification.matches(here.descriptors[asked], there.descriptors)
    return nearest, good


def _grown(
    agreed: Agreement, here: KeyPoints, there: KeyPoints, nearest: np.ndarray, good: np.ndarray
) -> tuple[Agreement | None, np.ndarray]:
    """The agreement with all matching points that it explains, fitted anew to these, None where they are fewer than
    LEAST; and which points of `here` these are, bool."""
    numbers, allowed = np.flatnonzero(good), verification.tolerance(there.size)
    places, targets = here.places[numbers], there.places[nearest[numbers]]
    taken = np.zeros(len(numbers), bool)
    for _ in range(REFITS):
        missed = places @ agreed.matrix[:, :2].T + agreed.matrix[:, 2] - targets
        taken = np.linalg.norm(missed, axis=1) <= allowed
        again = agree(places[taken], targets[taken], there.size)
        if again is None:
            break
        agreed = again
    explained = np.zeros(len(good), bool)
    explained[numbers[taken]] = True
    # Several points at one place are one witness, not several: on either side.
    apart = [len(np.unique(np.round(each / allowed), axis=0)) for each in (agreed.here, agreed.there)]
    return (agreed if min(apart) >= LEAST else None), explained


def _leads_back(agreed: Agreement, here: KeyPoints, there: KeyPoints) -> bool:
    """Whether what lies at the place, searched for in the first picture, leads to where it came from."""
    x0, y0, x1, y1 = extent(agreed.there)
    x, y = there.places.T
    numbers = np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))
    nearest, good = _matches(there, here, numbers)
    back = agree(there.places[good], here.places[nearest[good]], here.size)
    return back is not None and overlap(extent(back.there), extent(agreed.here)) >= BACK
