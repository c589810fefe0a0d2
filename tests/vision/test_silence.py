"""Libraries write nothing on the terminal about a sound file: it would not say which."""

import struct
import zlib

import numpy as np
import pytest
from PIL import ImageCms

from ingest.vision.loader import decode
from tests.support.pictures import close, noise, png_chunk, saved

SIZE = (21, 13)
PIXELS = np.asarray(noise(*SIZE))
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced() -> bytes:
    parts = [PIXELS[top::down, left::across] for left, top, across, down in PASSES]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", *SIZE, 8, 2, 0, 0, 1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def with_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    content = saved(noise(*SIZE), "PNG")
    return content[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[33:]


def unknown_intent() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[64:68] = (7).to_bytes(4)
    return with_chunks((b"iCCP", b"name\0\0" + zlib.compress(profile)))


FILES = {
    "interlaced": interlaced,
    "a profile with an intent that is none": unknown_intent,
    "sRGB twice": lambda: with_chunks((b"sRGB", b"\0"), (b"sRGB", b"\0")),
    "a time cut short": lambda: with_chunks((b"tIME", b"123")),
    "a text cut short": lambda: with_chunks((b"zTXt", b"abc\0\0xxxx")),
}


@pytest.fixture
def terminal(capfd, caplog):
    """What has reached the terminal, also by way of `logging`."""
    return lambda: (*capfd.readouterr(), caplog.text)


@pytest.mark.parametrize("kind", FILES)
def test_a_png(kind, terminal):
    close(decode(FILES[kind]()).pixels.array, PIXELS)
    assert terminal() == ("", "", "")


def test_a_jpeg_of_another_version(terminal):
    content = saved(noise(*SIZE), "JPEG")
    later = content.replace(b"JFIF\0\1", b"JFIF\0\3")
    close(decode(later).pixels.array, decode(content).pixels.array, 1)
    assert terminal() == ("", "", "")
