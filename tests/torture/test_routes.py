"""The web server under requests that no page makes, and pictures that are too large to be opened."""

import subprocess
import sys
import time

import duckdb
import pytest

from dashboard.data import uploads
from tests.browser.conftest import serve
from tests.ingest import hostile
from tests.support import ROOT
from tests.torture import routes
from tests.torture.statements import SECRET


@pytest.fixture(scope="module")
def address(made_once):
    room = made_once.parent / "room"
    room.mkdir()
    with duckdb.connect(str(room / "secret.duckdb")) as con:
        con.execute(f"CREATE TABLE secret AS SELECT '{SECRET}' AS word")
    process, address = serve(made_once)
    yield address
    assert process.poll() is None
    process.terminate()
    process.wait(20)


def test_hostile_requests_are_refused_and_the_server_lives(address):
    requests = list(routes.requests())
    assert len(requests) > 250
    answers = [routes.ask(address, request) for request in requests]
    faults = [(answer.request[:100], found) for answer in answers if (found := routes.fault(answer, SECRET.encode()))]
    assert not faults
    good = routes.ask(address, "GET /thumb/1 HTTP/1.1")
    assert good.status == 200 and good.body.startswith(b"\xff\xd8")


def test_the_right_answers_are_still_given(address):
    """The attack above would also pass against a server that says 404 to everything."""
    for path, kind in {
        "/thumb/1": "image/jpeg",
        "/atlas/points/1": "octet-stream",
        "/atlas/about/1": "json",
        "/atlas/abouts/1,2": "json",
    }.items():
        answer = routes.ask(address, f"GET {path} HTTP/1.1")
        assert answer.status == 200 and kind in answer.head, path


MEASURE = """
import resource, sys
from pathlib import Path
from dashboard.data import uploads
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for file in sys.argv[1:]:
    try:
        picture = uploads.decode(Path(file).read_bytes())
        assert picture.width * picture.height <= uploads.MEGAPIXELS * 10**6, file
        print("opened", file)
    except uploads.BadPicture as error:
        assert str(error).endswith("."), error
        print("refused", file)
print("grown", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_pictures_that_are_too_large_are_refused_before_they_take_memory(tmp_path):
    most = uploads.MEGABYTES * 2**20  # longer ones never reach it as bytes
    cases = [case for case in hostile.bombs(tmp_path) if (tmp_path / case.name).stat().st_size <= most]
    assert len(cases) > 15
    (tmp_path / "wide.png").write_bytes(hostile.png(60_000, 60_000))
    (tmp_path / "limit.png").write_bytes(hostile.png(uploads.MEGAPIXELS * 1000, 1001))
    (tmp_path / "long.jpg").write_bytes(b"\xff\xd8" + bytes(most))
    names = [*(case.name for case in cases), "wide.png", "limit.png", "long.jpg"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert len(lines) == len(names)
    for name in ("wide.png", "limit.png", "long.jpg"):
        assert f"refused {tmp_path / name}" in lines
    assert int(last.split()[1]) < 700, "megabytes"


def test_a_pasted_picture_is_measured_before_it_is_decoded():
    began = time.process_time()
    with pytest.raises(uploads.BadPicture, match="larger than 20 MB"):
        uploads.from_data_url("data:image/png;base64," + "A" * 30 * 2**20)
    assert time.process_time() - began < 5
