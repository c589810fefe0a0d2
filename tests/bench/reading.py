"""What it costs to read a file: to the network's pixels and the thumbnail, against the fastest decoder that is installed."""

from __future__ import annotations

import hashlib
import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from ingest.vision.backbones import load
from ingest.vision.geometry import fit_image
from ingest.vision.loader import decode, thumbnail
from ingest.vision.resizing import Pixels
from tests.bench.ingest_rate import PAINTINGS
from tests.bench.timing import table

SIZES = {"1": (1200, 900), "6": (3000, 2000), "50": (8600, 5800)}  # megapixels
FORMATS = {
    "JPEG": ("JPEG", {"quality": 88}),
    "PNG": ("PNG", {"compress_level": 6}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "JPEG 2000": ("JPEG2000", {"irreversible": True, "quality_mode": "rates", "quality_layers": [10]}),
}
ROUNDS = 5
AIM = 1.15


def measure() -> str:
    """The table of formats and sizes, on one thread; milliseconds of the processor's time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rule = load("packaged").rule
        rows = [_row(kind, size, rule) for size in SIZES for kind in FORMATS]
    finally:
        torch.set_num_threads(before)
    text = (
        "A painting enlarged, with noise; from the file's bytes to the SHA-256, a thumbnail and 224 × 224 pixels for the "
        f"network. One thread, milliseconds of processor time, median of {ROUNDS} rounds in turn. Beside it the fastest decoder "
        "of those installed with the same resizing; and Pillow alone, as all files were read before."
    )
    head = ["megapixels", "file", "MB", "ours", "fastest decoder", "its ms", "ratio", "aim", "Pillow", "to Pillow"]
    return f"## Reading files\n\n{text}\n\n" + table(head, rows)


def _row(kind: str, size: str, rule) -> list[str]:
    data = _file(kind, SIZES[size])
    decoders = _decoders(FORMATS[kind][0], data)

    def whole(read: Callable[[], np.ndarray]) -> Callable[[], object]:
        def run() -> None:
            hashlib.sha256(data)
            pixels = Pixels(read())
            thumbnail(pixels)
            fit_image(pixels, rule, "crop")

        return run

    def ours() -> None:
        found = decode(data)
        thumbnail(found.pixels)
        fit_image(found.pixels, rule, "crop")

    def pillow() -> None:
        hashlib.sha256(data)
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert("RGB")
        image.resize((256, 192), Image.Resampling.BICUBIC, reducing_gap=2.0).save(io.BytesIO(), "JPEG", quality=82)
        image.resize((341, 256), Image.Resampling.BICUBIC)

    cases = {"ours": ours, "Pillow": pillow} | {name: whole(read) for name, read in decoders.items()}
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(ROUNDS + 1):
        for name, case in cases.items():
            began = time.process_time()
            case()
            if turn:
                spent[name].append((time.process_time() - began) * 1e3)
    median = {name: statistics.median(values) for name, values in spent.items()}
    fastest = min(decoders, key=median.__getitem__)
    ratio = median["ours"] / median[fastest]
    return [
        size, kind, f"{len(data) / 1e6:.1f}", f"{median['ours']:.0f}", fastest, f"{median[fastest]:.0f}", f"{ratio:.2f}", f"≤ {AIM}",
        f"{median['Pillow']:.0f}", f"{median['ours'] / median['Pillow']:.2f}",
    ]  # fmt: skip


def _file(kind: str, size: tuple[int, int]) -> bytes:
    with Image.open(min(PAINTINGS.glob("*.jpg"))) as painting:
        picture = painting.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(-6, 7, (size[1], size[0], 3), dtype=np.int16)
    picture = Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))
    name, options = FORMATS[kind]
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def _decoders(format_name: str, data: bytes) -> dict[str, Callable[[], np.ndarray]]:
    import cv2
    import imagecodecs
    import tifffile
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, decode_png

    cv2.setNumThreads(1)
    shared = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    both = {
        "Pillow": lambda: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")),
        "OpenCV": lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB),
    }
    own: dict[str, dict[str, Callable[[], np.ndarray]]] = {
        "JPEG": {
            "torchvision": lambda: decode_jpeg(shared, ImageReadMode.RGB).permute(1, 2, 0).numpy(),
            "imagecodecs": lambda: imagecodecs.jpeg8_decode(data),
        },
        "PNG": {
            "torchvision": lambda: decode_png(shared, ImageReadMode.RGB).permute(1, 2, 0).numpy(),
            "imagecodecs": lambda: imagecodecs.png_decode(data),
        },
        "TIFF": {"tifffile": lambda: tifffile.imread(io.BytesIO(data))},
        "JPEG2000": {"imagecodecs": lambda: imagecodecs.jpeg2k_decode(data)},
    }
    return both | own[format_name]
