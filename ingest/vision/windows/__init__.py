"""Parts of a picture straight from its file, without decoding all of it: what a viewer needs to zoom into a scan.

`opened` gives a `Scan`, whose `read` returns any part at any size, in the colours and the orientation that
`ingest.vision.loader` gives. TIFFs are read by their tiles or strips and from the smaller copies that they hold, large
JPEG and JPEG 2000 files by windows. What cannot be read in parts with the right colours is decoded whole.
"""

from __future__ import annotations

import contextlib

from ingest.vision import originals
from ingest.vision.bad_image import BadImage, TooLarge
from ingest.vision.loader import check_file
from ingest.vision.originals import Place
from ingest.vision.signatures import HEAD
from ingest.vision.windows import raster, tiff
from ingest.vision.windows.scan import Scan, ScanPart, whole

__all__ = ["MAX_WHOLE", "BadImage", "Scan", "TooLarge", "opened"]

MAX_WHOLE = 128_000_000  # pixels of a picture that has to be decoded whole: 384 MB

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def opened(place: Place) -> Scan:
    """The picture that lies there, open to be read in parts. BadImage if it is gone, cannot be read, or has to be
    decoded whole and has more than MAX_WHOLE pixels (TooLarge)."""
    if place.box is not None:
        scan = opened(place.whole)
        originals.check_box(place.box, scan.size)
        return ScanPart(scan, place.box)
    return _in_parts(place) or whole(originals.read(place, MAX_WHOLE))


def _in_parts(place: Place) -> Scan | None:
    """The same of a file that can be read in parts; None for others, and for what only the loader understands."""
    if place.frame is not None:
        return None
    check_file(place.file)
    with open(place.file, "rb") as file:
        head = file.read(HEAD)
    with contextlib.suppress(Exception):  # whatever is wrong with the file, decoding it whole says so
        if head.startswith(_TIFF):
            return tiff.opened(place.file, place.page or 1)
        if head.startswith(raster.SIGNATURES):
            return raster.opened(place.file)
    return None
