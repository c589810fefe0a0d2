"""A turn that stands in a file's XMP alone counts, as Pillow has it, whichever way the file is read."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.vision.loader import decode
from tests.support.pictures import close, gradient, noise, png_chunk, saved
from tests.vision.test_loader import TURNED

SIZE = (48, 32)
KEYWORD = b"XML:com.adobe.xmp\0"


def xmp(orientation: int, as_element: bool = False) -> bytes:
    space = "http://ns.adobe.com/tiff/1.0/"
    if as_element:
        return f'<x xmlns:tiff="{space}"><tiff:Orientation>{orientation}</tiff:Orientation></x>'.encode()
    return f'<x xmlns:tiff="{space}" tiff:Orientation="{orientation}"/>'.encode()


def png(picture: Image.Image, kind: bytes, body: bytes, last: bool = False) -> bytes:
    content = saved(picture, "PNG")
    place = len(content) - 12 if last else 33
    return content[:place] + png_chunk(kind, body) + content[place:]


def tiff(picture: Image.Image, packet: bytes, dtype=np.uint8, **options) -> bytes:
    buffer, tags = io.BytesIO(), [(700, "B", len(packet), packet, True)]
    values = (np.asarray(picture) / 255).astype(dtype) if dtype == np.float32 else np.asarray(picture)
    tifffile.imwrite(buffer, values, photometric="rgb", extratags=tags, metadata=None, **options)
    return buffer.getvalue()


KINDS = {
    "PNG": lambda picture, packet: png(picture, b"iTXt", KEYWORD + b"\0\0\0\0" + packet),
    "PNG, behind the pixels": lambda picture, packet: png(picture, b"iTXt", KEYWORD + b"\0\0\0\0" + packet, True),
    "PNG, packed": lambda picture, packet: png(picture, b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(packet)),
    "PNG, plain text": lambda picture, packet: png(picture, b"tEXt", KEYWORD + packet),
    "PNG, packed text": lambda picture, packet: png(picture, b"zTXt", KEYWORD + b"\0" + zlib.compress(packet)),
    "TIFF": tiff,
    "TIFF, packed": lambda picture, packet: tiff(picture, packet, compression="zlib"),
    "TIFF, floating point": lambda picture, packet: tiff(picture, packet, np.float32),
}


@pytest.mark.parametrize("as_element", [False, True])
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_in_xmp_alone(kind, orientation, as_element):
    turn, picture = TURNED[orientation], noise(*SIZE)
    content = KINDS[kind](picture if turn is None else picture.transpose(turn), xmp(orientation, as_element))
    close(decode(content).pixels.array, picture)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_tag_goes_before_xmp(dtype):
    packet, buffer = xmp(6), io.BytesIO()
    values = np.asarray(gradient()).astype(dtype) / (255 if dtype == np.float32 else 1)
    tags = [(274, "H", 1, 1, True), (700, "B", len(packet), packet, True)]
    tifffile.imwrite(buffer, values.astype(dtype), photometric="rgb", extratags=tags, metadata=None)
    close(decode(buffer.getvalue()).pixels.array, gradient())


def test_a_png_that_only_looks_as_if_it_were_turned_is_read_the_quick_way():
    """What its pixels or its title hold is no EXIF and no XMP."""
    content = png(noise(*SIZE), b"tEXt", b"Title\0eXIf XML:com.adobe.xmp " + struct.pack(">I", 6))
    found = decode(content)
    assert isinstance(found.picture, np.ndarray)
    close(found.pixels.array, noise(*SIZE))
