"""What it takes to add a column of images: a migration, a field and its value. Pages and clusters then know it."""

import json
import shutil
import subprocess
import sys

import pytest

from ingest.engines import shards
from store import migrate, read
from store.connection import reading, writing
from store.records import ImageRecord, image_columns
from tests.support import ROOT

NEXT = migrate.steps()[-1][0] + 1
ASKED = """
import json, sys
from pathlib import Path
from dashboard.drawing.text import sources
from ingest.engines import shards
from store import read
from store.connection import reading

with reading(Path(sys.argv[1])) as con:
    rows = read.images(con).to_pylist()
print(json.dumps([shards.SCHEMA.names, [(row["megapixels"], sources.facts_of(row)) for row in rows]]))
"""


@pytest.fixture
def changed(tmp_path):
    """A copy of the code with the three changes of the documents."""
    for room in ("ingest", "store", "dashboard"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    text = (ROOT / "docs" / "adding.md").read_text().partition("## To add a column of images")[2]
    sql, declared, value = (part.split("```")[0].partition("\n")[2] for part in text.split("```")[1:6:2])
    (tmp_path / "store" / "migrations" / f"{NEXT:04}_megapixels.sql").write_text(sql)
    patch(tmp_path / "store" / "records.py", declared)
    patch(tmp_path / "ingest" / "pipeline.py", value)
    return tmp_path


def patch(file, lines: str) -> None:
    """Puts the line that is marked + below the other one."""
    before, added = (line[1:] for line in lines.splitlines())
    code = file.read_text()
    assert code.count(f"{before}\n") == 1
    file.write_text(code.replace(f"{before}\n", f"{before}\n{added}\n"))


def python(folder, *words) -> str:
    found = subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_migration_a_field_and_its_value_add_a_column(changed, folder, tmp_path):
    db = tmp_path / "pictures.duckdb"
    with writing(db):
        pass  # a database of before
    python(changed, "-m", "ingest", "scan", folder, "--db", db)
    columns, rows = json.loads(python(changed, "-c", ASKED, db))
    assert "megapixels" in columns
    assert rows and all(value > 0 and facts == {"megapixels": str(value)} for value, facts in rows)


def test_the_fields_of_a_record_are_the_columns_of_the_database(tmp_path):
    with writing(tmp_path / "empty.duckdb") as con:
        stored = {name for name, *_ in con.execute("DESCRIBE image").fetchall()}
    assert stored - {"image_id", "collection_id", "added_at", "metadata"} == set(image_columns())
    assert set(ImageRecord.__dataclass_fields__) <= set(shards.SCHEMA.names)
    with reading(tmp_path / "empty.duckdb") as con:
        known = read.images(con).column_names
    assert known == ["image_id", "collection", "path", "sha256", "width", "height", "metadata", "title"]
