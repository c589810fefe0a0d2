"""A picture's file as Pillow opens it, and what it shows, upright in sRGB. Shared by `loader` and `pages`."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import BinaryIO, TypeVar

from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ingest.vision import jpeg2000, uncommon
from ingest.vision.bad_image import BadImage, TooLarge
from ingest.vision.colour import to_rgb
from ingest.vision.signatures import HEAD, other_kind, picture_format

MAX_PIXELS = 500_000_000

Picture = TypeVar("Picture")

# Pictures and files beyond these are decoded one at a time, or eight threads would need eight times their memory.
LARGE_PIXELS, LARGE_BYTES = 60_000_000, 2**28
in_turn = threading.RLock()

# The common ones first. Left out on purpose: formats that start another program (EPS, WMF) and those that
# Pillow recognises but cannot read (HDF5, GRIB, MPEG).
_FORMATS = """
    JPEG PNG TIFF WEBP GIF BMP JPEG2000 HEIF AVIF PPM PSD ICO ICNS DDS SGI QOI PCX SUN XBM XPM CUR DCX DIB
    BLP FITS FLI FTEX GBR MSP PIXAR XVTHUMB IM SPIDER TGA
"""

_ORIENTATION = 0x0112  # in EXIF
_PROFILE = 34675  # in TIFF
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(source: bytes | BinaryIO, pixels: int = MAX_PIXELS) -> ImageFile.ImageFile:
    """A picture's file as Pillow opens it, its size checked, nothing decoded yet. BadImage."""
    # Pillow's own limit is a global of 89 megapixels, less than a good scan. It is only ever set to this
    # constant, so threads cannot disagree; Pillow raises at twice the limit, and the check below covers the
    # rest.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"The picture has more than {MAX_PIXELS // 10**6} megapixels.") from None
    except Image.UnidentifiedImageError:
        raise BadImage(_unidentified(source)) from None
    check_size(image.size, pixels)
    return image


def check_size(size: tuple[int, int], pixels: int = MAX_PIXELS) -> None:
    """BadImage for a picture of no pixels, or of more than are read."""
    width, height = size
    if width < 1 or height < 1:
        raise TooLarge("The picture has no pixels.")
    if width * height > pixels:
        limit = f"more than the {pixels // 10**6} megapixels that are read"
        raise TooLarge(f"The picture has {width} × {height} pixels, {limit}: save a smaller copy.")


def upright(image: Image.Image) -> Image.Image:
    """An opened picture decoded, turned as its EXIF says, in sRGB. What described the file no longer describes these
    pixels: `info` only names what was `assumed`, see `ingest.vision.colour`."""
    with turn_of(image):
        profile = profile_of(image)  # before loading, which closes the file
        image.load()
        turn = UPRIGHT.get(orientation_of(image))
        picture = to_rgb(image, profile)
        return picture if turn is None else picture.transpose(turn)


def turn_of(image: Image.Image) -> AbstractContextManager:
    """To be held while an opened picture is decoded."""
    return in_turn if image.width * image.height > LARGE_PIXELS else nullcontext()


def orientation_of(image: Image.Image) -> int:
    """How an opened picture has to be turned, a key of UPRIGHT or 1. Pillow turns TIFF pictures itself when it loads
    them, and then no longer reports the tag."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF is common and no reason to lose the picture
        return 1


def profile_of(image: Image.Image) -> bytes | None:
    """The colour profile of an opened picture that is not loaded yet."""
    if isinstance(image, TiffImageFile):
        return image.tag_v2.get(_PROFILE)  # in `info` that of an earlier page may be left
    return image.info.get("icc_profile") or _profile_within(image)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Whatever decoders raise on damaged files, which is nearly anything, becomes a BadImage."""
    try:
        yield
    except BadImage:
        raise
    except MemoryError:
        raise BadImage("The picture needs more memory than this computer has.") from None
    except Exception as error:
        raise BadImage(f"The file is damaged or cut short: {_detail(error)}.") from error


def else_uncommon(usual: Callable[[], Picture], other: Callable[[], Image.Image | None]) -> Picture | Image.Image:
    """The picture that Pillow reads, else the one that `ingest.vision.uncommon` does. BadImage, which calls what is
    sound but of an unknown kind by its name."""
    with readable_errors():
        try:
            return usual()
        except (TooLarge, MemoryError):
            raise
        except Exception as first:
            try:
                picture = other()
            except uncommon.Unread as kind:
                raise BadImage(f"The file is sound, but of a kind that cannot be read here: {kind}.") from None
            except (TooLarge, MemoryError):
                raise
            except Exception:  # damaged for others too
                picture = None
            if picture is None:
                raise first
            return upright(picture)


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    Image.init()
    # A picture within a picture, as in ICO, is checked by Pillow alone; what else it warns of, nobody can act on.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return tuple(name for name in _FORMATS.split() if name in Image.OPEN)  # AVIF, for one, is a matter of the build


def _unidentified(source: bytes | BinaryIO) -> str:
    if isinstance(source, bytes):
        head = source[:HEAD]
    else:
        source.seek(0)
        head = source.read(HEAD)
    if name := picture_format(head):
        return f"The file begins as {name}, but the rest is damaged or cut short."
    return other_kind(head) or "This is not a picture in a format that can be read."


def _detail(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _profile_within(image: Image.Image) -> bytes | None:
    """The colour profile of a JPEG 2000 file, which Pillow passes over."""
    file = getattr(image, "fp", None)
    if image.format != "JPEG2000" or not isinstance(file, io.BytesIO):
        return None
    return jpeg2000.profile(file.getbuffer())
