"""A kill in the middle of a checkpoint: a block of which half is new and half is old, at every block that is written."""

import errno
import hashlib
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
from store.errors import DatabaseLocked, InterruptedCheckpoint, StoreError

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
        saved = save(con, path)
        before.mkdir()
        for file in (path, path.with_name("db.wal"), journal.name(path)):
            shutil.copy(file, before)
        return saved

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


@pytest.fixture
def torn(checkpoint, tmp_path):
    """The database of a checkpoint that was killed while it wrote a block that matters."""
    for place in checkpoint.changed():
        db = checkpoint.torn(tmp_path / str(place), place)
        if not readable(shutil.copy(db, tmp_path / "bare")):
            return db
    raise AssertionError("no block that matters has been torn: nothing was tried")


def readable(db) -> bool:
    """Whether DuckDB by itself reads all of a database."""
    try:
        with duckdb.connect(str(db), read_only=True) as con:
            contents(con)
    except duckdb.Error as error:
        assert "checksum" in str(error)
        return False
    return True


def last_commit(con) -> bool:
    return con.execute("SELECT count(*) FROM image WHERE path LIKE '6-%'").fetchone() == (8,)


def test_whichever_block_is_torn_the_next_writer_puts_it_back(checkpoint, tmp_path):
    (tmp_path / "whole").write_bytes(checkpoint.after)
    with reading(tmp_path / "whole") as con:
        expected = contents(con)
    for place in checkpoint.changed():
        db = checkpoint.torn(tmp_path / str(place), place)
        with writing(db) as con:
            assert contents(con) == expected
            write.add_collection(con, "another", None)
        assert journal.found(db) is None and readable(db)


def test_a_reader_writes_nothing_and_says_what_to_type(torn):
    before = {file.name: file.read_bytes() for file in torn.parent.iterdir()}
    with pytest.raises(InterruptedCheckpoint, match=f"ingest migrate --db {torn}"), reading(torn):
        pass
    assert {file.name: file.read_bytes() for file in torn.parent.iterdir()} == before
    with writing(torn):
        pass
    with reading(torn) as con:
        assert last_commit(con)


def test_a_reader_reads_what_no_kill_has_touched(checkpoint, tmp_path):
    db = shutil.copytree(checkpoint.before, tmp_path / "untouched") / "db"
    before = db.read_bytes()
    with reading(db) as con:
        assert last_commit(con)
    assert db.read_bytes() == before and journal.found(db)


def test_a_journal_of_a_checkpoint_that_was_through_is_of_no_use(checkpoint, tmp_path):
    db = tmp_path / "through"
    db.write_bytes(checkpoint.after)
    shutil.copy(journal.name(checkpoint.before / "db"), journal.name(db))
    with reading(db) as con:
        assert last_commit(con)
    with writing(db):
        pass
    assert db.read_bytes() == checkpoint.after and journal.found(db) is None


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:80] + b"?" + data[81:], lambda data: b""]
)
def test_a_journal_that_is_not_whole_counts_as_none(checkpoint, tmp_path, damage):
    """Then the kill came while it was written, and before the checkpoint."""
    db = shutil.copytree(checkpoint.before, tmp_path / "cut") / "db"
    journal.name(db).write_bytes(damage(journal.name(db).read_bytes()))
    with reading(db) as con:
        assert last_commit(con)
    with writing(db) as con:
        assert last_commit(con)
    assert journal.found(db) is None


def test_a_journal_of_an_unknown_layout_is_left_alone_and_named(torn, monkeypatch):
    monkeypatch.setattr(journal, "LAYOUTS", ("DuckDB 9.9.9, storage 12",))
    before = {file.name: file.read_bytes() for file in torn.parent.iterdir()}
    for opened in (reading, writing):
        with pytest.raises(InterruptedCheckpoint, match=r"DuckDB 2\.0\.0.*DuckDB 9\.9\.9"), opened(torn):
            pass
    assert {file.name: file.read_bytes() for file in torn.parent.iterdir()} == before


def test_a_database_of_an_unknown_layout_is_written_without_a_journal_and_with_a_warning(filled, monkeypatch):
    monkeypatch.setattr(journal, "LAYOUTS", ())
    monkeypatch.setattr(journal, "drop", lambda path: pytest.fail("there is one") if journal.found(path) else None)
    with pytest.warns(UserWarning, match="not been tested"), writing(filled.path) as con:
        write.add_collection(con, "another", None)


def test_the_journal_of_the_version_before_is_read_by_its_old_name(torn):
    new = journal.name(torn).read_bytes()
    body = new[len(journal.MARK) + 32 :][64:]
    old = torn.with_name(f".{torn.name}.journal")
    old.write_bytes(b"Bilderatlas journal 1\n" + hashlib.sha256(body).digest() + body)
    journal.name(torn).unlink()
    with pytest.raises(InterruptedCheckpoint), reading(torn):
        pass
    with writing(torn) as con:
        assert last_commit(con)
    assert not old.exists()


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES])
def test_who_may_not_write_is_told_so(torn, monkeypatch, reason):
    opened = os.open

    def refused(path, mode, *more):
        if mode & os.O_RDWR:
            raise OSError(reason, os.strerror(reason))
        return opened(path, mode, *more)

    monkeypatch.setattr(journal.os, "open", refused)
    monkeypatch.setattr(journal, "_descriptors", {})
    with pytest.raises(StoreError, match="may not be written"), writing(torn):
        pass
    with pytest.raises(InterruptedCheckpoint), reading(torn):
        pass
    assert journal.found(torn)


def test_nothing_is_put_back_under_the_hands_of_a_writer(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint.before, tmp_path / "busy")
    code = f"import duckdb\ncon = duckdb.connect({str(folder / 'db')!r})\nprint('open', flush=True)\ninput()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "open\n"
        for opened in (reading, writing):
            with pytest.raises(DatabaseLocked), opened(folder / "db", wait=0.3):
                pass
        assert journal.found(folder / "db")
    finally:
        other.communicate("\n", timeout=30)
    with writing(folder / "db") as con:
        assert last_commit(con)


def test_a_thread_of_the_same_program_waits_for_its_writer(filled):
    with writing(filled.path) as con:
        journal.save(con, filled.path)
        with pytest.raises(DatabaseLocked), reading(filled.path, wait=0.2):
            pass
        assert journal.found(filled.path)
    with reading(filled.path):
        pass


def test_while_more_is_to_come_the_log_gathers_until_it_is_large(filled, make, monkeypatch):
    log, file = Path(f"{filled.path}.wal"), filled.path.read_bytes()
    with writing(filled.path, more=True) as con:
        write.add_images(con, filled.collection, [make.image("log-1.jpg")])
    assert log.stat().st_size and filled.path.read_bytes() == file
    with reading(filled.path) as con:
        assert con.execute("SELECT count(*) FROM image WHERE path LIKE 'log-%'").fetchone() == (1,)
    monkeypatch.setattr(connection, "LARGE_LOG", log.stat().st_size)
    with writing(filled.path, more=True) as con:
        write.add_images(con, filled.collection, [make.image("log-2.jpg")])
    assert not log.exists()
    with writing(filled.path, more=True) as con:
        write.add_images(con, filled.collection, [make.image("log-3.jpg")])
    connection.checkpoint(filled.path)
    assert not log.exists()
