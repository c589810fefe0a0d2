"""Open, do one thing, close.

DuckDB lets one process write *or* many read, so nobody keeps the file open: `reading` and `writing` are short, and each
waits for the other a bounded time. Never touch a database's file by other means (open(), a copy, a hash) while this
process is inside one of them: closing it would drop the operating system's lock on it.
"""

import os
import random
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from store import journal, migrate, sharing
from store.errors import DatabaseLocked, DatabaseMissing, DatabaseNewer, NoRoom, NotADatabase, StoreError
from store.place import default_path

__all__ = ["commit_to_file", "default_path", "reading", "state", "writing"]

# Of the machine's, where DuckDB would take 80 %: beside it the network, the layouts and the pictures in the making want
# theirs, and what it holds of a file the operating system holds as well.
MEMORY = {"memory_limit": "50%"}

# Every reader is locked down, not the sandbox alone: a process's connections to one file must be configured alike.
READER = MEMORY | {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "show_behavior": "table",  # SHOW names no settings
    "temp_directory": "",
    "max_temp_directory_size": "0B",
    "lock_configuration": "true",
}

# An ingest commits a few images at a time. Blocks of 256 KB, the default, would round up each fat column each time, and
# merging row groups would leave as much free space in the file as data: 2.0 times the bytes of the maps, not 1.1.
WRITER = MEMORY | {
    "default_block_size": "16384",
    "max_vacuum_tasks": "0",
    "checkpoint_threshold": "1TiB",  # only `_checkpoint` makes any
    "autoinstall_known_extensions": "false",  # or an SQLite file would have DuckDB fetch an extension for it
    "autoload_known_extensions": "false",
}

# Thousands of pictures in one transaction: with one thread DuckDB needs three quarters of the time that it needs with
# two. These two ways to make columns smaller cost it a quarter of what is left, and make codes of maps no smaller: a
# database with maps grows by one byte in a hundred without them.
BULK = ("SET threads = 1", "SET disabled_compression_methods = 'bitpacking,roaring'")

# While an ingest goes on its chunks gather in the write-ahead log, which each reader has to read through.
LARGE_LOG = 8 * 2**20  # bytes

LONG_AGO = 60.0  # seconds; nobody takes so long to make an empty database

# Many who read in turns are never all away at once. A writer who has waited so long asks newcomers to hold back, by a
# file beside the database; the request lapses unless it is made again, as when the writer was killed.
IMPATIENT, LAPSED = 1.0, 3.0  # seconds

_one_writer = threading.Lock()
# DuckDB hands a second thread the same instance before the first one has given it its Python functions: arrow tables
# could then not be read ("Table Function with name python_arrow_scan does not exist").
_one_opens = threading.Lock()


def state(path: Path | str) -> str:
    """A token that changes whenever the database does; cheap, opens nothing."""
    parts, path = [], _followed(path)
    for name in (str(path), f"{path}.wal"):
        try:
            found = os.stat(name)
            parts.append(f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}")
        except OSError:
            parts.append("none")
    return ":".join(parts)


def _followed(path: Path | str) -> Path:
    """The file that a symbolic link leads to, beside which DuckDB has its log and we our journal; any other path as it
    is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)


@contextmanager
def reading(path: Path | str, wait: float = 20.0) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection, closed at the end. Waits up to `wait` seconds for a writer to finish.

    Raises DatabaseMissing, DatabaseLocked, NotADatabase, DatabaseOlder or DatabaseNewer.
    """
    path = _followed(path)
    if not path.exists():
        raise DatabaseMissing(f"There is no database at {path}. Make one with: python -m ingest run FOLDER --db {path}")
    start = time.monotonic()
    _hold_back(path, wait / 2)
    sharing.release_replaced(path)
    file = sharing.file_at(path)
    con = _open(path, wait - (time.monotonic() - start), read_only=True, config=READER)
    with _closing(con, path):
        if not _one_writer.locked():
            sharing.keep(path, file, lambda: _connect(path, True, READER))
        migrate.check(con, path)
        yield con


@contextmanager
def writing(
    path: Path | str, wait: float = 30.0, more: bool = False, bulk: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The one connection that may write: makes the file, brings its schema up to date, then runs the body as one
    transaction, undone whole by an exception. Waits up to `wait` seconds for readers and other writers.

    What is committed is safe in the write-ahead log, and goes into the file itself at once; where `more` is to come
    only when the log is large: `checkpoint` when all has come. `bulk` suits transactions of thousands of pictures.

    Raises DatabaseLocked, NoRoom, NotADatabase or DatabaseNewer.
    """
    path = _followed(path)
    if not path.parent.is_dir():
        raise StoreError(
            f"There is no folder {path.parent} to hold the database {path.name}. Make it, or name another."
        )
    start = time.monotonic()
    if not _one_writer.acquire(timeout=wait):
        raise DatabaseLocked(_locked(path, wait, "another part of this program is writing"))
    try:
        if not path.exists():
            _make(path)
        con = _open(path, wait - (time.monotonic() - start), read_only=False, config=WRITER)
        with _closing(con, path):
            con.execute("PRAGMA disable_checkpoint_on_shutdown")
            migrate.apply(con, path)
            for setting in BULK if bulk else ():
                con.execute(setting)
            con.begin()
            yield con  # an exception closes the connection before the commit, which undoes everything
            con.commit()
            _checkpoint(con, path, LARGE_LOG if more else 0)
    finally:
        _one_writer.release()


def checkpoint(path: Path | str, wait: float = 30.0) -> None:
    """Put what lies in the write-ahead log into the file. Raises as `writing` does."""
    if _log_size(_followed(path)):
        with writing(path, wait):
            pass


def commit_to_file(con: duckdb.DuckDBPyConnection, path: Path | str) -> None:
    """In the body of `writing`: commit what is done and put all of it into the file, so that `state` says already what
    it will say when the connection is closed. The rest of the body is another transaction."""
    con.commit()
    _checkpoint(con, _followed(path))
    con.begin()


def _checkpoint(con: duckdb.DuckDBPyConnection, path: Path, larger: int = 0) -> None:
    """Put what is committed from the write-ahead log into the file, if the log is larger than this."""
    if _log_size(path) <= larger:
        return
    if not journal.save(con, path):
        warnings.warn(
            f"The database {path} is written with {journal.layout(path)}, which this version of Bilderatlas has not "
            "been tested with: a power cut in the middle of writing could damage it. Keep a copy.",
            stacklevel=2,
        )
    con.checkpoint()
    journal.drop(path)


def _log_size(path: Path) -> int:
    """Bytes in the write-ahead log; 0 where there is none."""
    try:
        return os.stat(f"{path}.wal").st_size
    except OSError:
        return 0


def _make(path: Path) -> None:
    """A new database, there as a whole or not at all: a kill or a full disk in the middle would leave a file that opens
    neither now nor later, and nobody could tell it from somebody else's."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        con = _open(new, 1.0, read_only=False, config=WRITER, called=path)
        with _closing(con, path):
            migrate.apply(con, path)
        try:
            os.link(new, path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError:  # a file system without links
            new.replace(path)
    finally:
        _sweep(path, new.name)


def _sweep(path: Path, mine: str) -> None:
    """Remove what the making of a database needed, and what other processes left that were killed over it."""
    for file in path.parent.iterdir():
        if file.name.startswith(f".{path.name}.") and file.name.endswith((".new", ".new.wal")):
            try:
                if file.name.startswith(mine) or time.time() - file.stat().st_mtime > LONG_AGO:
                    file.unlink()
            except OSError:
                continue  # somebody else has


@contextmanager
def _closing(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise _outside(path, str(error)) or StoreError(f"The database {path} reports: {error}") from error
    except OSError as error:
        raise _outside(path, str(error)) or error from error
    finally:
        con.close()


def _open(
    path: Path, wait: float, read_only: bool, config: dict, called: Path | None = None
) -> duckdb.DuckDBPyConnection:
    start = time.monotonic()
    deadline, pause, asked = start + wait, 0.01, False
    try:
        while True:
            if not read_only:
                sharing.release(path)
            try:
                if journal.found(path) is None or _in_order(path, read_only):
                    return _connect(path, read_only, config)
                held = "a checkpoint"
            except duckdb.Error as error:
                if not _is_lock(error):
                    raise _explained(called or path, error) from error
                held = str(error)
            except OSError as error:  # of the journal
                raise _outside(path, str(error)) or error from error
            if time.monotonic() + pause > deadline:
                raise DatabaseLocked(_locked(path, wait, held))
            if not read_only and time.monotonic() - start > IMPATIENT:
                asked = _ask_to_hold_back(path)
            time.sleep(pause * random.uniform(0.5, 1.0))  # processes that wait together should not ask together
            pause = min(pause * 1.5, 0.1)
    finally:
        if asked:
            _request(path).unlink(missing_ok=True)


def _connect(path: Path, read_only: bool, config: dict) -> duckdb.DuckDBPyConnection:
    with _one_opens:
        return duckdb.connect(str(path), read_only=read_only, config=config)


def _in_order(path: Path, read_only: bool) -> bool:
    """Whether a database with a journal may be opened: a checkpoint was killed, and what it wrote over is as it was
    before. False while somebody makes one, a thread of this process (other than a writer that asks) or another."""
    if not read_only:
        return journal.recover(path)
    if not _one_writer.acquire(blocking=False):
        return False
    try:
        return journal.check(path)
    finally:
        _one_writer.release()


def _request(path: Path) -> Path:
    return path.with_name(f".{path.name}.wanted")


def _ask_to_hold_back(path: Path) -> bool:
    try:
        _request(path).touch()
    except OSError:  # then it is a matter of luck
        return False
    return True


def _hold_back(path: Path, longest: float) -> None:
    """Let a writer go first who asks for it. No longer than so many seconds: this thread may be a reader already."""
    until = time.monotonic() + longest
    while time.monotonic() < until:
        try:
            asked = time.time() - _request(path).stat().st_mtime < LAPSED
        except OSError:
            return
        if not asked:
            return
        sharing.release(path)
        time.sleep(0.05)


def _is_lock(error: duckdb.Error) -> bool:
    # Another process holds the file; or this one has it open for the other purpose, or is about to close it.
    return any(words in str(error) for words in ("lock on file", "different configuration", "already attached"))


def _locked(path: Path, wait: float, detail: str) -> str:
    holder = detail[detail.find("PID") :].split(")")[0] if "PID" in detail else "this very program"
    return (
        f"The database {path} is in use by another reader or writer ({holder}); waited {round(wait, 1):g} seconds. "
        "Wait until the ingest or the query that uses it has finished, or close the program that keeps it open, "
        "then try again."
    )


def _explained(path: Path, error: duckdb.Error) -> StoreError:
    text = str(error)
    if "version number" in text or "newer version" in text:
        return DatabaseNewer(
            f"The database {path} was written by another version of DuckDB than the {duckdb.__version__} in use. "
            f"Update with: pip install -U duckdb. DuckDB says: {text}"
        )
    if outside := _outside(path, text):
        return outside
    damaged = ("not a valid DuckDB", "extension", "Corrupt", "Could not read")
    if path.is_dir() or any(words in text for words in damaged):
        return NotADatabase(
            f"{path} is not a Bilderatlas database, or it is damaged. Name another file with --db or BILDERATLAS_DB."
        )
    return StoreError(f"The database {path} cannot be opened: {text}")


def _outside(path: Path, text: str) -> StoreError | None:
    """What is not the database's own fault: a full disk, a place where one may not write."""
    if any(words in text for words in ("No space left", "File too large", "quota exceeded")):
        return NoRoom(
            f"There is no room left for the database {path}. What was stored before is safe: make room on its disk, "
            "then give the same command again."
        )
    if any(words in text for words in ("Permission denied", "Read-only file system", "Operation not permitted")):
        return StoreError(
            f"The database {path} may not be written, or not even read, by this user. Name another place with --db or "
            "BILDERATLAS_DB, or change the permissions of its folder."
        )
    return None
