"""Files with many pages: PDF and TIFF. They are read page by page, whatever their length.

Pages count from 1. A PDF's page is drawn on white, its long side SIDE pixels, or less where the page is small. Not all
that a TIFF holds is a page: see `ingest.vision.tiff.pages`.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import stat
import threading
import time
from abc import ABC, abstractmethod
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ingest.vision import tiff, uncommon
from ingest.vision.bad_image import BadImage, TooLarge
from ingest.vision.opening import MAX_PIXELS, check_size, else_uncommon, open_picture, readable_errors, upright
from ingest.vision.signatures import HEAD, is_pdf

SIDE = 2000  # pixels of the long side of a PDF's page
DENSEST = 600 / 72  # pixels per point: a small page is not enlarged beyond 600 dots per inch
PATIENCE = 60.0  # seconds for one page of a PDF
LEAST = 8  # bytes that a page takes in a PDF, however well it is packed

_pdfium = threading.RLock()  # the library may only be used by one thread at a time
_PASSWORD = 4  # pdfium's number for it


class Document(ABC):
    """An open file with pages. Any thread may ask for any page; they are read one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def __enter__(self) -> Document:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @abstractmethod
    def __len__(self) -> int: ...

    def close(self) -> None:
        self._file.close()

    def picture(self, page: int, pixels: int = MAX_PIXELS) -> Image.Image:
        """The upright RGB picture of a page; BadImage if it cannot be read or there is no such page."""
        with self._lock, readable_errors():
            if not 1 <= page <= len(self):
                raise BadImage(f"There is no page {page}: the file has {len(self)}.")
            return self._picture(page, pixels)

    @cached_property
    def length(self) -> int:
        """Of the whole file, in bytes."""
        with self._lock:
            return self._file.seek(0, io.SEEK_END)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the whole file, hexadecimal."""
        with self._lock:
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256")  # pyrefly: ignore[no-matching-overload]  (BinaryIO's stub)
            return digest.hexdigest()

    def fingerprint(self, page: int) -> str:
        """What a page is known by; a file's only page by the SHA-256 of the file."""
        return self.sha256 if len(self) == 1 else fingerprint(self.sha256, page)

    @abstractmethod
    def _picture(self, page: int, pixels: int) -> Image.Image: ...


class _Pdf(Document):
    def __init__(self, file: BinaryIO) -> None:
        import pypdfium2

        super().__init__(file)
        with _pdfium:
            try:
                self._pdf = pypdfium2.PdfDocument(file)
            except pypdfium2.PdfiumError as error:
                if getattr(error, "err_code", None) == _PASSWORD:
                    raise BadImage("This PDF asks for a password: save a copy without one.") from None
                raise BadImage("The file begins as PDF, but the rest is damaged or cut short.") from None
            self._count = len(self._pdf)
            lies = self._count * LEAST > file.seek(0, io.SEEK_END) and not self._has_last()
        if lies or not self._count:
            self.close()
            raise BadImage("The PDF names more pages than it has." if lies else "The PDF has no pages.")

    def __len__(self) -> int:
        return self._count

    def _has_last(self) -> bool:
        import pypdfium2

        try:
            self._pdf[self._count - 1].close()
        except pypdfium2.PdfiumError:
            return False
        return True

    def close(self) -> None:
        with _pdfium:
            self._pdf.close()
        super().close()

    def _picture(self, page: int, pixels: int) -> Image.Image:
        with _pdfium:
            sheet = self._pdf[page - 1]
            try:
                return _drawn(sheet, pixels)
            finally:
                sheet.close()


class _Tiff(Document):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        with readable_errors():
            try:
                self._image = _as_tiff(open_picture(file))
                self._places = tiff.pages(self._image, others=lambda: uncommon.tiff_places(file))
            except TooLarge:
                raise
            except BadImage as error:
                self._image, self._places = None, _places(file)
                if not self._places:
                    raise error

    def __len__(self) -> int:
        return len(self._places)

    def _picture(self, page: int, pixels: int) -> Image.Image:
        place = self._places[page - 1]

        def usual() -> Image.Image:
            if self._image is None:
                raise BadImage("The file begins as TIFF, but the rest is damaged or cut short.")
            self._image.seek(place)
            check_size(self._image.size, pixels)
            tiff.set_right(self._image)
            return upright(self._image)

        return else_uncommon(usual, lambda: uncommon.tiff_page(self._file, place, partial(check_size, pixels=pixels)))


def _as_tiff(image: Image.Image) -> TiffImageFile:
    if not isinstance(image, TiffImageFile):
        raise BadImage("The file begins as TIFF, but is something else.")
    return image


def _places(file: BinaryIO) -> list[int]:
    try:
        return uncommon.tiff_places(file)
    except Exception:  # no TIFF, or one that nobody can read
        return []


def opened(source: bytes | Path | BinaryIO) -> Document:
    """A PDF or a TIFF, open to be read page by page; an open file closes with it. BadImage for all else and for what
    cannot be read."""
    file = io.BytesIO(source) if isinstance(source, bytes) else _open(source) if isinstance(source, Path) else source
    try:
        head = file.read(HEAD)
        file.seek(0)
        return (_Pdf if is_pdf(head) else _Tiff)(file)
    except BaseException:
        file.close()
        raise


def fingerprint(sha256: str, page: int) -> str:
    """What one of many pages is known by: the SHA-256 of that of its file and its number."""
    return hashlib.sha256(f"{sha256} {page}".encode()).hexdigest()


def may_have_pages(path: Path) -> bool:
    """Whether a file is of a kind that can have many pages, by its first bytes. False for what cannot be read."""
    try:
        with _open(path) as file:
            head = file.read(HEAD)
    except BadImage:
        return False
    return is_pdf(head) or head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))


def count(path: Path) -> int:
    """How many pages a file has; 1 for what is no PDF or TIFF, or cannot be read: `loader.decode` then says why."""
    if not may_have_pages(path):
        return 1
    try:
        with opened(path) as document:
            return len(document)
    except BadImage:
        return 1


def _open(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # asked before opening: a pipe would block for ever
            raise BadImage("This is a folder, a pipe or a device, not a file.")
        return open(path, "rb")
    except FileNotFoundError:
        raise BadImage("There is no such file.") from None
    except PermissionError:
        raise BadImage("There is no permission to read this file.") from None
    except (OSError, ValueError) as error:
        raise BadImage(f"The file could not be read: {getattr(error, 'strerror', None) or error}.") from error


def _drawn(sheet: Any, pixels: int) -> Image.Image:
    """A page of a PDF on white. pdfium is asked to pause now and then, so that no page takes more than PATIENCE."""
    import pypdfium2
    from pypdfium2 import raw

    points = sheet.get_size()
    if not (min(points) > 0 and max(points) < 1e9):
        raise BadImage("The page of the PDF has no size.")
    scale = min(SIDE / max(points), DENSEST)
    width, height = (max(1, round(edge * scale)) for edge in points)
    check_size((width, height), pixels)
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGRx)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        until = time.monotonic() + PATIENCE
        pause = raw.IFSDK_PAUSE(version=1)
        asked = type(pause.NeedToPauseNow)(lambda _: time.monotonic() > until)
        pause.NeedToPauseNow = asked
        state = raw.FPDF_RenderPageBitmap_Start(
            bitmap, sheet, 0, 0, width, height, 0, raw.FPDF_ANNOT, ctypes.byref(pause)
        )
        raw.FPDF_RenderPage_Close(sheet)
        if state == raw.FPDF_RENDER_TOBECONTINUED:
            raise BadImage(f"To draw this page of the PDF takes more than {PATIENCE:.0f} seconds.")
        if state != raw.FPDF_RENDER_DONE:
            raise BadImage("The page of the PDF is damaged.")
        return bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
