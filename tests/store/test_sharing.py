"""Readers that share an instance see what is there, and keep nobody from writing."""

import shutil
import subprocess
import sys
import threading
import time

import pytest

from store import connection, read, sharing, write
from store.connection import reading, writing
from tests.support import ROOT

WRITE = """
import sys
from store import write
from store.connection import writing
sys.stdin.readline()
with writing(sys.argv[1], wait=20) as con:
    write.add_collection(con, "from the other process", None)
"""


def names(path) -> list[str]:
    with reading(path) as con:
        return read.collections(con)["name"].to_pylist()


@pytest.fixture
def other(filled):
    """Another process that writes when a line comes."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(filled.path)], cwd=ROOT, text=True, stdin=subprocess.PIPE
    )
    yield lambda: (process.stdin.write("\n"), process.stdin.flush()), process
    process.kill()
    process.communicate()


def test_one_instance_is_kept_while_questions_come_and_closed_at_the_end(filled):
    names(filled.path)
    assert not sharing._open
    with sharing.sharing():
        names(filled.path)
        first = list(sharing._open.values())
        with sharing.sharing():
            names(filled.path)
        assert len(first) == 1 and list(sharing._open.values()) == first
    assert not sharing._open


def test_this_process_writes_in_between(filled):
    with sharing.sharing():
        before = names(filled.path)
        with writing(filled.path, wait=2) as con:
            write.add_collection(con, "mine", None)
        assert set(names(filled.path)) == {*before, "mine"}


def test_another_process_writes_when_nobody_has_asked_for_a_moment(filled, other):
    go, process = other
    with sharing.sharing():
        before = names(filled.path)
        go()
        assert process.wait(20) == 0 and not sharing._open
        assert set(names(filled.path)) == {*before, "from the other process"}


def test_another_process_writes_while_questions_never_cease(filled, other):
    go, process = other
    with sharing.sharing():
        go()
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until:
            names(filled.path)
        assert process.poll() == 0
        assert "from the other process" in names(filled.path)


def test_a_file_that_was_replaced_is_read_anew(filled, tmp_path):
    shutil.copy(filled.path, tmp_path / "new.duckdb")
    with writing(tmp_path / "new.duckdb") as con:
        write.add_collection(con, "new", None)
    with sharing.sharing():
        before = names(filled.path)
        (tmp_path / "new.duckdb").replace(filled.path)
        assert set(names(filled.path)) == {*before, "new"}


def test_threads_share_and_write_in_turns(filled):
    seen, problems = [], []

    def work(number):
        try:
            for place in range(4):
                with sharing.sharing():
                    seen.append(len(names(filled.path)))
                    if number < 2:
                        with writing(filled.path, wait=20) as con:
                            write.add_collection(con, f"{number} {place}", None)
                    seen.append(len(names(filled.path)))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and not sharing._open
    assert len(names(filled.path)) == max(seen) == min(seen) + 8


def test_a_file_that_is_replaced_while_it_is_being_opened_is_read_no_longer(filled, tmp_path, monkeypatch):
    new = tmp_path / "new.duckdb"
    with writing(new) as con:
        write.add_collection(con, "in the new file", None)
    connect = connection._connect

    def replaced(*which):
        con = connect(*which)
        monkeypatch.setattr(connection, "_connect", connect)
        new.replace(filled.path)
        return con

    monkeypatch.setattr(connection, "_connect", replaced)
    with sharing.sharing():
        assert names(filled.path) != ["in the new file"]
        assert names(filled.path) == ["in the new file"]
