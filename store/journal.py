"""What a checkpoint may write over, saved beside the database until the checkpoint is through.

DuckDB leaves every block alone that its header on the disk still needs, but for one kind: metadata lies in blocks of
many pieces, and a block with pieces to spare is written again as a whole, in its place. A kill or a power cut in the
middle of that leaves a block whose checksum is wrong, and a database that never opens again. So these few blocks, with
the headers, are copied into a journal first. The next writer that finds a journal while nobody writes puts them back;
what was committed then lies in the write-ahead log as before. A reader writes nothing: it says what to type.

All this leans on how DuckDB lays out its file, so it is done for LAYOUTS alone: those that the tests have torn apart.
"""

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from store.errors import InterruptedCheckpoint
from store.rows import one

try:
    import fcntl
except ImportError:  # not on Windows, where an open database cannot be opened twice
    fcntl = None

MARK = b"Bilderatlas journal 2\n"
HEADERS = 3 * 4096  # bytes before the first block
LAYOUTS = ("DuckDB 2.0.0, storage 999",)  # the library and the storage version of the file
_LAYOUT = 64  # bytes
_OLD_MARK, _OLD_LAYOUT = b"Bilderatlas journal 1\n", LAYOUTS[0]  # which did not name its layout
_NUMBER = 8  # bytes
_HASH = 32

_descriptors: dict[tuple[int, int, int], int] = {}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Journal:
    """A journal that was read: the layout of the database, its `headers`, and blocks, each with its place in the
    file."""

    layout: str
    headers: bytes
    blocks: tuple[tuple[int, bytes], ...]


def name(path: Path) -> Path:
    """Where the journal of a database lies: beside it and its log, so that a copy of `NAME*` takes it along."""
    return path.with_name(f"{path.name}.journal")


def found(path: Path) -> Path | None:
    """The journal that lies beside a database, if there is one. Earlier versions hid theirs behind a dot."""
    return next((file for file in (name(path), path.with_name(f".{path.name}.journal")) if file.exists()), None)


def layout(path: Path) -> str:
    """How the blocks of a database lie: by the version of DuckDB in use, and of the file's storage."""
    storage = int.from_bytes(os.pread(_descriptor(path, os.O_RDONLY), _NUMBER, 12), "little")
    return f"DuckDB {duckdb.__version__}, storage {storage}"


def save(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Write the journal, before `con` makes a checkpoint of the database. False, and none is written, for a layout
    other than LAYOUTS. OSError where there is no room for it."""
    kind = layout(path)
    if kind not in LAYOUTS:
        return False
    size = one(con, "SELECT block_size FROM pragma_database_size()")[0]
    ids = con.execute("SELECT block_id FROM pragma_metadata_info() WHERE free_blocks > 0 ORDER BY 1").fetchall()
    file = _descriptor(path)
    length = os.fstat(file).st_size
    parts = [kind.encode().ljust(_LAYOUT), os.pread(file, HEADERS, 0), size.to_bytes(_NUMBER)]
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
        _sync_folder(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return True


def drop(path: Path) -> None:
    """Delete the journal: the checkpoint is through."""
    while file := found(path):
        file.unlink(missing_ok=True)


def recover(path: Path) -> bool:
    """Put back what a checkpoint that came to no end has written over. False where another process is writing.

    For a writer in a process in which nobody has the database open. Raises InterruptedCheckpoint for a journal of a
    layout other than LAYOUTS, and OSError where this user may not write.
    """
    with _alone(_descriptor(path)) as alone:
        if not alone:
            return False
        journal = _read(path)
        if journal is not None and _applies(journal, path):
            _refuse_unknown(journal, path)
            file = _descriptor(path)
            for place, block in journal.blocks:
                os.pwrite(file, block, place)
            os.fsync(file)
        drop(path)
    return True


def check(path: Path) -> bool:
    """For a reader that has found a journal: whether the database can be read as it is, since its blocks are those of
    the journal, or the checkpoint was through. False while another process makes the checkpoint.

    Raises InterruptedCheckpoint, which says what to type, where blocks have to be put back first.
    """
    before = _identity(path)
    with _alone(_descriptor(path, os.O_RDONLY), shared=True) as alone:
        if not alone or before is None:
            return False
        journal = _read(path)
        needed = journal is not None and _applies(journal, path)
    if before != _identity(path):  # that checkpoint is through meanwhile, and another may have begun
        return False
    if needed:
        _refuse_unknown(journal, path)
        raise InterruptedCheckpoint(
            f"Writing the database {path} was interrupted, by a kill or a power cut. Nothing is lost: put it right "
            f"with python -m ingest migrate --db {path}"
        )
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(found(path) or name(path))
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _applies(journal: Journal, path: Path) -> bool:
    """Whether the headers on the disk are still those of the journal (else that checkpoint was through), and some block
    is not."""
    file = _descriptor(path, os.O_RDONLY)
    if os.pread(file, HEADERS, 0) != journal.headers:
        return False
    return any(os.pread(file, len(block), place) != block for place, block in journal.blocks)


def _refuse_unknown(journal: Journal, path: Path) -> None:
    if journal.layout not in LAYOUTS:
        raise InterruptedCheckpoint(
            f"Writing the database {path} was interrupted while {journal.layout}, was in use; this version of "
            f"Bilderatlas knows how to put right {', '.join(LAYOUTS)} alone. Open it once with the version that wrote "
            f"it, and keep {name(path).name} beside it until then."
        )


def _read(path: Path) -> Journal | None:
    """The journal beside a database; None if there is none, or it is not whole: the kill came while it was written."""
    file = found(path)
    try:
        data = file.read_bytes() if file else b""
    except FileNotFoundError:  # its writer was through just then
        return None
    mark = next((mark for mark in (MARK, _OLD_MARK) if data.startswith(mark)), None)
    if mark is None:
        return None
    body = data[len(mark) + _HASH :]
    if data[len(mark) : len(mark) + _HASH] != hashlib.sha256(body).digest():
        return None
    kind, rest = (_OLD_LAYOUT, body) if mark == _OLD_MARK else (body[:_LAYOUT].decode().strip(), body[_LAYOUT:])
    return Journal(kind, rest[:HEADERS], tuple(_blocks(rest)))


def _blocks(body: bytes) -> Iterator[tuple[int, bytes]]:
    size = int.from_bytes(body[HEADERS : HEADERS + _NUMBER])
    for start in range(HEADERS + _NUMBER, len(body), _NUMBER + size):
        block = start + _NUMBER
        yield int.from_bytes(body[start:block]), body[block : block + size]


def _sync_folder(path: Path) -> None:
    """Have the folder itself on the disk: without that a power cut can undo the renaming of the journal."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot
            raise
    finally:
        os.close(folder)


def _descriptor(path: Path, mode: int = os.O_RDWR) -> int:
    """The database's file, open. It is never closed again: the first close of a file in a process gives up all locks
    that the process has on it, DuckDB's too."""
    with _one_at_a_time:
        status = os.stat(path)
        key = (status.st_dev, status.st_ino, mode)
        if key not in _descriptors:
            _descriptors[key] = os.open(path, mode | getattr(os, "O_BINARY", 0))
        return _descriptors[key]


@contextmanager
def _alone(file: int, shared: bool = False) -> Iterator[bool]:
    """Whether no other process has the database open (`shared`: has it open for writing); then none can open it so
    meanwhile."""
    if fcntl is None:
        yield True
        return
    try:
        fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)
