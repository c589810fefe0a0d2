"""A kill in the middle of a checkpoint: a block of which half is new and half is old, at every block that is written."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from store import connection, journal, write
from store.connection import reading, writing
from store.errors import DatabaseLocked

BLOCK = int(connection.WRITER["default_block_size"])


@dataclass(frozen=True)
class Checkpoint:
    """A database at the moment when its journal is written, as files in a folder, and when the checkpoint is through."""

    before: Path
    after: bytes

    def changed(self) -> list[int]:
        """Where blocks lie that were there before and are others now."""
        old = (self.before / "db").read_bytes()
        places = range(journal.HEADERS, len(old), BLOCK)
        return [place for place in places if old[place : place + BLOCK] != self.after[place : place + BLOCK]]

    def torn(self, folder: Path, place: int) -> Path:
        """The database as a kill leaves it in the middle of writing the block at this place."""
        shutil.copytree(self.before, folder)
        with open(folder / "db", "r+b") as file:
            file.seek(place)
            file.write(self.after[place : place + BLOCK // 2])
        return folder / "db"


@pytest.fixture
def checkpoint(filled, make, tmp_path, monkeypatch):
    """One of a database that has seen many, as an ingest makes them."""
    db = tmp_path / "db"
    shutil.copy(filled.path, db)
    for number in range(6):
        add(db, filled, make, number)
    save, before = journal.save, tmp_path / "before"

    def copied(con, path):
        save(con, path)
        before.mkdir()
        for file in (path, path.with_name("db.wal"), journal.name(path)):
            shutil.copy(file, before)

    monkeypatch.setattr(journal, "save", copied)
    add(db, filled, make, 6)
    monkeypatch.undo()
    return Checkpoint(before, db.read_bytes())


def add(db, filled, make, number):
    with writing(db) as con:
        ids = write.add_images(con, filled.collection, [make.image(f"{number}-{i}.jpg") for i in range(8)])
        write.add_results(con, filled.run, make.results(list(ids.values()), number))
        write.clear_failures(con, filled.collection, ["old.jpg"])
        write.add_failures(con, filled.collection, [(f"{number}.bad", "run", "why")])


def contents(con) -> dict:
    tables = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
    return {name: con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in tables}


def test_whichever_block_is_torn_nothing_that_was_committed_is_lost(checkpoint, tmp_path):
    (tmp_path / "whole").write_bytes(checkpoint.after)
    with reading(tmp_path / "whole") as con:
        expected = contents(con)
    damaged = 0
    for place in checkpoint.changed():
        db = checkpoint.torn(tmp_path / str(place), place)
        try:
            with duckdb.connect(str(shutil.copy(db, tmp_path / "bare")), read_only=True) as con:
                contents(con)
        except duckdb.Error as error:
            damaged += "checksum" in str(error)
        with reading(db) as con:
            assert contents(con) == expected
        assert not journal.name(db).exists()
        with writing(db) as con:  # and one can go on
            write.add_collection(con, "another", None)
    assert damaged, "no block that matters has been torn: nothing was tried"


def test_a_writer_puts_the_blocks_back_too(checkpoint, tmp_path):
    for place in checkpoint.changed():
        db = checkpoint.torn(tmp_path / str(place), place)
        with writing(db) as con:
            assert con.execute("SELECT count(*) FROM image WHERE path LIKE '6-%'").fetchone() == (8,)


def test_a_journal_of_a_checkpoint_that_was_through_is_of_no_use(checkpoint, tmp_path):
    db = tmp_path / "through"
    db.write_bytes(checkpoint.after)
    shutil.copy(journal.name(checkpoint.before / "db"), journal.name(db))
    with reading(db):
        pass
    assert db.read_bytes() == checkpoint.after and not journal.name(db).exists()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:80] + b"?" + data[81:], lambda data: b""]
)
def test_a_journal_that_is_not_whole_counts_as_none(checkpoint, tmp_path, damage):
    """Then the kill came while it was written, and before the checkpoint."""
    folder = shutil.copytree(checkpoint.before, tmp_path / "cut")
    file, before = journal.name(folder / "db"), (folder / "db").read_bytes()
    file.write_bytes(damage(file.read_bytes()))
    with reading(folder / "db") as con:
        assert con.execute("SELECT count(*) FROM image WHERE path LIKE '6-%'").fetchone() == (8,)
    assert (folder / "db").read_bytes() == before and not file.exists()


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES])
def test_who_may_only_read_leaves_it_to_others(checkpoint, tmp_path, monkeypatch, reason):
    def refused(*arguments):
        raise OSError(reason, os.strerror(reason))

    folder = shutil.copytree(checkpoint.before, tmp_path / "foreign")
    monkeypatch.setattr(journal.os, "open", refused)
    with reading(folder / "db") as con:  # no block is torn here
        assert con.execute("SELECT count(*) FROM image WHERE path LIKE '6-%'").fetchone() == (8,)
    assert journal.name(folder / "db").exists()


def test_nothing_is_put_back_under_the_hands_of_a_writer(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint.before, tmp_path / "busy")
    code = f"import duckdb\ncon = duckdb.connect({str(folder / 'db')!r})\nprint('open', flush=True)\ninput()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(DatabaseLocked), reading(folder / "db", wait=0.3):
            pass
        assert journal.name(folder / "db").exists()
    finally:
        other.communicate("\n", timeout=30)
    with reading(folder / "db") as con:
        assert con.execute("SELECT count(*) FROM image WHERE path LIKE '6-%'").fetchone() == (8,)


def test_a_thread_of_the_same_program_waits_for_its_writer(filled):
    with writing(filled.path) as con:
        journal.save(con, filled.path)
        with pytest.raises(DatabaseLocked), reading(filled.path, wait=0.2):
            pass
        assert journal.name(filled.path).exists()
    with reading(filled.path):
        assert not journal.name(filled.path).exists()
