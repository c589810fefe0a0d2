"""The command line, as a user gives it: in this process or in one of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from ingest.cli import main
from tests.support import ROOT

# The smallest network, and no layout: for tests that are about neither.
TINY = ("--model", "tiny:dinov2", "--project", "none")


class Result:
    """How a command ended, and what it wrote to standard output and error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def counts(self) -> dict:
        """The last line of `--json`."""
        return json.loads(self.out.strip().splitlines()[-1])


def run(*words: object, db: Path | None = None) -> Result:
    """Runs `python -m ingest ...` inside this process; an exception of it is one of the test."""
    words = [str(word) for word in words]
    if db is not None:
        words += ["--db", str(db)]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    return Result(result.exit_code, result.stdout, result.stderr)


def start(*words: object) -> subprocess.Popen:
    """The same in a process of its own, which can be killed."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "ingest", *map(str, words)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
