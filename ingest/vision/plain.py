"""The common case, read the quick way: a JPEG, PNG, TIFF or JPEG 2000 of 8 bits in plain colours goes from its
decoder to an array, without the copies between."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ingest.vision import uncommon
from ingest.vision.colour import is_plain_srgb
from ingest.vision.jpeg2000 import colour_box
from ingest.vision.opening import LARGE_PIXELS, UPRIGHT, orientation_of, profile_of

# What a key of UPRIGHT does to an array (height, width, 3).
_TURNS = {
    Image.Transpose.FLIP_LEFT_RIGHT: lambda array: array[:, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: lambda array: array[::-1],
    Image.Transpose.ROTATE_90: lambda array: np.rot90(array, 1),
    Image.Transpose.ROTATE_180: lambda array: array[::-1, ::-1],
    Image.Transpose.ROTATE_270: lambda array: np.rot90(array, 3),
    Image.Transpose.TRANSPOSE: lambda array: array.transpose(1, 0, 2),
    Image.Transpose.TRANSVERSE: lambda array: array[::-1, ::-1].transpose(1, 0, 2),
}


def pixels(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """The pixels uint8 (height, width, 3), upright in sRGB, of a file that Pillow has opened, a TIFF at the page to be
    shown; None for all but a sound file of a kind in `_DECODERS` with three colours in sRGB and of usual size: what is
    to be said or done about the others, `opening` knows."""
    decoder = _DECODERS.get(opened.format or "")
    if decoder is None or opened.mode != "RGB" or opened.width * opened.height > LARGE_PIXELS:
        return None
    if not is_plain_srgb(opened, profile_of(opened)):
        return None
    try:
        array = decoder(content, opened)
    except Exception:  # whatever a decoder raises: the file is damaged, or of a kind that Pillow alone reads
        return None
    if array is None or array.dtype != np.uint8 or array.shape != (opened.height, opened.width, 3):
        return None
    turn = UPRIGHT.get(orientation_of(opened)) if opened.format == "JPEG" else None
    return array if turn is None else np.ascontiguousarray(_TURNS[turn](array))


def _jpeg(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """By torchvision: imagecodecs, a fifth quicker where a picture is large, takes one that is cut short for whole. Of
    versions of JFIF that are not known it complains on the terminal."""
    if opened.info.get("jfif_version", _KNOWN_JFIF)[0] not in _KNOWN_JFIF:
        return None
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    planes = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.RGB)
    return planes.permute(1, 2, 0).numpy() if isinstance(planes, torch.Tensor) else None


def _png(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """Of one picture, and not turned: to ask Pillow for a PNG's EXIF decodes it."""
    if getattr(opened, "is_animated", False) or any(_may_turn(kind, chunk) for kind, chunk in _chunks(content)):
        return None
    return uncommon.imagecodecs().png_decode(content)


def _may_turn(kind: bytes, chunk: memoryview) -> bool:
    """Whether a chunk of a PNG may say how the picture is to be turned: EXIF, also written as text, or XMP."""
    return kind == b"eXIf" or (kind in _TEXTS and bytes(chunk[8:32]).startswith(_ABOUT_TURNING))


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The chunks of a PNG: the kind of each, and all of its bytes. struct.error where the file ends before its end."""
    view, place, kind = memoryview(content), _BEFORE_CHUNKS, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, place)
        yield kind, view[place : place + length + 12]
        place += length + 12


def _tiff(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """Not packed, since what packs TIFF is undone as quickly by Pillow; not turned, which it does as it loads; with its
    channels together, since the shape of 3 × 3 pixels does not say whether they are."""
    if not isinstance(opened, TiffImageFile) or opened.info.get("compression") != "raw":
        return None
    if opened.tag_v2.get(_PHOTOMETRIC) != _RGB or opened.tag_v2.get(_PLANAR, _TOGETHER) != _TOGETHER:
        return None
    if orientation_of(opened) != 1:
        return None
    with uncommon.tifffile().TiffFile(io.BytesIO(content)) as file:
        return file.pages[opened.tell()].asarray()


def _jpeg2000(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """Of a file that says that its numbers are sRGB: others may hold lightness and colour apart."""
    colour = colour_box(memoryview(content))
    if not colour or colour[0] != 1 or int.from_bytes(colour[3:7]) != _SRGB:
        return None
    return uncommon.imagecodecs().jpeg2k_decode(content)


_SRGB = 16  # the number of a colour space in JPEG 2000
_PHOTOMETRIC, _RGB = 262, 2  # a tag of TIFF and a value
_PLANAR, _TOGETHER = 284, 1

_KNOWN_JFIF = (1, 2)  # by the first of its numbers
_BEFORE_CHUNKS = 8  # bytes of a PNG
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_ABOUT_TURNING = (b"Raw profile type", b"XML:com.adobe.xmp")  # how such texts begin

_DECODERS: dict[str, Callable[[bytes, ImageFile.ImageFile], np.ndarray | None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "JPEG2000": _jpeg2000,
}
