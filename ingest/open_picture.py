"""A picture of a source, open to be read in parts, and what the database keeps of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from PIL import Image

from ingest.task import Task
from ingest.vision import pages, windows
from ingest.vision.bad_image import BadImage
from ingest.vision.loader import Decoded, thumbnail
from ingest.vision.originals import Place, check_box
from ingest.vision.paths import PixelBox, named_box, named_page
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
        sha256, length = self.fingerprint()
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

    def fingerprint(self) -> tuple[str, int]:
        """SHA-256 and length in bytes of what was read, or else of the task's file. BadImage."""
        return self.read or _fingerprint(self.task)

    def _thumbnail(self) -> tuple[bytes, int, int]:
        width, height = self.scan.size
        scale = min(1.0, FINER * THUMBNAIL / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        data, *_ = thumbnail(self.scan.read((0, 0, width, height), size), THUMBNAIL)
        return data, *_size_of(width, height)


def opened(task: Task) -> OpenPicture:
    """The picture of a task. Files, pages of TIFFs, and parts of either are read in parts; what a source makes in
    another way, such as the frame of a film, is decoded whole. BadImage."""
    page, box = _page(task), _box(task)
    if task.read is None or page is not None or box is not None:
        return OpenPicture(task, windows.opened(Place(task.file, page, box=box)))
    decoded = task.read()
    return OpenPicture(task, windows.scan.whole(decoded.image), (decoded.sha256, decoded.bytes))


def patch_thumbnail(patch: Image.Image) -> tuple[bytes, int, int]:
    """A JPEG of a patch with its width and height, never larger than those of pictures."""
    return thumbnail(patch, THUMBNAIL)


def read_part(task: Task, box: PixelBox) -> Decoded:
    """A part of the picture of a task, (left, top, right, bottom) in its upright pixels, read by windows where its
    format allows it. Its SHA-256 follows from that of the whole and the box. BadImage."""
    picture = opened(task)
    check_box(box, picture.scan.size)
    part = picture.scan.read(box, (box[2] - box[0], box[3] - box[1]))
    sha256, length = picture.fingerprint()
    return Decoded(part, part_fingerprint(sha256, box), length)


def part_fingerprint(sha256: str, box: PixelBox) -> str:
    """What a part is known by, given what its picture is known by."""
    return hashlib.sha256(f"{sha256} xywh={','.join(map(str, box))}".encode()).hexdigest()


def _page(task: Task) -> int | None:
    """Which page of its file a picture is, or is a part of; None for other pictures."""
    part = named_box(task.name)
    page = named_page(part[0] if part else task.name) if task.read is not None else None
    return page[1] if page and os.path.isfile(task.file) else None


def _box(task: Task) -> PixelBox | None:
    """Which part of a file, or of a page of it, a picture is; None for other pictures, and for parts of frames."""
    part = named_box(task.name) if task.read is not None and not task.in_order else None
    return part[1] if part and os.path.isfile(task.file) else None


def _fingerprint(task: Task) -> tuple[str, int]:
    """SHA-256 and length in bytes of a task's file, as the loader has them of a picture or of a page, and `read_part`
    of a part."""
    page, box = _page(task), _box(task)
    if page is not None:
        with pages.opened(task.file) as document:
            sha256, length = document.fingerprint(page), document.length
    else:
        try:
            with open(task.file, "rb") as file:
                sha256, length = hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
        except OSError as error:
            raise BadImage(f"The file could not be read: {error.strerror or error}.") from error
    return (sha256 if box is None else part_fingerprint(sha256, box)), length


def _size_of(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
