"""What Pillow leaves to be done with TIFF: which of its pictures are pages, LAB of every kind, and plain refusals."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

MAX_PAGES = 100_000

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR, _FORMAT = (
    254, 255, 258, 259, 262, 277, 284, 339,
)  # fmt: skip
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_RGB, _CIELAB, _ICCLAB = 2, 8, 9
_SEPARATE = 2
_COLOURS = {0: "grey", 1: "grey", 2: "RGB", 3: "a palette", 5: "CMYK", 6: "YCbCr", 8: "LAB", 9: "LAB", 10: "LAB"}
_NUMBERS = {2: "whole numbers with a sign", 3: "floating-point numbers"}


@dataclass(frozen=True)
class Lab:
    """A TIFF in LAB, which Pillow reads with 8 bits and interleaved channels alone: `as_rgb` is the same file with
    its channels called red, green and blue."""

    as_rgb: bytes
    signed: bool

    def coloured(self, image: Image.Image) -> Image.Image:
        """What Pillow has read of `as_rgb`, as a picture in LAB."""
        values = np.array(image.convert("RGB"))
        if not self.signed:
            values[..., 1:] ^= 128  # Pillow takes a and b with their sign
        return Image.frombytes("LAB", image.size, values.tobytes())


def pages(image: Image.Image, at_most: int = MAX_PAGES) -> list[int]:
    """Which of the pictures in an opened TIFF are pages, by their places in the file: not the smaller copies and the
    masks that many programs add. Never empty."""
    found: list[int] = []
    place = 0
    while len(found) < at_most and place < MAX_PAGES:
        try:
            image.seek(place)
        except EOFError:
            break
        except Exception:  # the chain is broken here; what lies before can be read
            break
        kind, old_kind = image.tag_v2.get(_SUBFILE, 0), image.tag_v2.get(_OLD_SUBFILE, 0)
        if not (isinstance(kind, int) and kind & (_REDUCED | _MASK)) and old_kind != _OLD_REDUCED:
            found.append(place)
        place += 1
    image.seek((found or [0])[0])
    return found or [0]


def lab(content: bytes) -> Lab | None:
    """The LAB picture that a TIFF begins with; None for all other files, and for what Pillow reads by itself."""
    tags = {tag: (place, value) for tag, place, value in _tags(content)}
    colours = tags.get(_PHOTOMETRIC, (0, None))[1]
    if colours not in (_CIELAB, _ICCLAB) or tags.get(_SAMPLES, (0, 1))[1] != 3:
        return None
    patched = bytearray(content)
    struct.pack_into(_order(content) + "H", patched, tags[_PHOTOMETRIC][0], _RGB)
    return Lab(bytes(patched), colours == _CIELAB)


def set_right(image: Image.Image) -> None:
    """What Pillow would misread without complaint, where a TIFF keeps its channels apart: mended, else BadImage."""
    from ingest.vision.loader import BadImage

    if image.tag_v2.get(_PLANAR) != _SEPARATE:
        return
    channels, bits = image.tag_v2.get(_SAMPLES, 1), image.tag_v2.get(_BITS, (8,))
    two_bytes = 16 in bits and all(tile.codec_name == "raw" for tile in image.tile)
    if channels not in (1, 3, 4) or (two_bytes and image.mode == "CMYK"):
        raise BadImage(f"This TIFF keeps its {channels} channels apart, which cannot be read here: save it in RGB.")
    plain = all(";" not in tile.args[0] for tile in image.tile if tile.codec_name == "raw")
    if two_bytes and plain and image.mode in ("RGB", "RGBA"):  # Pillow would take each byte for a pixel
        order = "L" if image.tag_v2.prefix == b"II" else "B"
        image.tile = [tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])) for tile in image.tile]


def white(image: Image.Image) -> int:
    """The value of white in a picture of mode I;16: 4095 in a TIFF of 12 bits, else 65535."""
    bits = getattr(image, "tag_v2", {}).get(_BITS, 16)
    return 4095 if bits in (12, (12,)) else 65535


def unread(content: bytes) -> str | None:
    """A sentence about a sound TIFF whose kind of pixels Pillow does not know; None for damaged and other files."""
    tags = {tag: value for tag, _, value in _tags(content)}
    if not {_BITS, _PHOTOMETRIC} <= tags.keys():
        return None
    colours = _COLOURS.get(tags[_PHOTOMETRIC], "unusual colours")
    numbers = _NUMBERS.get(tags.get(_FORMAT, 1), "whole numbers")
    return (
        f"This TIFF has {tags.get(_SAMPLES, 1)} channels of {tags[_BITS]} bits ({colours}, {numbers}), "
        "which cannot be read here: save it in RGB with 8 or 16 bits."
    )


def _order(content: bytes) -> str:
    return "<" if content[:2] == b"II" else ">"


def _tags(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(tag, place of its value in the file, the first of its values) of the short whole numbers among the tags of a
    classic TIFF's first picture."""
    if content[:4] not in (b"II*\0", b"MM\0*"):
        return
    order = _order(content)
    try:
        (start,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", content, entry)
            if kind != 3 or not length:
                continue
            place = entry + 8 if length <= 2 else struct.unpack_from(order + "I", content, entry + 8)[0]
            yield tag, place, struct.unpack_from(order + "H", content, place)[0]
    except struct.error:
        return
