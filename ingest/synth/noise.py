"""Strokes that look a little like digits: Bezier curves of any thickness, or straight scribbles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import comb

GRID = 28  # pixels a side, as MNIST's digits have
POINTS, SHARES = (4, 6, 8), (3 / 9, 5 / 9, 1 / 9)  # control points of a curve, and how often it has so many
SEGMENTS = 100


def bezier(rng: np.random.Generator, thickness: float) -> np.ndarray:
    """A Bezier curve (28, 28) uint8 through random control points, `thickness` pixels wide, its edges smooth."""
    count = rng.choice(POINTS, p=SHARES)
    return stroke(bezier_points(rng.random((count, 2)) * GRID, SEGMENTS), thickness)


def bezier_points(control: np.ndarray, segments: int) -> np.ndarray:
    """Points (segments + 1, 2) of the Bezier curve with these control points (n, 2), by Bernstein's polynomials."""
    n, t = len(control) - 1, np.linspace(0, 1, segments + 1)[:, None]
    i = np.arange(n + 1)
    return (comb(n, i) * t**i * (1 - t) ** (n - i)) @ control


def stroke(points: np.ndarray, thickness: float) -> np.ndarray:
    """A line through points (n, 2) as (row, col), drawn on (28, 28) uint8: a pixel is as bright as the share of it that
    lies nearer to the line than half its thickness."""
    rows, cols = np.mgrid[:GRID, :GRID] + 0.5
    pixels = np.stack([rows.ravel(), cols.ravel()], axis=1)
    start, along = points[:-1], np.diff(points, axis=0)
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    place = np.clip(((pixels[:, None] - start) * along).sum(axis=2) / length, 0, 1)
    distance = np.linalg.norm(pixels[:, None] - start - place[..., None] * along, axis=2).min(axis=1)
    coverage = np.clip(thickness / 2 - distance + 0.5, 0, min(1.0, thickness))
    return np.rint(coverage * 255).astype(np.uint8).reshape(GRID, GRID)


def scribbles(rng: np.random.Generator, thickness: float = 1.0) -> np.ndarray:
    """Two straight lines from a corner (28, 28) uint8, one pixel wide whatever the thickness, 80 to 100 % bright:
    the noise of the original Megapixel MNIST (https://github.com/idiap/attention-sampling)."""
    drawn = np.zeros((2, GRID, GRID), bool)
    for lines in drawn:
        slope = np.tan(rng.random() * np.pi / 2.5)
        x = np.linspace(0, min(GRID - 0.51, (GRID - 0.51) / max(slope, 1e-9)), 2 * GRID)
        lines[np.rint(x).astype(int), np.rint(slope * x).astype(int)] = True
    second = drawn[1]
    second = second[:, ::-1] if rng.random() < 0.33 else second
    second = second[::-1] if rng.random() < 0.33 else second
    bright = rng.random((GRID, GRID)) * 0.2 + 0.8
    return np.rint((drawn[0] | second) * bright * 255).astype(np.uint8)


KINDS: dict[str, Callable[[np.random.Generator, float], np.ndarray]] = {"bezier": bezier, "scribbles": scribbles}
