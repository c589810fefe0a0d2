"""Peak memory of `patches` over pictures of several sizes and formats, each command in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.bench.timing import table

SIDES = (2_000, 8_000, 20_000)
TILE = 512
# File, side in pixels and what is said of it. JPEG 2000 of 20,000 pixels takes minutes to write.
CASES = {
    **{f"tiled-{side}.tif": (side, f"TIFF, tiles of {TILE}") for side in SIDES},
    **{f"strips-{side}.tif": (side, "TIFF, strips of 64 rows") for side in (8_000, 20_000)},
    **{f"photo-{side}.jpg": (side, "JPEG") for side in (8_000, 20_000)},
    "scan-8000.jp2": (8_000, "JPEG 2000"),
}
OPTIONS = ("--model", "tiny:dinov2", "--patch-size", "448", "--top", "20", "--iteration", "16", "--device", "cpu")


def measure(scorers: tuple[str, ...] = ("attention", "rarity"), cases: dict = CASES) -> str:
    """Megabytes of the whole process, and what it needs beyond what it needs for a small picture."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        idle = folder / "idle"
        idle.mkdir()
        write_tiff(idle / "small.tif", 512)
        start = {scorer: peak(idle, scorer)[0] for scorer in scorers}
        for file, (side, kind) in cases.items():
            own = folder / file.replace(".", "-")
            own.mkdir()
            write(own / file, side)
            for scorer in scorers:
                used, seconds = peak(own, scorer)
                rows.append(
                    [kind, f"{side:,}²", scorer, f"{used:.0f}", f"{used - start[scorer]:.0f}", f"{seconds:.0f}"]
                )
            (own / file).unlink()
    texts = (
        "`python -m ingest patches`, patches of 448 pixels, M 20, I 16, a tiny network, one thread: the peak of the "
        "whole process, and how much more that is than for a picture of 512 pixels. Tiles are read where they are "
        "needed; strips hold whole rows, and JPEG and JPEG 2000 are decoded from the top, so that these grow with the "
        "width of the picture."
    )
    head = ["file", "pixels", "scorer", "MB", "beyond 512²", "seconds"]
    return f"## Memory of selecting patches\n\n{texts}\n\n" + table(head, rows)


def peak(folder: Path, scorer: str) -> tuple[float, float]:
    """Megabytes at most, and seconds, of the command on a folder with one picture."""
    words = [sys.executable, "-m", "tests.bench.patches", str(folder), scorer]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["megabytes"], found["seconds"]


def write(path: Path, side: int) -> None:
    """A picture of so many pixels, written by tiles; of other kinds than tiles a copy of that."""
    if path.name.startswith("tiled"):
        write_tiff(path, side)
        return
    import rasterio
    from rasterio.shutil import copy

    tiled = path.parent.parent / "source.tif"
    write_tiff(tiled, side)
    how = {
        ".tif": {"driver": "GTiff", "COMPRESS": "DEFLATE", "BLOCKYSIZE": 64, "PHOTOMETRIC": "RGB"},
        ".jpg": {"driver": "JPEG"},
        ".jp2": {"driver": "JP2OpenJPEG"},
    }[path.suffix]
    with rasterio.Env(GDAL_CACHEMAX=64), rasterio.open(tiled) as source:
        copy(source, path, **how)
    tiled.unlink()
    path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)


def write_tiff(path: Path, side: int) -> None:
    import tifffile

    across = -(-side // TILE)
    tiles: Iterator[np.ndarray] = (_paper(TILE, TILE, number) for number in range(across * across))
    how = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    tifffile.imwrite(path, tiles, shape=(side, side, 3), dtype=np.uint8, **how)


def _paper(width: int, height: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    light = 200 + 20 * np.sin(np.linspace(0, 25, width))[None, :, None] + random.normal(0, 5, (height, width, 1))
    return np.clip(light + np.array([10, 0, -20]), 0, 255).astype(np.uint8)


def _one(folder: Path, scorer: str) -> None:
    import time

    from tests.support import commands

    began = time.perf_counter()
    result = commands.run("patches", folder, *OPTIONS, "--scorer", scorer, "--json", db=folder / "bench.duckdb")
    assert result.code == 0, result.err
    (folder / "bench.duckdb").unlink()
    # Not by getrusage: that begins with the memory of the process which started this one.
    used = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"megabytes": used, "seconds": time.perf_counter() - began, "patches": result.counts["patches"]}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _one(Path(sys.argv[1]), sys.argv[2])
    else:
        print(measure())
