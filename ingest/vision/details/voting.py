"""Where a part lies in a picture when no key points say so: each of its patches votes for the part's middle.

A patch of the part, so far right of its middle, is as similar to some cells of the picture; each of these speaks for a
middle so far left of it, at each of some scales (the generalised Hough transform, Ballard 1981).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# How long the part's long side may be, as shares of the picture's.
SHARES = (0.08, 0.11, 0.16, 0.22, 0.32, 0.45)
SLACK = 1  # cells by which a patch may miss its place


@dataclass(frozen=True)
class Vote:
    """The place with the most votes: `score`, the mean similarity of the part's patches to the cells that they speak
    from, and `box` (x0, y0, x1, y1) in cells of the grid."""

    score: float
    box: tuple[float, float, float, float]


def vote(similarity: np.ndarray, part: tuple[int, int], grid: tuple[int, int]) -> Vote:
    """The best place of a part with so many (rows, cols) of patches in a picture's grid (rows, cols), from the cosines
    (part's patches, picture's cells) between them. Votes that would lie outside the picture are lost."""
    rows, cols = grid
    maps = _spread(np.asarray(similarity, np.float32).reshape(-1, rows, cols))
    down, across = (np.indices(part).reshape(2, -1).T + 0.5 - np.array(part) / 2).T
    best: Vote | None = None
    for share in SHARES:
        scale = max(share * max(grid), 1.0) / max(part)
        # Half cells are all rounded to one side: the box makes up for what that moves its middle by.
        dy, dx = (np.floor(offset * scale + 0.5) for offset in (down, across))
        votes = _shifted_sum(maps, dy.astype(int), dx.astype(int))
        row, col = np.unravel_index(votes.argmax(), votes.shape)
        score = float(votes[row, col]) / len(maps)
        # Slack lets a box that is too small tie with the right one.
        if best is None or score >= best.score:
            half = scale * part[0] / 2, scale * part[1] / 2
            y = float(row + 0.5 + (dy - down * scale).mean())
            x = float(col + 0.5 + (dx - across * scale).mean())
            best = Vote(score, (x - half[1], y - half[0], x + half[1], y + half[0]))
    assert best is not None
    x0, y0, x1, y1 = best.box
    return Vote(best.score, (max(0.0, x0), max(0.0, y0), min(float(cols), x1), min(float(rows), y1)))


def _spread(maps: np.ndarray) -> np.ndarray:
    """Each cell with the mean of its similarity and the greatest of its neighbourhood, SLACK cells wide to each side:
    a patch may miss its place, but where many hit theirs is better. (With the greatest alone the smallest box wins.)"""
    found = maps
    for axis in (1, 2):
        padded = np.pad(found, [(0, 0), *[(SLACK, SLACK) if each == axis else (0, 0) for each in (1, 2)]], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * SLACK + 1, axis=axis)
        found = windows.max(axis=-1)
    return (maps + found) / 2


def _shifted_sum(maps: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Σ of maps (n, rows, cols), each moved up by `down` and left by `across` (n,) cells."""
    rows, cols = maps.shape[1:]
    votes = np.zeros((rows, cols), np.float32)
    for each, dy, dx in zip(maps, down, across, strict=True):
        if abs(dy) < rows and abs(dx) < cols:
            to = votes[max(0, -dy) : rows - max(0, dy), max(0, -dx) : cols - max(0, dx)]
            to += each[max(0, dy) : rows + min(0, dy), max(0, dx) : cols + min(0, dx)]
    return votes
