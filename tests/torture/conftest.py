import shutil
from pathlib import Path

import pytest

from tests.pages import database


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("torture") / "made.duckdb"
    database.make(path)
    return path


@pytest.fixture
def db(made_once, tmp_path) -> Path:
    """A small database with something in every view."""
    return Path(shutil.copy(made_once, tmp_path / "bilderatlas.duckdb"))
