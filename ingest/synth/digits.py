"""Handwritten digits to put into generated pictures: those of scikit-learn, or MNIST's files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.errors import SourceError

SPLITS = ("train", "test")
_FILES = {"train": "train", "test": "t10k"}
_OF_TEN = {"train": slice(0, 8), "test": slice(8, 10)}  # of scikit-learn's digits, in tenths


@dataclass(frozen=True)
class Digits:
    """Pictures of digits (n, rows, cols) uint8, white on black, and which digit each is (n,)."""

    images: np.ndarray
    labels: np.ndarray

    def resized(self, index: int, side: int) -> np.ndarray:
        """One of them as (side, side) uint8."""
        return resize(self.images[index], side)


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """A grey picture uint8 as (side, side): means of areas where it gets smaller, bicubic where it gets larger."""
    how = Image.Resampling.BOX if side < image.shape[0] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((side, side), how))


def load_digits(split: str, folder: Path | None = None) -> Digits:
    """The digits of a split, of which the other has none: scikit-learn's 1,797 (8 × 8, four fifths of them for
    training), or those of a folder with MNIST's four files. SourceError where the folder has them not."""
    if folder is not None:
        names = (f"{_FILES[split]}-images-idx3-ubyte", f"{_FILES[split]}-labels-idx1-ubyte")
        images, labels = (_read_idx(_find(folder, name)) for name in names)
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise SourceError(f"{folder} has {images.shape} pictures and {labels.shape} labels: they do not belong.")
        return Digits(images, labels)
    from sklearn.datasets import load_digits as of_sklearn

    images, labels = of_sklearn(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    first, last = (len(order) * tenth // 10 for tenth in (_OF_TEN[split].start, _OF_TEN[split].stop))
    chosen = order[first:last]
    images = np.asarray(images)[chosen].reshape(-1, 8, 8)
    return Digits(np.rint(images * (255 / 16)).astype(np.uint8), np.asarray(labels)[chosen])


def _find(folder: Path, name: str) -> Path:
    for each in (folder / name, folder / f"{name}.gz", folder / name.replace("-idx", ".idx")):
        if each.exists():
            return each
    raise SourceError(f"{folder} has no file {name} (or {name}.gz); --digits names a folder with MNIST's four files.")


def _read_idx(path: Path) -> np.ndarray:
    """An array of bytes in the format of MNIST's files: magic number, its last byte the dimensions; sizes; data."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    dimensions = data[3] if data[:3] == b"\0\0\x08" else 0
    shape = tuple(np.frombuffer(data, ">i4", dimensions, 4)) if 0 < dimensions < 5 < len(data) else ()
    if not shape or len(data) != 4 + 4 * dimensions + int(np.prod(shape)):
        raise SourceError(f"{path} is no file of MNIST: its beginning and its length do not say what it holds.")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
