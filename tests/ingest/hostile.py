"""Some two hundred files that no museum wants on its disk, and what should come of each.

`python -m tests.ingest.hostile FOLDER` writes them.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support import tiffs
from tests.support.pdfs import pdf
from tests.support.pictures import png_chunk

IMAGE, FAILURE, EITHER, LEFT_OUT = "image", "failure", "either", "left out"
SIZE = (48, 32)


@dataclass(frozen=True)
class Case:
    """A file's name below the folder, as `os` takes it, and what it should become; `size` of the picture, if it is
    known."""

    name: str
    outcome: str
    size: tuple[int, int] | None = None


def make(folder: Path) -> list[Case]:
    """Write all of them."""
    found = []
    for kind in (cut_short, scrambled, misnamed, no_pictures, bombs, oddities, papers, names, places):
        below = folder / kind.__name__
        below.mkdir(parents=True)
        found += [Case(f"{kind.__name__}/{case.name}", case.outcome, case.size) for case in kind(below)]
    return found


def noise(size: tuple[int, int] = SIZE, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def saved(image: Image.Image, format: str, **options) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def sound() -> dict[str, bytes]:
    """A picture of each format by its suffix."""
    return {
        "jpg": saved(noise(), "JPEG", quality=95),
        "png": saved(noise(), "PNG"),
        "gif": saved(noise(mode="P"), "GIF"),
        "webp": saved(noise(), "WEBP", lossless=True),
        "bmp": saved(noise(), "BMP"),
        "tif": saved(noise(), "TIFF", compression="tiff_lzw"),
        "jp2": saved(noise(), "JPEG2000"),
        "avif": saved(noise(), "AVIF"),
        "heic": saved(noise(), "HEIF"),
        "pdf": pdf([(1, 0, 0)]),
    }


def write(folder: Path, name: str | bytes, data: bytes) -> str:
    name = os.fsdecode(name)
    (folder / name).write_bytes(data)
    return name


def cut_short(folder: Path) -> Iterator[Case]:
    """Cut within and right behind each of their structures."""
    for suffix, data in sound().items():
        places = {round(len(data) * share) for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9)} | structures(suffix, data)
        for place in sorted(place for place in places if 0 < place < len(data)):
            # What lies behind the picture's own data may be missing, and some decoders bear with a last byte or two.
            yield Case(
                write(folder, f"{suffix}-{place}.{suffix}", data[:place]),
                EITHER if place > 0.6 * len(data) else FAILURE,
            )


def structures(suffix: str, data: bytes) -> set[int]:
    """Where the parts of a file begin."""
    if suffix == "jpg":
        return {i for i in range(len(data) - 1) if data[i] == 0xFF and 0xC0 <= data[i + 1] <= 0xFE and i < 700}
    if suffix == "png":
        places, place = {8}, 8
        while place < len(data):
            place += 12 + int.from_bytes(data[place : place + 4], "big")
            places.add(place)
        return places | {4, 12, 20}
    if suffix == "pdf":
        return {i for word in (b"obj", b"xref", b"trailer", b"startxref") if (i := data.find(word)) > 0}
    return {4, 8, 12, 26}


def scrambled(folder: Path) -> Iterator[Case]:
    chance = np.random.default_rng(1)
    for suffix, data in sound().items():
        for number in range(4):
            broken = np.frombuffer(data, np.uint8).copy()
            broken[chance.integers(0, len(data), 8)] = chance.integers(0, 256, 8)
            yield Case(write(folder, f"{number}.{suffix}", broken.tobytes()), EITHER)
        yield Case(write(folder, f"zeros.{suffix}", data[:16] + bytes(len(data) - 16)), EITHER)


def misnamed(folder: Path) -> Iterator[Case]:
    """A picture is what it is, not what it is called."""
    suffixes = list(sound())
    for suffix, data in sound().items():
        other = suffixes[(suffixes.index(suffix) + 1) % len(suffixes)]
        size = None if suffix == "pdf" else SIZE
        yield Case(write(folder, f"{suffix}.{other}", data), IMAGE, size)
        if suffix != "bmp":
            yield Case(write(folder, f"{suffix} without", data), IMAGE, size)
    yield Case(write(folder, "LOUD.JPEG", sound()["jpg"]), IMAGE, SIZE)


def no_pictures(folder: Path) -> Iterator[Case]:
    contents = {
        "empty": b"", "one byte": b"\xff", "text": b"Hello, this is a text about pictures.\n" * 9, "zeros": bytes(5000),
        "page": b"<!DOCTYPE html><title>404</title>", "drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "laughs": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><svg>&b;</svg>',
        "zip": b"PK\x03\x04" + bytes(60), "program": b"\x7fELF" + bytes(60), "film": b"\0\0\0\x18ftypisom" + bytes(60),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "pointer": b"version https://git-lfs.github.com/spec/v1\n",
        "random": np.random.default_rng(2).bytes(5000), "json": b'{"a": 1}', "gzip": zlib.compress(bytes(999)),
    }  # fmt: skip
    for name, data in contents.items():
        yield Case(write(folder, f"{name}.jpg", data), FAILURE)
    yield Case(write(folder, "text", contents["text"]), LEFT_OUT)
    yield Case(write(folder, "page.html", contents["page"]), LEFT_OUT)


def png(width: int, height: int, body: bytes = b"", colour: int = 2, depth: int = 8, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (
        png_chunk(b"IHDR", header) + more + png_chunk(b"IDAT", body or zlib.compress(b"")) + png_chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def bombs(folder: Path) -> Iterator[Case]:
    """Sizes that fit into no memory, in a few bytes."""
    sounds = sound()
    jp2 = sounds["jp2"].replace(struct.pack(">II", *reversed(SIZE)), struct.pack(">II", 2**31 - 1, 2**31 - 1))
    heic = bytearray(sounds["heic"])
    place = -1
    while (place := heic.find(b"ispe", place + 1)) >= 0:
        heic[place + 8 : place + 16] = struct.pack(">II", 2**30, 2**30)
    huge_tiff = tiffs.page(np.zeros((2, 2, 3), np.uint8), tiffs.RGB)
    huge_tiff["tags"] |= {256: (65535,), 257: (65535,), 278: (65535,)}
    jpeg = bytearray(sounds["jpg"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    contents = {
        "side.png": png(2**31 - 1, 2**31 - 1), "area.png": png(30_000, 30_000), "thin.png": png(2**31 - 1, 1),
        "zero.png": png(0, 10), "profile.png": png(9, 9, more=png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2**26)))),
        "text.png": png(9, 9, more=png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**26)))),
        "side.gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6) + b",\0\0\0\0" + struct.pack("<HH", 65535, 65535) + b"\0\2\2D\1\0;",
        "side.bmp": b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0),
        "side.ppm": b"P6 999999999 999999999 255\n", "side.pgm": b"P5 99999 99999 65535\n", "text.pbm": b"P1 60000 60000\n" + b"0" * 99,
        "side.tif": tiffs.tiff(huge_tiff), "side.jpg": bytes(jpeg), "side.jp2": jp2, "side.heic": bytes(heic),
        "side.psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 300_000, 300_000, 8, 3) + bytes(14),
        "side.qoi": b"qoif" + struct.pack(">II", 2**32 - 1, 2**32 - 1) + b"\3\0" + bytes(8),
        "side.tga": bytes([0, 0, 2]) + bytes(9) + struct.pack("<HH", 65535, 65535) + bytes([24, 0]),
        "side.sgi": b"\1\xda\1\1\0\3" + struct.pack(">HHH", 65535, 65535, 3) + bytes(500),
        "side.pcx": b"\n\5\1\x08" + struct.pack("<HHHH", 0, 0, 65535, 65535) + bytes(116),
        "side.dds": b"DDS " + struct.pack("<IIII", 124, 0x1007, 2**31 - 1, 2**31 - 1) + bytes(108),
        "side.xbm": b"#define i_width 999999\n#define i_height 999999\nstatic char i_bits[] = {\n0x00};\n",
        "side.webp": b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff" * 6,
        "side.fits": b"SIMPLE  =                    T" + b"BITPIX  =                    8".rjust(80) + bytes(2800),
        "side.ico": b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 60, 22) + png(30_000, 30_000),
        "side.icns": b"icns" + struct.pack(">I", 200) + b"ic10" + struct.pack(">I", 192) + png(30_000, 30_000),
    }  # fmt: skip
    for name, data in contents.items():
        yield Case(write(folder, name, data), FAILURE)
    with open(folder / "sparse.tif", "wb") as file:  # five GiB of nothing
        file.truncate(5 * 2**30)
    yield Case("sparse.tif", FAILURE)


def oddities(folder: Path) -> Iterator[Case]:
    """Sound pictures with something strange about them."""
    exif_loop = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\0\0\0\0"
    frames = [Image.new("P", (20, 10), n % 250) for n in range(300)]
    blue = tiffs.page(np.full((10, 20, 3), np.uint8([0, 0, 255])), tiffs.RGB)
    contents = {
        "exif loop.jpg": saved(noise(), "JPEG", exif=exif_loop),
        "exif rubbish.jpg": saved(noise(), "JPEG", exif=b"Exif\0\0rubbish"),
        "profile rubbish.jpg": saved(noise(), "JPEG", icc_profile=b"rubbish" * 99),
        "profile rubbish.tif": saved(noise(mode="CMYK"), "TIFF", icc_profile=b"\0" * 200),
        "behind the end.jpg": saved(noise(), "JPEG") + b"PK\x03\x04" + bytes(9999),
        "comment.jpg": saved(noise(), "JPEG", comment=b"x" * 60_000),
        "floats.tif": saved(Image.fromarray(np.full((32, 48), np.nan, np.float32)), "TIFF"),
        "one bit.tif": saved(noise(mode="1"), "TIFF", compression="group4"),
    }
    for name, data in contents.items():
        yield Case(write(folder, name, data), IMAGE, SIZE)
    yield Case(write(folder, "one pixel.png", saved(Image.new("L", (1, 1)), "PNG")), IMAGE, (1, 1))
    yield Case(write(folder, "thread.png", saved(Image.new("1", (30_000, 1)), "PNG")), IMAGE, (30_000, 1))
    yield Case(
        write(folder, "many frames.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:])),
        IMAGE,
        (20, 10),
    )
    yield Case(write(folder, "leads back.tif", tiffs.tiff(blue, cyclic=True)), IMAGE, (20, 10))
    yield Case(write(folder, "many of one.tif", tiffs.tiff(*[blue] * 3, cyclic=True)), IMAGE, (20, 10))


def papers(folder: Path) -> Iterator[Case]:
    """PDFs whose trees of pages lie."""
    plain = pdf([(1, 0, 0)])
    contents = {
        "itself.pdf": plain.replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"),
        "million.pdf": plain.replace(b"/Count 1>>", b"/Count 1000000>>"),
        "milliard.pdf": plain.replace(b"/Count 1>>", b"/Count 1000000000>>"),
        "negative.pdf": plain.replace(b"/Count 1>>", b"/Count -9>>"),
        "nothing.pdf": pdf([]),
        "password.pdf": pdf([(1, 0, 0)], extra=b"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + b"00" * 32 + b">/U<" + b"00" * 32 + b">>>"),
        "no root.pdf": plain.replace(b"/Root 1 0 R", b"/Root 9 0 R"),
        "wide.pdf": pdf([(1, 0, 0)], size=(10**8, 10**8)),
        "thin.pdf": pdf([(1, 0, 0)], size=(10**6, 1)),
        "content bomb.pdf": _with_stream(zlib.compress(b"0 0 m " * 2_000_000), b"/Filter/FlateDecode"),
        "twice packed.pdf": _with_stream(zlib.compress(zlib.compress(bytes(2**27))), b"/Filter[/FlateDecode/FlateDecode]"),
        "script.pdf": pdf([(1, 0, 0)], extra=b"/OpenAction<</S/JavaScript/JS(while(1);)>>"),
    }  # fmt: skip
    for name, data in contents.items():
        outcome = FAILURE if name in ("password.pdf", "nothing.pdf") else EITHER
        yield Case(write(folder, name, data), outcome)


def _with_stream(body: bytes, filters: bytes) -> bytes:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(body), filters, body),
    ]  # fmt: skip
    out = b"%PDF-1.4\n" + b"".join(b"%d 0 obj%s endobj\n" % (n, each) for n, each in enumerate(objects, start=1))
    return out + b"trailer<</Size 5/Root 1 0 R>>\n%%EOF"


def names(folder: Path) -> Iterator[Case]:
    data = sound()["png"]
    for name in (
        b"new\nline.png", b"tab\t.png", b"bell\x07.png", b"latin \xe9.png", b"cut utf-8 \xe2\x82.png", b"back\\slash.png",
        b"percent %s %d.png", b"'; DROP TABLE image; --.png", b'"quoted".png', b"<b>bold.png", b"$HOME `ls` $(ls).png",
        b" leading.png", b"trailing .png", b"two..dots.png", b"-rf.png", b"~.png", b"con.png", b"a#page=2", b"b.pdf#page=1",
        b"film.mp4#t=1.000", b"x" * 251 + b".png", "ü".encode() * 125 + b".png", "e\u0301.png".encode(), "é.png".encode(),
        "\u202egnp.exe.png".encode(), "\ufeff.png".encode(), "🖼.png".encode(), "נייר.png".encode(), b"https:__x.org_a.png",
        b"*.png", b"?.png", b"[a].png", b"CAPS.PNG", b"caps.png",
    ):  # fmt: skip
        yield Case(write(folder, name, data), IMAGE, SIZE)
    deep = folder
    for _ in range(60):
        deep = deep / ("d" * 50)
        deep.mkdir()
    write(deep, "deep.png", data)
    yield Case(str((deep / "deep.png").relative_to(folder)), IMAGE, SIZE)
    yield Case(write(folder, ".hidden.png", data), LEFT_OUT)


def places(folder: Path) -> Iterator[Case]:
    """What the file system may put in a picture's place."""
    data = sound()["png"]
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as plug:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path must be short
        try:
            plug.bind("socket.png")
        finally:
            os.chdir(here)
    for name, target in {
        "zero.png": "/dev/zero", "full.png": "/dev/full", "random.png": "/dev/urandom", "nowhere.png": "nowhere",
        "itself.png": "itself.png", "one.png": "other.png", "other.png": "one.png", "long.png": "x" * 200,
    }.items():  # fmt: skip
        (folder / name).symlink_to(target)
        yield Case(name, FAILURE)
    yield Case("pipe.png", FAILURE)
    yield Case("socket.png", FAILURE)
    yield Case("pipe", LEFT_OUT)
    (folder / "folder.png").mkdir()
    yield Case(f"folder.png/{write(folder / 'folder.png', 'inside.png', data)}", IMAGE, SIZE)
    (folder / "around").mkdir()
    (folder / "around/back").symlink_to("..")
    (folder / "around/again").symlink_to("../around")
    yield Case(f"around/{write(folder / 'around', 'a.png', data)}", IMAGE, SIZE)
    closed = write(folder, "closed.png", data)
    os.chmod(folder / closed, 0)
    yield Case(closed, IMAGE if os.access(folder / closed, os.R_OK) else FAILURE)  # root may read everything


def rewritten(path: Path, stop: Callable[[], bool]) -> None:
    """Keep a file changing: whole, cut short, another picture, empty."""
    whole, other = saved(noise((200, 150)), "PNG"), saved(noise((20, 15)), "PNG")
    while not stop():
        for data in (whole, whole[: len(whole) // 2], other, b""):
            path.write_bytes(data)


if __name__ == "__main__":
    print(len(make(Path(sys.argv[1]))), "files")
