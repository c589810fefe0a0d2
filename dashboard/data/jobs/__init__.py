"""Jobs: commands of `python -m ingest` that a page starts, watches and stops.

Each is a process of its own, which a restart of the dashboard does not end, and a folder with what it says. It runs as
long as somebody holds its lock: the process itself, and whatever it has started.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

try:
    import fcntl
except ImportError:  # not here: no jobs, the pages show what to type
    fcntl = None

State = Literal["running", "finished", "stopped", "failed"]

PROGRAM = (sys.executable, "-m", "ingest")
PATIENCE = 10.0  # seconds that a command has to stop by itself
SAVED = 20  # jobs of a database whose folders are left
LINES = 6  # of what it says are shown
_CHILD = Path(__file__).parent / "child.py"
_BAR = re.compile(
    r"(?P<title>[^:|]*): *(?P<percent>\d+)%\|.*\| *(?P<done>\S+)/(?P<total>\S+) \[[^<]*<(?P<left>[^,\]]*)"
)
_SHARE = re.compile(r"(?P<title>[^:|]+): (?P<percent>\d+)%")  # of `ingest.report.shares`
_started: list[subprocess.Popen] = []  # asked now and then how they are, so that none is left over as a zombie


@dataclass(frozen=True)
class Job:
    """A command, `arguments` behind `python -m ingest`, and the folder of what it says."""

    folder: Path
    title: str
    arguments: tuple[str, ...]
    pid: int

    @property
    def command(self) -> str:
        """What one would type."""
        return command_of(self.arguments)


@dataclass(frozen=True)
class Progress:
    """Of the step that is under way its title, how much of it is done (0 to 1), and how long it still takes."""

    title: str
    share: float
    left: str


@dataclass(frozen=True)
class JobReport:
    """How a job is: `lines` are the last that it said, without the bars; `result` is its last line of counts."""

    state: State
    progress: Progress | None
    lines: tuple[str, ...]
    result: str


class JobError(Exception):
    """A job that cannot be started, with a sentence."""


def possible() -> bool:
    """Whether this machine can run jobs."""
    return fcntl is not None and os.environ.get("BILDERATLAS_JOBS", "on").casefold() not in ("off", "0", "no")


def command_of(arguments: Sequence[str]) -> str:
    """What one would type."""
    return shlex.join(["python", "-m", "ingest", *arguments])


def start(db: Path, title: str, arguments: Sequence[str]) -> Job:
    """Start a command on a database, `--db` is added to it. JobError if the same command is running on the same source,
    or none can be started."""
    arguments = (*arguments, "--db", str(db))
    if not possible():
        raise JobError("Commands cannot be started from here.")
    try:
        _place(db).mkdir(parents=True, exist_ok=True)
        with open(_place(db) / "starting", "w") as turn:
            _hold(turn, wait=True)
            for job in jobs(db):
                if job.arguments[:3] == arguments[:3] and is_running(job):
                    raise JobError("This is running already.")
            return _start(_new_folder(db), title, arguments)
    except OSError as error:
        raise JobError(f"It could not be started: {error}") from error


def _start(folder: Path, title: str, arguments: tuple[str, ...]) -> Job:
    (folder / "job.json").write_text(
        json.dumps({"title": title, "arguments": arguments, "pid": 0})
    )  # if the disk is full
    with open(folder / "lock", "w") as lock:
        _hold(lock)
        process = _spawn(folder, arguments, lock)  # which holds it from now on
    (folder / "job.json").write_text(json.dumps({"title": title, "arguments": arguments, "pid": process.pid}))
    return Job(folder, title, arguments, process.pid)


def _spawn(folder: Path, arguments: Sequence[str], lock: IO[str]) -> subprocess.Popen:
    command = [sys.executable, str(_CHILD), str(lock.fileno()), str(folder), *PROGRAM, *arguments]
    with open(folder / "stdout", "w") as out, open(folder / "stderr", "w") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=(lock.fileno(),), start_new_session=True
        )
    _started.append(process)
    return process


def jobs(db: Path) -> list[Job]:
    """The jobs of a database, the newest first."""
    _started[:] = [process for process in _started if process.poll() is None]
    found = []
    for folder in sorted(_place(db).glob("*/"), reverse=True):
        try:
            about = json.loads((folder / "job.json").read_text())
            found.append(Job(folder, about["title"], tuple(about["arguments"]), about["pid"]))
        except (OSError, ValueError, KeyError, TypeError):  # of one that is just being started, or could not be
            continue
    return found


def newest(db: Path, title: str) -> Job | None:
    """The last job of this title."""
    return next((job for job in jobs(db) if job.title == title), None)


def is_running(job: Job) -> bool:
    """Whether its process, or one that it has started, is there."""
    try:
        with open(job.folder / "lock", "a") as lock:
            _hold(lock, shared=True)  # several may look at once
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _hold(lock: IO[str], shared: bool = False, wait: bool = False) -> None:
    """BlockingIOError if somebody else holds it and `wait` is not wanted."""
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(lock, kind if wait else kind | fcntl.LOCK_NB)


def report(job: Job) -> JobReport:
    """How it is. A job that was asked to stop and does not within PATIENCE is made to."""
    running = is_running(job)
    lines, progress = _said(_text(job.folder / "stderr"))
    result = _text(job.folder / "stdout").strip().rpartition("\n")[2]
    asked = job.folder / "stop"
    if running:
        if asked.exists() and time.time() - asked.stat().st_mtime > PATIENCE:
            _send(job, signal.SIGTERM)
        return JobReport("running", progress, tuple(lines[-LINES:]), "")
    status = _text(job.folder / "status").strip()
    state: State = "finished" if status == "0" else "stopped" if asked.exists() else "failed"
    if state == "failed" and (not status or status.startswith("-")):
        lines.append("it was ended from outside, as where memory is short or the computer was switched off")
    return JobReport(state, None, tuple(lines[-LINES:]), result)


def stop(job: Job) -> None:
    """Ask it to stop, as Ctrl+C does."""
    (job.folder / "stop").touch()
    _send(job, signal.SIGINT)


def _send(job: Job, number: signal.Signals) -> None:
    if is_running(job) and job.pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, number)


def write_settings(db: Path, settings: Mapping[str, Any]) -> Path:
    """A file of settings for a command; the same settings give the same file."""
    text = json.dumps(settings, indent=2, ensure_ascii=False)
    file = _place(db) / f"settings-{hashlib.sha256(text.encode()).hexdigest()[:12]}.yml"  # JSON is YAML
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _said(text: str) -> tuple[list[str], Progress | None]:
    """The lines of what a command says, and how far it is by the last of its bars or shares."""
    lines, progress = [], None
    for line in re.split(r"[\r\n]+", text.replace("\x1b[A", "")):
        bar, share = _BAR.match(line.strip()), _SHARE.fullmatch(line.strip())
        if bar:
            progress = Progress(bar["title"].strip(), int(bar["percent"]) / 100, bar["left"].strip())
        elif share:
            progress = Progress(share["title"], int(share["percent"]) / 100, "")
        elif line.strip() and not line.strip().startswith(("0%|", "100%|")):
            lines.append(line.strip())
    return lines, progress


def _text(file: Path, most: int = 64 * 2**10) -> str:
    """The end of a file, nothing if there is none."""
    try:
        with open(file, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - most))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _place(db: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "bilderatlas" / "jobs" / hashlib.sha256(str(db.resolve()).encode()).hexdigest()[:16]


def _new_folder(db: Path) -> Path:
    """A folder for the next job; those of old ones that have ended are taken away."""
    place = _place(db)
    for old in jobs(db)[SAVED:]:
        if not is_running(old):
            for file in old.folder.iterdir():
                file.unlink()
            old.folder.rmdir()
    folder = place / f"{time.time_ns():020d}"
    folder.mkdir(parents=True)
    return folder
