"""Pictures as bags of patches, read from their files ahead of the network, and kept while there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ingest.training.labels import Split
from ingest.vision.bad_image import BadImage
from ingest.vision.loader import decode
from ingest.vision.patches import PatchGrid
from ingest.vision.patches.grid import TooSmall
from ingest.vision.training.ips import NetworkSettings
from ingest.vision.training.ips.epoch import Batch

ROOM = 2 * 2**30  # bytes of patches that are kept in memory
THREADS = 4


@dataclass(frozen=True)
class Bag:
    """Patches (N, channels, height, width) uint8 with the grid that they lie in, or features (N, width) without."""

    patches: Tensor
    grid: PatchGrid | None


class BagReader:
    """Reads the bags of a network, in several threads; what it has read it keeps until ROOM is full."""

    def __init__(self, settings: NetworkSettings, room: int = ROOM) -> None:
        self.settings, self.room = settings, room
        self.kept: dict[Path, Bag] = {}

    def read(self, file: Path) -> Bag:
        """The bag of a file. BadImage with a sentence for one that cannot be read or is smaller than a patch."""
        if (there := self.kept.get(file)) is not None:
            return there
        bag = self._features(file) if self.settings.encoder.kind == "features" else self._patches(file)
        size = bag.patches.numel() * bag.patches.element_size()
        if size <= self.room:
            self.room -= size
            self.kept[file] = bag
        return bag

    def failures(self, split: Split) -> dict[str, str]:
        """What is wrong with the files of a split, by name: each is read once before anything is trained."""

        def reason(file: Path) -> str | None:
            try:
                self.read(file)
            except BadImage as error:
                return str(error)
            return None

        with ThreadPoolExecutor(THREADS) as pool:
            reasons = pool.map(reason, split.files)
            return {name: why for name, why in zip(split.names, reasons, strict=True) if why}

    def batches(self, split: Split, order: Sequence[int], size: int) -> Iterator[Batch]:
        """The pictures of a split in this order, `size` a batch; the next batch is read while one is in use."""
        groups = [list(order[start : start + size]) for start in range(0, len(order), size)]
        with ThreadPoolExecutor(THREADS) as pool:
            ahead = [pool.map(self.read, [split.files[i] for i in group]) for group in groups[:1]]
            for number, group in enumerate(groups):
                bags = [bag.patches for bag in ahead.pop()]
                if number + 1 < len(groups):
                    ahead.append(pool.map(self.read, [split.files[i] for i in groups[number + 1]]))
                labels = {task: torch.from_numpy(values[group]) for task, values in split.labels.items()}
                yield Batch(bags, labels)

    def _patches(self, file: Path) -> Bag:
        own = self.settings.patches
        image = decode(file).image
        image = image.convert("L") if self.settings.encoder.channels == 1 else image
        pixels = torch.from_numpy(np.array(image))
        pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        try:
            grid = PatchGrid(image.width, image.height, own.size, own.stride or own.size)
        except TooSmall as error:
            raise BadImage(str(error)) from None
        return Bag(grid.cut(pixels), grid)

    def _features(self, file: Path) -> Bag:
        width = self.settings.encoder.features
        try:
            if file.suffix == ".npy":
                found = np.load(file, allow_pickle=False)
            else:
                from safetensors.numpy import load_file

                found = next(iter(load_file(file).values()))
        except Exception as error:  # whatever a damaged file makes a library raise
            raise BadImage(f"It could not be read as features ({type(error).__name__}).") from None
        if found.ndim != 2 or found.shape[1] != width or not len(found) or not np.isfinite(found).all():
            raise BadImage(
                f"It holds numbers of the shape {found.shape}, and finite ones of (patches, {width}) are due."
            )
        return Bag(torch.from_numpy(found.astype(np.float32)), None)
