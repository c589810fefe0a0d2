"""What a network's own processor does with the shape of a picture, and where the pixels of its input then lie."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

RESIZES = ("none", "short", "squeeze", "within", "cover", "patches")

Size = tuple[int, int]  # (height, width) in pixels


class Placement(NamedTuple):
    """A picture resized to `width` × `height` pixels, seen through a window of `rows` × `cols` pixels whose upper left
    corner is at (`left`, `top`) of it. Where the window reaches beyond the picture lies ground."""

    width: int
    height: int
    left: int
    top: int
    cols: int
    rows: int


@dataclass(frozen=True)
class Preprocessing:
    """The shape's way through a processor, in this order: resized, the centre cut out, padded.

    `resize`: `none`; `short` (the short side becomes `height` pixels, the long one `longest` at most); `squeeze` (to
    `height` × `width` whatever the shape was); `within` and `cover` (the shape stays, the picture just fits into
    `height` × `width`, or just covers it); `patches` (the shape stays, in whole patches, `patches` at most).
    `crop` is the centre that is cut out, with ground where the picture is smaller; `pad` adds ground to the right and
    below. `mean_ground` says that a crop's ground has the mean colour, not black; `rounds` that lengths are rounded to
    the nearest, as in timm, not down.
    """

    resize: str
    height: int = 0
    width: int = 0
    longest: int = 0
    patches: int = 0
    crop: Size | None = None
    pad: Size | None = None
    mean_ground: bool = False
    rounds: bool = False

    def __post_init__(self) -> None:
        if self.resize not in RESIZES:
            raise ValueError(f"a processor resizes by one of {', '.join(RESIZES)}, not by {self.resize!r}")

    @property
    def output(self) -> Size | None:
        """(height, width) of the input, None where each picture has its own."""
        return self.pad or self.crop or ((self.height, self.width) if self.resize == "squeeze" else None)

    def scaled(self, factor: float, patch: int) -> Preprocessing:
        """The same for an input whose sides are `factor` times as long, in whole patches."""
        if factor == 1:
            return self
        whole = lambda side: max(patch, round(side * factor / patch) * patch)  # noqa: E731
        both = lambda size: size and (whole(size[0]), whole(size[1]))  # noqa: E731
        # A side that is cut afterwards need not be of whole patches, and keeps its proportion to the cut.
        side = whole if self.crop is None and self.resize != "short" else lambda side: round(side * factor)
        return replace(
            self,
            height=side(self.height) if self.height else 0,
            width=side(self.width) if self.width else 0,
            longest=round(self.longest * factor),
            patches=max(1, round(self.patches * factor * factor)) if self.patches else 0,
            crop=both(self.crop),
            pad=both(self.pad),
        )

    def place(self, width: int, height: int, patch: int) -> Placement:
        """Where the input lies in a picture of `width` × `height` pixels. ValueError where it cannot be padded so."""
        wide, high = self._resized(width, height, patch)
        left = top = 0
        rows, cols = high, wide
        if self.crop is not None:
            rows, cols = self.crop
            left, top = self._middle(wide - cols), self._middle(high - rows)
        if self.pad is not None:
            if rows > self.pad[0] or cols > self.pad[1]:
                raise ValueError(
                    f"this network's processor pads to {_size(self.pad)} pixels, and the picture has {rows} × {cols} "
                    "there; take another --fit"
                )
            rows, cols = self.pad
        return Placement(wide, high, left, top, cols, rows)

    def describe(self) -> str:
        """All of it in words."""
        size = _size((self.height, self.width))
        words = {
            "none": "the picture in its own size",
            "short": f"the short side resized to {self.height} pixels"
            + (f", the long one to {self.longest} at most" if self.longest else ""),
            "squeeze": f"the whole picture squeezed to {size} pixels",
            "within": f"the whole picture in its own shape, within {size} pixels",
            "cover": f"the picture in its own shape, covering {size} pixels",
            "patches": f"the whole picture in its own shape, in {self.patches} patches at most",
        }[self.resize]
        if self.crop:
            words += f", the centre of {_size(self.crop)} pixels cut out"
        return words + (f", on a ground of {_size(self.pad)} pixels" if self.pad else "")

    def as_dict(self) -> dict[str, Any]:
        """What is not the default, as JSON takes it; `from_dict` is the way back."""
        plain = asdict(Preprocessing(self.resize))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name == "resize" or value != plain[name]
        }

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> Preprocessing:
        """The Preprocessing of `as_dict`."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        return Preprocessing(**fields)

    def _resized(self, width: int, height: int, patch: int) -> tuple[int, int]:
        if self.resize == "none":
            return width, height
        if self.resize == "squeeze":
            return self.width, self.height
        if self.resize == "patches":
            return patches_at_most(width, height, patch, self.patches)
        if self.resize == "short":
            return self._short(width, height)
        scales = self.width / width, self.height / height
        scale = min(scales) if self.resize == "within" else max(scales)
        return max(1, self._length(width * scale)), max(1, self._length(height * scale))

    def _short(self, width: int, height: int) -> tuple[int, int]:
        """Rounded down, as transformers' processors do; so does torchvision, and with it timm."""
        narrow, long = sorted((width, height))
        short = self.height
        if self.longest and long * short > narrow * self.longest:
            exact = self.longest * narrow / long
            short, other = max(1, round(exact)), int(exact * long / narrow)
        else:
            other = int(short * long / narrow)
        return (short, other) if width <= height else (other, short)

    def _length(self, exact: float) -> int:
        return round(exact) if self.rounds else int(exact + 1e-6)

    def _middle(self, spare: int) -> int:
        if spare < 0:
            return -(-spare // 2)
        return round(spare / 2) if self.rounds else spare // 2


def patches_at_most(width: int, height: int, patch: int, patches: int) -> tuple[int, int]:
    """(width, height) of a picture in its own shape whose sides are whole patches, at least 1 and together `patches` at
    most: each side rounded up, at the largest scale that allows it (SigLIP 2's NaFlex, Tschannen et al. 2025)."""
    low, high = 1e-6, 100.0  # the bounds of the published search, and 1e-5 its end, so that every grid is the same
    up = lambda side, scale: max(1, math.ceil(side * scale / patch))  # noqa: E731
    while high - low >= 1e-5:
        scale = (low + high) / 2
        if up(width, scale) * up(height, scale) <= patches:
            low = scale
        else:
            high = scale
    return up(width, low) * patch, up(height, low) * patch


def _size(size: Size) -> str:
    return f"{size[0]} × {size[1]}"
