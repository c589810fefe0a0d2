"""Commands that a page starts: they run on their own, say how far they are, and can be stopped."""

import json
import signal
import sys
import time

import pytest

from dashboard.data import jobs
from dashboard.state.busy import jobs as work
from ingest import report

SAYS = """
import sys, time
from tqdm import tqdm
tqdm.write("reading the table", file=sys.stderr)
with tqdm(total=10, desc="training", file=sys.stderr, mininterval=0) as bar:
    bar.update(4)
    {then}
print("a line before\\nall done")
"""


@pytest.fixture
def program(monkeypatch, tmp_path):
    """`program("sys.exit(3)")`: jobs run a program of ours that does this in the middle of its work."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def use(then: str = "pass") -> None:
        monkeypatch.setattr(jobs, "PROGRAM", (sys.executable, "-c", SAYS.format(then=then)))

    return use


def ended(job: jobs.Job) -> jobs.JobReport:
    """How it ended."""
    until(lambda: not jobs.is_running(job))
    return jobs.report(job)


def until(condition, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_job_reports_how_far_a_layout_is(program, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "SELDOM", 0.0)
    lines = []
    report.shares(lines.append, "umap")(0.42)
    go = tmp_path / "go"
    said = f"import os; bar.close(); tqdm.write({lines[0]!r}, file=sys.stderr); [time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(go)!r}), True)]"
    program(said)
    job = jobs.start(tmp_path / "a.duckdb", "Map", ["project"])
    until(lambda: (found := jobs.report(job)).progress and found.progress.title == "umap")
    found = jobs.report(job)
    assert (found.progress.share, found.progress.left, found.lines) == (0.42, "", ("reading the table",))
    go.touch()
    ended(job)


def test_a_job_reports_its_progress_and_its_last_line(program, tmp_path):
    go = tmp_path / "go"
    program(f"import os; [time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(go)!r}), True)]")
    job = jobs.start(tmp_path / "a.duckdb", "Training of maps", ["train", "ssl", "a folder"])
    until(lambda: jobs.report(job).progress)
    found = jobs.report(job)
    assert found.state == "running"
    assert (found.progress.title, found.progress.share) == ("training", 0.4)
    assert found.lines == ("reading the table",)
    assert jobs.newest(tmp_path / "a.duckdb", "Training of maps") == job
    with pytest.raises(jobs.JobError, match="running already"):
        jobs.start(tmp_path / "a.duckdb", "Training of maps", ["train", "ssl", "a folder"])
    go.touch()
    found = ended(job)
    assert (found.state, found.result, found.progress) == ("finished", "all done", None)
    assert job.command == f"python -m ingest train ssl 'a folder' --db {tmp_path / 'a.duckdb'}"
    assert jobs.jobs(tmp_path / "another.duckdb") == []


def test_a_job_that_fails_says_why(program, tmp_path):
    program("tqdm.write('the disk is full', file=sys.stderr); sys.exit(1)")
    found = ended(jobs.start(tmp_path / "a.duckdb", "Run", ["run"]))
    assert (found.state, found.lines[-1]) == ("failed", "the disk is full")


def test_a_job_that_is_killed_has_failed(program, tmp_path):
    program(f"import os; os.killpg(os.getpgid(0), {int(signal.SIGKILL)})")
    assert ended(jobs.start(tmp_path / "a.duckdb", "Run", ["run"])).state == "failed"


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_job_is_stopped_as_by_ctrl_c(program, tmp_path, monkeypatch, stubborn):
    monkeypatch.setattr(jobs, "PATIENCE", 0.3)
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " if stubborn else ""
    program(f"{deaf}tqdm.write('ready', file=sys.stderr); time.sleep(600)")
    job = jobs.start(tmp_path / "a.duckdb", "Run", ["run"])
    until(lambda: "ready" in jobs.report(job).lines)
    jobs.stop(job)
    until(lambda: jobs.report(job).state != "running")
    found = jobs.report(job)
    assert found.state == "stopped"
    assert any("KeyboardInterrupt" in line for line in found.lines) is not stubborn


def test_old_folders_go_and_broken_ones_are_passed_over(program, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SAVED", 1)
    program()
    db = tmp_path / "a.duckdb"
    made = []
    for number in range(3):
        made.append(jobs.start(db, f"Run {number}", ["run", str(number)]))
        ended(made[-1])
    (made[-1].folder / "job.json").write_text("{")
    assert [job.title for job in jobs.jobs(db)] == ["Run 1"]
    assert not made[0].folder.exists()


def test_settings_are_a_file_of_the_same_name_for_the_same_settings(program, tmp_path):
    first, second = (jobs.write_settings(tmp_path / "a.duckdb", {"training": {"epochs": 3}}) for _ in range(2))
    assert first == second
    assert json.loads(first.read_text()) == {"training": {"epochs": 3}}


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (None, True),
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("192.168.1.4", False),
        ("atlas.org", False),
    ],
)
def test_visitors_from_elsewhere_start_nothing(address, local):
    assert work._is_loopback(address) is local
