"""The frames of a film as pictures: which moments, what each frame is called, and the one who reads them in order."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from ingest.files import FILM_SUFFIXES, SOUND_SUFFIXES
from ingest.task import Task
from ingest.vision.film import BadFilm, Film, Reel, frame_name, named_frame, survey, timecode
from ingest.vision.loader import Decoded
from ingest.vision.paths import printable
from ingest.vision.signatures import HEAD, film_format

EVERY = 1.0  # seconds between the frames that are taken, unless the user says otherwise

_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}


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


def parse_step(text: str) -> float:
    """Seconds, from how people write them: 0.5s, 2, 500ms, 1.5min, 1:00, 0:00:30; 0 is every frame. ValueError."""
    text = text.strip().lower().replace(",", ".")
    number, parts = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", text.split(":")
    if match := re.fullmatch(rf"({number})\s*({'|'.join(_UNITS)})?", text):
        seconds = float(match[1]) * _UNITS[match[2] or "s"]
    elif len(parts) in (2, 3) and all(part.isdigit() for part in parts[:-1]) and re.fullmatch(number, parts[-1]):
        seconds = sum(float(part) * 60**place for place, part in enumerate(reversed(parts)))
    else:
        raise ValueError(f"{text!r} is no length of time: write 0.5s, 500ms, 2 (seconds) or 1:00 (a minute)")
    if 0 < seconds < 0.001:
        raise ValueError("a film is looked at every thousandth of a second at most; 0 takes every frame")
    return seconds


def film_tasks(path: Path, every: float, limit: int | None = None) -> tuple[Film, list[Task]]:
    """The film, and a task for each of its moments, or the first `limit`; where it is damaged, one more that fails
    and says so. BadFilm if nothing of it can be seen."""
    film = survey(path)
    found = path.stat()
    reading, name = _Reading(path, film), printable(path.name)
    told = partial(Task, path, bytes=found.st_size, modified=found.st_mtime, in_order=True)
    tasks = [
        told(frame_name(name, at), metadata=_described(name, at), read=partial(reading.frame, at))
        for at in film.moments(every)[:limit]
    ]
    if film.complaint:
        tasks.append(told(name, read=partial(_complain, film.complaint)))
    return film, tasks


def with_films(tasks: Iterable[Task]) -> list[Task]:
    """The tasks of stored pictures, those named as frames made to read from their films, each in the film's order."""
    readings: dict[str, _Reading] = {}
    pictures, frames = [], []
    for task in tasks:
        found = named_frame(str(task.file))
        if found is None or os.path.lexists(task.file):
            pictures.append(task)
            continue
        path, at = found
        reading = readings.setdefault(path, _Reading(Path(path)))
        frames.append((path, at, replace(task, file=reading.path, read=partial(reading.frame, at), in_order=True)))
    return pictures + [task for *_, task in sorted(frames, key=lambda frame: frame[:2])]


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
    def _reel(self) -> Reel:
        return Reel(self.path, self._film or survey(self.path))

    @cached_property
    def _bytes(self) -> int:
        return self.path.stat().st_size

    def frame(self, at: float) -> Decoded:
        picture = self._reel.at(at)
        mark = hashlib.sha256(b"%d %d " % picture.size + picture.tobytes())
        return Decoded(picture, mark.hexdigest(), self._bytes)
