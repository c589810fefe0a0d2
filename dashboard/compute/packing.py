"""Ids of pictures as short text: for an address, and for the browser. No Streamlit."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

import numpy as np

LONGEST = 1500  # letters that a link may spend on a selection: mail programs cut longer ones
MOST = 2_000_000  # pictures that a link may name
_BYTES = 1 << 20


def ascending(ids: Iterable[int]) -> np.ndarray:
    """Ids (n,) int64, each once, ascending: mostly they are already, and to sort a million takes a second."""
    ids = np.asarray(ids, dtype=np.int64)
    return ids if (np.diff(ids) > 0).all() else np.unique(ids)


def pack(ids: np.ndarray) -> str | None:
    """A set of ids as text of at most LONGEST letters that an address can hold; None where it takes more.

    Ascending ids are runs without gaps. Twice how far each begins after the one before, and 1 if it holds more than one
    id, then two less than how many those are: as numbers of seven bits a byte, with a check, compressed if it helps.
    """
    ids = ascending(ids)
    if len(ids) and ids[0] < 0:
        return None
    starts = np.flatnonzero(np.diff(ids, prepend=-2) != 1)
    ends = np.r_[starts[1:], len(ids)] if len(ids) else starts
    if len(starts) > 4 * LONGEST:
        return None
    before = np.r_[0, ids[ends[:-1] - 1] + 1] if len(ids) else ids
    gaps, more = ids[starts] - before, ends - starts - 1
    numbers = np.stack([gaps << 1 | (more > 0), more - 1], axis=1).reshape(-1)
    plain = varints(numbers[numbers >= 0])
    plain += _check(plain)
    small = zlib.compress(plain, 9)
    text = "z" + _text(small) if len(small) < len(plain) else "r" + _text(plain)
    return text if len(text) <= LONGEST else None


def unpack(text: str) -> np.ndarray | None:
    """The ids (n,) int64, ascending, that `pack` turned into text; None for any other text."""
    kind, text = text[:1], text[1:]
    if kind not in ("r", "z") or len(text) > LONGEST:
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        data = zlib.decompressobj().decompress(data, _BYTES) if kind == "z" else data
    except (ValueError, zlib.error):
        return None
    numbers = _numbers(data[:-2]) if data[-2:] == _check(data[:-2]) else None
    if numbers is None:
        return None
    runs, at, count, rest = [], 0, 0, iter(numbers)
    for number in rest:
        more = next(rest, MOST) + 1 if number & 1 else 0
        start = at + (number >> 1)
        at, count = start + more + 1, count + more + 1
        if at >= 2**62 or count > MOST:
            return None
        runs.append((start, at))
    return np.concatenate([np.arange(*run, dtype=np.int64) for run in runs]) if runs else np.empty(0, np.int64)


def listed(ids: np.ndarray) -> str:
    """Ids in any order for the browser: the step from each to the next, signed, as numbers of seven bits a byte, in
    base64; components/wall.js reads it."""
    steps = np.diff(np.asarray(ids, dtype=np.int64), prepend=0)
    return base64.b64encode(varints((steps << 1) ^ (steps >> 63))).decode()


def varints(numbers: np.ndarray) -> bytes:
    """Whole numbers from 0 on, seven bits a byte, the lowest first; the eighth bit says that more follow."""
    numbers = np.asarray(numbers, dtype=np.uint64)
    columns = []
    while True:
        columns.append(numbers & np.uint64(127))
        numbers = numbers >> np.uint64(7)
        if not numbers.any():
            break
    digits = np.stack(columns, axis=1).astype(np.uint8)
    length = digits.shape[1] - np.argmax(digits[:, ::-1] != 0, axis=1)
    length[~digits.any(axis=1)] = 1
    place = np.arange(digits.shape[1])
    digits[place < (length - 1)[:, None]] |= 128
    return digits[place < length[:, None]].tobytes()


def _numbers(data: bytes) -> list[int] | None:
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:
            return None
        if byte < 128:
            numbers.append(value)
            value, shift = 0, 0
    return None if shift else numbers


def _check(data: bytes) -> bytes:
    """Two bytes that tell whether a link lost its end on the way."""
    return (zlib.crc32(data) & 0xFFFF).to_bytes(2, "little")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
