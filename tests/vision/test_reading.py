"""The quick way to read a plain JPEG and to make a picture smaller: what comes of it is what Pillow makes."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from ingest.vision import plain
from ingest.vision.loader import BadImage, decode, thumbnail
from ingest.vision.resizing import RESAMPLING, Pixels
from tests.support.pictures import noise

SIZE = (131, 77)


def saved(picture: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def by_pillow(monkeypatch, content: bytes) -> Image.Image:
    with monkeypatch.context() as patch:
        patch.setattr(plain, "pixels", lambda content, opened: None)
        return decode(content).image


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_blocks": 3},
    "a profile that changes nothing": {"icc_profile": SRGB},
    "PNG": {"kind": "PNG"},
    "PNG with a profile that changes nothing": {"kind": "PNG", "icc_profile": SRGB},
    "TIFF": {"kind": "TIFF"},
    "JPEG 2000": {"kind": "JPEG2000"},
    "JPEG 2000, with loss": {"kind": "JPEG2000", "irreversible": True, "quality_mode": "rates", "quality_layers": [8]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_file_is_read_the_quick_way(kind, monkeypatch):
    content = saved(noise(*SIZE), **KINDS[kind])
    found = decode(content)
    assert isinstance(found.picture, np.ndarray) and found.pixels.size == found.image.size == SIZE
    assert np.abs(found.pixels.array.astype(int) - np.asarray(by_pillow(monkeypatch, content))).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_its_exif_says(orientation, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(noise(*SIZE), exif=exif, subsampling=0)
    found = decode(content)
    assert isinstance(found.picture, np.ndarray)
    assert found.image.size == (SIZE if orientation < 5 else SIZE[::-1])
    assert np.abs(found.pixels.array.astype(int) - np.asarray(by_pillow(monkeypatch, content))).max() <= 1
    whole = Image.fromarray(found.pixels.array)
    assert thumbnail(found.pixels, 40) == thumbnail(whole, 40)


def turned(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(noise(*SIZE), kind, exif=exif)


def of_gamma_one() -> bytes:
    content = saved(noise(*SIZE), "PNG")
    chunk = b"gAMA" + (100_000).to_bytes(4)
    return content[:33] + (4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + content[33:]


OTHERS = {
    "grey": lambda: saved(noise(*SIZE).convert("L")),
    "inks": lambda: saved(noise(*SIZE).convert("CMYK")),
    "transparent": lambda: saved(noise(*SIZE).convert("RGBA"), "PNG"),
    "one colour transparent": lambda: saved(noise(*SIZE), "PNG", transparency=(0, 0, 0)),
    "gamma": of_gamma_one,
    "animated": lambda: saved(noise(*SIZE), "PNG", save_all=True, append_images=[noise(*SIZE, 1)]),
    "turned PNG": lambda: turned("PNG"),
    "turned TIFF": lambda: turned("TIFF"),
    "packed": lambda: saved(noise(*SIZE), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_files_are_read_by_pillow(other, monkeypatch):
    content = OTHERS[other]()
    found = decode(content).picture
    assert isinstance(found, Image.Image)
    assert np.array_equal(np.asarray(found), np.asarray(by_pillow(monkeypatch, content)))


def test_a_profile_that_cannot_be_used_is_reported_as_ever():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    content = saved(noise(*SIZE), icc_profile=profile)
    found = decode(content)
    assert isinstance(found.picture, Image.Image) and found.assumed == ("profile",)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "JPEG2000"])
def test_damaged_files_are_judged_as_pillow_judges_them(kind, monkeypatch):
    """Cut anywhere, and with bytes changed anywhere: a picture where Pillow gives one, the same one; else its refusal."""
    random, content = np.random.default_rng(3), saved(noise(*SIZE), kind)
    damaged = [content[:cut] for cut in (10, 200, 700, len(content) // 2, len(content) - 40, len(content) - 2)]
    for _ in range(40):
        changed = bytearray(content)
        changed[random.integers(2, len(content))] = random.integers(0, 256)
        damaged.append(bytes(changed))
    refused = 0
    for one in damaged:
        try:
            expected = by_pillow(monkeypatch, one)
        except BadImage as error:
            refused += 1
            with pytest.raises(BadImage) as found:
                decode(one)
            assert str(found.value) == str(error)
            continue
        assert np.abs(decode(one).pixels.array.astype(int) - np.asarray(expected)).max() <= 1
    assert 1 <= refused < len(damaged)


@pytest.mark.parametrize("interpolation", RESAMPLING)
@pytest.mark.parametrize("size", [(60, 40), (7, 90), (300, 200), (131, 20), (1, 1)], ids=str)
def test_smaller_copies_are_pillows(size, interpolation):
    picture = noise(*SIZE)
    expected = np.asarray(picture.resize(size, RESAMPLING[interpolation])).astype(int)
    turned = np.rot90(np.rot90(np.asarray(picture), 1).copy(), 3)  # an array whose pixels lie in another order
    for pixels in (Pixels(picture), Pixels(np.asarray(picture)), Pixels(turned)):
        found = pixels.resized(*size, interpolation)
        assert found.dtype == np.uint8 and found.shape == (*size[::-1], 3)
        assert np.abs(found - expected).max() <= 2


def test_a_part_of_a_long_strip_is_what_the_whole_has_there():
    picture = noise(2400, 30)
    whole = Pixels(picture).resized(4800, 60)
    part = Pixels(np.asarray(picture)).part(4800, 60, (2370, 0, 2430, 60), "bicubic")
    assert np.abs(part.astype(int) - whole[:, 2370:2430]).max() <= 2
