"""PDF and TIFF page by page, TIFFs of every kind, HEIC, JPEG 2000: the right pages in the right colours."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from ingest.vision import pages
from ingest.vision.loader import BadImage, decode
from ingest.vision.originals import original
from ingest.vision.paths import file_and_part, named_page, page_name
from tests.support import tiffs
from tests.support.pdfs import pdf
from tests.support.pictures import close, gradient, saved
from tests.vision.test_loader import swapped_profile

ENCRYPTED = b"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + b"00" * 32 + b">/U<" + b"00" * 32 + b">>>"
RED, GREEN, BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)


def rgb(values, shape=(6, 9)):
    """A picture of one colour, (rows, cols, channels)."""
    return np.full((*shape, len(values)), values)


# PDF


def test_each_page_of_a_pdf_is_drawn_on_white_at_a_sensible_size():
    with pages.opened(pdf([RED, GREEN, BLUE], size=(842, 595))) as document:
        assert len(document) == 3
        for number, colour in enumerate((RED, GREEN, BLUE), start=1):
            image = document.picture(number)
            assert image.size == (2000, 1413) and image.mode == "RGB"
            assert image.getpixel((10, 700)) == tuple(255 * c for c in colour)
            assert image.getpixel((1990, 700)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("points", "expected"),
    [((100, 50), (833, 417)), ((14400, 7200), (2000, 1000)), ((14400, 1), (2000, 1)), ((595, 842), (1413, 2000))],
)
def test_small_pages_are_not_blown_up_and_large_ones_are_not_huge(points, expected):
    assert decode(pdf([RED], size=points)).image.size == expected


@pytest.mark.parametrize(
    "junk",
    [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b"From: scanner@example.org\r\n\r\n", b"%!PS-Adobe-3.0 PDF-1.4\n", b"x" * 1000],
)
def test_what_stands_before_a_pdf_does_no_harm(tmp_path, junk):
    data = junk + pdf([RED, GREEN])
    with pages.opened(data) as document:
        assert len(document) == 2 and document.picture(2).getpixel((10, 300)) == (0, 255, 0)
    assert decode(data).image.getpixel((10, 300)) == (255, 0, 0)
    (tmp_path / "paper").write_bytes(data)
    assert pages.count(tmp_path / "paper") == 2


def test_words_about_pdf_in_another_picture_do_not_make_it_one():
    assert decode(saved(gradient(), "JPEG", comment=b"%PDF-1.4 is not what this is")).image.size == (48, 32)


def test_a_turned_page_is_upright():
    image = decode(pdf([RED], size=(200, 100), rotate=90)).image
    assert image.size == (833, 1667)
    assert image.getpixel((400, 10)) == (255, 0, 0) and image.getpixel((400, 1660)) == (255, 255, 255)


def test_a_pdf_of_one_page_is_known_by_its_file():
    data = pdf([RED])
    decoded = decode(data)
    assert decoded.sha256 == hashlib.sha256(data).hexdigest() and decoded.bytes == len(data)
    with pages.opened(data) as document:
        assert document.fingerprint(1) == decoded.sha256


def test_the_pages_of_one_file_are_known_apart(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf([RED, RED]))
    with pages.opened(tmp_path / "a.pdf") as document:
        first, second = document.fingerprint(1), document.fingerprint(2)
        assert first != second and first == pages.fingerprint(document.sha256, 1)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (pdf([RED], extra=ENCRYPTED), "asks for a password"),
        (pdf([RED])[:120], "damaged or cut short"),
        (b"%PDF-1.7\n" + b"rubbish " * 99, "damaged or cut short"),
        (pdf([]), "no pages|damaged"),
    ],
)
def test_a_pdf_that_cannot_be_read(data, sentence):
    with pytest.raises(BadImage, match=sentence):
        decode(data)


def test_a_page_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(pages, "PATIENCE", -1.0)
    with pytest.raises(BadImage, match="takes more than"):
        decode(pdf([RED]))


def test_ten_thousand_pages_are_streamed(tmp_path):
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf([(n / 10_000, 0, 0) for n in range(10_000)]))
    assert pages.count(path) == 10_000
    with pages.opened(path) as document:
        assert document.picture(10_000).getpixel((9, 9))[0] >= 254
        with pytest.raises(BadImage, match="no page 10001: the file has 10000"):
            document.picture(10_001)


def test_many_threads_may_ask_for_pages():
    colours = [(n / 20, 0, 0) for n in range(20)]
    with pages.opened(pdf(colours)) as document, ThreadPoolExecutor(8) as pool:
        reds = [image.getpixel((5, 5))[0] for image in pool.map(document.picture, [*range(1, 21)] * 2)]
    assert np.abs(np.array(reds) - [255 * n / 20 for n in range(20)] * 2).max() <= 1


# TIFF with pages


def test_each_page_of_a_tiff():
    made = [Image.new("RGB", (20 + n, 10), (n * 60, 0, 0)) for n in range(4)]
    data = saved(made[0], "TIFF", save_all=True, append_images=made[1:], compression="tiff_lzw")
    with pages.opened(data) as document:
        assert len(document) == 4
        for number in (3, 1, 4, 2):
            close(np.asarray(document.picture(number)).astype(int), made[number - 1])


def test_smaller_copies_and_masks_are_no_pages():
    """A pyramid, as image servers keep it, is one picture; a thumbnail that comes first is none."""
    red, green = np.uint8([255, 0, 0]), np.uint8([0, 255, 0])
    whole, half = rgb(red), rgb(red, (3, 4))
    pyramid = tiffs.tiff(tiffs.page(whole, tiffs.RGB), tiffs.page(half, tiffs.RGB, t254=1))
    thumbnail_first = tiffs.tiff(tiffs.page(rgb(green, (2, 2)), tiffs.RGB, t254=1), tiffs.page(whole, tiffs.RGB))
    masked = tiffs.tiff(tiffs.page(whole, tiffs.RGB), tiffs.page(rgb(green), tiffs.RGB, t254=4))
    for data in (pyramid, thumbnail_first, masked):
        with pages.opened(data) as document:
            assert len(document) == 1
        close(np.asarray(decode(data).image).astype(int), whole)


def test_a_chain_of_pages_that_leads_back_ends():
    each = [tiffs.page(rgb(np.uint8([n, 0, 0])), tiffs.RGB) for n in range(3)]
    with pages.opened(tiffs.tiff(*each, cyclic=True)) as document:
        assert len(document) == 3


def test_a_chain_that_breaks_keeps_what_comes_before():
    each = [tiffs.page(rgb(np.uint8([n, 0, 0])), tiffs.RGB) for n in range(3)]
    data = bytearray(tiffs.tiff(*each))
    data[-4:] = b"\xf0\xff\xff\x7f"  # the last page leads far behind the end
    with pages.opened(bytes(data)) as document:
        assert len(document) >= 3
        assert document.picture(3).getpixel((0, 0)) == (2, 0, 0)


def test_what_has_pages(tmp_path):
    for name, data in {
        "a.pdf": pdf([RED, RED]),
        "pdf without suffix": pdf([RED, RED]),
        "a.jpg": saved(gradient(), "JPEG"),
        "broken.pdf": b"%PDF-1.4 no more",
        "empty.tif": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.pdf")
    counts = {path.name: pages.count(path) for path in tmp_path.iterdir()}
    assert counts == {"a.pdf": 2, "pdf without suffix": 2, "a.jpg": 1, "broken.pdf": 1, "empty.tif": 1, "pipe.pdf": 1}
    assert pages.count(tmp_path / "missing.pdf") == 1


# Names


def test_names_of_pages_lead_back():
    assert named_page(page_name("a/b.pdf", 3)) == ("a/b.pdf", 3)
    for name in ("a.pdf", "a.pdf#page=0", "a.pdf#page=", "#page=1", "a.pdf#page=x", "a.pdf#page=03"):
        assert named_page(name) is None
    assert file_and_part("a.pdf#page=3") == ("a.pdf", "#page=3")
    assert file_and_part("film.mp4#t=2.500") == ("film.mp4", "#t=2.500")
    assert file_and_part("a#b.jpg") == ("a#b.jpg", "")


def test_the_original_behind_a_name(tmp_path):
    (tmp_path / "box").mkdir()
    (tmp_path / "box/a.pdf").write_bytes(pdf([RED, GREEN]))
    (tmp_path / "box/a.pdf#page=1").write_bytes(saved(Image.new("RGB", (30, 20)), "PNG"))
    odd = os.fsdecode(b"caf\xe9.png")
    (tmp_path / odd).write_bytes(saved(Image.new("RGB", (8, 9)), "PNG"))
    assert original(tmp_path, "box/a.pdf#page=2").getpixel((5, 5)) == (0, 255, 0)
    assert original(tmp_path, "box/a.pdf#page=1").size == (30, 20)  # a picture that happens to be called so
    assert original(str(tmp_path), "caf\\xe9.png").size == (8, 9)
    for name in ("box/a.pdf#page=3", "box/b.pdf#page=1", "gone.png"):
        with pytest.raises(BadImage):
            original(tmp_path, name)


# TIFFs that Pillow would misread or refuse


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_sixteen_bits_a_channel(apart, deflate):
    values = rgb(np.uint16([0x1234, 0x8000, 0xFF00]))
    got = decode(tiffs.tiff(tiffs.page(values, tiffs.RGB, apart, deflate))).image.getpixel((4, 4))
    assert np.abs(np.subtract(got, (0x12, 0x80, 0xFF))).max() <= 1


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("colours", [tiffs.CIELAB, tiffs.ICCLAB])
def test_lab_of_every_kind(colours, kind, apart):
    """L 54, a 81, b 70: the red of sRGB. CIELAB keeps a and b with a sign, ICCLAB adds 128."""
    sign = 0 if colours == tiffs.CIELAB else 128
    values = np.uint8([138, 81 + sign, 70 + sign]).astype(kind) * (1 if kind is np.uint8 else 256)
    got = decode(tiffs.tiff(tiffs.page(rgb(values.astype(kind)), colours, apart, deflate=apart))).image.getpixel((4, 4))
    assert np.abs(np.subtract(got, (255, 0, 0))).max() <= 6


def test_cmyk_of_sixteen_bits():
    values = rgb(np.uint16([0, 65535, 65535, 0]))
    assert decode(tiffs.tiff(tiffs.page(values, tiffs.CMYK))).image.getpixel((4, 4)) == (255, 0, 0)


def test_grey_of_twelve_bits_is_as_bright_as_it_should_be():
    packed = np.frombuffer(bytes([0xFF, 0xF0, 0x00] * 8 * 6), np.uint8).reshape(6, 24, 1)  # 4095, 0, 4095, 0 …
    made = tiffs.page(packed, tiffs.GREY)
    made["tags"] |= {256: (16,), 258: (12,)}
    got = np.asarray(decode(tiffs.tiff(made)).image)[0, :4, 0]
    assert got.tolist() == [255, 0, 255, 0]


# Other formats, and profiles


def heic(image, **options):
    import pillow_heif

    pillow_heif.register_heif_opener()
    return saved(image, "HEIF", quality=90, **options)


def test_heic_is_read_in_its_profile_and_its_exif_turns_nothing():
    """How a HEIC picture is turned stands in its own boxes, which libheif follows; its EXIF only repeats it."""
    close(np.asarray(decode(heic(gradient())).image).astype(int), gradient(), 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    close(np.asarray(decode(heic(gradient(), exif=exif)).image).astype(int), gradient(), 16)
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    close(
        np.asarray(decode(heic(red, icc_profile=swapped_profile())).image).astype(int),
        np.full((64, 64, 3), (0, 255, 0)),
        12,
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_heic_that_is_cut_short(share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8))
    data = heic(noise)
    with pytest.raises(BadImage, match="damaged or cut short"):
        decode(data[: int(len(data) * share)])


def jp2_with_profile(image, profile):
    """Pillow writes no profile: an enumerated colour space gives way to one."""
    data = saved(image, "JPEG2000", irreversible=False)
    place = data.index(b"colr") - 4
    old = int.from_bytes(data[place : place + 4], "big")
    box = b"colr\2\0\0" + profile
    box = (len(box) + 4).to_bytes(4, "big") + box
    header = data.index(b"jp2h") - 4
    length = int.from_bytes(data[header : header + 4], "big") + len(box) - old
    data = data[:header] + length.to_bytes(4, "big") + data[header + 4 :]
    return data[:place] + box + data[place + old :]


def test_jpeg_2000_in_its_profile():
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    got = np.asarray(decode(jp2_with_profile(red, swapped_profile())).image).astype(int)
    close(got, np.full((32, 32, 3), (0, 255, 0)), 4)
    for broken in (b"rubbish", swapped_profile()[:99]):
        close(np.asarray(decode(jp2_with_profile(red, broken)).image).astype(int), red, 2)


def test_jpeg_2000_of_sixteen_bits():
    values = np.linspace(0, 65535, 32 * 48).astype("<u2").reshape(32, 48)
    got = np.asarray(decode(saved(Image.fromarray(values), "JPEG2000")).image)[..., 0].astype(int)
    assert np.abs(got - values / 257).max() <= 2


def test_cmyk_in_its_profile():
    """A profile from CMYK to LAB cannot be made here; a broken one falls back to the plain way."""
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for profile in (b"rubbish", swapped_profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        assert decode(saved(red, "TIFF", icc_profile=profile)).image.getpixel((2, 2)) == (255, 0, 0)


def test_large_files_wait_for_each_other(tmp_path, monkeypatch):
    """Two threads never hold two of them at once."""
    from ingest.vision import loader

    inside, most = [], []
    real = loader._decoded

    def watched(content, pixels):
        inside.append(1)
        most.append(len(inside))
        found = real(content, pixels)
        inside.pop()
        return found

    monkeypatch.setattr(loader, "LARGE_BYTES", 10)
    monkeypatch.setattr(loader, "_decoded", watched)
    (tmp_path / "a.png").write_bytes(saved(gradient(size=(300, 300)), "PNG"))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(decode, [tmp_path / "a.png"] * 24))
    assert max(most) == 1


def test_a_document_from_memory_is_read_like_one_from_a_file(tmp_path):
    made = [Image.new("L", (30, 20), n * 50) for n in range(3)]
    buffer = io.BytesIO()
    made[0].save(buffer, "TIFF", save_all=True, append_images=made[1:])
    (tmp_path / "a.tif").write_bytes(buffer.getvalue())
    with pages.opened(buffer.getvalue()) as one, pages.opened(tmp_path / "a.tif") as other:
        for number in (1, 2, 3):
            assert one.picture(number).tobytes() == other.picture(number).tobytes()
            assert one.fingerprint(number) == other.fingerprint(number)
