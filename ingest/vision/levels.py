"""Grey levels and colours of more than 8 bits, with a sign or in floating point, as 8 bits.

What a number means decides, and the file says that: its sample format, its bits, a stated range. So that a dark picture
stays dark, black and white are:

- whole numbers without a sign, of up to 16 bits: 0 and the largest number of these bits;
- of 32 or 64 bits: 0 and the largest number, where one is in the uppermost eight of the bits; else as below;
- other whole numbers, none below 0: those of 8 bits where all fit into these, of 16 where 32 or more bits hold them;
- floating point: 0 and 1 where all numbers are between these;
- else nobody knows what is white: the picture's least and greatest number, and it is said that this was assumed.

A range that a TIFF states (SMinSampleValue and SMaxSampleValue) goes before all of it. What is no number is black.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 2**22  # numbers that are scaled at once


def eight_bits(
    values: np.ndarray,
    bits: int | None = None,
    stated: tuple[float, float] | None = None,
    inverted: bool = False,
) -> tuple[np.ndarray, bool]:
    """The numbers (any shape) as uint8, and whether their least and greatest were taken for black and white.

    `bits` are those of a number that are used, if not all of its type; `stated` is black and white as the file says
    them; `inverted` means that the lowest number is white.
    """
    (black, white), stretched = _range(values, bits or 8 * values.dtype.itemsize, stated)
    out = np.empty(values.size, np.uint8)
    flat = values.reshape(-1)
    scale = 255 / (white - black) if white > black else 0.0
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK].astype(np.float64)
        part[~np.isfinite(part)] = black
        np.clip(np.round((part - black) * scale), 0, 255, out=part)
        out[start : start + _BLOCK] = part
    return (255 - out if inverted else out).reshape(values.shape), stretched


def _range(values: np.ndarray, bits: int, stated: tuple[float, float] | None) -> tuple[tuple[float, float], bool]:
    kind = values.dtype.kind
    if stated and stated[1] > stated[0]:
        return stated, False
    if kind == "u" and bits <= 16:
        return (0, 2.0**bits - 1), False
    usual = values if kind != "f" or np.isfinite(values).all() else values[np.isfinite(values)]
    if not usual.size:
        return (0, 1), False
    low, high = float(usual.min()), float(usual.max())
    if kind == "f" and low >= 0 and high <= 1:
        return (0, 1), False
    if kind == "u" and high >= 2.0 ** (bits - 8):
        return (0, 2.0**bits - 1), False
    if kind in "ui" and low >= 0:
        for white in (255, 65535) if bits > 16 else (255,):
            if high <= white:
                return (0, white), False
    return (low, high), True
