"""A picture of a source, open to be read in parts, and what the database keeps of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from PIL import Image

from ingest.task import Task
from ingest.vision import pages, windows
from ingest.vision.bad_image import BadImage
from ingest.vision.loader import thumbnail
from ingest.vision.originals import Place
from ingest.vision.paths import named_page
from store.records import ImageRecord

THUMBNAIL = 256  # pixels of its long side, as the loader makes them
FINER = 2  # times as many are read from the file


@dataclass(frozen=True)
class OpenPicture:
    """A task's picture as a `scan` to read parts of. SHA-256 and length in bytes of what was read are known where that
    was the whole."""

    task: Task
    scan: windows.Scan
    read: tuple[str, int] | None = None

    def record(self) -> ImageRecord:
        """What the database keeps of it. BadImage where the file cannot be read to its end."""
        sha256, length = self.read or _fingerprint(self.task)
        small, width, height = self._thumbnail() if self.task.keep else (b"", 0, 0)
        return ImageRecord(
            path=self.task.name,
            sha256=sha256,
            width=self.scan.size[0],
            height=self.scan.size[1],
            bytes=length,
            modified=self.task.modified,
            metadata=self.task.metadata,
            thumbnail=small,
            thumbnail_width=width,
            thumbnail_height=height,
        )

    def _thumbnail(self) -> tuple[bytes, int, int]:
        width, height = self.scan.size
        scale = min(1.0, FINER * THUMBNAIL / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        data, *_ = thumbnail(self.scan.read((0, 0, width, height), size), THUMBNAIL)
        return data, *_size_of(width, height)


def opened(task: Task) -> OpenPicture:
    """The picture of a task. Files, and pages of TIFFs, are read in parts; what a source makes in another way, such as
    the frame of a film, is decoded whole. BadImage."""
    page = _page(task)
    if task.read is None or page is not None:
        return OpenPicture(task, windows.opened(Place(task.file, page)))
    decoded = task.read()
    return OpenPicture(task, windows.scan.whole(decoded.image), (decoded.sha256, decoded.bytes))


def patch_thumbnail(patch: Image.Image) -> tuple[bytes, int, int]:
    """A JPEG of a patch with its width and height, never larger than those of pictures."""
    return thumbnail(patch, THUMBNAIL)


def _page(task: Task) -> int | None:
    """Which page of its file a picture is; None for other pictures."""
    page = named_page(task.name) if task.read is not None else None
    return page[1] if page and os.path.isfile(task.file) else None


def _fingerprint(task: Task) -> tuple[str, int]:
    """SHA-256 and length in bytes of a task's file, as the loader has them of a picture or of a page."""
    page = _page(task)
    if page is not None:
        with pages.opened(task.file) as document:
            return document.fingerprint(page), document.length
    try:
        with open(task.file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BadImage(f"The file could not be read: {error.strerror or error}.") from error


def _size_of(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
