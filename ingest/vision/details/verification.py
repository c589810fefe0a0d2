"""Key points that agree on one place: SIFT and RANSAC (Lowe 2004; Fischler and Bolles 1981), by OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LEAST = 5  # matching points that must agree: fewer agree by chance
RATIO = 0.85  # Lowe's: the nearest must be so much nearer than the second nearest
CONTRAST = 0.01  # of a key point; OpenCV's own 0.04 leaves faded scans without any
POINTS, PART_POINTS = 4000, 1500  # of a picture, and of a part, at most
SIDE = 1200  # pixels of a picture's long side beyond which it is reduced first
SMALL = 400  # pixels of a part's long side below which it is enlarged twice: SIFT finds little in less
TOLERANCE = 4.0  # pixels by which a point may miss its place
SCALES = (0.1, 10.0)  # how much larger or smaller than the part the place may be


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """Places (n, 2) in pixels of the picture that they were found in, x before y, and SIFT descriptors (n, 128)
    float32. `size` is that picture's (width, height)."""

    places: np.ndarray
    descriptors: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Agreement:
    """The matching points that one similarity (shift, turn, scale) explains: `here` (n, 2) in the part's pixels,
    `there` (n, 2) in the picture's. `matrix` (2, 3) leads from here to there."""

    here: np.ndarray
    there: np.ndarray
    matrix: np.ndarray

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """The upright box (x0, y0, x1, y1) round where the part of this size lies in the picture, in its pixels."""
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
        found = corners @ self.matrix[:, :2].T + self.matrix[:, 2]
        (x0, y0), (x1, y1) = found.min(axis=0).tolist(), found.max(axis=0).tolist()
        return x0, y0, x1, y1


def key_points(pixels: np.ndarray, part: bool = False, most: int = POINTS) -> KeyPoints:
    """The `most` key points of highest contrast of a picture uint8 (height, width, 3), or PART_POINTS of a `part`,
    which is enlarged if it is small."""
    height, width = pixels.shape[:2]
    factor = min(1.0, SIDE / max(height, width))
    if part and max(height, width) < SMALL:
        factor = 2.0
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    if factor != 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    sift = cv2.SIFT.create(nfeatures=PART_POINTS if part else most, contrastThreshold=CONTRAST)
    points, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return KeyPoints(np.empty((0, 2)), np.empty((0, 128), np.float32), (width, height))
    # OpenCV counts from the middle of the first pixel, we from its corner.
    places = (np.array([point.pt for point in points]) + 0.5) * (width / grey.shape[1], height / grey.shape[0])
    return KeyPoints(places, descriptors.astype(np.float32), (width, height))


def agreement(part: KeyPoints, picture: KeyPoints) -> Agreement | None:
    """What most matching points of a part and a picture agree on; None where fewer than LEAST do."""
    if len(part.places) < LEAST or len(picture.places) < LEAST:
        return None
    nearest, good = matches(part.descriptors, picture.descriptors)
    return agree(part.places[good], picture.places[nearest[good]], picture.size)


def agree(here: np.ndarray, there: np.ndarray, size: tuple[int, int]) -> Agreement | None:
    """What most pairs of matching points, `here` (n, 2) and `there` (n, 2) in a picture of this (width, height), agree
    on; None where fewer than LEAST do."""
    if len(here) < LEAST:
        return None
    allowed = tolerance(size)
    cv2.setRNGSeed(0)
    matrix, inside = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=allowed, maxIters=2000, confidence=0.995
    )
    if matrix is None:
        return None
    kept = inside.ravel().astype(bool)
    # Several points of the part at one place of the picture are one witness, not several.
    apart = len(np.unique(np.round(there[kept] / allowed), axis=0))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if min(int(kept.sum()), apart) < LEAST or not SCALES[0] <= scale <= SCALES[1]:
        return None
    return Agreement(here[kept], there[kept], matrix)


def tolerance(size: tuple[int, int]) -> float:
    """Pixels by which a point may miss its place in a picture of this (width, height)."""
    return TOLERANCE * max(1.0, max(size) / SIDE)


def matches(here: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each descriptor (n, 128) the number of the nearest of the others (m, 128), and whether it is nearer than
    RATIO times the second nearest, bool (n,)."""
    # One matrix product, where OpenCV's matcher computes pair by pair.
    squares = np.einsum("ij,ij->i", there, there) - 2 * (here @ there.T)
    nearest = squares.argmin(axis=1)
    rows, own = np.arange(len(here)), np.einsum("ij,ij->i", here, here)
    first = squares[rows, nearest] + own
    squares[rows, nearest] = np.inf
    second = squares.min(axis=1) + own
    return nearest, np.maximum(first, 0) < RATIO**2 * second
