"""Where the browser gets a picture's pixels: from the image service, or its thumbnail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.data import cache, iiif

THUMBNAIL = "What is shown is its thumbnail."


@dataclass(frozen=True)
class Tiles:
    """Where the browser gets a picture of `size` (width, height) pixels: its thumbnail, and `tiles`, an info.json or
    the address of one (None: nowhere), with the `version` of its file; `sentence` says why it has none."""

    size: tuple[int, int]
    thumb: str
    tiles: dict[str, Any] | str | None = None
    version: str = ""
    sentence: str = ""


def tiles_of(image: cache.ImageRow) -> Tiles:
    """Where the browser finds the picture's pixels."""
    image_id, size = image["image_id"], (image["width"], image["height"])
    thumb = cache.thumb_url(image_id)
    try:
        found = iiif.original(cache.db(), image_id)
    except iiif.ImageError as error:
        return Tiles(size, thumb, sentence=f"{error} {THUMBNAIL}")
    if found.service:
        return Tiles(size, thumb, f"{found.service}/info.json")
    info = iiif.info(cache.db(), image_id, f"{cache.service_route()}/{image_id}")
    return Tiles(size, thumb, info, found.version)
