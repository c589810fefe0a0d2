import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ingest.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Nine small pictures in two folders, with a table that describes them."""
    made = tmp_path / "scans"
    (made / "inner").mkdir(parents=True)
    rows = ["file,title,year"]
    for number in range(9):
        name = f"inner/p{number}.png" if number % 2 else f"p{number}.jpg"
        save_picture(made / name, number)
        rows.append(f"{name},Picture {number},{1500 + number}")
    (made / "metadata.csv").write_text("\n".join(rows))
    return made


def save_picture(path: Path, number: int, size: tuple[int, int] = (90, 70)) -> None:
    values = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.NEAREST).save(path)


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def counts(self) -> dict:
        return json.loads(self.out.strip().splitlines()[-1])


@pytest.fixture
def command(tmp_path):
    """Runs `python -m ingest ...` inside this process, on a database of the test's own."""

    def call(*words: str, db: Path | None = tmp_path / "test.duckdb") -> Result:
        words = [str(word) for word in words]
        if db is not None:
            words += ["--db", str(db)]
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        return Result(result.exit_code, result.stdout, result.stderr)

    call.db = tmp_path / "test.duckdb"
    return call


def start(*words: str) -> subprocess.Popen:
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
