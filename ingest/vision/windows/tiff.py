"""TIFF by its tiles or strips, and by the smaller copies that it holds (pyramids in pages or in sub-IFDs)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.vision import uncommon
from ingest.vision.colour import to_rgb
from ingest.vision.levels import eight_bits
from ingest.vision.windows.scan import Level, PixelBox, Scan, check, file_level, same_shape

MOST_TOGETHER = 64_000_000  # pixels of one tile or strip

_PLAIN = {1, 5, 8, 32946, 32773, 34925, 50000}
_WITH_HEADER = {7, 33005, 34712}
_GREY, _RGB, _CMYK, _YCBCR = 1, 2, 5, 6
_JPEG = 7
_ALPHA = 2  # not multiplied in
_REDUCED, _STATED = 1, (281, 340, 341)  # a smaller copy; numbers of which the file says what is white
_ORIENTATION, _XMP = 274, 700


def opened(path: Path, number: int) -> Scan:
    """A page of a TIFF, from 1. BadImage, or whatever damage raises, where it cannot be read in parts."""
    tifffile = uncommon.tifffile()
    file = open(path, "rb")  # noqa: SIM115  (held by the levels, and closed with them)
    places = uncommon.tiff_places(file)
    check(number <= len(places), f"there is no page {number}")
    file.seek(0)
    document = tifffile.TiffFile(file)
    place = places[number - 1]
    page = document.pages[place].aspage()
    lock = threading.Lock()
    pages = [page, *_smaller(document, page, place)]
    levels = [level_of(each, lock) for each in pages if each is page or _alike(each, page)]
    orientation, xmp = page.tags.get(_ORIENTATION), page.tags.get(_XMP)
    check(orientation or not xmp or "tiff:Orientation" not in str(xmp.value), "only its XMP says how it is turned")
    return Scan(levels, int(orientation.value) if orientation else 1)


def _smaller(document: Any, page: Any, place: int) -> list[Any]:
    """The pages that may be smaller copies of this one: its sub-IFDs, and those behind it that say so."""
    found = [each.aspage() for each in page.pages] if page.subifds else []
    for each in document.pages[place + 1 : place + 32]:
        each = each.aspage()
        if not int(each.subfiletype or 0) & _REDUCED:
            break
        found.append(each)
    return found


def _alike(small: Any, page: Any) -> bool:
    """Whether a page shows the same as a larger one, in numbers of the same meaning."""
    named = ("photometric", "samplesperpixel", "bitspersample", "sampleformat", "extrasamples", "planarconfig")
    if any(getattr(small, name) != getattr(page, name) for name in named):
        return False
    return _readable(small) and same_shape((small.imagewidth, small.imagelength), (page.imagewidth, page.imagelength))


def _readable(page: Any) -> bool:
    return page.compression in _PLAIN | _WITH_HEADER and _rows(page) * _cols(page) <= MOST_TOGETHER


def level_of(page: Any, lock: threading.Lock) -> Level:
    """A page as a level. BadImage for kinds that the loader alone reads."""
    check(page.imagedepth == 1 and page.planarconfig == 1 and int(page.sampleformat or 1) == 1, "unusual numbers")
    check(_readable(page), f"compression {page.compression}, {_rows(page)} rows together")
    check(not any(tag in page.tags for tag in _STATED), "a range of its own")
    ends = zip(page.dataoffsets, page.databytecounts, strict=True)
    check(all(start + length <= page.parent.filehandle.size for start, length in ends), "it is cut short")
    read = _read_rows if page.compression == 1 and not page.is_tiled and page.is_contiguous else _read_segments
    locked = _locked(partial(read, page), lock)
    rows = _rows(page) if read is _read_segments else 256
    return file_level((page.imagewidth, page.imagelength), rows, locked, _colours(page))


def _locked(read: Callable[[PixelBox], np.ndarray], lock: threading.Lock) -> Callable[[PixelBox], np.ndarray]:
    def read_alone(box: PixelBox) -> np.ndarray:
        with lock:
            return read(box)

    return read_alone


def _rows(page: Any) -> int:
    return page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)


def _cols(page: Any) -> int:
    return page.tilewidth if page.is_tiled else page.imagewidth


def _read_rows(page: Any, box: PixelBox) -> np.ndarray:
    """Numbers that lie in the file as they are."""
    left, top, right, bottom = box
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    row = page.imagewidth * page.samplesperpixel
    file = page.parent.filehandle
    file.seek(page.dataoffsets[0] + top * row * dtype.itemsize)
    numbers = np.frombuffer(file.read((bottom - top) * row * dtype.itemsize), dtype)
    return numbers.reshape(bottom - top, page.imagewidth, -1)[:, left:right].astype(page.dtype)


def _read_segments(page: Any, box: PixelBox) -> np.ndarray:
    """The tiles or strips that touch the box, put together."""
    left, top, right, bottom = box
    rows, cols = _rows(page), _cols(page)
    across = -(-page.imagewidth // cols)
    beside = range(left // cols, -(-right // cols))
    numbers = [y * across + x for y in range(top // rows, -(-bottom // rows)) for x in beside]
    out = np.zeros((bottom - top, right - left, page.samplesperpixel), page.dtype)
    how = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression == _JPEG else {}
    offsets, lengths = ([each[number] for number in numbers] for each in (page.dataoffsets, page.databytecounts))
    found = page.parent.filehandle.read_segments(offsets, lengths, indices=numbers)
    for data, number in found:
        if not data:
            continue
        if page.compression in _WITH_HEADER:
            uncommon.part_size(bytes(data), page)  # no part is larger than the file says
        part, (_, _, y, x, _), _ = page.decode(data, number, _fullsize=page.is_tiled, **how)
        if part is not None:
            _paste(out, part[0], (x - left, y - top))
    return out


def _paste(out: np.ndarray, part: np.ndarray, at: tuple[int, int]) -> None:
    x, y = at
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(out.shape[1], x + part.shape[1]), min(out.shape[0], y + part.shape[0])
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = part[y0 - y : y1 - y, x0 - x : x1 - x]


def _colours(page: Any) -> Callable[[np.ndarray], Image.Image]:
    """What makes RGB of the page's numbers, as the loader does."""
    bits, samples, extra = page.bitspersample, page.samplesperpixel, tuple(map(int, page.extrasamples))
    colours, profile = int(page.photometric), page.iccprofile
    modes: dict[tuple[int, int, tuple[int, ...]], str] = {
        (_GREY, 1, ()): "L",
        (_GREY, 2, (_ALPHA,)): "LA",
        (_RGB, 3, ()): "RGB",
        (_RGB, 4, (_ALPHA,)): "RGBA",
        (_CMYK, 4, ()): "CMYK",
    }
    mode = modes.get((colours, samples, extra))
    if colours == _YCBCR and page.compression == _JPEG and samples == 3:
        mode = "RGB"
    check(mode is not None, f"{samples} channels of colours {colours}")
    check(bits == 8 or (bits == 16 and mode in ("L", "RGB")), f"{bits} bits")
    check(mode != "CMYK" or page.compression in _PLAIN, "inks packed as JPEG")

    def coloured(numbers: np.ndarray) -> Image.Image:
        if bits == 16:  # Pillow takes the upper byte of colours
            numbers = eight_bits(numbers, 16)[0] if mode == "L" else (numbers >> 8).astype(np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(numbers[..., 0] if samples == 1 else numbers), mode)
        return to_rgb(picture, profile)

    return coloured
