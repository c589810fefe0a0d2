"""Sound pictures that Pillow does not know: TIFFs of rare numbers and codes, Photoshop's of 16 bits, JPEG XL.

tifffile and imagecodecs read them; both are imported only when such a file comes. What they cannot read either is
named, as a sound file of its kind. Sizes are checked in every header before anything is decoded.
"""

from __future__ import annotations

import io
import logging
import struct
from functools import cache
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ingest.vision.levels import eight_bits

MOST_PAGES = 100_000
MOST_BYTES = 4 * 2**30  # that the numbers of one picture may take

# Codes of TIFF whose parts cannot become larger than the file says, or say in a header how large they are.
_PLAIN = {1, 5, 8, 32946, 32773, 34925, 50000, 34926, 50013}
_WITH_HEADER = {7: "JPEG", 33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000",
                50001: "WebP", 34927: "WebP", 34933: "PNG", 50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip
_COLOURS = {0: "grey", 1: "grey", 2: "RGB", 3: "a palette", 5: "CMYK", 6: "YCbCr", 8: "LAB", 9: "LAB", 10: "LAB"}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MODES = {0: "bitmap", 1: "grey", 2: "palette", 3: "RGB", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "LAB"}
_LOWEST, _HIGHEST = 340, 341


class Unread(Exception):
    """A sound file of a kind that cannot be read; the message names the kind."""


def picture(content: bytes, check: Any) -> Image.Image | None:
    """The picture of a file's bytes, as `tiff_page`; None for what is none of these kinds."""
    if content[:4] in _TIFF:
        places = tiff_places(io.BytesIO(content))
        return tiff_page(io.BytesIO(content), places[0] if places else 0, check)
    if content[:4] == b"8BPS":
        return photoshop(content, check)
    return jpeg_xl(content, check) if is_jxl(content) else None


def is_jxl(head: bytes) -> bool:
    """Whether a file that begins with these bytes is JPEG XL."""
    return head[:2] == b"\xff\x0a" or head[:12] == b"\0\0\0\x0cJXL \r\n\x87\n"


@cache
def tifffile() -> Any:
    """The library, which writes what it thinks of a file on the terminal unless it is told not to: a damaged picture is
    among the failures, with a sentence."""
    import tifffile

    _silence("tifffile")
    imagecodecs()  # which it uses
    return tifffile


@cache
def imagecodecs() -> Any:
    """The library, as silent: it does not say which file it writes of, and some are sound."""
    import imagecodecs

    _silence("imagecodecs")
    return imagecodecs


def _silence(library: str) -> None:
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)


def tiff_places(file: BinaryIO) -> list[int]:
    """Which of the pictures in a TIFF are pages, as `ingest.vision.tiff.pages`."""
    file.seek(0)
    with tifffile().TiffFile(file) as opened:
        kinds = [int(page.aspage().subfiletype or 0) for page in islice(opened.pages, MOST_PAGES)]
    return [place for place, kind in enumerate(kinds) if not kind & 5]


def tiff_page(file: BinaryIO, number: int, check: Any) -> Image.Image:
    """The picture in place `number` of a TIFF, not yet upright and in the file's colours, with `info` as Pillow's.

    `check` is called with the width and height before anything is decoded. Unread for kinds that are not known here;
    whatever else is raised means damage.
    """
    file.seek(0)
    with tifffile().TiffFile(file) as opened:
        page = opened.pages[number].aspage()
        check((page.imagewidth, page.imagelength))
        kind = _kind(page)
        if page.nbytes > MOST_BYTES or page.imagedepth != 1:
            raise Unread(kind)
        if page.dtype is None or page.compression not in _PLAIN | _WITH_HEADER.keys() or page.dtype.kind not in "uif":
            raise Unread(kind)
        ends = zip(page.dataoffsets, page.databytecounts, strict=True)
        if any(start + length > opened.filehandle.size for start, length in ends):
            raise ValueError("the file is cut short")
        if page.compression in _WITH_HEADER:
            for part, _ in opened.filehandle.read_segments(page.dataoffsets, page.databytecounts, length=1):
                if part:
                    check(part_size(bytes(part), page))
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        return _picture(page, values.reshape(page.imagelength, page.imagewidth, -1), kind)


def _kind(page: Any) -> str:
    """TIFF with 3 channels of 32 bits (RGB, floating point), JPEG 2000."""
    names = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floating point", 5: "complex", 6: "complex"}
    code = _WITH_HEADER.get(int(page.compression)) or getattr(page.compression, "name", page.compression)
    colours = _COLOURS.get(int(page.photometric), "unusual colours")
    numbers = names.get(int(page.sampleformat or 1), "numbers of an unknown kind")
    channels = f"{page.samplesperpixel} channel{'s' * (page.samplesperpixel != 1)} of {page.bitspersample} bits"
    return f"TIFF with {channels} ({colours}, {numbers}, compression {code})"


def part_size(part: bytes, page: Any) -> tuple[int, int]:
    """The size that a part of a TIFF says it has; Unread where it is another than that of the TIFF's parts."""
    if part[:2] == b"\xff\x0a" or part[4:8] == b"JXL ":
        width, height = jxl_size(part)
    elif part[:2] == b"\xff\xd8" and page.jpegtables:
        width, height = Image.open(io.BytesIO(page.jpegtables[:-2] + part[2:])).size
    else:
        width, height = Image.open(io.BytesIO(part)).size
    if width > (page.tilewidth or page.imagewidth) or height > (page.tilelength or page.rowsperstrip):
        raise Unread("TIFF whose parts are larger than it says")
    return width, height


def _picture(page: Any, values: np.ndarray, kind: str) -> Image.Image:
    colours, channels = int(page.photometric), values.shape[2]
    bits = page.bitspersample if page.dtype.kind == "u" and isinstance(page.bitspersample, int) else None
    ycc_is_rgb = colours == 6 and page.compression in (7, 34712, 33003, 33004, 33005)
    grey, rgb = colours in (0, 1), colours == 2 or ycc_is_rgb
    more = channels - (1 if grey else 3 if rgb else 4 if colours == 5 else channels + 1)
    alpha = more == 1 and page.extrasamples[:1] in ((1,), (2,))
    if more < 0 or (grey and more and not alpha):
        raise Unread(kind)
    colour = values[..., : 1 if grey else 3 if rgb else 4]
    tags = {tag.code: tag.value for tag in page.tags}
    levels, stretched = eight_bits(colour, bits, _stated(tags), colours == 0)
    if alpha and colours != 5:
        levels = np.dstack([levels, eight_bits(values[..., -1], bits)[0]])
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if colours == 5 else "RGBA"}[levels.shape[2]]
    image = Image.fromarray(np.squeeze(levels, 2) if mode == "L" else np.ascontiguousarray(levels), mode)
    image.info = {"stretched": stretched, "icc_profile": tags.get(34675), "xmp": tags.get(700)}
    if 274 in tags:
        image.getexif()[0x0112] = int(tags[274] or 1)
    return image


def _stated(tags: dict) -> tuple[float, float] | None:
    low, high = (end[0] if isinstance(end, tuple) and end else end for end in (tags.get(_LOWEST), tags.get(_HIGHEST)))
    return (float(low), float(high)) if isinstance(low, int | float) and isinstance(high, int | float) else None


def photoshop(content: bytes, check: Any) -> Image.Image:
    """The flattened picture of a Photoshop file, also of 16 and 32 bits and of the large kind (PSB).

    As `tiff_page` otherwise; struct.error and ValueError where it is cut short.
    """
    version, channels, height, width, bits, mode = struct.unpack_from(">H6xHIIHH", content, 4)
    check((width, height))
    name = f"Photoshop with {channels} channels of {bits} bits ({_MODES.get(mode, f'mode {mode}')})"
    colours = {1: 1, 3: 3, 4: 4}.get(mode)
    if version not in (1, 2) or colours is None or bits not in (8, 16, 32) or not colours <= channels <= 56:
        raise Unread(name)
    place, profile = 26, None
    (length,) = struct.unpack_from(">I", content, place)
    place += 4 + length
    (length,) = struct.unpack_from(">I", content, place)
    profile = _resource(content[place + 4 : place + 4 + length], 1039)
    place += 4 + length
    (length,) = struct.unpack_from(">I" if version == 1 else ">Q", content, place)
    place += (4 if version == 1 else 8) + length
    (code,) = struct.unpack_from(">H", content, place)
    row = width * bits // 8
    if row * height * colours > MOST_BYTES:
        raise Unread(name)
    body = memoryview(content)[place + 2 :]
    if code == 1:
        body = _unpacked(body, channels, colours, height, row, ">H" if version == 1 else ">I")
    elif code != 0:
        raise Unread(f"{name}, packed as {code}")
    dtype = {8: np.uint8, 16: ">u2", 32: ">f4"}[bits]
    values = np.frombuffer(body, dtype, width * height * colours).reshape(colours, height, width)
    levels, stretched = eight_bits(np.moveaxis(values, 0, -1))
    if mode == 4:
        levels = 255 - levels  # Photoshop keeps how much light is left
    levels = np.ascontiguousarray(levels[..., 0] if colours == 1 else levels)
    image = Image.fromarray(levels, {1: "L", 3: "RGB", 4: "CMYK"}[colours])
    image.info = {"stretched": stretched, "icc_profile": profile}
    return image


def _unpacked(body: memoryview, channels: int, colours: int, height: int, row: int, form: str) -> bytes:
    lengths = np.frombuffer(body, form, channels * height).astype(np.int64)
    place, out = struct.calcsize(form) * channels * height, bytearray()
    for length in lengths[: colours * height].tolist():
        line = imagecodecs().packbits_decode(bytes(body[place : place + length]))
        if len(line) != row:
            raise ValueError("a row of the picture is cut short")
        out += line
        place += length
    return bytes(out)


def _resource(data: bytes, wanted: int) -> bytes | None:
    place = 0
    while data[place : place + 4] == b"8BIM":
        (number,) = struct.unpack_from(">H", data, place + 4)
        place += 6 + (data[place + 6] + 2) // 2 * 2
        (length,) = struct.unpack_from(">I", data, place)
        if number == wanted:
            return data[place + 4 : place + 4 + length]
        place += 4 + length + length % 2
    return None


def jpeg_xl(content: bytes, check: Any) -> Image.Image:
    """The first picture of a JPEG XL file, upright. As `tiff_page` otherwise."""
    check(jxl_size(content))
    values = np.asarray(imagecodecs().jpegxl_decode(content))
    values = values[0] if values.ndim == 4 else values
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] > 4 or values.dtype.kind not in "uf":
        raise Unread(f"JPEG XL with {values.shape[2]} channels")
    colours = values.shape[2] - (values.shape[2] in (2, 4))
    levels, stretched = eight_bits(values[..., :colours])
    if colours < values.shape[2]:
        levels = np.dstack([levels, eight_bits(values[..., colours:])[0]])
    image = Image.fromarray(np.squeeze(levels, 2) if levels.shape[2] == 1 else levels)
    image.info = {"stretched": stretched}
    return image


def jxl_size(content: bytes) -> tuple[int, int]:
    """Width and height by the header. ValueError where there is none."""
    place = 0
    if content[4:8] == b"JXL ":  # in boxes
        while content[place + 4 : place + 8] not in (b"jxlc", b"jxlp"):
            (length,) = struct.unpack_from(">I", content, place)
            if length < 8:
                raise ValueError("no picture among the boxes of the JPEG XL file")
            place += length
        place += 8 if content[place + 4 : place + 8] == b"jxlc" else 12
    if content[place : place + 2] != b"\xff\x0a":
        raise ValueError("no JPEG XL")
    bits = int.from_bytes(content[place + 2 : place + 22], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (2**count - 1), bits >> count
        return value

    def side(small: bool) -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = bool(take(1))
    height, ratio = side(small), take(3)
    ratios = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
    width = height * ratios[ratio][0] // ratios[ratio][1] if ratio else side(small)
    return width, height
