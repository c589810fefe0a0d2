"""Large JPEG and JPEG 2000 files by windows, with the smaller resolutions that both formats have within."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.vision.colour import to_rgb
from ingest.vision.jpeg2000 import colour_box
from ingest.vision.opening import open_picture, orientation_of, profile_of
from ingest.vision.windows.scan import Level, PixelBox, Scan, check, file_level

SIGNATURES = (b"\xff\xd8\xff", b"\0\0\0\x0cjP  ")
DRIVERS = {"JPEG": "JPEG", "JPEG2000": "JP2OpenJPEG"}
# Pixels: smaller files are sooner decoded whole. A window of a JPEG takes as long as all that lies above it.
FROM = {"JPEG": 128_000_000, "JPEG2000": 4_000_000}
HEADER = 2**20  # bytes in which a JPEG 2000 file says what it is
ROWS = 256  # at once, of files that have no tiles

_SRGB, _GREY, _PROFILE = 16, 17, 2
# One file and nothing beside it; a cache of no more than 64 MB.
_SETTINGS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": False, "GDAL_CACHEMAX": 64}


def opened(path: Path) -> Scan:
    """A large file. BadImage, or whatever damage raises, where it is small or cannot be read in parts."""
    rasterio = _rasterio()
    mode, orientation, profile, driver = _header(path)

    def coloured(numbers: np.ndarray) -> Image.Image:
        return to_rgb(Image.fromarray(np.ascontiguousarray(numbers[..., 0] if mode == "L" else numbers), mode), profile)

    with rasterio.Env(**_SETTINGS):
        whole = rasterio.open(path, driver=driver)
        check(whole.dtypes == ("uint8",) * len(mode), "its numbers are no bytes")
        factors = [factor for factor in whole.overviews(1) if factor in (2, 4, 8, 16, 32)]
        smaller = [rasterio.open(path, driver=driver, overview_level=number) for number in range(len(factors))]
    size = (whole.width, whole.height)
    fitting = [each for each, factor in zip(smaller, factors, strict=True) if _is_copy(each, size, factor)]
    return Scan([_level(each, coloured) for each in (whole, *fitting)], orientation)


def _header(path: Path) -> tuple[str, int, bytes | None, str]:
    """Mode, orientation and profile as Pillow has them, and what reads the file."""
    with open(path, "rb") as file:
        boxes = file.read(HEADER)
    with open(path, "rb") as file:
        image = open_picture(io.BytesIO(boxes) if boxes.startswith(SIGNATURES[1]) else file)
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        check(kind in DRIVERS and image.width * image.height >= FROM[kind], "it is small")
        check(image.mode in ("L", "RGB") and not image.info.get("progressive"), f"mode {image.mode}, or progressive")
        check("transparency" not in image.info and image.info.get("adobe_transform", 1) == 1, "unusual colours")
        if kind == "JPEG2000":
            colours = colour_box(memoryview(boxes))
            known = colours is not None and (
                colours[0] == _PROFILE or int.from_bytes(colours[3:7]) == (_SRGB if image.mode == "RGB" else _GREY)
            )
            check(known, "unusual colours")
        return image.mode, orientation_of(image), profile_of(image), DRIVERS[kind]


def _is_copy(dataset: Any, size: tuple[int, int], factor: int) -> bool:
    """Whether a smaller resolution is one of this very picture, and no thumbnail that a camera added."""
    return all(abs(own - full / factor) < 1.01 for own, full in zip((dataset.width, dataset.height), size, strict=True))


def _level(dataset: Any, coloured: Any) -> Level:
    rows = dataset.block_shapes[0][0]

    def read(box: PixelBox) -> np.ndarray:
        left, top, right, bottom = box
        with _rasterio().Env(**_SETTINGS):
            numbers = dataset.read(window=((top, bottom), (left, right)))
        return np.moveaxis(numbers, 0, -1)

    return file_level((dataset.width, dataset.height), rows if rows >= ROWS else ROWS, read, coloured)


@lru_cache(maxsize=1)
def _rasterio() -> Any:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    return rasterio
