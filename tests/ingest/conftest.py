from pathlib import Path

import pytest

from tests.support import commands
from tests.support.pictures import save_scans


@pytest.fixture
def folder(tmp_path) -> Path:
    """Nine small pictures in two folders, with a table that describes them."""
    return save_scans(tmp_path / "scans")


@pytest.fixture
def command(tmp_path):
    """Runs `python -m ingest ...` inside this process, on a database of the test's own."""

    def call(*words: str, db: Path | None = tmp_path / "test.duckdb") -> commands.Result:
        return commands.run(*words, db=db)

    call.db = tmp_path / "test.duckdb"
    return call
