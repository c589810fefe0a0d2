"""The frames of a film as pictures: which moments, what each frame is called, and the one who reads them in order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from ingest.files import FILM_SUFFIXES, SOUND_SUFFIXES
from ingest.metadata import Joined, join
from ingest.report import Report
from ingest.sources.listing import Listing, list_tasks
from ingest.sources.request import Request
from ingest.task import Task
from ingest.vision.film import BadFilm, Film, FrameReader, frame_name, named_frame, scan_film, timecode
from ingest.vision.loader import Decoded
from ingest.vision.paths import printable
from ingest.vision.signatures import HEAD, film_format
from store.counts import counted

EVERY = 1.0  # seconds between the frames that are taken, unless the user says otherwise
OF_A_FRAME = ("title", "film", "seconds", "timecode")


def is_film(source: str | Path) -> bool:
    """Whether a source is a film, or a recording that one may take for a film: a file, by its suffix, or by its first
    bytes whatever it is called."""
    path = Path(source).expanduser()
    if not path.is_file():
        return False
    if path.suffix.lower() in FILM_SUFFIXES | SOUND_SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            return film_format(file.read(HEAD)) is not None
    except OSError:
        return False


def _frames_to_process(moments: int, frames: int) -> str:
    """Slides stand longer than a step, so that more moments are looked at than there are frames."""
    if moments > frames:
        return f"{counted(frames, 'frame')} to process, at {counted(moments, 'moment')}"
    return f"{moments:,} of {frames:,} to process"


def list_film(db: Path, request: Request, report: Report) -> Listing:
    """Frames of a film at equal steps, EVERY so many seconds unless the request says otherwise."""
    path = Path(request.address).expanduser().resolve()
    film, tasks = film_tasks(path, request.options.get("every", EVERY), request.limit)
    frames = len(tasks) - bool(film.complaint)
    report.log(
        f"{path.name}: {film.width} × {film.height} pixels, {timecode(film.seconds)} long, "
        f"{float(film.fps):.5g} frames a second, {_frames_to_process(frames, len(film.times))}"
    )
    return list_tasks(db, request, report, tasks, path.stem, path.parent, path.name, _joined)


def film_tasks(path: Path, every: float, limit: int | None = None) -> tuple[Film, list[Task]]:
    """The film, and a task for each of its moments, or the first `limit`; where it is damaged, one more that fails
    and says so. BadFilm if nothing of it can be seen."""
    film = scan_film(path)
    found = path.stat()
    reading, name = _Reading(path, film), printable(path.name)
    task = partial(Task, path, bytes=found.st_size, modified=found.st_mtime, in_order=True)
    tasks = [
        task(frame_name(name, at), metadata=_described(name, at), read=partial(reading.frame, at))
        for at in film.moments(every)[:limit]
    ]
    if film.complaint:
        tasks.append(task(name, read=partial(_complain, film.complaint)))
    return film, tasks


def frames_again(tasks: Iterable[Task]) -> list[Task]:
    """Of the tasks of stored pictures those named as frames, made to read from their films, each in the film's
    order."""
    readings: dict[str, _Reading] = {}
    frames = []
    for task in tasks:
        found = named_frame(str(task.file))
        if found is None or os.path.lexists(task.file):
            continue
        path, at = found
        reading = readings.setdefault(path, _Reading(Path(path)))
        frames.append((path, at, replace(task, file=reading.path, read=partial(reading.frame, at), in_order=True)))
    return [task for *_, task in sorted(frames, key=lambda frame: frame[:2])]


def _joined(request: Request, tasks: list[Task]) -> Joined | None:
    """The user's table of a film, whose row is that of every frame; what a frame says of itself is not the table's."""
    if not request.table:
        return None
    film = Path(request.address).expanduser().resolve().name
    table = Path(request.table).expanduser()
    found = join(table, [film], request.file_column, request.table_options)
    row = {key: cell for key, cell in found.rows[film].items() if key not in OF_A_FRAME}
    return replace(found, rows=dict.fromkeys((task.name for task in tasks), row), pictures=len(tasks))


def _described(name: str, at: float) -> dict[str, str | float]:
    stem = name.rpartition(".")[0] or name
    return {"title": f"{stem} {timecode(at)}", "film": name, "seconds": at, "timecode": timecode(at)}


def _complain(complaint: str) -> Decoded:
    raise BadFilm(complaint)


class _Reading:
    """A film that is opened when its first frame is asked for, and read on from frame to frame."""

    def __init__(self, path: Path, film: Film | None = None) -> None:
        self.path, self._film = path, film

    @cached_property
    def _frame_reader(self) -> FrameReader:
        return FrameReader(self.path, self._film or scan_film(self.path))

    @cached_property
    def _bytes(self) -> int:
        return self.path.stat().st_size

    def frame(self, at: float) -> Decoded:
        picture = self._frame_reader.at(at)
        digest = hashlib.sha256(b"%d %d " % picture.size + picture.tobytes())
        return Decoded(picture, digest.hexdigest(), self._bytes)
