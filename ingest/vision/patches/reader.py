"""The patches of one open picture, read from its file when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ingest.vision.patches.grid import PatchGrid
from ingest.vision.windows import Scan

# Patches that are read when their scorer calls for them, uint8 (n, height, width, 3): some scorers need none.
Unread = Callable[[], np.ndarray]


class PatchReader:
    """The patches of `scan`, cut as `grid` says, without ever holding more than those that are asked for."""

    def __init__(self, scan: Scan, grid: PatchGrid) -> None:
        if scan.size != (grid.width, grid.height):
            raise ValueError(f"a grid for {grid.width} × {grid.height} pixels is not one of a picture of {scan.size}")
        self.scan, self.grid = scan, grid

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """These patches, uint8 (n, height, width, 3) in RGB, in the order in which they are named. BadImage where the
        file is damaged."""
        height, width = self.grid.size
        out = np.empty((len(indices), height, width, 3), np.uint8)
        for run in self._runs(indices):
            boxes = [self.grid.box(index) for _, index in run]
            left, top, right, bottom = boxes[0][0], boxes[0][1], boxes[-1][2], boxes[0][3]
            strip = np.asarray(self.scan.read((left, top, right, bottom), (right - left, bottom - top)))
            for (place, _), box in zip(run, boxes, strict=True):
                out[place] = strip[:, box[0] - left : box[2] - left]
        return out

    def chunks(self, size: int, order: Tensor | None = None) -> Iterator[tuple[Unread, Tensor]]:
        """All patches for `select`, `size` at a time, in the `order` (1, N) of `visiting_order`."""
        for start in range(0, len(self.grid), size):
            end = min(start + size, len(self.grid))
            indices = torch.arange(start, end)[None] if order is None else order[:1, start:end]
            yield self._unread(indices[0].tolist()), indices

    def _unread(self, indices: list[int]) -> Unread:
        return lambda: self.pixels(indices)

    def _runs(self, indices: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
        """(place, index) of patches that lie side by side, from top to bottom: files are read forwards, and each run at
        once."""
        cols = self.grid.shape[1]
        run: list[tuple[int, int]] = []
        for place, index in sorted(enumerate(indices), key=lambda each: each[1]):
            if run and (index != run[-1][1] + 1 or index % cols == 0):
                yield run
                run = []
            run.append((place, index))
        if run:
            yield run
