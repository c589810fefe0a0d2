"""A small database written before offsets of maps, readings of tables and keywords were stored: it opens, and its views
show the same."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import main
from store.connection import reading, writing
from store.errors import DatabaseOlder

ARCHIVE = Path(__file__).parent / "data" / "migration_7.zip"


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> tuple[Path, dict]:
    """The database as it was written, and what its views showed then."""
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder / "old.duckdb", json.loads((folder / "views.json").read_text())


@pytest.fixture(scope="module")
def migrated(old, tmp_path_factory) -> Path:
    db = shutil.copy(old[0], tmp_path_factory.mktemp("migrated") / "old.duckdb")
    with writing(db):
        pass
    return db


def test_a_reader_says_how_to_bring_it_up_to_date(old):
    with pytest.raises(DatabaseOlder, match="ingest migrate"), reading(old[0]):
        pass


@pytest.mark.parametrize(
    "view",
    [
        "images",
        "catalogue",
        "runs",
        "features",
        "frames",
        "attention",
        "head_stats",
        "projections",
        "points",
        "tags",
        "regions",
        "failures",
    ],
)
def test_its_views_show_the_same(old, migrated, view):
    assert rows(migrated, view, old[1][view]["columns"]) == old[1][view]["rows"]


def test_the_command_line_says_what_it_did(old, tmp_path):
    db = shutil.copy(old[0], tmp_path / "old.duckdb")
    texts = [CliRunner().invoke(main, ["migrate", "--db", str(db)]).output for _ in range(2)]
    assert texts == [f"{db} is up to date now\n", f"{db} was up to date already\n"]


def test_its_macros_give_the_same(old, migrated):
    for call, name in (("nearest(1, 2, 3)", "nearest"), ("attention_map(1, 2, 'cls', 1, 0)", "attention_map")):
        assert rows(migrated, call, old[1][name]["columns"], order="") == old[1][name]["rows"]


def rows(db: Path, view: str, columns: list[str], order: str = "ORDER BY ALL") -> list:
    named = ", ".join(f'"{name}"' for name in columns)
    with reading(db) as con:
        return json.loads(json.dumps(con.execute(f"SELECT {named} FROM {view} {order}").fetchall(), default=str))
