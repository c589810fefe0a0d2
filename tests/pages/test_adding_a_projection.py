"""What it takes to add a projection: one file. It is then in the command line, in the database and on the Map page."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ingest import worker
from ingest.cli import main
from ingest.vision import projections
from store import read, search, write
from store.connection import reading, writing
from store.records import Results
from tests.pages import database
from tests.pages.test_map import given

ROOT = Path(__file__).parents[2]
IMPORTS = """
from typing import Any
import numpy as np
from ingest.vision.projections.projection import Laid, Layout, Projection
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A file among those of the projections. It is computed here: another process would not see this folder."""
    folder = tmp_path / "projections"
    folder.mkdir()
    documented = (ROOT / "docs" / "adding.md").read_text().split("```python")[2].split("```")[0]
    (folder / "first.py").write_text(IMPORTS + documented)
    monkeypatch.setattr(projections, "__path__", [*projections.__path__, str(folder)])
    monkeypatch.setattr(worker, "call", lambda function, *arguments: function(*arguments))
    projections.projections.cache_clear()
    yield
    projections.projections.cache_clear()
    del sys.modules[f"{projections.__name__}.first"]
    del projections.first


def command(*words: str):
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    return result, result.stdout


def test_one_file_adds_a_projection(added, db, open_page):
    assert "[default: umap,tsne,pca,first]" in command("project", "--help")[1]
    texts = command("project", "--methods", "nothing")[0].stderr
    assert "there is no layout 'nothing'; there are umap, tsne, pca, first" in texts
    result, out = command("project", "--methods", "first")
    assert result.exit_code == 0 and out.strip() == "run 1: made first"

    with writing(db) as con:  # a picture more, which is then placed
        ids = write.add_images(con, 1, [database.record("hokusai-poppies-1833.jpg", {})])
        vector = np.zeros((1, database.DIM), np.float32)
        vector[0, 0] = 1
        write.add_results(con, 1, Results(np.array([*ids.values()]), vector))
    result, out = command("project", "--extend", "--methods", "first")
    assert out.strip() == "run 1: 1 placed into first by its own first feature; no other image has moved"

    with reading(db) as con:
        row = read.projections(con, 1).to_pylist()[-1]
        points = read.points(con, row["projection_id"]).sort_by("image_id")
        _, vectors = search.features(con, 1)
    assert row["method"] == "first" and points.num_rows == len(database.NAMES) + 1
    np.testing.assert_allclose(points["x"].to_numpy(), vectors[:, 0], atol=1e-6)
    settings = json.loads(row["settings"])
    assert (settings["feature"], list(settings["versions"]), settings["placed_later"]) == (0, ["numpy"], 1)

    at = open_page("map", projection="First feature")
    assert not at.exception
    assert given(at)["n"] == len(database.NAMES) + 1
    assert given(at)["alt"].startswith("Map of 7 pictures by First feature.")
    told = at.main.caption[0].value
    assert "by First feature" in told and "The farther to the right, the larger the first feature." in told


def test_it_is_gone_with_its_file(db, open_page):
    with writing(db) as con:
        ids = np.arange(1, len(database.NAMES) + 1)
        write.add_projection(con, 1, "first", {}, ids, np.zeros((len(ids), 2)))
    assert "first" not in projections.projections()
    at = open_page("map", projection="first")  # what a database holds of it can still be seen
    assert not at.exception and given(at)["alt"].startswith("Map of 6 pictures by first.")
