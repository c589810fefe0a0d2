"""The SQL statements of README and docs, on a database with two runs and several layouts of each."""

import re

import numpy as np
import pytest

from store import clusters, tags, write
from store.connection import reading, writing
from tests.pages import database
from tests.support import ROOT

OF_VIEWS = re.compile(r"^(?!ALTER|CREATE)", re.IGNORECASE)  # the others are migrations that somebody may write


def statements() -> list[tuple[str, str]]:
    """(document, statement) of all that stands in blocks of SQL, without what is said before it."""
    found = []
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```sql\n(.*?)```", file.read_text(), re.DOTALL):
            each = [re.sub(r"^\s*(--.*\n)*", "", text).strip() for text in block.split(";\n")]
            found += [(file.name, text) for text in each if text and OF_VIEWS.match(text)]
    return found


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Two runs over the same pictures with a UMAP each, two more UMAPs of the first, clusters in all, and a tag."""
    path = tmp_path_factory.mktemp("statements") / "two.duckdb"
    ids = np.array(sorted(database.make(path).values()))
    with writing(path) as con:
        database.add_run(con, 1, ids, [(10, 10)] * len(ids), size=98)
        for number in (5, 6):
            write.add_projection(con, 1, "umap", {"n_neighbors": number}, ids, np.full((len(ids), 2), 100.0 * number))
        layouts = [number for (number,) in con.execute("SELECT projection_id FROM projections").fetchall()]
        for number in layouts:
            clusters.add(con, number, "HDBSCAN", {}, ids, np.full(len(ids), number), {number: int(ids[0])})
        tags.add(con, ids[:2].tolist(), ["boat"])
    return path


def answer(path, begins: str) -> list[tuple]:
    (sql,) = [text for file, text in statements() if file == "README.md" and text.startswith(begins)]
    with reading(path) as con:
        return con.execute(sql).fetchall()


@pytest.mark.parametrize(("file", "sql"), statements())
def test_every_statement_runs(two_runs, file, sql):
    with reading(two_runs) as con:
        con.execute(sql).fetchall()


def test_where_artists_lie_is_asked_of_one_layout(two_runs):
    found = {artist: (x, y) for artist, x, y in answer(two_runs, "SELECT artist, avg(x)")}
    with reading(two_runs) as con:
        query = "SELECT artist, x, y FROM points JOIN catalogue USING (image_id) WHERE projection_id = 1"
        points = con.execute(query).fetchall()
    assert found and set(found) == {artist for artist, _, _ in points}
    for artist, place in found.items():
        np.testing.assert_allclose(place, np.mean([xy for name, *xy in points if name == artist], axis=0), rtol=1e-6)


def test_clusters_of_what_is_tagged_are_those_of_one_layout(two_runs):
    assert answer(two_runs, "SELECT tag, cluster") == [("boat", 1, 2)]
