"""What has become of a collection's files since they were read: moved, changed, gone, new, the same picture twice.

A file that lies elsewhere with the very same content has moved: its image keeps its id, its features and its tags. One
whose time stamp alone is new is not read again. Files that are gone stay in the collection until they are pruned.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.files import find
from ingest.metadata import chosen_collection
from ingest.task import Task
from ingest.vision import pages
from ingest.vision.loader import BadImage
from ingest.vision.paths import file_and_part, named_box, named_page, page_name, raw_name
from store import read, removals, write
from store.connection import reading, writing
from store.records import StoredImage

StoredImages = Mapping[str, StoredImage]  # by name, as `store.read.known` gives it
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], object]]]
SLACK = 1e-3  # seconds by which time stamps may differ through rounding
FIRST_PAGE = page_name("", 1)


@dataclass(frozen=True)
class Moves:
    """What can be known without reading pictures again: `moved` maps old names to new ones, `touched` names to the new
    time stamps of files with the old content, `fingerprints` new names to what pictures are known by from now on."""

    moved: dict[str, str] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """A collection beside its folder, names in the folder's order. `here` is False where the folder itself is not
    there, as on a disk that is not attached; then nothing is said of single files."""

    here: bool
    gone: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    duplicates: list[list[str]] = field(default_factory=list)


def same_file(held: StoredImage | None, bytes: int, modified: float) -> bool:
    """Whether a stored picture was read from a file of this length and time stamp."""
    return held is not None and held.bytes == bytes and abs((held.modified or 0) - modified) < SLACK


def find_moves(known: StoredImages, tasks: Iterable[Task], folder: Path, progress: Progress) -> Moves:
    """Which of a folder's tasks are stored pictures under another name, or with another time stamp alone.

    Only files are read whose length is that of a stored picture which is no longer where it was, or is younger; the
    bar that `progress` makes (as `Report.progress`) tells how far that is. What an older version kept as one picture is
    now the first page of its file.
    """
    tasks = [task for task in tasks if not task.in_order]
    listed = {task.name for task in tasks}
    younger = [
        task
        for task in tasks
        if (held := known.get(task.name))
        and held.bytes == task.bytes
        and not same_file(held, task.bytes, task.modified)
    ]
    fresh = [task for task in tasks if task.name not in known]
    lengths = {task.bytes for task in fresh}
    lost = [name for name in known if name not in listed and known[name].bytes in lengths and not _exists(folder, name)]
    lengths = {known[name].bytes for name in lost}
    fresh = [task for task in fresh if task.bytes in lengths]
    fingerprints = _fingerprints([*younger, *fresh], progress)
    touched = {task.name: task.modified for task in younger if fingerprints.get(task.name) == known[task.name].sha256}
    first = first_pages(known, tasks)
    return Moves(_paired(known, lost, fresh, fingerprints) | first.moved, touched, first.fingerprints)


def apply(con: Any, collection_id: int, moves: Moves, tasks: Iterable[Task]) -> None:
    """Write down the moves, time stamps as the files have them now, and that the pages of these files are counted."""
    write.rename_images(con, collection_id, moves.moved)
    write.mark_images(con, collection_id, moves.fingerprints)
    times = {task.name: task.modified for task in tasks}
    write.set_counted(con, collection_id, times)
    write.touch_images(con, collection_id, moves.touched | {new: times[new] for new in moves.moved.values()})


def compare(source: str | None, known: StoredImages, failures: Iterable[str] = ()) -> State:
    """A collection's pictures beside the files of its folder as they are now. Reads no picture; opens only files with
    pages that have changed. Pictures from the web are not looked up: they count as there."""
    twice = _duplicates(known)
    local = {name: held for name, held in known.items() if "://" not in name}
    if not source or "://" in source or (known and not local):
        return State(True, duplicates=twice)
    folder = Path(source)
    if not folder.is_dir():
        return State(False, duplicates=twice)
    gone, changed = gone_and_changed(folder, local)
    if all(named_box(name) for name in local):  # parts of pictures: the other files are another collection's
        return State(True, gone, changed, [], twice)
    held = {_file_of(folder, name) for name in local}
    return State(True, gone, changed, _new(folder, {*held, *failures}), twice)


def gone_and_changed(folder: Path, known: StoredImages) -> tuple[list[str], list[str]]:
    """The pictures of a folder whose files are gone, or no longer have such a page, and those whose files are others
    than were read."""
    gone, changed = [], []
    counts: dict[str, int | None] = {}
    stats: dict[str, os.stat_result | None] = {}
    for name, held in known.items():
        file = _file_of(folder, name)
        if file not in stats:
            stats[file] = _stat(folder, file)
        found = stats[file]
        if found is None:
            gone.append(name)
        elif not same_file(held, found.st_size, found.st_mtime):
            if file not in counts:
                counts[file] = _count(folder / raw_name(file))
            (changed if _is_page_of(name, counts[file]) else gone).append(name)
    return gone, changed


def prune(db: Path, collection: str | None, sure: bool = False) -> dict[str, Any]:
    """Forget the pictures of a collection whose files are gone, with all that hangs on them, what is known of pictures
    that were removed on a page, and the failures of files that are gone. Returns
    what `--json` prints. SourceError as `prunable`."""
    row, known, gone = prunable(db, collection, sure)
    folder = Path(row["source"] or ".")
    with writing(db) as con:
        # A layout that failed is no file.
        failed = [one["path"] for one in read.failures(con, row["name"]).to_pylist() if one["stage"] != "project"]
        past = [path for path in failed if "://" not in path and not _exists(folder, path)]
        write.delete_images(con, [known[name].image_id for name in gone])
        write.clear_failures(con, row["collection_id"], [*gone, *past])
        removed = removals.prune(con, row["collection_id"])
    left = len(known) - len(gone)
    found = {"db": str(db), "collection": row["name"], "pruned": gone, "removed": removed}
    return found | {"failures": len(past), "left": left}


def prunable(db: Path, collection: str | None, sure: bool = False) -> tuple[dict[str, Any], StoredImages, list[str]]:
    """A collection's row, its pictures, and the names of those whose files are gone.

    SourceError where the folder is not there or, unless one is `sure`, none of its files: a disk that is not attached
    is no reason to forget anything.
    """
    with reading(db) as con:
        row = chosen_collection(con, collection)
        known = read.known(con, row["collection_id"])
    local = {name: held for name, held in known.items() if "://" not in name}
    if not local or not row["source"]:
        return row, known, []
    if not Path(row["source"]).is_dir():
        raise SourceError(
            f"the folder {row['source']} of the collection {row['name']!r} is not there: attach its disk, or say where "
            f"it is now with: python -m ingest run FOLDER --collection {row['name']!r}"
        )
    gone, _ = gone_and_changed(Path(row["source"]), local)
    if len(gone) == len(local) and not sure:
        raise SourceError(
            f"none of the files of the collection {row['name']!r} is in {row['source']}: is the disk attached? "
            "Nothing was forgotten"
        )
    return row, known, gone


def _paired(known: StoredImages, lost: list[str], fresh: list[Task], fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Old names to new ones, by content; of several files with one content those with the same file name first."""
    by_fingerprint: dict[str, list[str]] = defaultdict(list)
    for task in fresh:
        if task.name in fingerprints:
            by_fingerprint[fingerprints[task.name]].append(task.name)
    moved = {}
    for name in lost:
        candidates = by_fingerprint.get(known[name].sha256, [])
        if candidates:
            last = name.rpartition("/")[2]
            new = next((each for each in candidates if each.rpartition("/")[2] == last), candidates[0])
            candidates.remove(new)
            moved[name] = new
    return moved


def first_pages(known: StoredImages, tasks: list[Task]) -> Moves:
    """Files that an older version kept as one picture become the first of their pages."""
    first = {file_and_part(task.name)[0]: task for task in tasks if task.name.endswith(FIRST_PAGE)}
    moved = {
        name: first[name].name
        for name, held in known.items()
        if not held.counted and name in first and same_file(held, first[name].bytes, first[name].modified)
    }
    return Moves(moved, fingerprints={new: pages.fingerprint(known[old].sha256, 1) for old, new in moved.items()})


def _fingerprints(tasks: list[Task], progress: Progress) -> dict[str, str]:
    """What the pictures of these tasks are known by, by their files alone; those that cannot be read are left out."""
    files = list(dict.fromkeys(task.file for task in tasks))
    found: dict[Path, str | None] = {}
    with ThreadPoolExecutor(4, thread_name_prefix="compare") as pool, progress(len(files), "comparing") as advance:
        for file, sha256 in zip(files, pool.map(_sha256, files), strict=True):
            found[file] = sha256
            advance(1)
    fingerprints = {}
    for task in tasks:
        part = file_and_part(task.name)[1] if task.read else ""
        if sha256 := found[task.file]:
            page = named_page(f"x{part}") if part else None
            fingerprints[task.name] = pages.fingerprint(sha256, page[1]) if page else sha256
    return fingerprints


def _sha256(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _exists(folder: Path, name: str) -> bool:
    return os.path.lexists(folder / raw_name(name)) or os.path.lexists(folder / raw_name(file_and_part(name)[0]))


def _file_of(folder: Path, name: str) -> str:
    """The file that a picture lies in, as a name; it may itself be called like a page."""
    file, part = file_and_part(name)
    return name if part and os.path.lexists(folder / raw_name(name)) else file


def _stat(folder: Path, file: str) -> os.stat_result | None:
    try:
        return os.stat(folder / raw_name(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # it is there, and cannot be looked at now
        return os.lstat(folder / raw_name(file)) if os.path.lexists(folder / raw_name(file)) else None


def _count(path: Path) -> int | None:
    """How many pages a file has; None if it cannot be read, which is no sign that any is gone."""
    if not pages.may_have_pages(path):
        return 1
    try:
        with pages.opened(path) as document:
            return len(document)
    except BadImage:
        return None


def _is_page_of(name: str, count: int | None) -> bool:
    """Whether a file of so many pages has a picture of this name."""
    page = named_page(name)
    if count is None:
        return True
    if page is None:
        return count == 1 or file_and_part(name)[1] != ""
    return 1 < count >= page[1]


def _new(folder: Path, held: set[str]) -> list[str]:
    try:
        return [file.name for file in find(folder).files if file.name not in held]
    except SourceError:
        return []


def _duplicates(known: StoredImages) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, held in known.items():
        if not file_and_part(name)[1].startswith("#t="):  # in films pictures stand still
            groups[held.sha256].append(name)
    return [names for names in groups.values() if len(names) > 1]
