"""Clusters of a layout: kept beside it, gone with it."""

import numpy as np
import pytest

from store import atlas, clusters, write
from store.connection import reading, writing
from store.errors import StoreError
from tests.store.test_atlas import db  # noqa: F401

IDS, OF = np.array([1, 3, 4, 6]), np.array([1, 1, 0, 2])


@pytest.fixture
def clustered(db):  # noqa: F811
    with writing(db) as con:
        clusters.add(con, 1, "HDBSCAN", {"min_cluster_size": 2}, IDS, OF, {1: 3, 2: 6})
    return db


def test_clusters_come_back_as_they_went_and_none_is_null(clustered):
    with reading(clustered) as con:
        found = clusters.clusters(con, 1)
        rows = con.execute("SELECT image_id, cluster FROM clusters WHERE projection_id = 1 ORDER BY 1").fetchall()
        assert con.execute("SELECT * FROM clusterings").fetchall() == [(1, "HDBSCAN", '{"min_cluster_size": 2}')]
        assert con.execute("SELECT cluster, image_id FROM cluster_centres").fetchall() == [(1, 3), (2, 6)]
        assert (clusters.clusters(con, 2), clusters.known(con)) == (None, {1})
    assert rows == [(1, 1), (3, 1), (4, None), (6, 2)]
    assert (found.ids.tolist(), found.of.tolist(), found.centres) == (IDS.tolist(), OF.tolist(), {1: 3, 2: 6})
    assert found.among(np.array([6, 99, 1, 4, 0])).tolist() == [2, 0, 1, 0, 0]


def test_no_cluster_at_all_is_an_answer_too(db):  # noqa: F811
    with writing(db) as con:
        clusters.add(con, 1, "HDBSCAN", {}, IDS, 0 * OF, {})
    with reading(db) as con:
        assert clusters.clusters(con, 1).of.tolist() == [0, 0, 0, 0]
        assert clusters.known(con) == {1}


@pytest.mark.parametrize("change", ["drop", "points"])
def test_clusters_go_with_the_points_they_were_found_in(clustered, change):
    with writing(clustered) as con:
        if change == "drop":
            write.drop_projection(con, 1)
        else:
            write.add_projection(con, 1, "umap", {}, IDS, np.zeros((4, 2)))
    with reading(clustered) as con:
        assert clusters.clusters(con, 1) is None
        assert con.execute("SELECT count(*) FROM clusters").fetchall() == [(0,)]
        assert con.execute("SELECT count(*) FROM cluster_centres").fetchall() == [(0,)]


def test_more_images_come_to_the_others(clustered):
    with writing(clustered) as con:
        clusters.extend(con, 1, np.array([2, 5]), np.array([2, 0]))
        with pytest.raises(StoreError, match="2 images"):
            clusters.extend(con, 1, np.array([2, 5]), np.array([2]))
    with reading(clustered) as con:
        assert clusters.clusters(con, 1).of.tolist() == [1, 2, 1, 0, 0, 2]


def test_values_of_a_column_come_in_the_order_of_the_images(db):  # noqa: F811
    name = 'a "strange" name; DROP TABLE image'
    with writing(db) as con:
        write.set_metadata(con, 1, {"0.jpg": {name: 1829}, "3.jpg": {name: 1830}})
    with reading(db) as con:
        assert atlas.values(con, np.array([4, 2, 1, 99]), name) == ([1830, None, 1829, None], "number")
        assert atlas.values(con, np.array([4]), "another") is None
        assert atlas.values(con, np.array([4]), "path") is None
