"""The pages of PDF and TIFF files as pictures: how many there are, what each is called, and the one who reads them."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from ingest.changes import StoredImages, same_file
from ingest.files import SourceFile
from ingest.task import Task
from ingest.vision import pages
from ingest.vision.loader import Decoded
from ingest.vision.paths import named_page, page_name

Place = TypeVar("Place")  # where a document lies


def page_tasks(
    whole: Task, count: int, cache: DocumentCache[Place], place: Place, first_only: bool = False
) -> list[Task]:
    """A task for each of the `count` pages of the file that lies at `place`, or for the first; for a file of one page
    its own task, `whole`."""
    if count == 1:
        return [whole]
    numbers = range(1, 2 if first_only else count + 1)
    return [
        replace(
            whole,
            name=page_name(whole.name, page),
            metadata=_described(whole.name, page, count),
            read=partial(cache.page, place, page),
        )
        for page in numbers
    ]


def listed(files: Iterable[SourceFile], known: StoredImages, first_only: bool, limit: int | None) -> list[Task]:
    """The tasks of a folder's files, page by page, or the first `limit` of them.

    A file that the collection holds as one picture (`known`, as `store.read.known` gives it) and that has not changed
    is not opened to count its pages, unless nobody has counted them yet.
    """
    tasks: list[Task] = []
    cache = DocumentCache[Path](pages.opened)
    for file in files:
        if limit is not None and len(tasks) >= limit:
            break
        present = known.get(file.name)
        whole = Task(file.path, file.name, file.bytes, file.modified)
        if present is not None and present.counted and same_file(present, file.bytes, file.modified):
            tasks.append(whole)
        else:
            tasks += page_tasks(whole, pages.count(file.path), cache, file.path, first_only)
    return tasks[:limit]


def with_pages(tasks: Iterable[Task]) -> list[Task]:
    """The tasks of stored pictures, those named as pages made to read from their files."""
    cache = DocumentCache[Path](pages.opened)
    found = []
    for task in tasks:
        page = named_page(str(task.file)) if task.read is None else None
        if page and not os.path.lexists(task.file):
            path = Path(page[0])
            task = replace(task, file=path, read=partial(cache.page, path, page[1]))
        found.append(task)
    return found


def _described(name: str, page: int, count: int) -> dict[str, str | int]:
    stem = name.rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    return {"title": f"{stem}, page {page}", "document": name, "page": page, "pages": count}


class DocumentCache(Generic[Place]):
    """The documents that are being read: `opened` when a page is asked for, the longest unused closed again."""

    def __init__(self, opened: Callable[[Place], pages.Document], room: int = 8) -> None:
        self.opened, self.room = opened, room
        self.lock = threading.Lock()
        self.documents: dict[Place, pages.Document] = {}
        self.readers: Counter[Place] = Counter()

    def __reduce__(self) -> tuple[type[DocumentCache], tuple[Callable, int]]:
        return DocumentCache, (self.opened, self.room)  # open documents do not travel to other processes

    def page(self, path: Place, number: int) -> Decoded:
        document = self._taken(path)
        try:
            return Decoded(document.picture(number), document.fingerprint(number), document.length)
        finally:
            self._put_back(path)

    def _taken(self, path: Place) -> pages.Document:
        with self.lock:
            document = self.documents.pop(path, None) or self.opened(path)
            self.documents[path] = document  # the last is the one that was used last
            self.readers[path] += 1
            return document

    def _put_back(self, path: Place) -> None:
        with self.lock:
            self.readers[path] -= 1
            unused = [each for each in self.documents if not self.readers[each]]
            for each in unused[: max(0, len(self.documents) - self.room)]:
                self.documents.pop(each).close()
                del self.readers[each]
