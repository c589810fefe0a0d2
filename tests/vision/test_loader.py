"""Every kind of picture comes out upright and in the right colours; every kind of rubbish as a plain sentence."""

import hashlib
import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from ingest.vision import colour, opening
from ingest.vision.loader import BadImage, decode, thumbnail
from tests.support.pictures import close, gradient, noise, png_chunk, saved


def pixels(data):
    image = decode(data).image
    assert image.mode == "RGB" and type(image) is Image.Image and set(image.info) <= {"assumed"}
    return np.asarray(image).astype(int)


# Modes and formats


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_plain_modes(mode, format):
    image = gradient(mode)
    palette = (format, mode) == ("GIF", "RGB")
    close(pixels(saved(image, format)), image, tolerance=60 if palette else 0)


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 8),
        ("WEBP", {"lossless": True}, 0),
        ("AVIF", {"quality": 95}, 16),
        ("JPEG2000", {}, 2),
        ("PPM", {}, 0),
        ("TGA", {}, 0),
        ("PCX", {}, 0),
        ("ICO", {"sizes": [(32, 32)]}, 255),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 16),
    ],
)
def test_formats(format, options, tolerance):
    got = pixels(saved(gradient(), format, **options))
    if format != "ICO":
        close(got, gradient(), tolerance)
    assert got.size


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_grey_of_sixteen_bits_is_scaled_from_65535(dtype):
    values = np.array([[0, 255, 257, 256 * 100], [65535, 65535 // 2, 1000, 128]])
    mode = "I;16" if dtype == "<u2" else "I;16B"
    image = Image.frombytes(mode, (4, 2), values.astype(dtype).tobytes())
    expected = np.repeat(np.round(values / 257)[..., None], 3, axis=2)
    close(pixels(saved(image, "TIFF")), expected)
    if mode == "I;16":
        close(pixels(saved(image, "PNG")), expected)
        inverted = saved(image, "TIFF", tiffinfo={262: 0})
        close(pixels(inverted), 255 - expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 100, 255], [0, 100, 255]),
        ([0, 257 * 100, 65535], [0, 100, 255]),
        ([-100, 0, 155], [0, 100, 255]),
        ([0, 100_000, 255_000], [0, 100, 255]),
        ([7, 7, 7], [7, 7, 7]),
    ],
)
def test_grey_of_thirty_two_bits(values, expected):
    image = Image.fromarray(np.array([values], np.int32))
    assert image.mode == "I"
    assert pixels(saved(image, "TIFF"))[0, :, 0].tolist() == expected


def test_floating_point_runs_from_its_least_to_its_greatest():
    image = Image.fromarray(np.array([[-1.0, 0.0, 1.0, np.nan, np.inf]], np.float32))
    assert pixels(saved(image, "TIFF"))[0, :, 0].tolist() == [0, 128, 255, 0, 0]
    for value in (np.nan, 3.0):
        assert (pixels(saved(Image.fromarray(np.full((2, 2), value, np.float32)), "TIFF")) == 0).all()


@pytest.mark.parametrize(("format", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA"), ("TIFF", "RGBA")])
def test_transparency_is_laid_on_white(format, mode):
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255) if mode == "RGBA" else (60, 60, 60, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    got = pixels(saved(image.convert(mode), format, **options))[0].tolist()
    assert got == [[255, 0, 0] if mode == "RGBA" else [60] * 3, [255] * 3, [127] * 3]


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_a_transparent_colour_is_laid_on_white(mode):
    image = Image.new("RGB", (2, 1), (255, 255, 255))
    image.putpixel((0, 0), (0, 0, 0))
    image = image.convert(mode)
    black = image.getpixel((0, 0))
    assert (pixels(saved(image, "PNG", transparency=black)) == 255).all()
    assert pixels(saved(image, "PNG"))[0, 0].tolist() == [0, 0, 0]


def test_a_palette_with_degrees_of_transparency():
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])
    image.putdata([0, 1, 2])
    got = pixels(saved(image, "PNG", transparency=bytes([255, 0, 128])))
    assert got[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]


def test_premultiplied_transparency():
    stored = Image.frombytes("RGBA", (2, 1), bytes([64, 0, 0, 128, 0, 0, 0, 0]))
    data = bytearray(saved(stored, "TIFF"))
    data[data.index(struct.pack("<HH", 338, 3)) + 8] = 1  # ExtraSamples: associated alpha
    got = pixels(bytes(data))
    assert np.abs(got[0] - [[191, 127, 127], [255, 255, 255]]).max() <= 1


def test_cmyk_and_ycck():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for data in (saved(red, "TIFF"), saved(red, "JPEG", quality=95)):
        close(pixels(data), np.full((8, 8, 3), (255, 0, 0)), tolerance=6)
    # An Adobe JPEG whose marker says YCCK (transform 2): the same bytes mean other colours.
    ycck = saved(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", quality=95)
    place = ycck.index(b"Adobe")
    ycck = ycck[: place + 11] + b"\2" + ycck[place + 12 :]
    assert Image.open(io.BytesIO(ycck)).mode == "CMYK"
    assert pixels(ycck).shape == (8, 8, 3)


def test_lab():
    image = gradient().point(lambda value: 60 + value // 2)  # near black, eight bits of LAB are too coarse to compare
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    close(pixels(saved(ImageCms.applyTransform(image, to_lab), "TIFF")), image, tolerance=16)


def test_ycbcr():
    close(pixels(saved(gradient("YCbCr"), "TIFF")), gradient(), tolerance=4)


def test_rgb_of_sixteen_bits():
    raw = np.array([[[65535, 0, 32896]]], ">u2").tobytes()
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + raw)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    assert pixels(png)[0, 0].tolist() == [255, 0, 128]


# Several pictures in one file


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_several_frames_the_first(format):
    first, second = Image.new("RGB", (20, 10), (250, 5, 5)), Image.new("RGB", (20, 10), (0, 0, 255))
    data = saved(first, format, save_all=True, append_images=[second, Image.new("RGB", (20, 10))])
    assert Image.open(io.BytesIO(data)).n_frames == 3
    close(pixels(data), first, tolerance=8)


def test_a_first_frame_smaller_than_its_gif():
    data = bytearray(saved(Image.new("P", (4, 4), 0), "GIF"))
    data[6:10] = struct.pack("<HH", 8, 6)  # the canvas
    assert pixels(bytes(data)).shape == (6, 8, 3)


# Orientation

TURNED = {  # how the stored picture comes from the upright one: the inverse of what has to be done
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 10),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("AVIF", {"quality": 95}, 20),
    ],
)
def test_all_eight_orientations(orientation, format, options, tolerance):
    upright = gradient(size=(48, 32))
    stored = upright if orientation == 1 else upright.transpose(TURNED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(saved(stored, format, exif=exif, **options))
    assert decoded.image.size == (48, 32)
    close(np.asarray(decoded.image).astype(int), upright, tolerance)
    assert dict(decoded.image.getexif()) == {}  # nobody may turn it twice


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0rubbish",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04two\0",  # an orientation of text
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0",  # orientation 99
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x00\0\x06\0\0",  # no value
        b"",
    ],
)
def test_broken_exif_does_not_stop_a_picture(exif):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for format in ("JPEG", "PNG", "WEBP"):
            assert pixels(saved(gradient(), format, exif=exif)).shape == (32, 48, 3)


# Colour profiles


def swapped_profile(name="test"):
    """A profile under which red and green change places."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = data.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))
    return data.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_embedded_profile_is_converted(format):
    image = Image.new("RGB", (16, 16), (255, 0, 0))
    close(pixels(saved(image, format, icc_profile=swapped_profile())), np.full((16, 16, 3), (0, 255, 0)), 8)
    close(pixels(saved(image, format)), image, 8)


def test_a_profile_counts_below_transparency_and_palettes():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    got = pixels(saved(image, "PNG", icc_profile=swapped_profile()))[0]
    assert np.abs(got - [[0, 255, 0], [255, 255, 255]]).max() <= 2
    palette = Image.new("RGB", (2, 1), (255, 0, 0)).convert("P")
    assert np.abs(pixels(saved(palette, "PNG", icc_profile=swapped_profile()))[0, 0] - [0, 255, 0]).max() <= 2


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("name", ["test", "sRGB", "srgb", "SRGB"])
def test_a_profile_counts_whatever_it_is_called(name):
    red, green = Image.new("RGB", (8, 8), (255, 0, 0)), np.full((8, 8, 3), (0, 255, 0))
    close(pixels(saved(red, "PNG", icc_profile=swapped_profile(name))), green, 2)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P"])
def test_a_profile_that_changes_nothing_costs_nothing(mode):
    image = gradient().convert("P") if mode == "P" else gradient(mode)
    data = saved(image, "PNG", icc_profile=SRGB)
    close(pixels(data), image)
    assert decode(data).assumed == ()


@pytest.mark.parametrize(
    "profile",
    [b"rubbish", SRGB[:200], b"\0" * 128, SRGB[:60] + bytes(len(SRGB) - 60), SRGB.replace(b"RGB XYZ ", b"CMYKLab ")],
    ids=["rubbish", "cut", "zeros", "empty", "other"],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "CMYK"])
def test_unusable_profiles_are_passed_over_and_told(profile, mode):
    image = gradient(mode)
    decoded = decode(saved(image, "TIFF" if mode == "CMYK" else "PNG", icc_profile=profile))
    close(np.asarray(decoded.image).astype(int), image)
    assert decoded.assumed == ("profile",)


def test_grey_with_the_profile_of_colours_and_the_other_way_round():
    linear = made_profile(1.0)
    assert pixels(saved(Image.new("L", (2, 2), 55), "JPEG", icc_profile=linear))[0, 0].tolist() == [128] * 3
    close(pixels(saved(gradient("CMYK"), "TIFF", icc_profile=swapped_profile())), gradient("CMYK"))
    assert decode(saved(gradient(), "PNG", icc_profile=made_profile(1.0, "L"))).assumed == ("profile",)
    assert (
        decode(saved(gradient("CMYK"), "TIFF")).assumed == ("cmyk",) and decode(saved(gradient(), "PNG")).assumed == ()
    )


def made_profile(gamma, mode="RGB", primaries=()):
    return colour._made(gamma, primaries, mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_profiles_count_in_every_mode(mode):
    """Of linear light 55 of 255 is a middle grey, 128; half transparent it is mixed with white after that."""
    grey = mode in ("L", "LA", "I;16")
    image = Image.new("I;16", (2, 2), 55 * 257) if mode == "I;16" else Image.new("RGB", (2, 2), (55,) * 3).convert(mode)
    got = pixels(saved(image, "PNG", icc_profile=made_profile(1.0, "L" if grey else "RGB")))
    assert np.abs(got - 128).max() <= (5 if mode == "P" else 1)  # the palette has no 55
    if mode in ("LA", "RGBA"):
        image.putalpha(128)
        got = pixels(saved(image, "PNG", icc_profile=made_profile(1.0, "L" if grey else "RGB")))
        assert np.abs(got - (128 * 128 + 255 * 127) / 255).max() <= 2


ADOBE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def png_with(image, **chunks):
    info = PngImagePlugin.PngInfo()
    for name, values in chunks.items():
        body = struct.pack(">B", 0) if name == "sRGB" else b"".join(struct.pack(">I", round(v * 1e5)) for v in values)
        info.add(name.encode(), body)
    return saved(image, "PNG", pnginfo=info)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({"gAMA": (1.0,)}, 128),
        ({"gAMA": (1 / 1.8,)}, 70),
        ({"gAMA": (0.45455,)}, 55),
        ({"gAMA": (0.45455,), "cHRM": colour._SRGB_PRIMARIES}, 55),
        ({"gAMA": (1.0,), "sRGB": ()}, 55),
        ({"gAMA": (0.0,)}, 55),
        ({"cHRM": (0.0,) * 8}, 55),
    ],
)
def test_what_a_png_says_of_its_light(mode, chunks, expected):
    """As browsers do: the exponent counts unless a chunk says sRGB, or the exponent is the one that stands for it."""
    got = pixels(png_with(Image.new("RGB", (2, 2), (55,) * 3).convert(mode), **chunks))
    assert np.abs(got - expected).max() <= 1


def test_what_a_png_says_of_its_primaries():
    """The primaries of Adobe RGB: the same as with the profile that has them, where green lies outside of sRGB."""
    image = Image.new("RGB", (2, 2), (100, 180, 60))
    got = pixels(png_with(image, gAMA=(1 / 2.19921875,), cHRM=ADOBE))[0, 0]
    light = (np.array([100, 180, 60]) / 255) ** 2.19921875
    to_srgb = np.array([[1.3984, -0.3984, 0], [0, 1, 0], [0, -0.0429, 1.0429]]) @ light
    shown = np.where(to_srgb > 0.0031308, 1.055 * np.clip(to_srgb, 0, 1) ** (1 / 2.4) - 0.055, 12.92 * to_srgb)
    assert np.abs(got - 255 * np.clip(shown, 0, 1)).max() <= 2
    profiled = pixels(saved(image, "PNG", icc_profile=made_profile(1 / 2.19921875, "RGB", ADOBE)))[0, 0]
    assert np.abs(got - profiled).max() <= 1


def test_a_profile_goes_before_what_a_png_says_beside_it():
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100_000))
    close(pixels(saved(gradient(), "PNG", pnginfo=info, icc_profile=SRGB)), gradient())


# What cannot be read


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"hello, this is a text about pictures" * 9, "not a picture"),
        (b"\0" * 1000, "not a picture"),
        (b"\n<!DOCTYPE html><title>404</title>", "web page"),
        (b"<?xml version='1.0'?><svg xmlns=''/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "film"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
    ],
)
def test_what_is_no_picture(data, sentence):
    with pytest.raises(BadImage, match=sentence) as caught:
        decode(data)
    assert caught.value.reason.endswith(".") and "0x" not in caught.value.reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_truncated_files(format, share):
    image = noise(80, 90)
    data = saved(image if format != "GIF" else image.convert("P"), format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadImage, match=r"damaged or cut short|not a picture"):
            decode(data[: int(len(data) * share)])


def test_damaged_files_never_raise_anything_else():
    random = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for format in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
            whole = np.frombuffer(saved(gradient("P" if format == "GIF" else "RGB"), format), np.uint8)
            for _ in range(40):
                broken = whole.copy()
                places = random.integers(0, len(broken), 6)
                broken[places] = random.integers(0, 256, 6)
                try:
                    assert decode(broken.tobytes()).image.mode == "RGB"
                except BadImage as error:
                    assert error.reason.endswith(".")


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [22_400, 30_000, 200_000])
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_decompression_bombs_are_refused_by_their_header(side, action):
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(BadImage, match=r"more than.* 500 megapixels"):
            decode(png_header(side, side))


def test_large_scans_are_no_bombs():
    """Over Pillow's limits of 89 (a warning) and 179 megapixels (an error)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = decode(saved(Image.new("1", (20_000, 10_000)), "PNG")).image
    assert image.size == (20_000, 10_000)


def test_zero_pixels():
    with pytest.raises(BadImage):
        decode(png_header(0, 10))


def test_out_of_memory_is_a_sentence(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(opening, "to_rgb", full)
    with pytest.raises(BadImage, match="memory"):
        decode(saved(gradient().convert("L"), "PNG"))


# Files


def test_a_file_is_read_once_and_hashed(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(saved(gradient(), "PNG"))
    decoded = decode(path)
    assert decoded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert decoded.bytes == path.stat().st_size
    close(np.asarray(decoded.image).astype(int), gradient())
    assert decode(path.read_bytes()).sha256 == decoded.sha256 == decode(str(path)).sha256


def test_paths_that_lead_to_no_picture(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for path, sentence in {
        tmp_path / "missing.jpg": "no such file",
        tmp_path / "link.jpg": "no such file",
        tmp_path / "loop.jpg": "could not be read",
        tmp_path / "empty.jpg": "empty",
        tmp_path / "pipe.jpg": "pipe or a device",
        tmp_path: "folder",
        tmp_path / "empty.jpg" / "a.jpg": "could not be read",
        tmp_path / ("long" * 200): "could not be read",
    }.items():
        with pytest.raises(BadImage, match=sentence):
            decode(path)
    with pytest.raises(BadImage, match="pipe or a device"):
        decode("/dev/zero")


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", denied)
    with pytest.raises(BadImage, match="permission"):
        decode(path)


def test_threads_agree():
    files = [
        saved(gradient(size=(40 + n, 30)), "PNG", icc_profile=swapped_profile() if n % 2 else None) for n in range(20)
    ]
    expected = [np.asarray(decode(data).image) for data in files]
    with ThreadPoolExecutor(8) as pool:
        for number, decoded in enumerate(pool.map(decode, files * 10)):
            assert np.array_equal(np.asarray(decoded.image), expected[number % 20])


# Thumbnails


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 500), (256, 128)),
        ((333, 1000), (85, 256)),
        ((100, 60), (100, 60)),
        ((1, 4000), (1, 256)),
        ((256, 256), (256, 256)),
    ],
)
def test_thumbnails_fit_and_are_never_enlarged(size, expected):
    image = gradient(size=size)
    before = image.tobytes()
    data, width, height = thumbnail(image)
    small = Image.open(io.BytesIO(data))
    assert (width, height) == small.size == expected and small.format == "JPEG"
    assert image.size == size and image.tobytes() == before
    if min(size) > 50:
        reference = np.asarray(image.resize(expected, Image.Resampling.LANCZOS)).astype(int)
        assert np.abs(np.asarray(small) - reference).mean() < 3


def test_the_side_of_a_thumbnail():
    data, width, height = thumbnail(gradient(size=(200, 100)), side=50)
    assert (width, height) == (50, 25)
    assert len(data) < 2000
