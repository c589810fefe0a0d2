"""The pictures below an address that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ingest.pipeline import Task
from ingest.sources.folder import PICTURE_SUFFIXES, SourceError, natural_key, printable, raw_name
from ingest.vision.loader import MAX_BYTES, BadImage, Decoded, decode

_ADDRESS = re.compile(r"(?!https?://)[A-Za-z][A-Za-z0-9+.-]*://")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")  # as the systems call it
_TABLES = re.compile(r"metadata\.(csv|tsv|xlsx|json|jsonl|parquet)")
_MANY_PAGES = (".pdf", ".tif", ".tiff")


@dataclass(frozen=True)
class Stored:
    """The pictures below an address in natural order of their names, how many other files there are, and what is to be
    said."""

    tasks: list[Task]
    left_out: int
    lines: list[str]


def is_stored(source: str | Path) -> bool:
    """Whether a source is such an address; those of the web (https://…) are not."""
    return _ADDRESS.match(str(source)) is not None


def stored_tasks(address: str, limit: int | None = None) -> Stored:
    """Every picture below an address, told by its suffix; nothing is read yet. Hidden files do not count.

    SourceError for a kind of address that needs another package, one that does not answer, or no picture.
    """
    system, root = _opened(address)
    try:
        listed = system.find(root, detail=True)
    except Exception as error:  # each system has errors of its own
        raise SourceError(f"{address} could not be listed: {type(error).__name__}: {error}") from error
    below = {path[len(root) :].lstrip("/"): info for path, info in listed.items() if path != root}
    seen = {name: info for name, info in below.items() if not any(part.startswith(".") for part in name.split("/"))}
    pictures = sorted((name for name in seen if _suffix(name) in PICTURE_SUFFIXES), key=natural_key)
    if not pictures:
        raise SourceError(f"There are no pictures below {address} ({len(seen)} other files).")
    lines = [
        f"{name} lies there too: to describe the pictures with it, fetch it and name it with --metadata"
        for name in seen
        if _TABLES.fullmatch(name)
    ]
    if any(_suffix(name) in _MANY_PAGES for name in pictures[:limit]):
        lines.append("of PDF and TIFF files at an address the first page is read")
    tasks = [stored_task(address, printable(name), seen[name]["size"] or 0, _time(seen[name])) for name in pictures]
    return Stored(tasks[:limit], len(seen) - len(pictures), lines)


def stored_task(address: str, name: str, bytes: int, modified: float) -> Task:
    """The picture called `name` in the collection that was made from an address."""
    path = f"{address.rstrip('/')}/{raw_name(name)}"
    return Task(Path(name), name, bytes, modified, {}, read=partial(_read, path))


def _read(path: str) -> Decoded:
    system, inside = _opened(path)
    try:
        if (system.info(inside).get("size") or 0) > MAX_BYTES:
            raise BadImage(f"The file has more than the {MAX_BYTES >> 30} GiB that are read.")
        content = system.cat_file(inside)
    except FileNotFoundError:
        raise BadImage("There is no such file.") from None
    except PermissionError:
        raise BadImage("There is no permission to read this file.") from None
    return decode(content)


def _opened(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(address)
    except ImportError as error:
        raise SourceError(f"{address} cannot be read yet: {error}") from error
    except ValueError as error:
        raise SourceError(f"{address} is no address that can be read: {error}") from error
    return system, root.rstrip("/")


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _time(info: dict[str, Any]) -> float:
    """Seconds since 1970, 0 where the system does not tell."""
    found = next((info[name] for name in _TIMES if info.get(name) is not None), 0.0)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return 0.0
    return found.timestamp() if isinstance(found, datetime) else float(found)
