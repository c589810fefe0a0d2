"""Parts of large scans as the image service reads them, beside decoding the whole with Pillow: each case in a process of
its own, with its peak of memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.bench.timing import table

SIDE, TILE, ROUNDS = 20_000, 512, 3
JPEG = (12_000, 8_400)  # 100 megapixels
FILES = {"tiled.tif": f"TIFF of {SIDE:,} × {SIDE:,}, tiled", "photo.jpg": f"JPEG of {JPEG[0]:,} × {JPEG[1]:,}"}
CASES = ("first tile", "tile beside it", "whole at 512 px", "Pillow, whole decode")


def measure() -> str:
    """Seconds and megabytes beyond the idle process, the median of ROUNDS."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tiff(folder / "tiled.tif")
        make_jpeg(folder / "photo.jpg")
        for file, title in FILES.items():
            found = {case: np.median([run(folder / file, case) for _ in range(ROUNDS)], axis=0) for case in CASES}
            seconds, megabytes = found[CASES[-1]]
            for case, (took, used) in found.items():
                ratios = f"{took / seconds:.3f}", f"{used / megabytes:.2f}"
                rows.append([title, case, f"{took:.2f}", ratios[0], f"{used:.0f}", ratios[1]])
    texts = (
        f"A part of {TILE} × {TILE} pixels of the original's own, from its middle, and the picture as a whole; opening "
        "the file and writing a JPEG are counted. The TIFF is packed as JPEG in tiles of 512 × 512 without smaller "
        "copies, so that its overview takes a pass over all of it, once. Memory is the peak beyond the idle process; "
        f"ratios are to Pillow's decoding of the whole; the median of {ROUNDS} processes."
    )
    head = ["file", "case", "seconds", "to Pillow", "MB", "to Pillow"]
    return f"## Tiles of large scans\n\n{texts}\n\n" + table(head, rows)


def run(file: Path, case: str) -> tuple[float, float]:
    """Seconds and megabytes of a case in a process of its own."""
    words = [sys.executable, "-m", "tests.bench.tiles", str(file), case]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()[-2:]
    return float(seconds), float(megabytes)


def make_tiff(path: Path) -> None:
    """A scan whose detail packs about as well as paper does."""
    import tifffile

    base = _paper(TILE, TILE)
    across = -(-SIDE // TILE)

    def tiles() -> Iterator[np.ndarray]:
        for number in range(across * across):
            yield np.roll(base, number * 37, axis=0)

    how = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    tifffile.imwrite(path, tiles(), shape=(SIDE, SIDE, 3), dtype=np.uint8, **how)


def make_jpeg(path: Path) -> None:
    from PIL import Image

    base = np.tile(_paper(600, 600), (JPEG[1] // 600, JPEG[0] // 600, 1))
    Image.fromarray(base).save(path, quality=90)


def _paper(width: int, height: int) -> np.ndarray:
    random = np.random.default_rng(0)
    light = 200 + 20 * np.sin(np.linspace(0, 25, width))[None, :, None] + random.normal(0, 5, (height, width, 1))
    return np.clip(light + np.array([10, 0, -20]), 0, 255).astype(np.uint8)


def _cases(file: Path) -> tuple[Callable[[], object], dict[str, Callable[[], object]]]:
    """What is done before a case, and the cases."""
    from PIL import Image

    from ingest.vision import windows
    from ingest.vision.originals import Place

    Image.MAX_IMAGE_PIXELS = None
    held: list[windows.Scan] = []

    def opened() -> windows.Scan:
        held[:] = held or [windows.opened(Place(file))]
        return held[0]

    def tile(shift: int = 0) -> bytes:
        width, height = opened().size
        x, y = width // 2 // TILE * TILE + shift, height // 2 // TILE * TILE
        return _encoded(opened().read((x, y, x + TILE, y + TILE), (TILE, TILE)))

    def whole() -> bytes:
        width, height = opened().size
        return _encoded(opened().read((0, 0, width, height), (TILE, round(TILE * height / width))))

    def pillow() -> bytes:
        with Image.open(file) as image:
            x, y = image.width // 2, image.height // 2
            return _encoded(image.crop((x, y, x + TILE, y + TILE)).convert("RGB"))

    return tile, dict(zip(CASES, (tile, lambda: tile(TILE), whole, pillow), strict=True))


def _encoded(picture) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _one(file: Path, case: str) -> None:
    import imagecodecs
    import rasterio
    import tifffile

    assert imagecodecs and rasterio and tifffile  # imported by an idle server that has served one picture
    first, cases = _cases(file)
    if case == "tile beside it":
        first()
    before, start = _peak(), time.perf_counter()
    cases[case]()
    seconds = time.perf_counter() - start
    print(seconds, _peak() - before)


def _peak() -> float:
    """Megabytes. Not by getrusage: that begins with the memory of the process which started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    _one(Path(sys.argv[1]), sys.argv[2])
