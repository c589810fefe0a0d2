"""What it takes to add a statistic of heads: a migration, and one row. Runs then store it and the Heads page draws it."""

import importlib

import numpy as np
import pytest
from click.testing import CliRunner

from dashboard.drawing import head_figures
from ingest.cli import main
from ingest.vision.head_statistics import HEAD_STATISTICS, HeadStatistic
from store.connection import reading, writing
from tests.support import ROOT
from tests.support.pdfs import pdf


@pytest.fixture
def participation():
    """The row that the documents show, in the table for as long as a test takes; and the SQL of its migration."""
    text = (ROOT / "docs" / "adding.md").read_text()
    row = next(block for block in text.split("```python")[1:] if block.strip().startswith("HeadStatistic"))
    HEAD_STATISTICS.append(eval(row.split("```")[0].strip(), {"HeadStatistic": HeadStatistic}))
    importlib.reload(head_figures)
    yield text.split("```sql")[1].split("```")[0]
    HEAD_STATISTICS.pop()
    importlib.reload(head_figures)


def test_a_migration_and_a_row_add_a_statistic(participation, tmp_path, monkeypatch, open_page):
    folder, db = tmp_path / "papers", tmp_path / "papers.duckdb"
    folder.mkdir()
    (folder / "box.pdf").write_bytes(pdf([(1, 0, 0)], size=(400, 300)))
    with writing(db) as con:
        con.execute(participation)
    words = ["run", folder, "--db", db, "--model", "tiny:vit", "--project", "none", "--methods", "cls"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    with reading(db) as con:
        found = con.execute("SELECT participation, effective_patches, mass_patches FROM head_stats").fetchnumpy()
    assert len(found["participation"]) and np.isfinite(found["participation"]).all()
    assert (found["participation"] >= 1).all()
    assert (found["participation"] <= found["effective_patches"] * (1 + 1e-5)).all()  # Rényi entropies of order 2 and 1
    monkeypatch.setenv("BILDERATLAS_DB", str(db))
    page = open_page("heads", statistic="participation")
    assert not page.exception and page.selectbox(key="statistic").value == "participation"
    assert "Participation ratio" in page.selectbox(key="statistic").options


def test_each_row_has_a_column_and_each_column_a_row(db):
    with reading(db) as con:
        columns = [name for name, *_ in con.execute("DESCRIBE head_stats").fetchall()]
    assert sorted(columns[4:]) == sorted(statistic.key for statistic in HEAD_STATISTICS)
