"""The process for native code: it answers, it may die, and who waits for it hears why."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ingest import worker
from ingest.vision import progress
from ingest.worker import Worker, WorkerError
from tests.ingest import crashes
from tests.support import ROOT


@pytest.fixture(scope="module")
def own():
    made = Worker()
    yield made
    made.close()


def test_it_answers_whatever_a_library_prints(own):
    assert own.call(crashes.whisper, "yes") == "YES"
    numbers = np.arange(200_000, dtype=np.float32).reshape(-1, 4)
    np.testing.assert_array_equal(own.call(np.negative, numbers), -numbers)


@pytest.mark.parametrize(
    ("crash", "sentence"),
    [
        (crashes.segfault, "its process ended with SIGSEGV (a segmentation fault in native code)"),
        (crashes.killed, "its process ended with SIGKILL (the system killed it, as it does when memory runs out)"),
        (crashes.abort, "its process ended with SIGABRT (native code that gave up): terminate called after throwing"),
        (crashes.exit_early, "its process ended with exit code 3"),
        (crashes.fail, "ValueError: these vectors are no good"),
    ],
)
def test_what_ends_a_computation_is_a_clause_and_the_next_one_runs(own, crash, sentence):
    with pytest.raises(WorkerError) as caught:
        own.call(crash, np.zeros((2, 2)), {})
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)
    assert own.call(crashes.whisper, "on") == "ON"


def test_one_that_died_while_idle_is_replaced(own):
    first = own.call(os.getpid)
    os.kill(first, signal.SIGKILL)
    own._process.wait()
    assert own.call(os.getpid) != first


def test_what_cannot_be_sent_is_refused_before_it_is_half_sent(own):
    with pytest.raises(Exception, match="pickle"):
        own.call(lambda: None)
    with pytest.raises(Exception, match="pickle"):
        own.call(crashes.whisper, threading.Lock())
    assert own.call(crashes.whisper, "on") == "ON"


def test_how_far_it_is_is_reported_to_whoever_listens(own):
    heard = []
    with progress.listening(heard.append):
        assert own.call(crashes.halfway, "done") == "done"
    assert heard == [0.25, 0.5]
    assert own.call(crashes.halfway, "nobody listens") == "nobody listens" and len(heard) == 2


def test_it_never_loads_what_a_function_does_not_need():
    alone = Worker()
    loaded = alone.call(eval, "[name for name in ('torch', 'duckdb', 'sklearn') if name in __import__('sys').modules]")
    alone.close()
    assert loaded == []


SCRIPT = """
import sys
from ingest import worker
from tests.ingest import crashes
try:
    worker.call(crashes.hang, sys.argv[1])
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_and_by_ctrl_c(how, tmp_path):
    """A terminal sends Ctrl-C to both; a kill reaches the parent alone."""
    if how != signal.SIGINT and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent was killed")
    words, pipe, number = [sys.executable, "-c", SCRIPT, str(tmp_path / "pid")], subprocess.PIPE, tmp_path / "pid"
    parent = subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, start_new_session=True)
    wait(number.exists)
    child = int(number.read_text())
    os.killpg(parent.pid, how) if how == signal.SIGINT else os.kill(parent.pid, how)
    out, err = parent.communicate(timeout=60)
    assert (out, err) == (b"stopped\n" if how == signal.SIGINT else b"", b"")
    try:
        wait(lambda: not alive(child))
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


def wait(condition) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that within a minute")


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_shared_one_is_one():
    assert worker.call(os.getpid) == worker.call(os.getpid)
