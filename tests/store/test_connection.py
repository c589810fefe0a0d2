"""One process writes or many read; who comes too late waits, and is told why."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from store import read, write
from store.connection import commit_to_file, default_path, reading, state, writing
from store.errors import DatabaseLocked, DatabaseMissing, StoreError
from tests.support import ROOT

HOLD = """
import sys, time
from store import connection, write
with getattr(connection, sys.argv[1])(sys.argv[2]) as con:
    if sys.argv[1] == "writing":
        write.add_collection(con, "from the other process", None)
    print("open", flush=True)
    sys.stdin.readline()
"""

INGEST = """
import sys
from store import write
from store.connection import writing
from tests.store.conftest import image, results, run_record
for start in range(0, 40, 8):
    with writing(sys.argv[1]) as con:
        collection = write.add_collection(con, "both", None)
        ids = write.add_images(con, collection, [image(f"{i}.jpg", {"n": i}) for i in range(start, start + 8)])
        write.add_results(con, write.add_run(con, collection, run_record()), results(list(ids.values())))
"""


def python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, text=True, stdin=subprocess.PIPE, **options
    )


@pytest.fixture
def hold():
    """Another process that has the database open for `reading` or `writing` until a line comes, or it is killed."""
    started = []

    def hold(how, path):
        process = python(HOLD, how, path, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def release_after(process, seconds):
    timer = threading.Timer(seconds, lambda: (process.stdin.write("\n"), process.stdin.flush()))
    timer.start()
    return timer


def test_a_missing_database_says_what_to_type(tmp_path):
    with pytest.raises(DatabaseMissing, match="python -m ingest run FOLDER"), reading(tmp_path / "none.duckdb"):
        pass
    assert not (tmp_path / "none.duckdb").exists()


def test_the_default_path(monkeypatch):
    monkeypatch.delenv("BILDERATLAS_DB", raising=False)
    assert default_path() == Path("bilderatlas.duckdb")
    monkeypatch.setenv("BILDERATLAS_DB", "/somewhere/else.duckdb")
    assert default_path() == Path("/somewhere/else.duckdb")


@pytest.mark.parametrize(("theirs", "mine"), [("writing", reading), ("writing", writing), ("reading", writing)])
def test_who_comes_too_late_is_told_the_path_the_process_and_what_to_do(filled, hold, theirs, mine):
    process = hold(theirs, filled.path)
    start = time.monotonic()
    with pytest.raises(DatabaseLocked) as caught, mine(filled.path, wait=0.4):
        pass
    assert 0.2 < time.monotonic() - start < 5
    assert str(filled.path) in str(caught.value) and f"PID {process.pid}" in str(caught.value)
    assert "try again" in str(caught.value)


@pytest.mark.parametrize(("theirs", "mine"), [("writing", reading), ("writing", writing), ("reading", writing)])
def test_who_waits_long_enough_gets_in(filled, hold, theirs, mine):
    process = hold(theirs, filled.path)
    timer = release_after(process, 0.3)
    with mine(filled.path, wait=20) as con:
        names = read.collections(con)["name"].to_pylist()
    timer.join()
    assert ("from the other process" in names) == (theirs == "writing")


def test_many_read_at_once_in_many_processes_and_threads(filled, hold):
    hold("reading", filled.path)
    counts = []

    def count():
        with reading(filled.path, wait=5) as con:
            counts.append(read.images(con).num_rows)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [5] * 8


def test_a_writer_and_readers_of_one_process_take_turns(filled):
    seen, problems = [], []

    def look():
        try:
            for _ in range(10):
                with reading(filled.path, wait=20) as con:
                    seen.append(read.collections(con).num_rows)
        except StoreError as error:
            problems.append(error)

    def add(name):
        try:
            for place in range(3):
                with writing(filled.path, wait=20) as con:
                    write.add_collection(con, f"{name} {place}", None)
        except StoreError as error:
            problems.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    threads += [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with reading(filled.path) as con:
        assert read.collections(con).num_rows == 7
    assert len(seen) == 20 and set(seen) <= set(range(1, 8))


def test_a_writer_gets_in_though_there_is_always_somebody_reading(filled):
    """Each reader stays until the next has come, or has held back for some seconds."""
    came, stop, problems = [threading.Event() for _ in range(200)], threading.Event(), []

    def read_on(turn):
        try:
            with reading(filled.path, wait=20):
                came[turn].set()
                stop.wait(0.05)  # or on a quick machine all would have come and gone before the writer asks
                if not stop.is_set() and turn + 1 < len(came):
                    threading.Thread(target=read_on, args=(turn + 1,)).start()
                    came[turn + 1].wait(2.5)
        except StoreError as error:
            problems.append(error)

    before = threading.active_count()
    threading.Thread(target=read_on, args=(0,)).start()
    came[0].wait(20)
    with writing(filled.path, wait=60) as con:
        write.add_collection(con, "at last", None)
    stop.set()
    turn = max(number for number, event in enumerate(came) if event.is_set())
    assert turn < len(came) - 1, "the readers came to their end by themselves"
    while threading.active_count() > before:
        time.sleep(0.05)
    assert not problems
    assert os.listdir(filled.path.parent) == [filled.path.name]


def test_a_request_that_nobody_repeats_lapses(filled):
    left = filled.path.with_name(f".{filled.path.name}.wanted")
    left.touch()
    with reading(filled.path, wait=0.4) as con:  # it holds back for half of its time, and then goes in
        assert read.images(con).num_rows == 5
    os.utime(left, (time.time() - 60, time.time() - 60))
    start = time.monotonic()
    with reading(filled.path, wait=600):
        pass
    assert time.monotonic() - start < 60


def test_writing_inside_reading_ends_in_a_sentence_and_not_in_a_deadlock(filled):
    with (
        reading(filled.path),
        pytest.raises(DatabaseLocked, match="this very program"),
        writing(filled.path, wait=0.2),
    ):
        pass
    with writing(filled.path):
        for opening in (reading, writing):
            with pytest.raises(DatabaseLocked, match="in use"), opening(filled.path, wait=0.2):
                pass


def test_two_ingests_of_one_folder_make_no_doubles(tmp_path):
    path = tmp_path / "both.duckdb"
    processes = [python(INGEST, path, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0), ("", 0)]
    with reading(path) as con:
        assert read.collections(con).num_rows == len(read.runs(con)) == 1
        assert sorted(read.images(con)["image_id"].to_pylist()) == list(range(1, 41))
        assert len(read.done(con, 1, ["cls", "rollout"])) == 40
        assert [row["maps"] for row in read.methods(con, 1).to_pylist()] == [240, 120]
        assert len(read.thumbnails(con, range(100))) == 40


def test_a_killed_writer_leaves_what_was_committed(filled, hold):
    process = hold("writing", filled.path)
    process.kill()
    process.wait()
    with reading(filled.path) as con:
        assert read.collections(con)["name"].to_pylist() == ["Gemälde"]
    with writing(filled.path) as con:
        assert read.images(con).num_rows == 5


def test_the_state_changes_with_every_commit_and_only_then(filled, tmp_path):
    assert state(tmp_path / "none.duckdb") == state(tmp_path / "neither.duckdb")
    before = state(filled.path)
    with reading(filled.path) as con:
        read.images(con)
    assert state(str(filled.path)) == before
    with writing(filled.path) as con:
        write.add_collection(con, "more", None)
    assert state(filled.path) != before


def test_a_failing_query_is_a_store_error_that_names_the_file(filled):
    with pytest.raises(StoreError, match=r"filled\.duckdb reports: .*nonsense"), reading(filled.path) as con:
        con.execute("SELECT nonsense")


def test_a_reader_can_change_nothing_and_reach_no_file(filled, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    statements = [
        "INSERT INTO tag VALUES (1, 'x', NULL, now())",
        "DROP VIEW images",
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.duckdb'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD spatial",
    ]
    for statement in statements:
        with pytest.raises(StoreError), reading(filled.path) as con:
            con.execute(statement)
    assert sorted(os.listdir(tmp_path)) == ["filled.duckdb", "secret.csv"]


def test_threads_that_open_at_the_same_moment_can_all_read_arrow_tables(filled):
    """DuckDB gives an instance its Python functions after it has handed it out."""
    table, errors = pa.table({"image_id": [1, 2]}), []

    def read_with_table(together: threading.Barrier) -> None:
        together.wait()
        try:
            with reading(filled.path) as con:
                con.register("asked", table)
                query = "SELECT count(*) FROM images JOIN asked USING (image_id)"
                assert con.sql(query).fetchall() == [(2,)]
        except Exception as error:
            errors.append(error)

    for _ in range(40):
        together = threading.Barrier(4)
        threads = [threading.Thread(target=read_with_table, args=(together,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_a_link_is_the_file_that_it_leads_to(filled, tmp_path):
    link = tmp_path / "link.duckdb"
    link.symlink_to(filled.path)
    before = state(link)
    with writing(link) as con:
        write.add_collection(con, "through the link", None)
        commit_to_file(con, link)
    assert state(link) == state(filled.path) != before
    assert not Path(f"{filled.path}.wal").exists()
    with reading(filled.path) as con:
        assert "through the link" in read.collections(con)["name"].to_pylist()


def test_a_link_that_leads_nowhere_is_a_new_database_there(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "link.duckdb"
    link.symlink_to(tmp_path / "disk" / "atlas.duckdb")
    with pytest.raises(DatabaseMissing), reading(link):
        pass
    with writing(link):
        pass
    assert link.is_symlink() and (tmp_path / "disk" / "atlas.duckdb").is_file()
