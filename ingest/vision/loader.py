"""From an image file to an upright picture in sRGB, whatever its format, mode or colour space."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ingest.vision import jpeg2000, pages, plain, tiff, uncommon
from ingest.vision.bad_image import BadImage, TooLarge
from ingest.vision.opening import (
    LARGE_BYTES,
    MAX_PIXELS,
    check_size,
    else_uncommon,
    in_turn,
    open_picture,
    turn_of,
    upright,
)
from ingest.vision.resizing import Pixels
from ingest.vision.signatures import HEAD, is_pdf

__all__ = ["MAX_BYTES", "MAX_PIXELS", "BadImage", "Decoded", "TooLarge", "decode", "thumbnail"]

MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Decoded:
    """An upright RGB picture, from Pillow or as uint8 (height, width, 3), the SHA-256 of its file (hexadecimal) and the
    file's length in bytes."""

    picture: Image.Image | np.ndarray
    sha256: str
    bytes: int

    @cached_property
    def pixels(self) -> Pixels:
        return Pixels(self.picture)

    @property
    def image(self) -> Image.Image:
        return self.picture if isinstance(self.picture, Image.Image) else self.pixels.image

    @property
    def assumed(self) -> tuple[str, ...]:
        """What nobody could know of the picture, and was assumed: keys of `ingest.vision.colour.ASSUMED`."""
        return self.picture.info.get("assumed", ()) if isinstance(self.picture, Image.Image) else ()


def decode(data: bytes | str | Path, pixels: int = MAX_PIXELS) -> Decoded:
    """Read a picture from the bytes of its file or from its path; the file is read once.

    The picture is turned upright as its EXIF says, transparency is laid on white, grey of 16 bits or in
    floating point is scaled to 8 bits (see `ingest.vision.levels`), CMYK, LAB, embedded colour profiles and what
    PNGs say of their colours become sRGB. Of animations and of files with many pages (`ingest.vision.pages` reads the
    others) it is the first. Safe to call from several threads. BadImage for all that cannot be read: missing, empty,
    truncated, no picture, more than `pixels` (told by the header, before decoding).
    """
    large = not isinstance(data, bytes) and _length(Path(data)) > LARGE_BYTES
    with in_turn if large else nullcontext():
        content = data if isinstance(data, bytes) else _read(Path(data))
        if not content:
            raise BadImage("The file is empty.")
        return Decoded(_decoded(content, pixels), hashlib.sha256(content).hexdigest(), len(content))


def thumbnail(picture: Image.Image | Pixels, side: int = 256) -> tuple[bytes, int, int]:
    """A JPEG of at most `side` × `side` pixels, never enlarged: (bytes, width, height)."""
    pixels = picture if isinstance(picture, Pixels) else Pixels(picture)
    scale = min(1, side / max(pixels.size))
    width, height = (max(1, round(edge * scale)) for edge in pixels.size)
    buffer = io.BytesIO()
    Image.fromarray(pixels.resized(width, height)).save(buffer, "JPEG", quality=82)
    return buffer.getvalue(), width, height


def check_file(path: Path) -> None:
    """BadImage, which says why, for what is no file that can be opened."""
    with _readable(path):
        open(path, "rb").close()


def _read(path: Path) -> bytes:
    with _readable(path):
        return path.read_bytes()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Around reading a file: what may go wrong as a BadImage."""
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise BadImage("This is a folder, not a picture.")
        if not stat.S_ISREG(found.st_mode):  # asked before opening: a pipe would block for ever
            raise BadImage("This is a pipe or a device, not a file.")
        if found.st_size > MAX_BYTES:
            raise BadImage(f"The file has {found.st_size / 2**30:.1f} GiB; at most {MAX_BYTES >> 30} are read.")
        yield
    except FileNotFoundError:
        raise BadImage("There is no such file.") from None
    except PermissionError:
        raise BadImage("There is no permission to read this file.") from None
    except OSError as error:
        raise BadImage(f"The file could not be read: {error.strerror or error}.") from error


def _decoded(content: bytes, pixels: int) -> Image.Image | np.ndarray:
    if is_pdf(content[:HEAD]):
        with pages.opened(content) as document:
            return document.picture(1, pixels)
    if lab := tiff.lab(content):
        content = lab.as_rgb

    def usual() -> Image.Image | np.ndarray:
        with open_picture(content, pixels) as image:
            if isinstance(image, TiffImageFile):
                image.seek(tiff.pages(image, at_most=1)[0])
                check_size(image.size, pixels)
            if not lab and (quick := plain.pixels(content, image)) is not None:
                return quick
            if isinstance(image, TiffImageFile):
                tiff.set_right(image)
            with turn_of(image):
                deep = jpeg2000.deep(content, image)
            if deep:
                return upright(deep)
            return upright(lab.coloured(image) if lab else image)

    return else_uncommon(usual, lambda: uncommon.picture(content, partial(check_size, pixels=pixels)))


def _length(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0  # `_read` says what is wrong
