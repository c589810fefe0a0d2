"""Parts of a picture from its file: each is what the loader gives, cut and made smaller; whatever the format."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.vision import loader, originals, windows
from ingest.vision.colour import _made
from ingest.vision.windows import raster, scan, tiff
from tests.support.pdfs import pdf
from tests.support.pictures import gradient, noise

SIZE = (301, 203)  # not square, and no multiple of anything


def pixels(size=SIZE, channels=3, dtype=np.uint8) -> np.ndarray:
    """Smooth colours that differ at every place, so that smaller copies of them are known."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = [x, y, 1 - x, 0.3 + 0.4 * y][:channels]
    values = np.rint(np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)
    return values[..., 0] if channels == 1 else values


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """`opened("a.tif")`: the file as a scan; fails unless it is read in parts, or with `whole` in one."""
    monkeypatch.setattr(raster, "FROM", dict.fromkeys(raster.FROM, 0))

    def open_(name: str, whole: bool = False) -> windows.Scan:
        made = []
        with monkeypatch.context() as patch:
            patch.setattr(windows, "whole", lambda image: made.append(1) or scan.whole(image))
            found = windows.opened(originals.place_of(tmp_path, name))
        assert bool(made) == whole
        return found

    return open_


def same(found: windows.Scan, expected: Image.Image, tolerance: int = 0) -> None:
    """Fails unless parts of any place are those of the whole picture."""
    assert found.size == expected.size
    width, height = expected.size
    for box in (
        (0, 0, width, height),
        (width // 3, height // 4, width // 2, height),
        (width - 1, height - 1, width, height),
    ):
        part = found.read(box, (box[2] - box[0], box[3] - box[1]))
        got, want = (np.asarray(each).astype(int) for each in (part, expected.crop(box)))
        assert part.mode == "RGB" and np.abs(got - want).max() <= tolerance, box


KINDS = {
    "tiled": ({"photometric": "rgb", "tile": (64, 80)}, pixels()),
    "deflate": ({"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "predictor": True}, pixels()),
    "strips": ({"photometric": "rgb", "rowsperstrip": 7, "compression": "lzw"}, pixels()),
    "plain": ({"photometric": "rgb"}, pixels()),
    "big-endian": ({"photometric": "rgb", "byteorder": ">"}, pixels(dtype=np.uint16)),
    "16 bit": ({"photometric": "rgb", "tile": (64, 64)}, pixels(dtype=np.uint16)),
    "16 bit grey": ({"photometric": "minisblack", "tile": (64, 64)}, pixels(channels=1, dtype=np.uint16)),
    "grey": ({"photometric": "minisblack", "rowsperstrip": 20, "compression": "zlib"}, pixels(channels=1)),
    "CMYK": ({"photometric": "separated", "tile": (64, 64)}, pixels(channels=4)),
    "alpha": ({"photometric": "rgb", "extrasamples": ["unassalpha"], "tile": (64, 64)}, pixels(channels=4)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiff_by_its_parts_is_what_the_loader_makes_of_it(tmp_path, opened, kind):
    options, values = KINDS[kind]
    file = tmp_path / "a.tif"
    with tifffile.TiffWriter(file, byteorder=options.get("byteorder")) as writer:
        writer.write(values, **{name: value for name, value in options.items() if name != "byteorder"})
    same(opened("a.tif"), loader.decode(file).image)


def test_a_tiff_packed_as_jpeg(tmp_path, opened):
    tifffile.imwrite(
        tmp_path / "a.tif", pixels(), photometric="ycbcr", tile=(64, 64), compression="jpeg", subsampling=(2, 2)
    )
    same(opened("a.tif"), loader.decode(tmp_path / "a.tif").image, 3)  # another decoder rounds otherwise


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_parts_are_upright(tmp_path, opened, name, orientation):
    file, exif = tmp_path / name, Image.Exif()
    exif[0x0112] = orientation
    if name == "a.tif":
        tifffile.imwrite(file, pixels(), photometric="rgb", tile=(64, 64), extratags=[(274, 3, 1, orientation, True)])
    else:
        Image.fromarray(pixels()).save(file, exif=exif, quality=95)
    expected = loader.decode(file).image
    found = opened(name)
    same(found, expected, 3 if name == "a.jpg" else 0)  # another decoder upsamples colours otherwise
    box = (20, 40, 140, 160)
    small = np.asarray(found.read(box, (40, 30))).astype(int)
    assert np.abs(small - np.asarray(expected.crop(box).resize((40, 30), Image.Resampling.BOX))).max() <= 4


@pytest.mark.parametrize("tagged", [False, True])
def test_a_turn_in_xmp_alone_counts(tmp_path, opened, tagged):
    xmp = b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    tags = [(700, "B", len(xmp), xmp, True)] + [(274, "H", 1, 1, True)] * tagged
    tifffile.imwrite(tmp_path / "a.tif", pixels(), photometric="rgb", tile=(64, 64), extratags=tags, metadata=None)
    expected = loader.decode(tmp_path / "a.tif").image
    assert expected.size == (SIZE if tagged else SIZE[::-1])
    same(opened("a.tif", whole=not tagged), expected)


def test_colour_profiles_hold_in_each_part(tmp_path, opened):
    wide = linear_profile()
    tifffile.imwrite(tmp_path / "a.tif", pixels(), photometric="rgb", tile=(64, 64), iccprofile=wide)
    expected = loader.decode(tmp_path / "a.tif").image
    assert np.abs(np.asarray(expected).astype(int) - pixels()).max() > 30  # the profile says something else
    same(opened("a.tif"), expected, 1)
    Image.fromarray(pixels()).save(tmp_path / "a.jpg", subsampling=0, icc_profile=wide)
    same(opened("a.jpg"), loader.decode(tmp_path / "a.jpg").image, 12)  # where dark, one level becomes many


def linear_profile() -> bytes:
    """A profile of linear light in the primaries of Adobe RGB."""
    made = _made(1.0, (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), "RGB")
    assert made
    return made


@pytest.mark.parametrize("inside", [True, False], ids=["sub-IFDs", "pages"])
def test_a_pyramid_is_read_from_the_copy_that_has_the_detail(tmp_path, opened, inside):
    # Each copy is of a colour of its own, so that it shows from which one a part was read.
    colours, sizes = ((200, 0, 0), (0, 200, 0), (0, 0, 200)), ((400, 600), (200, 300), (100, 150))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for number, (colour, size) in enumerate(zip(colours, sizes, strict=True)):
            more = {"subfiletype": 1} if number else ({"subifds": 2} if inside else {})
            writer.write(np.full((*size, 3), colour, np.uint8), photometric="rgb", tile=(64, 64), metadata=None, **more)
    found = opened("a.tif")
    for size, colour in (((600, 400), 0), ((320, 213), 0), ((300, 200), 1), ((150, 100), 2), ((30, 20), 2)):
        assert found.read((0, 0, 600, 400), size).getpixel((5, 5)) == colours[colour], size
    assert found.read((300, 200, 600, 400), (150, 100)).getpixel((5, 5)) == colours[1]


def test_a_thumbnail_of_another_shape_is_no_copy(tmp_path, opened):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.full((400, 600, 3), 200, np.uint8), photometric="rgb", tile=(64, 64), metadata=None)
        writer.write(np.zeros((100, 100, 3), np.uint8), photometric="rgb", tile=(64, 64), metadata=None, subfiletype=1)
    assert opened("a.tif").read((0, 0, 600, 400), (60, 40)).getpixel((5, 5)) == (200, 200, 200)


def test_the_second_page_of_a_tiff(tmp_path, opened):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(pixels((50, 40)), photometric="rgb", tile=(64, 64), metadata=None)
        writer.write(pixels((20, 10)), photometric="rgb", tile=(64, 64), metadata=None, subfiletype=1)
        writer.write(pixels(), photometric="rgb", tile=(64, 64), metadata=None)
    same(opened("a.tif#page=2"), Image.fromarray(pixels()))


def test_jpeg_2000_by_windows(tmp_path, opened):
    Image.fromarray(pixels()).save(tmp_path / "a.jp2", irreversible=False, tile_size=(128, 128), num_resolutions=3)
    found = opened("a.jp2")
    same(found, Image.fromarray(pixels()))
    small = np.asarray(found.read((0, 0, *SIZE), (75, 50))).astype(int)
    assert np.abs(small - np.asarray(Image.fromarray(pixels()).resize((75, 50), Image.Resampling.BOX))).max() <= 6


WHOLE = {
    "a.png": lambda file: Image.fromarray(pixels()).save(file),
    "p.jpg": lambda file: Image.fromarray(pixels()).save(file, progressive=True),
    "c.jpg": lambda file: gradient("CMYK").save(file),
    "f.tif": lambda file: tifffile.imwrite(file, pixels().astype(np.float32) * 3 - 40, photometric="rgb"),
    "p.tif": lambda file: Image.fromarray(pixels()).quantize(16).save(file),
    "b.tif": lambda file: noise(40, 30).convert("1").save(file, compression="group4"),
    "d.pdf": lambda file: file.write_bytes(pdf([(1, 0, 0)], size=(400, 300))),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_read_in_parts_is_decoded_whole(tmp_path, opened, name):
    WHOLE[name](tmp_path / name)
    same(opened(name, whole=True), loader.decode(tmp_path / name).image)


def test_a_picture_without_copies_gets_one_which_is_kept(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(scan, "FAR", 1000)
    monkeypatch.setattr(scan, "OVERVIEW", 5000)
    monkeypatch.setattr(scan, "BAND", 2000)  # so that it is put together of many bands
    tifffile.imwrite(tmp_path / "a.tif", pixels(), photometric="rgb", tile=(16, 16))
    found = opened("a.tif")
    expected = Image.fromarray(pixels())
    first = found.read((0, 0, *SIZE), (40, 27))
    assert found.bytes > 0
    assert (
        np.abs(np.asarray(first).astype(int) - np.asarray(expected.resize((40, 27), Image.Resampling.BOX))).max() <= 6
    )
    monkeypatch.setattr(tiff, "_read_segments", None)
    assert found.read((0, 0, *SIZE), (40, 27)) == first
    same_part = found.read((10, 10, 90, 70), (80, 60))  # what needs the detail is read from the file
    assert same_part == expected.crop((10, 10, 90, 70))


def test_bands_are_put_together_to_the_pixel(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(scan, "BAND", 1500)
    values = np.asarray(noise(*SIZE))
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", tile=(16, 32))
    part = np.asarray(opened("a.tif").read((3, 5, 3 + 280, 5 + 196), (40, 28))).astype(float)
    means = (
        values[5 : 5 + 196, 3 : 3 + 280].reshape(28, 7, 40, 7, 3).mean(axis=(1, 3))
    )  # float64, and Pillow rounds in 1/256
    assert np.abs(part - means).max() <= 0.52


def test_what_is_asked_for_in_vain(tmp_path, opened, monkeypatch):
    Image.fromarray(pixels()).save(tmp_path / "a.png")
    found = opened("a.png", whole=True)
    for box, size in (
        ((0, 0, 302, 10), (1, 1)),
        ((5, 5, 5, 6), (1, 1)),
        ((0, 0, 1, 1), (0, 1)),
        ((-1, 0, 1, 1), (1, 1)),
    ):
        with pytest.raises(ValueError, match="no part"):
            found.read(box, size)
    with pytest.raises(windows.BadImage, match="There is no such file"):
        opened("b.png")
    monkeypatch.setattr(windows, "MAX_WHOLE", 1000)
    with pytest.raises(windows.TooLarge):
        opened("a.png")


def test_a_file_that_is_cut_short_is_a_sentence(tmp_path):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels(), photometric="rgb", tile=(64, 64))
    (tmp_path / "a.tif").write_bytes(buffer.getvalue()[:9000])
    with pytest.raises(windows.BadImage):
        windows.opened(originals.place_of(tmp_path, "a.tif"))
