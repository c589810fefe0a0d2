"""Hundreds of hostile files at once: each becomes what it should, in bounded memory and time, and nothing stops."""

import json
import subprocess
import sys
import threading

import duckdb
import pytest

from ingest.vision.paths import file_and_part, printable
from tests.ingest import hostile
from tests.support import ROOT

MEGABYTES = 2500  # of memory, of which torch and its friends take 700
MINUTES = 5

RUN = """
import resource, sys
from ingest.cli import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """The cases, the database, what was printed, and the megabytes that it took; one file changes all the while."""
    folder = tmp_path_factory.mktemp("hostile") / "files"
    cases = hostile.make(folder)
    done = threading.Event()
    changing = folder / "changing.png"
    changing.write_bytes(b"")
    writer = threading.Thread(target=hostile.rewritten, args=(changing, done.is_set))
    writer.start()
    db = folder.parent / "hostile.duckdb"
    words = ["run", folder, "--db", db, "--model", "tiny:vit", "--project", "none", "--json"]
    try:
        process = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
        )
    finally:
        done.set()
        writer.join()
    assert process.returncode == 0, process.stderr[-3000:]
    return cases, db, json.loads(process.stdout.splitlines()[-1]), int(process.stderr.split()[-1])


def outcomes(db):
    """{file: sizes of its pictures} and {file: error}, of pages under the name of their file."""
    with duckdb.connect(str(db), read_only=True) as con:
        images = con.execute("SELECT path, width, height FROM images").fetchall()
        failures = dict(con.execute("SELECT path, error FROM failures").fetchall())
    sizes: dict[str, list] = {}
    for path, width, height in images:
        sizes.setdefault(path, []).append((width, height))
        file, part = file_and_part(path)
        if part:
            sizes.setdefault(file, []).append((width, height))
    return sizes, {**{file_and_part(path)[0]: error for path, error in failures.items()}, **failures}


def test_each_file_becomes_what_it_should(ingested):
    cases, db, counts, _ = ingested
    sizes, failures = outcomes(db)
    assert len(cases) > 200
    wrong = []
    for case in cases:
        name = printable(case.name)
        got = [kind for kind, held in ((hostile.IMAGE, sizes), (hostile.FAILURE, failures)) if name in held]
        if case.outcome == hostile.EITHER:
            right = bool(got)
        else:
            right = got == ([] if case.outcome == hostile.LEFT_OUT else [case.outcome])
        if right and case.size and hostile.IMAGE in got:
            right = case.size in sizes[name]
        if not right:
            wrong.append((case, got, failures.get(name), sizes.get(name)))
    assert not wrong
    assert counts["failed"] > 100 and counts["new"] > 80


def test_every_reason_is_a_plain_sentence(ingested):
    _, failures = outcomes(ingested[1])
    for name, reason in failures.items():
        assert reason[0].isupper() and reason.endswith("."), (name, reason)
        assert "Traceback" not in reason and "0x7f" not in reason and len(reason) < 300, (name, reason)


def test_memory_is_bounded(ingested):
    assert ingested[3] < MEGABYTES


def test_again_the_failures_are_tried_and_the_pictures_are_not(ingested, command):
    _, db, counts, _ = ingested
    folder = db.parent / "files"
    again = command("scan", folder, "--json", db=db).counts
    assert again["already"] >= counts["new"] - 1 and again["failed"] >= counts["failed"] - 1
    state = command("status", "--json", db=db).counts["collections"][0]["files"]
    assert state["gone"] == []
