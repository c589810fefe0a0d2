"""What a TIFF says of the very page that is shown counts, on the quick way too: not what it says of another."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from ingest.vision import pages, plain
from ingest.vision.loader import TooLarge, decode
from tests.support.pictures import close, noise
from tests.vision.test_loader import TURNED, made_profile

SIZE = (48, 48)
PAGE = np.asarray(noise(*SIZE))
ORIENTATION, PROFILE = 274, 34675
LINEAR = made_profile(1.0)


def profiled(profile: bytes) -> list[tuple]:
    return [(PROFILE, "B", len(profile), profile, True)]


def copy_first(copy: list[tuple], page: list[tuple], values: np.ndarray = PAGE) -> bytes:
    """A TIFF that begins with a smaller copy of its only page, each with tags of its own."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(values[::2, ::2], photometric="rgb", subfiletype=1, extratags=copy, metadata=None)
        file.write(values, photometric="rgb", extratags=page, metadata=None)
    return buffer.getvalue()


def read(content: bytes) -> np.ndarray:
    return decode(content).pixels.array


def from_linear(values: np.ndarray) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(LINEAR))
    return ImageCms.profileToProfile(Image.fromarray(values), source, ImageCms.createProfile("sRGB"))


@pytest.mark.parametrize("orientation", TURNED)
def test_a_page_behind_its_copy_is_turned_as_it_says_itself(orientation):
    turn = TURNED[orientation]
    stored = np.asarray(noise(*SIZE) if turn is None else noise(*SIZE).transpose(turn))
    close(read(copy_first([], [(ORIENTATION, "H", 1, orientation, True)], stored)), PAGE)
    close(read(copy_first([(ORIENTATION, "H", 1, orientation, True)], [])), PAGE)


def test_a_page_behind_its_copy_has_its_own_profile():
    close(read(copy_first([], profiled(LINEAR))), from_linear(PAGE), 1)


def test_a_page_without_a_profile_does_not_take_that_of_its_copy(monkeypatch):
    content = copy_first(profiled(LINEAR), [])
    assert isinstance(decode(content).picture, np.ndarray)
    close(read(content), PAGE)
    monkeypatch.setattr(plain, "pixels", lambda content, opened: None)
    close(read(content), PAGE)


def test_pages_do_not_take_the_profiles_of_others():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(PAGE, photometric="rgb", extratags=profiled(LINEAR), metadata=None)
        file.write(PAGE, photometric="rgb", metadata=None)
    with pages.opened(buffer.getvalue()) as document:
        for _ in range(2):
            close(np.asarray(document.picture(1)).astype(int), from_linear(PAGE), 1)
            close(np.asarray(document.picture(2)).astype(int), PAGE)


def test_a_page_behind_its_copy_is_not_read_where_it_is_too_large():
    with pytest.raises(TooLarge, match="48 × 48"):
        decode(copy_first([], []), pixels=30 * 30)


@pytest.mark.parametrize("size", [(3, 3), (3, 5), (5, 3), (48, 32)], ids=str)
def test_channels_kept_apart_are_no_rows(size):
    values = np.asarray(noise(*size))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", metadata=None)
    close(read(buffer.getvalue()), values)
