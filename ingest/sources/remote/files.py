"""The pictures below an address that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …

Nothing is fetched as a whole that is not looked at: to count the pages of a PDF or TIFF only its index is read.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ingest.changes import StoredImages, same_file
from ingest.errors import SourceError
from ingest.files import PICTURE_SUFFIXES
from ingest.remote_files import opened
from ingest.sources.pages import DocumentCache, page_tasks
from ingest.tables.table import best_table
from ingest.task import Task
from ingest.vision import pages
from ingest.vision.loader import MAX_BYTES, BadImage, Decoded, decode
from ingest.vision.paths import named_page, natural_key, printable, raw_name
from store.counts import counted

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")  # as the systems call it
_MANY_PAGES = (".pdf", ".tif", ".tiff")
_AT_ONCE = 16  # documents whose pages are counted: far disks answer late
_BLOCK = 2**18  # bytes of its index that are fetched at a time
_ROOM = 4  # documents that are held open

Progress = Callable[[int, str], AbstractContextManager[Callable[[int], object]]]


@dataclass(frozen=True)
class Stored:
    """The pictures below an address in natural order of their names, how many other files there are, and the table that
    describes the pictures, its name below the address."""

    tasks: list[Task]
    left_out: int
    table: str | None = None


def stored_tasks(
    address: str,
    limit: int | None = None,
    known: StoredImages | None = None,
    first_only: bool = False,
    progress: Progress = lambda total, title: nullcontext(lambda number: None),
) -> Stored:
    """Every picture below an address, told by its suffix; of a PDF or TIFF each page. Hidden files do not count.

    A document that the collection holds as one picture (`known`) and that has not changed is not opened to count its
    pages. SourceError for a kind of address that needs another package, one that does not answer, or no picture.
    """
    system, root = opened(address)
    try:
        listed = system.find(root, detail=True)
    except Exception as error:  # each system has errors of its own
        raise SourceError(f"{address} could not be listed: {type(error).__name__}: {error}") from error
    below = {path[len(root) :].lstrip("/"): info for path, info in listed.items() if path != root}
    seen = {name: info for name, info in below.items() if not any(part.startswith(".") for part in name.split("/"))}
    pictures = sorted((name for name in seen if _suffix(name) in PICTURE_SUFFIXES), key=natural_key)
    if not pictures:
        raise SourceError(f"There are no pictures below {address} ({counted(len(seen), 'other file')}).")
    tasks = [_task(address, printable(name), seen[name]["size"] or 0, _time(seen[name])) for name in pictures[:limit]]
    table = best_table([name for name in seen if "/" not in name])
    tasks = _page_by_page(address, tasks, known or {}, first_only, progress)
    return Stored(tasks[:limit], len(seen) - len(pictures) - (table is not None), table)


def tasks_again(address: str, known: StoredImages) -> list[Task]:
    """The pictures that a collection holds which was made from an address, to be read again."""
    cache = _document_cache()
    tasks = []
    for name, present in known.items():
        task = _task(address, name, present.bytes, present.modified)
        page = named_page(name)
        if page and _suffix(page[0]) in _MANY_PAGES:
            task = replace(task, read=partial(cache.page, _path(address, page[0]), page[1]))
        tasks.append(task)
    return tasks


def _task(address: str, name: str, bytes: int, modified: float) -> Task:
    return Task(Path(name), name, bytes, modified, read=partial(_read, _path(address, name)))


def _page_by_page(
    address: str, tasks: list[Task], known: StoredImages, first_only: bool, progress: Progress
) -> list[Task]:
    """The tasks, in place of each document those of its pages."""

    def is_counted(task: Task) -> bool:
        present = known.get(task.name)
        return present is not None and present.counted and same_file(present, task.bytes, task.modified)

    documents = [task for task in tasks if _suffix(task.name) in _MANY_PAGES and not is_counted(task)]
    places = {task.name: _path(address, task.name) for task in documents}
    counts, cache = {}, _document_cache()
    with ThreadPoolExecutor(_AT_ONCE, "count") as pool, progress(len(places), "counting pages") as advance:
        for name, count in zip(places, pool.map(_count, places.values()), strict=True):
            counts[name] = count
            advance(1)
    return [
        page
        for task in tasks
        for page in page_tasks(task, counts.get(task.name, 1), cache, places.get(task.name, ""), first_only)
    ]


def _count(path: str) -> int:
    """How many pages a document has; 1 where it cannot be read: the one who reads it then says why."""
    system, inside = opened(path)
    try:
        with pages.opened(system.open(inside, "rb", block_size=_BLOCK, cache_type="blockcache")) as document:
            return len(document)
    except Exception:  # each system has errors of its own
        return 1


def _document(path: str) -> pages.Document:
    """A document to be read page by page, as a file that goes when it is closed."""
    system, inside = opened(path)
    here = TemporaryFile(prefix="bilderatlas-")  # noqa: SIM115 - the document closes it
    try:
        with _readable_errors(), system.open(inside, "rb") as there:
            shutil.copyfileobj(there, here, 2**23)
        here.seek(0)
        return pages.opened(here)
    except BaseException:
        here.close()
        raise


def _document_cache() -> DocumentCache[str]:
    return DocumentCache(_document, _ROOM)


def _read(path: str) -> Decoded:
    system, inside = opened(path)
    with _readable_errors():
        if (system.info(inside).get("size") or 0) > MAX_BYTES:
            raise BadImage(f"The file has more than the {MAX_BYTES >> 30} GiB that are read.")
        content = system.cat_file(inside)
    return decode(content)


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BadImage("There is no such file.") from None
    except PermissionError:
        raise BadImage("There is no permission to read this file.") from None


def _path(address: str, name: str) -> str:
    return f"{address.rstrip('/')}/{raw_name(name)}"


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
