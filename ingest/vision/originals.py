"""The picture behind an image of a collection: a file, a page of one, a frame of a film, or a part of any of these."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ingest.vision import film, loader, pages
from ingest.vision.paths import PixelBox, named_box, named_page, raw_name


@dataclass(frozen=True)
class Place:
    """Where a picture lies: its file, and which of the file's pages it is, from 1, or which frame at what second.
    `page` and `frame` are None for a file that is one picture. Of a picture that is a part of that, `box` (left, top,
    right, bottom in upright pixels) is the part."""

    file: Path
    page: int | None = None
    frame: tuple[str, float] | None = None
    box: PixelBox | None = None

    @property
    def whole(self) -> Place:
        """Where the picture lies that this one is a part of."""
        return replace(self, box=None)


def place_of(source: str | Path, name: str) -> Place:
    """Where the picture called `name` lies in the collection that was made from the folder `source`. BadImage if it
    lies on the web: nothing is fetched to be shown."""
    if "://" in name or "://" in str(source):
        raise loader.BadImage("The original lies on the web.")
    path = Path(source) / raw_name(name)
    if not os.path.lexists(path):
        if part := named_box(name):
            return replace(place_of(source, part[0]), box=part[1])
        if frame := film.named_frame(str(path)):
            return Place(Path(frame[0]), frame=frame)
        if page := named_page(str(path)):
            return Place(Path(page[0]), page=page[1])
    return Place(path)


def read(place: Place, pixels: int = loader.MAX_PIXELS) -> Image.Image:
    """The upright RGB picture that lies there. Of a page or a frame no more of the file is read than needed. BadImage
    if it is gone, cannot be read, or has more than `pixels`; a part lies in a whole that is read first."""
    if place.box is not None:
        whole = read(place.whole, pixels)
        check_box(place.box, whole.size)
        return whole.crop(place.box)
    if place.frame is not None:
        return film.frame_at(*place.frame)
    if place.page is not None:
        with pages.opened(place.file) as document:
            return document.picture(place.page, pixels)
    return loader.decode(place.file, pixels).image


def check_box(box: PixelBox, size: tuple[int, int]) -> None:
    """BadImage for a part that does not lie in a picture of this (width, height)."""
    left, top, right, bottom = box
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise loader.BadImage(
            f"The part {left},{top} to {right},{bottom} does not lie in its picture, which has {size[0]} × {size[1]} "
            "pixels now."
        )


def original(source: str | Path, name: str) -> Image.Image:
    """The upright RGB picture called `name` in the collection that was made from the folder `source`. BadImage."""
    return read(place_of(source, name))
