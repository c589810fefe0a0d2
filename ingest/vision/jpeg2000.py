"""What a JPEG 2000 says of its colours and its samples, and pictures of more than eight bits, of which Pillow makes
black where they are white."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ingest.vision import uncommon
from ingest.vision.bad_image import BadImage
from ingest.vision.levels import eight_bits

_MODES = {1: ("L",), 2: ("LA",), 3: ("RGB",), 4: ("RGBA", "CMYK")}  # by the number of channels
_SIZES = 4  # bytes before the codestream's segment SIZ, which comes first
_SIGNED = 128
_PROFILE, _NO_METHOD = 2, 3  # how a file says what its colours are


@dataclass(frozen=True)
class Samples:
    """Of a codestream: its width and height, and the bits and the sign of each channel."""

    size: tuple[int, int]
    bits: tuple[int, ...]
    signed: tuple[bool, ...]


def samples(content: memoryview) -> Samples | None:
    """What the codestream of a file, in boxes or bare, says of itself; None where there is none."""
    stream = content if content[:4] == b"\xff\x4f\xff\x51" else _box(content, b"jp2c")
    try:
        right, lower, left, upper, count = struct.unpack_from(">IIII16xH", stream or b"", _SIZES + 4)
        depths = struct.unpack_from(">" + "Bxx" * count, stream or b"", _SIZES + 38)
    except struct.error:
        return None
    bits, signed = (depth % _SIGNED + 1 for depth in depths), (depth >= _SIGNED for depth in depths)
    return Samples((right - left, lower - upper), tuple(bits), tuple(signed))


def deep(content: bytes, opened: Image.Image) -> Image.Image | None:
    """The picture of a file whose samples have more than eight bits, in eight, in the file's colours, with `info` as
    Pillow's; None for all others, and for grey in mode I;16, which Pillow reads right."""
    found = samples(memoryview(content)) if opened.format == "JPEG2000" else None
    if found is None or max(found.bits, default=0) <= 8 or opened.mode not in _MODES.get(len(found.bits), ()):
        return None
    if found.size != opened.size:
        raise ValueError("its header and its picture differ in size")
    if len(set(zip(found.bits, found.signed, strict=True))) > 1:
        raise BadImage("The file is sound, but of a kind that cannot be read here: JPEG 2000 with unequal channels.")
    values = uncommon.imagecodecs().jpeg2k_decode(_without_profile(content))
    bits = found.bits[0]
    if found.signed[0]:
        values = (values.astype(np.int64) + 2 ** (bits - 1)).astype(np.uint32 if bits > 16 else np.uint16)
    levels, stretched = eight_bits(values, bits)
    image = Image.frombytes(opened.mode, opened.size, levels.tobytes())
    image.info = {"stretched": stretched, "icc_profile": profile(memoryview(content))}
    return image


def _without_profile(content: bytes) -> bytes | bytearray:
    """A file whose profile its decoder passes over: it would apply that by rules of its own."""
    if profile(memoryview(content)) is None:
        return content
    patched = bytearray(content)
    colour = colour_box(memoryview(patched))
    if colour:
        colour[0] = _NO_METHOD
    return patched


def profile(content: memoryview) -> bytes | None:
    """The colour profile of a file, which Pillow passes over."""
    colour = colour_box(content)
    return bytes(colour[3:]) if colour and colour[0] == _PROFILE else None


def colour_box(content: memoryview) -> memoryview | None:
    """What a JPEG 2000 file says of its colours: the box `colr` inside the box `jp2h`. None where there is none."""
    header = _box(content, b"jp2h")
    return header and _box(header, b"colr")


def _box(boxes: memoryview, kind: bytes) -> memoryview | None:
    """What the first box of a kind holds; None where there is none."""
    place = 0
    while place + 8 <= len(boxes):
        length, begins = int.from_bytes(boxes[place : place + 4]), 8
        if length == 1:
            length, begins = int.from_bytes(boxes[place + 8 : place + 16]), 16
        if boxes[place + 4 : place + 8] == kind:
            return boxes[place + begins : place + length if length else len(boxes)]
        if length < begins:
            return None
        place += length
    return None
