from pathlib import Path

import pytest

from tests.support import commands
from tests.support.pictures import save_picture


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


@pytest.fixture
def command(tmp_path):
    """Runs `python -m ingest ...` inside this process, on a database of the test's own."""

    def call(*words: str, db: Path | None = tmp_path / "test.duckdb") -> commands.Result:
        return commands.run(*words, db=db)

    call.db = tmp_path / "test.duckdb"
    return call
