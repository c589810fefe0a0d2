"""JPEG 2000 with more than eight bits a sample comes out with these scaled to eight, whatever its channels."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from ingest.vision.loader import BadImage, decode
from tests.support.pictures import close, noise
from tests.vision.test_loader import swapped_profile

BITS = [9, 10, 12, 16]
LEVELS = np.arange(256)


def encoded(values: np.ndarray, bits: int, form: str = "jp2") -> bytes:
    return imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat=form, bitspersample=bits)


def ramp(bits: int, channels: int) -> np.ndarray:
    """All grey levels from black to white, in two rows."""
    values = np.round(LEVELS / 255 * (2**bits - 1)).astype(np.uint16).reshape(2, 128, 1)
    return np.ascontiguousarray(np.repeat(values, channels, 2) if channels > 1 else values[..., 0])


def described(content: bytes, colours: bytes) -> bytes:
    """A file with another box for what its colours are."""
    header, colour = content.index(b"jp2h") - 4, content.index(b"colr") - 4
    length = int.from_bytes(content[header : header + 4])
    box = (len(colours) + 8).to_bytes(4) + b"colr" + colours
    outer = (length - 15 + len(box)).to_bytes(4)
    return content[:header] + outer + content[header + 4 : colour] + box + content[colour + 15 :]


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("channels", [1, 3])
def test_black_stays_black_and_white_stays_white(channels, bits, form):
    got = decode(encoded(ramp(bits, channels), bits, form)).pixels.array.astype(int)
    close(got, np.repeat(LEVELS.reshape(2, 128, 1), 3, 2), 1)
    assert got[0, 0].tolist() == [0] * 3 and got[1, 127].tolist() == [255] * 3


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_opaque_stays_opaque(channels, bits, form):
    values = ramp(bits, channels)
    values[..., -1] = 2**bits - 1
    close(decode(encoded(values, bits, form)).pixels.array, np.repeat(LEVELS.reshape(2, 128, 1), 3, 2), 1)
    values[..., -1] = 0
    close(decode(encoded(values, bits, form)).pixels.array, np.full((2, 128, 3), 255))


def test_numbers_with_a_sign():
    values = (ramp(12, 3).astype(int) - 2048).astype(np.int16)
    close(decode(encoded(values, 12)).pixels.array, np.repeat(LEVELS.reshape(2, 128, 1), 3, 2), 1)


def test_inks():
    values = np.asarray(noise(20, 30).convert("CMYK")).astype(np.uint16)
    values[:2] = 255
    content = described(encoded(values * 257, 16), b"\1\0\0" + (12).to_bytes(4))
    found = decode(content)
    close(found.pixels.array, Image.frombytes("CMYK", (20, 30), values.astype(np.uint8).tobytes()))
    assert found.assumed == ("cmyk",)


def test_lightness_and_colour_apart():
    values = np.asarray(noise(20, 30)) // 4 + 96
    content = described(encoded(values.astype(np.uint16) * 257, 16), b"\1\0\0" + (18).to_bytes(4))
    close(decode(content).pixels.array, Image.fromarray(values, "YCbCr"), 3)


def test_a_profile_counts():
    red = np.zeros((8, 8, 3), np.uint16)
    red[..., 0] = 65535
    content = described(encoded(red, 16), b"\2\0\0" + swapped_profile())
    close(decode(content).pixels.array, np.full((8, 8, 3), (0, 255, 0)), 8)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_what_is_cut_short_is_refused(share):
    content = encoded(np.asarray(noise(80, 90)).astype(np.uint16) * 257, 16)
    with pytest.raises(BadImage, match="damaged or cut short"):
        decode(content[: int(len(content) * share)])


def test_channels_of_unequal_depth_are_called_so():
    content = bytearray(encoded(ramp(16, 3), 16))
    content[content.index(b"\xff\x4f\xff\x51") + 42] = 11
    with pytest.raises(BadImage, match="unequal channels"):
        decode(bytes(content))


def test_a_header_that_lies_about_the_size():
    content = bytearray(encoded(ramp(16, 3), 16))
    content[content.index(b"ihdr") + 7] = 1
    with pytest.raises(BadImage, match="differ in size"):
        decode(bytes(content))
