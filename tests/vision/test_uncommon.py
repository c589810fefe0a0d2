"""What a number in a file means, and sound files of rare kinds: read, or called by their names; never called damaged."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.vision import pages, uncommon
from ingest.vision.loader import BadImage, TooLarge, decode
from tests.support import tiffs
from tests.support.pictures import close, gradient, saved

COLOURS = np.asarray(gradient())
GREY = np.asarray(gradient("L"))


def tiff(values, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **options)
    return buffer.getvalue()


def read(data):
    return np.asarray(decode(data).image).astype(int)


FULL = 2**32 // 255


@pytest.mark.parametrize(
    ("values", "expected", "assumed"),
    [
        (np.uint8([0, 100, 255]), [0, 100, 255], False),
        (np.uint16([0, 257, 65535]), [0, 1, 255], False),
        (np.uint16([0, 100, 200]), [0, 0, 1], False),  # a dark picture stays dark
        (np.uint32([0, 100 * FULL, 2**32 - 1]), [0, 100, 255], False),
        (np.uint32([0, 30 * FULL, 100 * FULL]), [0, 30, 100], False),  # on either side of 2³¹
        (np.uint32([0, 100, 255]), [0, 100, 255], False),
        (np.uint32([0, 25700, 65535]), [0, 100, 255], False),
        (np.uint32([0, 100_000, 255_000]), [0, 100, 255], True),
        (np.int8([-128, 0, 127]), [0, 128, 255], True),
        (np.int16([-1000, 0, 1550]), [0, 100, 255], True),
        (np.int16([0, 100, 255]), [0, 100, 255], False),
        (np.int16([0, 1000, 2550]), [0, 100, 255], True),
        (np.int32([-2, 0, 2]), [0, 128, 255], True),
        (np.float32([0, 0.2, 0.4]), [0, 51, 102], False),
        (np.float32([0, 50, 250]), [0, 51, 255], True),
        (np.float32([-1, 0, 1]), [0, 128, 255], True),
        (np.float64([0, 0.2, 1]), [0, 51, 255], False),
        (np.float16([0, 0.2, 1]), [0, 51, 255], False),
        (np.float32([np.nan, 0.2, np.inf]), [0, 51, 0], False),
        (np.uint64([0, 2**63, 2**64 - 1]), [0, 128, 255], False),
    ],
    ids=lambda value: f"{value.dtype}-{value.tolist()}" if isinstance(value, np.ndarray) else "",
)
@pytest.mark.parametrize("inverted", [False, True])
def test_what_a_grey_level_means(values, expected, assumed, inverted):
    decoded = decode(tiff(values[None], photometric="miniswhite" if inverted else "minisblack"))
    got = np.asarray(decoded.image)[0, :, 0].astype(int)
    assert np.abs(got - (255 - np.array(expected) if inverted else expected)).max() <= 1
    assert decoded.assumed == (("range",) if assumed else ())


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int16, np.float32, np.float64])
def test_a_stated_range_goes_before_all(dtype):
    values = np.array([[0, 100, 200]], dtype)
    code = {"u2": "H", "u4": "I", "i2": "h", "f4": "f", "f8": "d"}[np.dtype(dtype).str[1:]]
    decoded = decode(
        tiff(values, photometric="minisblack", extratags=[(340, code, 1, 100, True), (341, code, 1, 200, True)])
    )
    assert np.asarray(decoded.image)[0, :, 0].tolist() == [0, 0, 255] and decoded.assumed == ()


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_cameras_of_fewer_bits(bits):
    top = 2**bits - 1
    stated = tiff(np.uint16([[0, top // 2, top]]), photometric="minisblack", extratags=[(281, "H", 1, top, True)])
    assert read(stated)[0, :, 0].tolist() == pytest.approx([0, 127, 255], abs=1)
    packed = imagecodecs.packints_encode(np.uint16([0, top // 2, top, 0]), bits)
    page = tiffs.page(np.frombuffer(packed, np.uint8)[None, :, None], tiffs.GREY)
    page["tags"] |= {256: (4,), 258: (bits,)}
    assert read(tiffs.tiff(page))[0, :, 0].tolist() == pytest.approx([0, 127, 255, 0], abs=1)


def test_a_dark_picture_of_sixteen_bits_stays_dark_in_every_format():
    dark = Image.fromarray(np.full((4, 4), 100, np.uint16))
    for format in ("PNG", "TIFF", "PPM", "JPEG2000"):
        assert (read(saved(dark, format)) == 0).all()


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_colours_of_every_number(dtype, apart):
    scale = {"u": np.iinfo(dtype).max / 255 if np.dtype(dtype).kind == "u" else 1, "f": 1 / 255}[np.dtype(dtype).kind]
    values = (COLOURS.astype(np.float64) * scale).astype(dtype)
    if apart:
        data = tiff(np.moveaxis(values, -1, 0), photometric="rgb", planarconfig="separate")
    else:
        data = tiff(values, photometric="rgb", compression="zlib")
    close(read(data), COLOURS, 1)


@pytest.mark.parametrize(
    ("code", "tolerance"),
    [
        ("jpeg2000", 0),
        ("webp", 0),
        ("png", 0),
        ("zstd", 0),
        ("lzma", 0),
        ("jpegxl", 0),
        ("jpeg", 12),
        ("lzw", 0),
        ("packbits", 0),
    ],
)
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_tiffs_packed_in_every_way(code, tolerance, tile):
    options = {"compressionargs": {"lossless": True}} if code in ("webp", "jpegxl") else {}
    close(read(tiff(COLOURS, photometric="rgb", compression=code, tile=tile, **options)), COLOURS, tolerance)


def test_turned_and_profiled_all_the_same():
    from tests.vision.test_loader import made_profile

    data = tiff(
        np.full((4, 6, 3), 55 / 255, np.float32),
        photometric="rgb",
        iccprofile=made_profile(1.0),
        extratags=[(274, "H", 1, 6, True)],
    )
    image = decode(data).image
    assert image.size == (4, 6) and image.getpixel((1, 1)) == (128, 128, 128)


def test_transparency_of_rare_numbers():
    values = np.zeros((2, 2, 4), np.float32)
    values[0, 0] = (1, 0, 0, 1)
    got = read(tiff(values, photometric="rgb", extrasamples=["unassalpha"]))
    assert got[0, 0].tolist() == [255, 0, 0] and got[1, 1].tolist() == [255, 255, 255]


def test_inks_that_are_kept_apart():
    values = np.zeros((4, 6, 6), np.uint16)
    values[1:3] = 65535
    got = read(tiff(values[:4], photometric="separated", planarconfig="separate"))
    assert np.abs(got - [255, 0, 0]).max() <= 1


def test_a_page_of_a_rare_kind_among_others():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for values, code in (
            (COLOURS, None),
            (COLOURS[::-1], "jpeg2000"),
            (COLOURS.astype(np.float32) / 255, None),
            (COLOURS, "zlib"),
        ):
            writer.write(values, photometric="rgb", compression=code, metadata=None)
    with pages.opened(buffer.getvalue()) as document:
        assert len(document) == 4
        for page, expected in enumerate((COLOURS, COLOURS[::-1], COLOURS, COLOURS), start=1):
            close(np.asarray(document.picture(page)).astype(int), expected, 1)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for values in (COLOURS / 255, COLOURS[::-1] / 255):
            writer.write(values.astype(np.float32), photometric="rgb", metadata=None)
    with pages.opened(buffer.getvalue()) as document:
        close(np.asarray(document.picture(2)).astype(int), COLOURS[::-1], 1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (lambda: tiff(np.zeros((4, 4), np.complex64), photometric="minisblack"), "complex"),
        (lambda: tiff(np.zeros((8, 9, 7), np.uint16), photometric="minisblack", planarconfig="contig"), "7 channels of 16 bits .grey"),
        (lambda: tiff(np.zeros((8, 9, 2), np.uint16), photometric="minisblack", planarconfig="contig", extrasamples=[0]), "2 channels of 16 bits"),
        (lambda: tiff(COLOURS, photometric="rgb", compression="lerc"), "compression LERC"),
        (lambda: psd(COLOURS[..., 0], mode=8, bits=16, dtype=">u2"), "Photoshop with 1 channels of 16 bits .duotone"),
    ],
)  # fmt: skip
def test_sound_files_of_unknown_kinds_say_what_they_are(data, kind):
    with pytest.raises(BadImage, match=rf"sound, but of a kind that cannot be read here: .*{kind}") as caught:
        decode(data())
    assert "damaged" not in caught.value.reason and len(caught.value.reason) < 300


# Photoshop


def psd(values, mode=3, bits=16, dtype=">u2", packed=False, large=False, profile=b""):
    values = values[..., None] if values.ndim == 2 else values
    rows, cols, channels = values.shape
    scaled = values / 255 if dtype == ">f4" else values.astype(np.int64) * (257 if bits == 16 else 1)
    lines = [plane[row].astype(dtype).tobytes() for plane in np.moveaxis(scaled, -1, 0) for row in range(rows)]
    if packed:
        lines = [imagecodecs.packbits_encode(line) for line in lines]
        body = struct.pack(">H", 1) + b"".join(struct.pack(">I" if large else ">H", len(line)) for line in lines)
    else:
        body = struct.pack(">H", 0)
    resources = (
        b"8BIM" + struct.pack(">HHI", 1039, 0, len(profile)) + profile + b"\0" * (len(profile) % 2) if profile else b""
    )
    head = b"8BPS" + struct.pack(">H6xHIIHH", 2 if large else 1, channels, rows, cols, bits, mode)
    sections = struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources + (bytes(8) if large else bytes(4))
    return head + sections + body + b"".join(lines)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("bits", "dtype"), [(8, "u1"), (16, ">u2"), (32, ">f4")])
def test_photoshop_of_every_depth(bits, dtype, large, packed):
    close(read(psd(COLOURS, bits=bits, dtype=dtype, large=large, packed=packed)), COLOURS, 1)
    close(read(psd(GREY, mode=1, bits=bits, dtype=dtype, large=large, packed=packed)), gradient("L"), 1)


def test_photoshop_keeps_its_profile_and_its_inks():
    from tests.vision.test_loader import made_profile

    assert read(psd(np.full((3, 4, 3), 55, np.uint8), profile=made_profile(1.0)))[0, 0].tolist() == [128] * 3
    inks = np.full((3, 4, 4), 255, np.uint8)
    inks[..., 1:3] = 0  # no cyan, all magenta and yellow: what is left of the light is written
    assert np.abs(read(psd(inks, mode=4))[0, 0] - [255, 0, 0]).max() <= 1


# JPEG XL


@pytest.mark.parametrize("size", [(8, 8), (100, 150), (256, 128), (123, 457), (300, 400), (1, 1)])
def test_jpeg_xl(size):
    values = np.asarray(gradient(size=size[::-1]))
    data = imagecodecs.jpegxl_encode(values, lossless=True)
    assert uncommon.jxl_size(data) == size[::-1]
    close(read(data), values)
    boxed = (
        b"\0\0\0\x0cJXL \r\n\x87\n"
        + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
        + struct.pack(">I4s", len(data) + 8, b"jxlc")
        + data
    )
    close(read(boxed), values)


# Hostile ones


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_short_is_never_a_picture(share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    for data in (
        tiff(noise.astype(np.float32), photometric="rgb"), tiff(noise, photometric="rgb", compression="jpeg2000"), psd(noise), psd(noise, packed=True),
        imagecodecs.jpegxl_encode(noise, lossless=True), tiff(noise, photometric="rgb", compression="zstd"),
    ):  # fmt: skip
        with pytest.raises(BadImage, match="damaged|cut short"):
            decode(data[: int(len(data) * share)])


def test_sizes_are_checked_before_anything_is_decoded():
    huge = tiffs.page(np.zeros((2, 2, 3), np.float32), tiffs.RGB)
    huge["tags"] |= {256: (65535,), 257: (65535,), 278: (65535,)}
    large = imagecodecs.jpeg2k_encode(np.zeros((2000, 2000, 3), np.uint8))
    inner = tiffs.page(np.zeros((16, 16, 3), np.uint8), tiffs.RGB, t259=34712)
    inner["strips"] = [bytes(large)]
    jxl = bytearray(imagecodecs.jpegxl_encode(np.zeros((1, 1, 3), np.uint8)))
    jxl[2:14] = (0b0 | 3 << 1 | (2**30 - 1) << 3 | 0 << 33 | 3 << 36 | (2**30 - 1) << 38).to_bytes(12, "little")
    with pytest.raises(TooLarge):
        decode(tiffs.tiff(huge))
    with pytest.raises(BadImage, match="parts are larger"):
        decode(tiffs.tiff(inner))
    with pytest.raises(TooLarge):
        decode(bytes(jxl))
    with pytest.raises(TooLarge):
        decode(psd(COLOURS)[:14] + struct.pack(">II", 300_000, 300_000) + psd(COLOURS)[22:])


@pytest.mark.filterwarnings("ignore")
def test_spoilt_ones_never_raise_anything_else():
    random = np.random.default_rng(0)
    for data in (
        tiff(COLOURS / 255.0, photometric="rgb"), tiff(COLOURS, photometric="rgb", compression="jpeg2000"), psd(COLOURS, packed=True),
        imagecodecs.jpegxl_encode(COLOURS),
    ):  # fmt: skip
        whole = np.frombuffer(data, np.uint8)
        for _ in range(25):
            broken = whole.copy()
            broken[random.integers(0, min(len(broken), 400), 4)] = random.integers(0, 256, 4)
            try:
                assert decode(broken.tobytes()).image.mode == "RGB"
            except BadImage as error:
                assert error.reason.endswith(".")


def test_the_library_writes_nothing_on_the_terminal(caplog):
    with pytest.raises(BadImage):
        decode(b"II*\0" + bytes(12))
    assert caplog.records == []
