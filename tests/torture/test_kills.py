"""Kills, full disks and folders that may not be written: a clear end, a database that opens, and the end of an
undisturbed ingest after the next one."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store import journal, migrate
from store.connection import reading, writing
from store.errors import NoRoom, NotADatabase, StoreError
from tests.support import ROOT
from tests.torture import kills

IMAGES = 60


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return kills.make_pictures(tmp_path_factory.mktemp("torture") / "pictures", IMAGES)


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory) -> Path:
    db = tmp_path_factory.mktemp("whole") / "whole.duckdb"
    kills.undisturbed(pictures, db)
    return db


def test_kills_lose_and_double_nothing(pictures, whole, tmp_path):
    survived = kills.survive(pictures, whole, tmp_path, kills=5, seed=3, seconds=4.0)
    assert survived.kills == 5 and survived.rounds >= 1


@pytest.mark.slow
def test_fifty_kills_lose_and_double_nothing(tmp_path):
    folder, whole = kills.make_pictures(tmp_path / "pictures", 300), tmp_path / "whole.duckdb"
    seconds = kills.undisturbed(folder, whole)
    survived = kills.survive(folder, whole, tmp_path, kills=50, seed=20, seconds=seconds)
    assert survived.kills == 50 and survived.writing >= 10 and survived.rounds >= 5


def test_the_comparison_sees_a_loss_a_double_and_a_change(whole, tmp_path):
    db = tmp_path / "spoilt.duckdb"
    for spoil, words in {
        "DELETE FROM head_stat WHERE image_id = 3": "only a part",
        "DELETE FROM thumbnail WHERE image_id = 3": "thumbnail has",
        "DELETE FROM image WHERE image_id = 3": "belong to no image",
        "INSERT INTO feature FROM feature WHERE image_id = 3": "doubles in feature",
        "UPDATE feature SET vector = list_transform(vector, lambda v: v * 1.000001::FLOAT) WHERE image_id = 3": "feature differs",
    }.items():
        shutil.copy(whole, db)
        with writing(db) as con:
            con.execute(spoil)
        with pytest.raises(AssertionError, match=words):
            kills.check_same(db, whole)


@pytest.mark.parametrize("megabytes", [0, 0.01, 0.5])
def test_a_full_disk_ends_in_a_sentence_and_the_next_ingest_goes_on(pictures, whole, tmp_path, megabytes):
    db = tmp_path / "full.duckdb"
    ended = kills.Life(pictures, db, kills.file_limit, megabytes).end()
    assert ended.code == 1
    if megabytes:  # otherwise there was no room for the sentence either
        last = ended.output.strip().splitlines()[-1]
        assert re.fullmatch(
            r"Error: There is no room left for the database .*full\.duckdb\. .* same command again\.", last
        )
    assert "Traceback" not in ended.output
    stored = 0
    if db.exists():
        with reading(db) as con:
            (stored,) = con.execute("SELECT count(*) FROM feature").fetchone()
        kills.check_sound(db)
    assert (stored > 0) == (megabytes >= 0.1)
    again = kills.Life(pictures, db).end()
    assert again.code == 0 and f", {stored} already there" in again.output
    kills.check_same(db, whole)


def test_a_small_disk(pictures, whole, tmp_path):
    with kills.small_disk(tmp_path / "disk", 0.5) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        db = tmp_path / "disk" / "full.duckdb"
        log = tmp_path / "log"
        ended = kills.Life(pictures, db, log=log).end()
        assert ended.code == 1 and "There is no room left for the database" in ended.output
        with reading(db) as con:
            assert 0 < con.execute("SELECT count(*) FROM feature").fetchone()[0] < IMAGES
        with pytest.raises(NoRoom), writing(db) as con:
            con.execute("CREATE TABLE wide AS SELECT repeat('x', 1000) || random() AS text FROM range(10000)")
        moved = tmp_path / "moved.duckdb"
        belong = {db: moved, Path(f"{db}.wal"): Path(f"{moved}.wal"), journal.name(db): journal.name(moved)}
        left = set(db.parent.iterdir())
        assert {db, Path(f"{db}.wal")} <= left <= set(belong)
        for file in left:
            shutil.copy(file, belong[file])
    assert kills.Life(pictures, moved).end().code == 0
    kills.check_same(moved, whole)


def test_a_folder_that_may_not_be_written(pictures, whole, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    db = shutil.copy(whole, folder / "old.duckdb")
    db.chmod(0o444)
    folder.chmod(0o555)
    for name in ("new.duckdb", "old.duckdb"):
        ended = kills.Life(pictures, folder / name, kills.unprivileged, log=tmp_path / "log").end()
        assert ended.code == 1
        last = ended.output.strip().splitlines()[-1]
        assert re.fullmatch(r"Error: The database .*\.duckdb may not be written, .*folder\.", last)
    code = "import sys; from tests.torture import kills; kills.unprivileged(); from store.connection import reading\nwith reading(sys.argv[1]): print('read')"
    done = subprocess.run([sys.executable, "-c", code, str(db)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "read\n", done.stderr
    assert [file.name for file in folder.iterdir()] == ["old.duckdb"]
    folder.chmod(0o755)


def test_making_a_database_is_all_or_nothing(tmp_path, monkeypatch):
    """Whatever goes wrong on the way, there is no file afterwards that would be in the way of the next attempt."""
    db = tmp_path / "new.duckdb"

    def fail(con, path):
        con.execute("CREATE TABLE half (n INTEGER)")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(migrate, "apply", fail)
        with pytest.raises(KeyboardInterrupt), writing(db):
            pass
    assert not list(tmp_path.iterdir())
    left = tmp_path / ".new.duckdb.99999.new"
    left.write_bytes(b"")
    with writing(db):
        assert left.exists()  # somebody may be making it now
    db.unlink()
    os.utime(left, (time.time() - 120, time.time() - 120))
    with writing(db):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["new.duckdb"]


@pytest.mark.parametrize("length", [0, 1, 4096, 8192, 12287])
def test_a_file_that_was_cut_off_is_called_damaged(whole, tmp_path, length):
    db = tmp_path / "cut.duckdb"
    db.write_bytes(whole.read_bytes()[:length])
    for how in (reading, writing):
        with pytest.raises(NotADatabase, match="damaged"), how(db):
            pass


def test_a_damaged_page_is_a_store_error(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    for place in range(3 * 4096, len(data), 4096):
        data[place : place + 64] = b"\xff" * 64
    db = tmp_path / "damaged.duckdb"
    db.write_bytes(data)
    with pytest.raises(StoreError), reading(db) as con:
        con.execute("SELECT * FROM stored_map").fetchall()
