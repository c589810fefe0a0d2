"""Pictures of known or random pixels, and PNGs put together by hand."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def save_picture(path: Path, number: int, size: tuple[int, int] = (90, 70)) -> None:
    """A picture of 7 × 5 fields of random colours; a number has its own."""
    values = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.NEAREST).save(path)


def save_scans(folder: Path) -> Path:
    """Nine small pictures in a new folder and one inside it, with a table that describes them."""
    (folder / "inner").mkdir(parents=True)
    rows = ["file,title,year"]
    for number in range(9):
        name = f"inner/p{number}.png" if number % 2 else f"p{number}.jpg"
        save_picture(folder / name, number)
        rows.append(f"{name},Picture {number},{1500 + number}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture of which each pixel is random."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its length and its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gradient(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """A smooth picture, in which any mistake of channels, levels or direction shows."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8)).convert(mode)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    """A picture as the file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def close(got: np.ndarray, expected: Image.Image | np.ndarray, tolerance: float = 0) -> None:
    """Fails unless the pixels (rows, cols, 3) differ by no more than this from a picture's, as RGB."""
    expected = np.asarray(expected.convert("RGB") if isinstance(expected, Image.Image) else expected).astype(int)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance
