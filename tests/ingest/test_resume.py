"""kill -9 at any moment: the same command goes on, and the end is that of an undisturbed run."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support import ROOT
from tests.support.commands import run
from tests.support.databases import ask, contents
from tests.support.pictures import save_picture

IMAGES = 60
WORDS = ("--model", "tiny:dinov2", "--project", "none", "--batch-size", "4", "--workers", "1")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    for number in range(IMAGES):
        save_picture(folder / f"{number:03}.jpg", number, (400, 300))
    return folder


def slowed(db, folder, chunk=4):
    """`run` in a process that commits small chunks and pauses at each, so that a kill falls between or inside them."""
    code = (
        "import sys, time\n"
        "from ingest import pipeline\n"
        f"pipeline.CHUNK_IMAGES = {chunk}\n"
        "real = pipeline.Writer._commit\n"
        "def commit(self, *a):\n"
        "    real(self, *a); print('committed', flush=True); time.sleep(0.05)\n"
        "pipeline.Writer._commit = commit\n"
        "from ingest.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", str(folder), "--db", str(db), *WORDS],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_ingest_continues(many, tmp_path):
    """Twice; `tests/torture` kills more often, at any moment."""
    whole, broken = tmp_path / "whole.duckdb", tmp_path / "broken.duckdb"
    assert run("run", many, *WORDS, db=whole).code == 0
    chance, kills = random.Random(7), 0
    for _ in range(2):
        process = slowed(broken, many)
        for _ in range(chance.randint(1, 3)):
            if process.stdout.readline() != "committed\n":
                break
        time.sleep(chance.random() * 0.06)  # a moment between two commits, or in one
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 2
    ((halfway,),) = ask(broken, "SELECT count(*) FROM features")
    assert 0 < halfway < IMAGES
    done = run("run", many, *WORDS, db=broken)
    assert done.code == 0 and f"{IMAGES - halfway} new, {halfway} already there" in done.out
    expected, found = contents(whole), contents(broken)
    assert found[0] == expected[0] and len(found[0]) == IMAGES
    for kind in (1, 2, 3):
        assert [row[:-1] for row in found[kind]] == [row[:-1] for row in expected[kind]]
        np.testing.assert_allclose(
            np.concatenate([np.atleast_1d(row[-1]) for row in found[kind]]),
            np.concatenate([np.atleast_1d(row[-1]) for row in expected[kind]]),
            atol=2e-3 if kind == 2 else 1e-5,  # a stored weight is rounded: two steps at most
        )
