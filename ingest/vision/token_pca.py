"""Patch tokens as colours: their principal components, found in several pictures together, as red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.geometry import Frame, fit_image

CLIPPED = (2, 98)  # percentiles that become 0 and 1: by the very ends, a few odd tokens would eat the contrast


@dataclass(frozen=True)
class Ground:
    """What tells foreground from background: a patch is foreground where (token - mean) · axis > cut. `mean` and
    `axis` (width,) float64."""

    mean: np.ndarray
    axis: np.ndarray
    cut: float

    def foreground(self, tokens: np.ndarray) -> np.ndarray:
        """bool (rows, cols) of tokens (rows, cols, width)."""
        return (np.asarray(tokens, np.float64) - self.mean) @ self.axis > self.cut


@dataclass(frozen=True)
class TokenPCA:
    """A basis in which patch tokens have colours: the same colour for the same kind of place in every picture.

    `mean` (width,) and `axes` (3, width) float64, the first component first; `low` and `high` (3,) become 0 and 1;
    `explained` (3,) is each component's share of the variance, 0..1. `ground` is None where no background was set
    apart; otherwise mean, axes and shares are those of the foreground.
    """

    mean: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    explained: np.ndarray
    ground: Ground | None = None

    @classmethod
    def fit(
        cls,
        tokens: Sequence[np.ndarray],
        cells: Sequence[np.ndarray | None] | None = None,
        foreground: bool = False,
    ) -> TokenPCA:
        """The basis of the tokens (rows, cols, width) of several pictures together; `cells` bool (rows, cols) is False
        on padding, which does not count.

        With `foreground` the first component of all patches is cut in two where that parts them best (Otsu 1979), and
        the part nearer to the pictures' centres is kept: only its patches make the basis (Oquab et al. 2023, DINOv2).
        Nothing here is random. ValueError for tokens of different widths, or for none.
        """
        if not tokens:
            raise ValueError("the principal components need the tokens of at least one picture")
        widths = {part.shape[-1] for part in tokens}
        if len(widths) > 1:
            raise ValueError(f"tokens of one network have one width, these have {sorted(widths)}")
        shown = [np.ones(part.shape[:2], bool) for part in tokens]
        if cells is not None:
            shown = [all_ if own is None else np.asarray(own, bool) for all_, own in zip(shown, cells, strict=True)]
        every = _rows(tokens, shown)
        ground = _ground(every, _distances(shown)) if foreground else None
        if ground is not None:
            kept = [mask & ground.foreground(part) for mask, part in zip(shown, tokens, strict=True)]
            every = _rows(tokens, kept)
        mean, axes, explained = _components(every, 3)
        low, high = np.percentile(every @ axes.T - mean @ axes.T, CLIPPED, axis=0)
        return cls(mean, axes, low, high, explained, ground)

    def colours(self, tokens: np.ndarray) -> np.ndarray:
        """float32 (rows, cols, 3) in 0..1 of tokens (rows, cols, width) of these or of other pictures."""
        places = (np.asarray(tokens, np.float64) - self.mean) @ self.axes.T
        spread = self.high - self.low
        # Without this, what the rounding leaves of a component that is not there would get all colours.
        real = spread > 1e-9 * max(spread.max(), np.abs(self.mean).max())
        shares = np.where(real, (places - self.low) / np.where(real, spread, 1), 0.5)
        return np.clip(shares, 0, 1).astype(np.float32)

    def foreground(self, tokens: np.ndarray) -> np.ndarray:
        """bool (rows, cols): the patches that are not background; all where none was set apart."""
        if self.ground is None:
            return np.ones(tokens.shape[:2], bool)
        return self.ground.foreground(tokens)


@torch.inference_mode()
def patch_tokens(
    backbone: Backbone,
    picture: Image.Image,
    fit: str = "crop",
    size: int | None = None,
    original: tuple[int, int] | None = None,
) -> tuple[np.ndarray, Frame]:
    """The patch tokens of an upright RGB picture after the final norm, float32 (rows, cols, width), and its Frame.

    Special tokens are left out. `original` as for `fit_image`. Raises BackboneError where the family gives no tokens.
    """
    pixels, frame = fit_image(picture, backbone.rule, fit, size, original)
    tokens = backbone.process(backbone.pixels(torch.from_numpy(pixels.copy())[None]), tokens=True).tokens
    if tokens is None:
        raise BackboneError(f"{backbone.title} keeps its patch tokens to itself, so they cannot be shown")
    patches = tokens[0, -frame.rows * frame.cols :]
    return patches.float().cpu().numpy().reshape(frame.rows, frame.cols, -1), frame


def _rows(tokens: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray:
    """The chosen tokens of all pictures, float64 (n, width)."""
    return np.concatenate([np.asarray(part, np.float64)[mask] for part, mask in zip(tokens, masks, strict=True)])


def _components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (width,), the first `count` principal axes (count, width) and their shares of the variance (count,).

    An axis points to the side of its largest loading; axes that are not there are 0.
    """
    mean = rows.mean(0)
    # Not (rows - mean): of a large network's tokens a second copy would be hundreds of megabytes.
    values, vectors = np.linalg.eigh(rows.T @ rows - len(rows) * np.outer(mean, mean))
    found = vectors[:, ::-1][:, :count].T
    found = found * np.sign(np.take_along_axis(found, np.abs(found).argmax(1)[:, None], axis=1))
    axes, shares = np.zeros((count, rows.shape[1])), np.zeros(count)
    axes[: len(found)] = found
    total = values.sum()
    if total > 0:
        shares[: len(found)] = np.maximum(values[::-1][:count], 0) / total
    return mean, axes, shares


def _ground(rows: np.ndarray, distances: np.ndarray) -> Ground | None:
    """The cut of the first component, its axis turned so that the foreground, nearer to the centre, lies above; None
    where all tokens are alike."""
    mean, (axis,), _ = _components(rows, 1)
    places = rows @ axis - mean @ axis
    cut = _otsu(places)
    if cut is None:
        return None
    above = places > cut
    if distances[above].mean() > distances[~above].mean():
        # Strictly above on either side: the cut lies between two values that occur.
        return Ground(mean, -axis, -cut)
    return Ground(mean, axis, cut)


def _otsu(values: np.ndarray) -> float | None:
    """The cut that leaves the greatest variance between its two sides (Otsu 1979), between two values that occur."""
    ordered = np.sort(values)
    steps = np.flatnonzero(np.diff(ordered) > 1e-12 * max(1.0, np.abs(ordered).max()))
    if not steps.size:
        return None
    below, total = steps + 1, len(ordered)
    sums = np.cumsum(ordered)[steps]
    between = (sums * total - ordered.sum() * below) ** 2 / (below * (total - below))
    best = steps[between.argmax()]
    return float((ordered[best] + ordered[best + 1]) / 2)


def _distances(cells: Sequence[np.ndarray]) -> np.ndarray:
    """How far each cell that shows picture lies from its picture's middle, about 1 at the middle of an edge; (n,)."""
    found = []
    for mask in cells:
        places = np.argwhere(mask)
        low, high = (end(places, axis=0) for end in (np.min, np.max)) if len(places) else (0, 0)
        found.append(np.linalg.norm((2 * places - low - high) / (high - low + 1), axis=1))
    return np.concatenate(found)
