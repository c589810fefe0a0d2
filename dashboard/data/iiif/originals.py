"""Where the original of an image lies, and what it is known by: a file that was replaced is another one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.data.cache.memory import cache_token
from dashboard.data.iiif.parameters import ImageError
from ingest.vision import originals
from ingest.vision.bad_image import BadImage
from store import connection, read
from store.manifest import is_web

MOVED = "The original file is not where it was when it was read in."


@dataclass(frozen=True)
class Original:
    """A picture of a database: its size (width, height) in pixels as it was read in, and either the `service` that
    another institution has for it, or the `places` where its file may lie, the first that exist, with a `version` that
    changes whenever the file does."""

    size: tuple[int, int]
    service: str | None
    places: tuple[originals.Place, ...]
    version: str


def original(path: Path, image_id: int) -> Original:
    """The original of an image of this database. ImageError 404 if there is no such image or its file is gone; raises
    the StoreErrors of opening a database."""
    row = _row(path, cache_token(path), image_id) if 0 <= image_id < 2**63 else None
    if row is None:
        raise ImageError(404, f"There is no picture {image_id} in this database.")
    size, service = (row["width"], row["height"]), _service(row["metadata"])
    if service:
        return Original(size, service, (), row["sha256"][:16])
    places, seen = [], [row["sha256"]]
    for source in _sources(path, cache_token(path)).get(row["collection"], []):
        try:
            place = originals.place_of(source, row["path"])
            found = place.file.stat()
        except (BadImage, OSError, ValueError):
            continue
        places.append(place)
        seen.append(f"{place.file} {found.st_mtime_ns} {found.st_size}")
    if not places:
        web = "://" in row["path"]
        raise ImageError(404, "The original lies on the web, without an image service." if web else MOVED)
    return Original(
        size, None, tuple(places), hashlib.sha256("\n".join(seen).encode(errors="replace")).hexdigest()[:16]
    )


def _service(metadata: dict[str, Any]) -> str | None:
    """The image service of the institution that the picture came from, where that shows this very picture."""
    service = metadata.get("iiif_service")
    if metadata.get("iiif_region") or metadata.get("iiif_rotation"):
        return None
    return service.rstrip("/") if is_web(service) else None


@lru_cache(maxsize=1024)
def _row(path: Path, token: str, image_id: int) -> dict[str, Any] | None:
    with connection.reading(path, wait=2.0) as con:
        found = read.images(con, ids=[image_id]).to_pylist()
    return found[0] | {"metadata": json.loads(found[0]["metadata"] or "{}")} if found else None


@lru_cache(maxsize=16)
def _sources(path: Path, token: str) -> dict[str, list[str]]:
    with connection.reading(path, wait=2.0) as con:
        rows = read.collections(con).to_pylist()
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["source"]:
            found.setdefault(row["name"], []).append(row["source"])
    return found
