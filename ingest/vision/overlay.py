"""Drawing a map of patches over the picture: exactly on the pixels that the network saw, and nowhere else."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ingest.vision.geometry import Frame

SCALES = {
    "map": "each map from its own least to its own greatest weight",
    "shared": "all maps from the least to the greatest weight among them",
    "absolute": "times uniform attention: 1 = as much as if every patch got the same",
}
# Uniform attention is then an eighth of the scale: pale but visible. A patch with more than eight times the
# uniform share is shown as eight.
ABSOLUTE_RANGE = (0.0, 8.0)

_GREY = 32  # what is dimmed goes towards this dark grey


def scale_values(stack: np.ndarray, how: str, cells: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Weights (maps, rows, cols) as values in 0..1, float32, and the limits (maps, 2) that 0 and 1 stand for.

    `how` is "map" (each map from its minimum to its maximum), "shared" (one minimum and maximum for the
    stack) or "absolute" (N·w on the fixed ABSOLUTE_RANGE, N = rows × cols patches: 1 = uniform attention, the
    same for every map and every picture). Limits are in units of the weights, for "absolute" in units of
    uniform attention. `cells` (rows, cols) or (maps, rows, cols), bool, says which patches count for the
    limits (Frame.picture_cells: so that padding does not); the others are clipped. A constant map becomes 0
    everywhere. Weights that are not finite stay NaN, and `overlay` leaves them out. ValueError for another
    `how` or shape.
    """
    stack = np.asarray(stack, dtype=np.float32)
    if stack.ndim != 3:
        raise ValueError(f"expected maps of shape (maps, rows, cols), got {stack.shape}")
    finite = np.isfinite(stack)
    values = np.where(finite, stack, 0)
    if how == "absolute":
        limits = np.tile(np.array(ABSOLUTE_RANGE), (len(stack), 1))
        values = values * (stack.shape[1] * stack.shape[2])
    elif how in ("map", "shared"):
        counts = finite if cells is None else finite & np.asarray(cells, bool)
        axes = (1, 2) if how == "map" else (0, 1, 2)
        low = np.min(values, axis=axes, keepdims=True, where=counts, initial=np.inf)
        high = np.max(values, axis=axes, keepdims=True, where=counts, initial=-np.inf)
        nothing = ~counts.any(axis=axes, keepdims=True)
        low, high = np.where(nothing, 0, low), np.where(nothing, 0, high)
        limits = np.stack([np.broadcast_to(x, (len(stack), 1, 1)).reshape(-1) for x in (low, high)], axis=1)
        limits = limits.astype(np.float64)
    else:
        raise ValueError(f"the scale is one of {', '.join(SCALES)}, not {how!r}")
    low, high = limits[:, :1, None], limits[:, 1:, None]
    spread = high - low
    # A spread within the rounding of float32 is no structure: it must not be blown up to full contrast.
    flat = spread <= 1e-6 * np.maximum(np.abs(low), np.abs(high))
    values = np.where(flat, 0, (values - low) / np.where(flat, 1, spread))
    return np.where(finite, np.clip(values, 0, 1), np.nan).astype(np.float32), limits


def threshold_mass(weights: np.ndarray, share: float, cells: np.ndarray | None = None) -> np.ndarray:
    """bool (rows, cols): the smallest set of patches that holds `share` (0..1) of the map's mass.

    The mask of DINO's `visualize_attention` (Caron et al. 2021). Among equal weights the earlier patch in
    reading order is taken. A share of 0 keeps nothing, 1 keeps every patch with a positive weight. `cells`
    (rows, cols), bool, limits both the mass and the set. ValueError if the share is outside 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of the mass is between 0 and 1, not {share}")
    weights = np.asarray(weights, dtype=np.float64)
    usable = np.isfinite(weights) & (weights > 0)
    if cells is not None:
        usable &= np.asarray(cells, bool)
    if share == 1:
        return usable
    flat = np.where(usable, weights, 0).reshape(-1)
    order = np.argsort(-flat, kind="stable")
    mass = np.cumsum(flat[order])
    # The slack swallows the rounding of the sum: ten equal patches at 0.3 keep three, not four.
    needed = share * mass[-1] - 1e-9 * mass[-1] if mass.size else 0
    keep = np.zeros(flat.size, bool)
    if needed > 0:
        keep[order[: int(np.searchsorted(mass, needed)) + 1]] = True
    return keep.reshape(weights.shape)


def overlay(
    picture: Image.Image,
    values: np.ndarray,
    frame: Frame,
    original_size: tuple[int, int],
    lut: np.ndarray,
    opacity: float = 0.6,
    smooth: bool = True,
    mask: np.ndarray | None = None,
    dim: float = 0.35,
) -> Image.Image:
    """A copy of the picture, RGB, with `values` (rows, cols) in 0..1 drawn over the pixels of `frame`.

    `picture` may be a scaled copy of the upright original, whose (width, height) is `original_size`. `lut`
    (256, 3) uint8 gives the colours. `smooth` interpolates between the centres of the patches; without it
    each patch is one flat rectangle: a pixel takes the value of the patch that holds its centre. What the
    network did not see is dimmed by `dim`; patches outside `mask` (rows, cols), bool, and NaN values show the
    picture dimmed half as much. Padding is never drawn. ValueError if shapes do not fit.
    """
    values, shown, lut = _checked(values, frame, mask, lut)
    base = np.array(picture.convert("RGB"), dtype=np.float32)
    width, height = picture.size
    columns = _Axis(frame.x0, frame.x1, frame.cols, width, original_size[0])
    rows = _Axis(frame.y0, frame.y1, frame.rows, height, original_size[1])
    whole = rows.cells.size == height and columns.cells.size == width
    result = base if whole else _dimmed(base, dim)
    if rows.cells.size and columns.cells.size:
        window = (rows.pixels, columns.pixels)
        seen = base[window]
        field = _field(values, rows, columns, smooth)
        colours = lut.astype(np.float32)[np.rint(np.nan_to_num(field) * 255).astype(np.uint8)]
        colours -= seen
        colours *= opacity
        colours += seen
        if not shown.all():
            drawn = shown[np.ix_(rows.cells, columns.cells)][..., None]
            colours = np.where(drawn, colours, _dimmed(seen, dim / 2))
        result[window] = colours
    return Image.fromarray(np.rint(result, out=result).astype(np.uint8))


def _checked(values, frame: Frame, mask, lut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    grid = (frame.rows, frame.cols)
    values, lut = np.asarray(values, dtype=np.float32), np.asarray(lut)
    if values.shape != grid:
        raise ValueError(f"expected values on the frame's grid {grid}, got {values.shape}")
    if lut.shape != (256, 3):
        raise ValueError(f"expected a colour table of shape (256, 3), got {lut.shape}")
    shown = np.isfinite(values)
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != grid:
            raise ValueError(f"expected a mask on the frame's grid {grid}, got {mask.shape}")
        shown &= mask
    return np.clip(values, 0, 1), shown, lut


class _Axis:
    """One axis of the drawing: which pixels of the picture lie in the frame, and where each lies in the grid.

    `pixels` is a slice of the picture's pixels, `cells` the index of the patch that holds each pixel's
    centre, and `place` (pixels, patches) the weights of a linear interpolation between the centres of the
    patches.
    """

    def __init__(self, start: float, end: float, count: int, pixels: int, original: float):
        scale = pixels / original
        position = (np.arange(pixels) + 0.5 - start * scale) * count / ((end - start) * scale)  # in patches
        inside = np.flatnonzero((position >= 0) & (position < count))
        first, last = (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
        self.pixels = slice(first, last)
        position = position[first:last]
        self.cells = np.minimum(position.astype(int), count - 1)
        self.place = np.zeros((last - first, count), np.float32)
        if inside.size:
            # Held between the first and last patch that shows some of the picture: the edge patches extend
            # outward and no padding bleeds in.
            centred = np.clip(position - 0.5, self.cells[0], self.cells[-1])
            lower = np.floor(centred).astype(int)
            upper = np.minimum(lower + 1, count - 1)
            line = np.arange(last - first)
            np.add.at(self.place, (line, lower), 1 - (centred - lower))
            np.add.at(self.place, (line, upper), centred - lower)


def _field(values: np.ndarray, rows: _Axis, columns: _Axis, smooth: bool) -> np.ndarray:
    """The value at each pixel in the frame; NaN cells lend nothing to their neighbours."""
    if not smooth:
        return values[np.ix_(rows.cells, columns.cells)]
    known = np.isfinite(values).astype(np.float32)
    field = _spread(np.nan_to_num(values), rows, columns)
    if known.all():
        return np.clip(field, 0, 1)
    weight = _spread(known, rows, columns)
    return np.clip(field / np.maximum(weight, 1e-6), 0, 1)


def _spread(values: np.ndarray, rows: _Axis, columns: _Axis) -> np.ndarray:
    # einsum, not @: the matrices are small, and BLAS threads that wait for each other cost ten times the product.
    across = np.einsum("rc,xc->rx", values, columns.place)
    return np.einsum("yr,rx->yx", rows.place, across)


def _dimmed(pixels: np.ndarray, amount: float) -> np.ndarray:
    return pixels + amount * (_GREY - pixels)
