"""One instance of DuckDB for all who read a database in a short time.

The first connection to a database makes an instance: some 40 ms of CPU, whatever is in the file. Another one costs a
twentieth of that while the instance lives, and a page asks a dozen questions. So within `sharing` an instance stays
open: until nobody has asked anything for IDLE seconds, somebody wants to write, or the last body of `sharing` ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

IDLE = 0.1  # seconds; a writer of another process waits for so long, and for the query that runs


@dataclass
class OpenInstance:
    """A connection that nobody asks anything: its instance lives as long as it does. Of which file (device and inode),
    and when somebody last read."""

    con: duckdb.DuckDBPyConnection
    file: tuple[int, int]
    used: float


_lock = threading.Lock()
_bodies = 0
_open: dict[str, OpenInstance] = {}  # by path


@contextmanager
def sharing() -> Iterator[None]:
    """In the body, those who read the same database use one instance. May be nested, and used by several threads."""
    global _bodies
    with _lock:
        _bodies += 1
    try:
        yield
    finally:
        with _lock:
            _bodies -= 1
            if not _bodies:
                for key in list(_open):
                    _close(key)


def keep(path: Path, file: tuple[int, int], connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
    """To be called while a reader has the file open: keeps its instance, by another connection, where it may be. `file`
    is what `file_at` said before the reader opened it: if another has come since, the instance is still the first's.
    """
    key = str(path)
    with _lock:
        if instance := _open.get(key):
            instance.used = time.monotonic()
        elif _bodies:
            con = connect()
            _open[key] = OpenInstance(con, file, time.monotonic())
            _look_after(key, con, IDLE)


def release(path: Path) -> None:
    """Keep the file's instance no longer: it closes when those who read by it now have done."""
    with _lock:
        _close(str(path))


def release_replaced(path: Path) -> None:
    """The same, if another file lies there now: DuckDB finds instances by the path."""
    key = str(path)
    with _lock:
        if key in _open and _open[key].file != file_at(path):
            _close(key)


def file_at(path: Path) -> tuple[int, int]:
    """Which file lies there: device and inode; (-1, -1) for none."""
    try:
        found = os.stat(path)
    except OSError:
        return (-1, -1)
    return found.st_dev, found.st_ino


def _close(key: str) -> None:
    instance = _open.pop(key, None)
    if instance is not None:
        instance.con.close()


def _look_after(key: str, con: duckdb.DuckDBPyConnection, after: float) -> None:
    timer = threading.Timer(after, _close_idle, (key, con))
    timer.daemon = True
    timer.start()


def _close_idle(key: str, con: duckdb.DuckDBPyConnection) -> None:
    with _lock:
        instance = _open.get(key)
        if instance is None or instance.con is not con:
            return
        rest = instance.used + IDLE - time.monotonic()
        if rest > 0:
            _look_after(key, con, rest)
        else:
            _close(key)
