"""Ingests that are killed, run out of disk or may not write, and what their databases hold afterwards.

The children are forked from a server that has imported everything: a life lasts as long as its work, and a kill falls
into the work and not into seconds of imports.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from PIL import Image

from store import journal

CHUNK = 8  # pictures a commit: eight times as many commits as a user's ingest has
BATCH = 4
WORDS = ("--model", "tiny:vit", "--project", "pca", "--batch-size", str(BATCH), "--workers", "2")
PATIENCE = 300  # seconds that a life may last on a busy machine

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.torture.kills", "tests.torture.preloaded"])


@dataclass
class Survived:
    """What a series of kills came to. `writing`: those that left an unfinished or unmerged write on the disk, of which
    `merging` fell into a checkpoint; `rounds`: databases that were finished after their kills and compared with the
    undisturbed one."""

    kills: int = 0
    writing: int = 0
    merging: int = 0
    rounds: int = 0


@dataclass(frozen=True)
class Ended:
    """How an ingest ended: its exit code (-9 when killed) and what it said."""

    code: int | None
    output: str


class Life:
    """An ingest in a process of its own. `condition` is called in it with the arguments before it begins; what it says
    goes to `log`, a file beside the database unless given."""

    def __init__(
        self,
        folder: Path,
        db: Path,
        condition: Callable[..., None] | None = None,
        *arguments: object,
        log: Path | None = None,
    ):
        self.log = log or db.with_suffix(".log")
        self.log.touch()
        begins, self._begins = _forks.Pipe(duplex=False)
        words = ["run", str(folder), "--db", str(db), *WORDS]
        self.process = _forks.Process(target=_live, args=(words, self.log, self._begins, condition, arguments))
        self.process.start()
        self._begins.close()
        begins.poll(PATIENCE)  # its imports are done

    def kill_after(self, seconds: float, log: Path | None = None) -> bool:
        """Kill it after so long, or then as soon as there is something in a write-ahead `log`; whether it was alive."""
        self.process.join(seconds)
        while log and self.process.is_alive() and not is_filled(log):
            time.sleep(0.001)
        alive = self.process.is_alive()
        self.process.kill()
        self.process.join()
        return alive

    def end(self) -> Ended:
        """Wait for its end."""
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        return Ended(self.process.exitcode, self.log.read_text(errors="replace"))


def _live(words: list[str], log: Path, begins, condition: Callable[..., None] | None, arguments: tuple) -> None:
    from tqdm import tqdm

    from ingest import pipeline
    from ingest.cli import main

    tqdm.set_lock(threading.RLock())  # its own would need a semaphore of the system, which a kill leaves behind
    pipeline.CHUNK_IMAGES = CHUNK
    descriptor = os.open(log, os.O_WRONLY | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    if condition is not None:
        condition(*arguments)
    begins.send(True)
    main(words)


def file_limit(megabytes: float) -> None:
    """No file of this process may become longer: writing fails as it does on a full disk."""
    most = int(megabytes * 2**20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def unprivileged() -> None:
    """Permissions hold for this process even if it is root's: it loses the capabilities to override them."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the call, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    failed = libc.capget(header, sets)
    sets[0] &= ~0b1110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
    if failed or libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "the capabilities could not be given up")


@contextmanager
def small_disk(folder: Path, megabytes: float) -> Iterator[bool]:
    """A disk of this size at a folder, where this process may mount one; yields whether it could."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={int(megabytes * 2**20)}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], capture_output=True)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_pictures(folder: Path, count: int, first: int = 0) -> Path:
    """So many small pictures with a table that describes them; three files of a hundred are damaged."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        values = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        file = folder / f"{number:05}.jpg"
        Image.fromarray(values).resize((96, 72), Image.Resampling.BICUBIC).save(file, quality=90)
        if number % 33 == 20:
            file.write_bytes(file.read_bytes()[:300])
    rows = "".join(f"{number:05}.jpg,Picture {number},{1500 + number % 400}\n" for number in range(first + count))
    (folder / "metadata.csv").write_text("file,title,year\n" + rows)
    return folder


def survive(
    folder: Path,
    whole: Path,
    scratch: Path,
    kills: int,
    seed: int,
    seconds: float,
    log: Callable[[str], None] = lambda line: None,
) -> Survived:
    """Kill ingests of a folder at so many random moments, resuming each time; `seconds` is what an undisturbed one
    takes. Whenever an ingest comes to its end its database is compared with `whole` and another is begun.

    Raises AssertionError where anything is lost, doubled or different.
    """
    chance, survived = random.Random(seed), Survived()
    db, wal, window = scratch / "killed.duckdb", scratch / "killed.duckdb.wal", seconds
    while survived.kills < kills:
        life = Life(folder, db)
        # Half of the kills wait for a write: it takes a twentieth of an ingest's time, and is where a kill could hurt.
        if life.kill_after(chance.random() * window, wal if survived.kills % 2 else None):
            survived.kills += 1
            window *= 1.15  # a busy machine is slower than it was: about every fourth life shall reach its end
            survived.writing += is_filled(wal)
            survived.merging += journal.name(db).exists()
            if db.exists():
                check_sound(db)
        else:
            window *= 0.6
            _finish(folder, db, whole, survived)
            log(f"{survived.kills} killed, {survived.rounds} databases finished and equal")
    _finish(folder, db, whole, survived)
    return survived


def _finish(folder: Path, db: Path, whole: Path, survived: Survived) -> None:
    ended = Life(folder, db).end()
    assert ended.code == 0, ended.output
    check_same(db, whole)
    survived.rounds += 1
    remove(db)


def is_filled(file: Path) -> bool:
    """Whether there is such a file and something in it."""
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


def remove(db: Path) -> None:
    """Delete a database with what lies beside it."""
    for file in (db, Path(f"{db}.wal"), db.with_suffix(".log"), journal.name(db)):
        file.unlink(missing_ok=True)


def check_sound(db: Path) -> None:
    """AssertionError unless a database opens, and every row belongs to an image and is there once."""
    if journal.name(db).exists():
        assert journal.recover(db)  # as the next to open it would
    with duckdb.connect(str(db), read_only=True) as con:
        tables = dict(_columns(con))
        if "image" not in tables:
            return  # killed while it was made
        for table, columns in tables.items():
            if '"image_id"' in columns:
                lost = con.execute(
                    f"SELECT count(*) FROM {table} WHERE image_id NOT IN (SELECT image_id FROM image)"
                ).fetchone()[0]
                assert not lost, f"{lost} rows of {table} belong to no image"
        for table, key in KEYS.items():
            doubled = con.execute(
                f"SELECT count(*) FROM (FROM {table} SELECT 1 GROUP BY {key} HAVING count(*) > 1)"
            ).fetchone()[0]
            assert not doubled, f"{doubled} doubles in {table}"
        # An image of a run has all that the run finds out, or nothing: a chunk is one transaction.
        halves = con.execute(
            """
            SELECT count(*) FROM (
                SELECT run_id, image_id, (SELECT count(*) FROM stored_map m WHERE (m.run_id, m.image_id) = (f.run_id, f.image_id)) AS maps,
                    (SELECT count(*) FROM head_stat s WHERE (s.run_id, s.image_id) = (f.run_id, f.image_id)) AS stats,
                    (SELECT count(*) FROM frame g WHERE (g.run_id, g.image_id) = (f.run_id, f.image_id)) AS frames
                FROM feature f
            ) JOIN run USING (run_id) WHERE maps <> layers * heads + layers OR stats <> layers * heads OR frames <> 1
            """
        ).fetchone()[0]
        assert not halves, f"{halves} images have only a part of what the run found out"


KEYS = {
    "collection": "name",
    "image": "collection_id, path",
    "thumbnail": "image_id",
    "run": "collection_id, backbone, weights_sha256, fit, size, settings",
    "feature": "run_id, image_id",
    "frame": "run_id, image_id",
    "stored_map": "run_id, image_id, method, target, layer, head",
    "head_stat": "run_id, image_id, layer, head",
    "token_stat": "run_id, image_id",
    "projection": "run_id, method, settings",
    "point": "projection_id, image_id",
    "failure": "collection_id, path, stage",
    "atlas": "collection_id",
    "atlas_place": "atlas_id, image_id",
    "cluster_point": "projection_id, level, image_id",
    "cluster_level": "projection_id, level",
}


def check_same(db: Path, whole: Path) -> None:
    """AssertionError unless two databases hold the same in every table, to the last bit, but for time stamps."""
    check_sound(db)
    found, expected = contents(db), contents(whole)
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert len(found[table]) == len(rows), f"{table} has {len(found[table])} rows instead of {len(rows)}"
        assert found[table] == rows, f"{table} differs"


def contents(db: Path) -> dict[str, list[tuple]]:
    """The rows of every table in a fixed order, without the columns that say when something was done."""
    with duckdb.connect(str(db), read_only=True) as con:
        return {
            table: con.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL").fetchall()
            for table, columns in _columns(con)
        }


def _columns(con: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str]]]:
    return con.execute(
        """
        SELECT table_name, list('"' || column_name || '"' ORDER BY column_index) FROM duckdb_columns()
        WHERE NOT internal AND data_type <> 'TIMESTAMP' AND table_name IN (SELECT table_name FROM duckdb_tables())
        GROUP BY table_name ORDER BY table_name
        """
    ).fetchall()


def undisturbed(folder: Path, db: Path) -> float:
    """An ingest that nobody disturbs; returns the seconds that it took."""
    life, began = Life(folder, db), time.monotonic()
    ended = life.end()
    assert ended.code == 0, ended.output
    return time.monotonic() - began
