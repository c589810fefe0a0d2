"""Pictures that somebody brings along: what is taken for one, and as what."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dashboard.data import uploads


def png(size=(40, 30), mode="RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 200 if mode == "L" else None).save(file, "PNG")
    return file.getvalue()


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    decoded = []
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: decoded.append(self))
    with pytest.raises(uploads.BadPicture, match="60 megapixels"):
        uploads.decode(png((12_000, 6_000), "L"))
    assert not decoded


@pytest.mark.parametrize("kind", ["jp2", "jxl", "avif"])
def test_what_is_offered_is_read(kind):
    encode = {"jp2": imagecodecs.jpeg2k_encode, "jxl": imagecodecs.jpegxl_encode, "avif": imagecodecs.avif_encode}[kind]
    assert kind in uploads.TYPES
    assert uploads.decode(encode(np.full((6, 8, 3), 200, np.uint8))).size == (8, 6)


def test_too_many_bytes_are_refused(monkeypatch):
    with pytest.raises(uploads.BadPicture, match="at most 20 MB"):
        uploads.decode(b"x" * (20 * 2**20 + 1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_all_modes_become_rgb(mode):
    file = io.BytesIO()
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGBA", "I;16") else "JPEG"
    Image.new(mode, (8, 6)).save(file, kind)
    picture = uploads.decode(file.getvalue())
    assert (picture.mode, picture.size) == ("RGB", (8, 6))


def test_transparency_is_white_and_16_bits_become_8_and_exif_turns():
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(file, "PNG")
    assert uploads.decode(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)
    file = io.BytesIO()
    Image.fromarray(np.full((2, 2), 32768, np.uint16)).save(file, "PNG")
    assert abs(uploads.decode(file.getvalue()).getpixel((0, 0))[0] - 128) <= 1
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(file, "JPEG", exif=exif)
    assert uploads.decode(file.getvalue()).size == (4, 8)


@pytest.mark.parametrize(
    "text", ["", "data:text/html;base64,PGI+", "data:image/png,plain", "data:image/png;base64,@@@"]
)
def test_data_urls_that_are_no_pictures_are_refused(text):
    with pytest.raises(uploads.BadPicture):
        uploads.from_data_url(text)
