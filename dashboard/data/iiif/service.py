"""The answers of the image service: info.json, and parts of pictures, which are kept for a while."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Generic, TypeVar

from PIL import Image

from dashboard.data.iiif.originals import MOVED, Original, original
from dashboard.data.iiif.parameters import FORMATS, MAX_AREA, MAX_SIDE, ImageError, Parameters, fits, parse
from ingest.vision import windows
from ingest.vision.bad_image import BadImage

CONTEXT = "http://iiif.io/api/image/3/context.json"
PROFILE = "http://iiif.io/api/image/3/level2.json"
TILE = 512  # pixels of a side
TILES = 64 * 2**20  # bytes of encoded parts that are kept
PIXELS = 384 * 2**20  # bytes of decoded pictures that are kept
FILES = 8  # open ones
AT_ONCE = 2  # decodings: each takes memory and a core
PATIENCE = 60.0  # seconds that a request waits for its turn

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
T = TypeVar("T")


@dataclass(frozen=True)
class ImageResponse:
    """A part of a picture as a file, with its media type, its canonical words, and a tag that changes when the picture
    does. `data` is None where the asker has it by this tag."""

    data: bytes | None
    kind: str
    canonical: str
    tag: str


def info(path: Path, image_id: int, address: str) -> dict[str, Any]:
    """The info.json of an image, whose service is at `address`. ImageError; 303 with the address of another
    institution's info.json in place of a sentence."""
    found = original(path, image_id)
    if found.service:
        raise ImageError(303, f"{found.service}/info.json")
    width, height = found.size
    factors = scale_factors(found.size)
    smaller = [(ceil(width / factor), ceil(height / factor)) for factor in factors]
    return {
        "@context": CONTEXT,
        "id": address,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": width,
        "height": height,
        "maxWidth": MAX_SIDE,
        "maxHeight": MAX_SIDE,
        "maxArea": MAX_AREA,
        "sizes": [{"width": w, "height": h} for w, h in reversed(smaller) if fits((w, h))],
        "tiles": [{"width": TILE, "height": TILE, "scaleFactors": factors}],
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": ["mirroring", "regionSquare", "sizeUpscaling", "canonicalLinkHeader", "profileLinkHeader"],
    }


def tiles(path: Path, image_id: int, address: str) -> dict[str, Any]:
    """Where a viewer gets the tiles of an image whose service is at `address`: `info`, an info.json, or the address of
    another institution's, with the `version` of the file; {} where there is no original."""
    try:
        found = original(path, image_id)
        given = f"{found.service}/info.json" if found.service else info(path, image_id, address)
    except ImageError:
        return {}
    return {"info": given, "version": found.version}


def scale_factors(size: tuple[int, int]) -> list[int]:
    """1, 2, 4 … until one tile holds the whole picture."""
    factors = [1]
    while max(size) > TILE * factors[-1]:
        factors.append(2 * factors[-1])
    return factors


def image(path: Path, image_id: int, words: tuple[str, str, str, str], known: str = "") -> ImageResponse:
    """The part of an image that the `words` region, size, rotation and quality.format ask for; `known` are the tags
    that the asker has. ImageError."""
    found = original(path, image_id)
    if found.service:
        raise ImageError(404, f"This picture is served by {found.service}.")
    asked = parse(*words, found.size)
    tag = hashlib.sha256(f"{found.version} {asked.canonical}".encode()).hexdigest()[:20]
    if f'"{tag}"' in known:
        return ImageResponse(None, FORMATS[asked.format], asked.canonical, tag)
    data = _tiles.get(tag, lambda: _made(found, asked))
    return ImageResponse(data, FORMATS[asked.format], asked.canonical, tag)


class BoundedCache(Generic[T]):
    """Things that take long to make, by their keys: at most `most` bytes of them and `count`, those used last; one that
    is larger is kept alone. Of those who ask for the same at once, one makes it and the others wait."""

    def __init__(self, weigh: Callable[[T], int], most: int, count: int):
        self._weigh, self._most, self._count = weigh, most, count
        self._known: OrderedDict[str, T] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """What is kept under the key, or else is made. Whatever `make` raises is not kept."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._known:
                    return self._known[key]
            try:
                made = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._known[key] = made
            self.trim()
            return made

    def trim(self) -> None:
        """Let go of what is too much."""
        with self._lock:
            while len(self._known) > 1 and (len(self._known) > self._count or self.bytes() > self._most):
                self._known.popitem(last=False)

    def bytes(self) -> int:
        """How much is kept."""
        return sum(map(self._weigh, self._known.values()))


_tiles: BoundedCache[bytes] = BoundedCache(len, TILES, 4096)
_scans: BoundedCache[windows.Scan] = BoundedCache(lambda scan: scan.bytes, PIXELS, FILES)
_turns = threading.BoundedSemaphore(AT_ONCE)


def part(path: Path, image_id: int, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    """The part `box` (left, top, right, bottom in pixels) of an original whose file is at hand, in RGB at `size`
    (width, height). ImageError where it is not, or is served by another institution; ValueError for a box outside."""
    found = original(path, image_id)
    if found.service:
        raise ImageError(404, f"This picture is served by {found.service}.")
    return _read(found, lambda scan: scan.read(box, size))


def _made(found: Original, asked: Parameters) -> bytes:
    return _read(found, lambda scan: _encoded(scan.read(asked.box, asked.size), asked))


def _read(found: Original, act: Callable[[windows.Scan], T]) -> T:
    """What is made of an original by a few at once."""
    if not _turns.acquire(timeout=PATIENCE):
        raise ImageError(503, "Too many pictures are being read just now: try again in a moment.")
    try:
        return act(_scans.get(found.version, lambda: _opened(found)))
    except BadImage as error:
        raise ImageError(404, str(error)) from error
    finally:
        _turns.release()
        _scans.trim()  # a scan may have grown


def _opened(found: Original) -> windows.Scan:
    """The first of the places that holds the picture that was read in. ImageError 404, BadImage."""
    problem: Exception | None = None
    for place in found.places:
        try:
            scan = windows.opened(place)
        except BadImage as error:
            problem = error
            continue
        if scan.size == found.size:
            return scan
    raise problem or ImageError(404, f"{MOVED} Another picture lies there now.")


def _encoded(picture: Image.Image, asked: Parameters) -> bytes:
    if asked.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if asked.degrees:
        picture = picture.transpose(_TURNS[asked.degrees])
    if asked.quality in ("gray", "bitonal"):
        picture = picture.convert("L")
    if asked.quality == "bitonal":
        picture = picture.point([0] * 128 + [255] * 128)
    file = io.BytesIO()
    if asked.format == "png":
        picture.save(file, "PNG", compress_level=3)
    else:
        picture.save(file, "JPEG", quality=88, subsampling=0)  # edges of colour stay edges at the scan's own pixels
    return file.getvalue()
