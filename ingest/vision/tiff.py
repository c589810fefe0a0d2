"""What Pillow leaves to be done with TIFF: which of its pictures are pages, LAB of every kind, and plain refusals."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ingest.vision.bad_image import BadImage

MAX_PAGES = 100_000

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR, _FORMAT = (
    254, 255, 258, 259, 262, 277, 284, 339,
)  # fmt: skip
_MOST, _LOWEST, _HIGHEST = 281, 340, 341  # the largest value, and black and white as numbers
_PART_OF_16 = {2**bits - 1 for bits in range(9, 16)}  # of cameras that use so many bits of 16, and say so
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_RGB, _CIELAB, _ICCLAB = 2, 8, 9
_SEPARATE = 2
_NOT_BUILT_IN = (50001, 34927)  # WebP: libtiff would print complaints of its own


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


def pages(image: TiffImageFile, at_most: int = MAX_PAGES, others: Callable[[], list[int]] | None = None) -> list[int]:
    """Which of the pictures in an opened TIFF are pages, by their places in the file: not the smaller copies and the
    masks that many programs add. Never empty. Where Pillow meets one that it does not know, `others` tells the rest."""
    found: list[int] = []
    place = 0
    while len(found) < at_most and place < MAX_PAGES:
        try:
            image.seek(place)
        except EOFError:
            break
        except Exception:  # the chain is broken here, or Pillow does not know this kind; what lies before can be read
            with suppress(Exception):
                found += [other for other in others() if other >= place] if others else []
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


def set_right(image: TiffImageFile) -> None:
    """What Pillow would misread without complaint, where a TIFF keeps its channels apart: mended, else BadImage."""
    if image.tag_v2.get(_COMPRESSION) in _NOT_BUILT_IN:
        raise BadImage("This TIFF is packed in a way that cannot be read here.")
    if image.tag_v2.get(_PLANAR) != _SEPARATE:
        return
    channels, bits = image.tag_v2.get(_SAMPLES, 1), image.tag_v2.get(_BITS, (8,))
    two_bytes = 16 in bits and all(tile.codec_name == "raw" for tile in image.tile)
    if channels not in (1, 3, 4) or (two_bytes and image.mode == "CMYK"):
        raise BadImage(f"This TIFF keeps its {channels} channels apart, which cannot be read here: save it in RGB.")
    plain = all(";" not in _arguments(tile)[0] for tile in image.tile if tile.codec_name == "raw")
    if two_bytes and plain and image.mode in ("RGB", "RGBA"):  # Pillow would take each byte for a pixel
        order = "L" if image.tag_v2.prefix == b"II" else "B"
        for place, tile in enumerate(image.tile):
            mode, *others = _arguments(tile)
            image.tile[place] = tile._replace(args=(f"{mode};16{order}", *others))


def _arguments(tile: Any) -> tuple[Any, ...]:
    """What Pillow gives a tile's decoder; of a raw one first the order of its bits."""
    return tile.args


def numbers(image: Image.Image) -> tuple[np.ndarray, int | None, tuple[float, float] | None, bool] | None:
    """The grey levels of a decoded picture that are more than bytes without a sign, as `levels.eight_bits` takes them:
    the numbers, how many of their bits are used, their stated range, whether the lowest is white. None for others."""
    tags = getattr(image, "tag_v2", {})
    signed = _first(tags.get(_FORMAT)) == 2
    if not (image.mode.startswith("I") or image.mode == "F" or (image.mode == "L" and signed)):
        return None
    values = np.asarray(image)
    inverted = bool(tags) and _first(tags.get(_PHOTOMETRIC)) == 0 and image.mode != "L"  # Pillow inverts those itself
    if not tags:
        small = image.mode == "I" and image.format == "PPM"  # which Pillow scales to 16 bits
        return (values.astype(np.uint16) if small else values), None, None, False
    bits = _first(tags.get(_BITS)) or 16
    if image.mode == "L":
        flipped = _first(tags.get(_PHOTOMETRIC)) == 0
        values, inverted = (255 - values if flipped else values).view(np.int8), flipped
    elif image.mode == "I" and bits == 32 and not signed:
        values = values.view(np.uint32)
    elif image.mode == "I" and bits == 16 and signed:
        values = values.astype(np.int16)
    elif bits < 16:
        return values, bits, _stated(tags), inverted
    elif image.mode.startswith("I;16") and not signed and (most := _first(tags.get(_MOST)) or 0) in _PART_OF_16:
        return values, most.bit_length(), _stated(tags), inverted
    return values, None, _stated(tags), inverted


def _stated(tags: Mapping) -> tuple[float, float] | None:
    """The range that a file says its numbers have."""
    low, high = _first(tags.get(_LOWEST)), _first(tags.get(_HIGHEST))
    return (float(low), float(high)) if isinstance(low, int | float) and isinstance(high, int | float) else None


def _first(value: object) -> Any:
    return value[0] if isinstance(value, tuple) and value else None if isinstance(value, tuple) else value


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
