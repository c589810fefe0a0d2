"""People read while an ingest writes, and two ingests write at once: everybody gets a turn."""

import duckdb
import pytest

from ingest import pipeline
from store import connection, write
from tests.browser.conftest import CHROMIUM
from tests.torture import kills, readers

IMAGES = 40


def check(waits: readers.Waits) -> None:
    assert not waits.problems, "\n".join(waits.problems)
    assert waits.chunks >= readers.AT_A_TIME // kills.CHUNK and waits.seconds["an SQL query"]
    assert waits.seconds["a page of the dashboard"] or CHROMIUM is None


@pytest.mark.browser
def test_nothing_fails_while_an_ingest_writes(tmp_path):
    check(readers.read_while_writing(tmp_path, seconds=20))


@pytest.mark.slow
@pytest.mark.browser
def test_nothing_fails_in_ten_minutes(tmp_path):
    check(readers.read_while_writing(tmp_path, seconds=600))


def test_what_has_been_computed_waits_longer_than_a_command_that_begins(tmp_path, monkeypatch):
    """An SQL client that keeps the file open for a minute must not cost an ingest of hours its life."""
    waits, real = [], pipeline.writing

    def heard(path, wait=30.0, **more):
        waits.append(wait)
        return real(path, wait, **more)

    db = tmp_path / "pictures.duckdb"
    folder = kills.make_pictures(tmp_path / "pictures", 3)
    with connection.writing(db) as con:
        collection = write.add_collection(con, "pictures", str(folder))
    tasks = [pipeline.Task(file, file.name, file.stat().st_size, 0.0) for file in sorted(folder.glob("*.jpg"))]
    monkeypatch.setattr(pipeline, "writing", heard)
    assert pipeline.process(pipeline.Plan(db, collection, "scan"), tasks).done == 3
    assert waits and min(waits) >= 300


def test_a_failing_ingest_would_be_noticed(tmp_path, monkeypatch):
    waits = readers.Waits()
    folder, db = kills.make_pictures(tmp_path / "pictures", 2), tmp_path / "busy.duckdb"
    db.write_bytes(b"no database")
    readers._write(folder, db, readers.time.monotonic() + 0.1, waits)
    assert waits.ingests == 1 and "not a Bilderatlas database" in waits.problems[0]


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "two")])
def test_two_ingests_at_once_take_turns(tmp_path, folders):
    db = tmp_path / "both.duckdb"
    sources = [kills.make_pictures(tmp_path / name, IMAGES) for name in folders]
    lives = [kills.Life(source, db, log=tmp_path / f"{n}.log") for n, source in enumerate(sources)]
    for life in lives:
        ended = life.end()
        assert ended.code == 0, ended.output
    kills.check_sound(db)
    good = IMAGES - 1  # one of the files is damaged
    with duckdb.connect(str(db), read_only=True) as con:
        counts = con.execute("SELECT c.name, count(f.image_id) FROM collection c JOIN image i USING (collection_id) LEFT JOIN feature f USING (image_id) GROUP BY ALL ORDER BY ALL").fetchall()  # fmt: skip
        (points,) = con.execute("SELECT count(*) FROM point").fetchone()
    assert counts == [(name, good) for name in sorted(set(folders))]
    assert points == good * len(set(folders))
