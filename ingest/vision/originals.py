"""The picture behind an image of a collection: a file, a page of one, or a frame of a film."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from ingest.vision import film, loader, pages
from ingest.vision.paths import named_page, raw_name


def original(source: str | Path, name: str) -> Image.Image:
    """The upright RGB picture called `name` in the collection that was made from the folder `source`.

    Of a page or a frame no more of the file is read than needed. BadImage if it is gone or cannot be read, or lies on
    the web: nothing is fetched to be shown.
    """
    if "://" in name or "://" in str(source):
        raise loader.BadImage("The original lies on the web.")
    path = Path(source) / raw_name(name)
    if not os.path.lexists(path):
        if frame := film.named_frame(str(path)):
            return film.frame_at(*frame)
        if page := named_page(str(path)):
            with pages.opened(Path(page[0])) as document:
                return document.picture(page[1])
    return loader.decode(path).image
