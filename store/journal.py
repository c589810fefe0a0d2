"""What a checkpoint may write over, kept beside the database until the checkpoint is through.

DuckDB leaves every block alone that its header on the disk still needs, but for one kind: metadata lies in blocks of
many pieces, and a block with pieces to spare is written again as a whole, in its place. A kill or a power cut in the
middle of that leaves a block whose checksum is wrong, and a database that never opens again. So these few blocks, with
the headers, are copied into a journal first. Whoever finds a journal while nobody writes puts them back; what was
committed then lies in the write-ahead log as before.
"""

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

try:
    import fcntl
except ImportError:  # not on Windows, where an open database cannot be opened twice
    fcntl = None

MARK = b"Bilderatlas journal 1\n"
HEADERS = 3 * 4096  # bytes before the first block
_NUMBER = 8  # bytes
_HASH = 32

_descriptors: dict[tuple[int, int], int] = {}
_one_at_a_time = threading.Lock()


def name(path: Path) -> Path:
    """Where the journal of a database lies."""
    return path.with_name(f".{path.name}.journal")


def save(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write the journal, before `con` makes a checkpoint of the database. OSError where there is no room for it."""
    size = con.execute("SELECT block_size FROM pragma_database_size()").fetchone()[0]
    ids = con.execute("SELECT block_id FROM pragma_metadata_info() WHERE free_blocks > 0 ORDER BY 1").fetchall()
    file = _descriptor(path)
    length = os.fstat(file).st_size
    parts = [os.pread(file, HEADERS, 0), size.to_bytes(_NUMBER)]
    for (number,) in ids:
        place = HEADERS + number * size
        if place + size <= length:  # else it is not on the disk yet
            parts += [place.to_bytes(_NUMBER), os.pread(file, size, place)]
    body = b"".join(parts)
    new = name(path).with_suffix(".new")
    try:
        with open(new, "wb") as journal:
            journal.write(MARK + hashlib.sha256(body).digest() + body)
            journal.flush()
            os.fsync(journal.fileno())
        new.replace(name(path))
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def drop(path: Path) -> None:
    """Forget the journal: the checkpoint is through."""
    name(path).unlink(missing_ok=True)


def recover(path: Path) -> bool:
    """Put back what a checkpoint that came to no end has written over. False where another process is writing.

    For a process in which nobody has the database open. Where this user may write nothing, nothing is done.
    """
    try:
        body = _body(name(path).read_bytes())
        file = _descriptor(path)
        with _alone(file) as alone:
            if not alone:
                return False
            # Other headers than those of the journal: that checkpoint was through, and the journal is of no use.
            if body and os.pread(file, HEADERS, 0) == body[:HEADERS]:
                for place, block in _blocks(body):
                    os.pwrite(file, block, place)
                os.fsync(file)
            drop(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        # Somebody was quicker; or this user may only read, and somebody else will do it.
    return True


def _body(journal: bytes) -> bytes:
    """What a journal holds; nothing if it is not whole."""
    body = journal[len(MARK) + _HASH :]
    whole = journal.startswith(MARK) and journal[len(MARK) :].startswith(hashlib.sha256(body).digest())
    return body if whole else b""


def _blocks(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The blocks of a journal, each with its place in the file."""
    size = int.from_bytes(body[HEADERS : HEADERS + _NUMBER])
    for start in range(HEADERS + _NUMBER, len(body), _NUMBER + size):
        block = start + _NUMBER
        yield int.from_bytes(body[start:block]), body[block : block + size]


def _descriptor(path: Path) -> int:
    """The database's file, open. It is never closed again: the first close of a file in a process gives up all locks
    that the process has on it, DuckDB's too."""
    with _one_at_a_time:
        found = os.stat(path)
        key = (found.st_dev, found.st_ino)
        if key not in _descriptors:
            _descriptors[key] = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        return _descriptors[key]


@contextmanager
def _alone(file: int) -> Iterator[bool]:
    """Whether no other process has the database open; then none can open it meanwhile."""
    if fcntl is None:
        yield True
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)
