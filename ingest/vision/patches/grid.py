"""The patches that a large picture is cut into, counted from 0 along the rows of their grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ingest.vision.windows.scan import PixelBox


class TooSmall(ValueError):
    """A picture that is smaller than one patch."""


@dataclass(frozen=True)
class PatchGrid:
    """Where patches lie in a picture of `width` × `height` pixels: `size` and `stride` are (height, width) in pixels.

    Where the stride does not divide the picture, the last column and the last row end at its edge and overlap the
    ones before, so that every pixel lies in a patch; `whole=False` leaves the rest out, as `Tensor.unfold` does.
    Raises TooSmall for a picture smaller than a patch, ValueError for sizes below 1 and strides that leave gaps.
    """

    width: int
    height: int
    size: tuple[int, int]
    stride: tuple[int, int]
    whole: bool = True

    def __post_init__(self) -> None:
        if min(self.size) < 1 or min(self.stride) < 1:
            raise ValueError(
                f"the size and the stride of patches are 1 pixel at least, not {_sides(self.size)} and "
                f"{_sides(self.stride)}"
            )
        if any(step > side for step, side in zip(self.stride, self.size, strict=True)):
            raise ValueError(
                f"a stride of {_sides(self.stride)} pixels leaves gaps between patches of {_sides(self.size)}"
            )
        if self.height < self.size[0] or self.width < self.size[1]:
            raise TooSmall(
                f"The picture has {self.width} × {self.height} pixels, less than one patch of {_sides(self.size)}."
            )

    @cached_property
    def tops(self) -> tuple[int, ...]:
        """The upper edge of each row of patches, in pixels."""
        return _starts(self.height, self.size[0], self.stride[0], self.whole)

    @cached_property
    def lefts(self) -> tuple[int, ...]:
        """The left edge of each column of patches, in pixels."""
        return _starts(self.width, self.size[1], self.stride[1], self.whole)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return len(self.tops), len(self.lefts)

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def box(self, index: int) -> PixelBox:
        """The pixels of a patch. IndexError for one that is not there."""
        if not 0 <= index < len(self):
            raise IndexError(f"there is no patch {index}, of {len(self)}")
        row, col = divmod(int(index), len(self.lefts))
        left, top = self.lefts[col], self.tops[row]
        return left, top, left + self.size[1], top + self.size[0]

    def cut(self, picture: Tensor) -> Tensor:
        """All patches (N, channels, *size) of a picture (channels, height, width) in memory."""
        if tuple(picture.shape[-2:]) != (self.height, self.width):
            raise ValueError(
                f"this grid is for pictures of {self.width} × {self.height} pixels, not of "
                f"{picture.shape[-1]} × {picture.shape[-2]}"
            )
        boxes = (self.box(index) for index in range(len(self)))
        return torch.stack([picture[:, top:bottom, left:right] for left, top, right, bottom in boxes])


def _starts(length: int, size: int, stride: int, whole: bool) -> tuple[int, ...]:
    starts = list(range(0, length - size + 1, stride))
    if whole and starts[-1] + size < length:
        starts.append(length - size)
    return tuple(starts)


def _sides(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"
