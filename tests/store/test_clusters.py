"""Clusters of a layout: kept beside it, gone with it."""

import numpy as np
import pytest

from store import atlas, clusters, removals, write
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


@pytest.fixture
def levelled(clustered):
    """A finer level beside the chosen one."""
    with writing(clustered) as con:
        clusters.add_level(con, 1, IDS, np.array([1, 2, 0, 3]), {1: 1, 2: 3, 3: 6})
    return clustered


def test_levels_stand_side_by_side_and_one_is_chosen(levelled):
    with writing(levelled) as con:
        assert clusters.levels(con, 1) == [2, 3]
        assert clusters.clusters(con, 1).level == 2 and clusters.clusters(con, 1).levels == (2, 3)
        fine = clusters.clusters(con, 1, 3)
        assert (fine.of.tolist(), fine.centres) == ([1, 2, 0, 3], {1: 1, 2: 3, 3: 6})
        assert clusters.clusters(con, 1, 17).level == 2  # there is none such
        clusters.choose(con, 1, 3)
        assert clusters.clusters(con, 1).level == 3
        assert [c for (c,) in con.execute("SELECT cluster FROM clusters ORDER BY image_id").fetchall()] == [
            1,
            2,
            None,
            3,
        ]
        assert con.execute("SELECT count(*) FROM cluster_levels").fetchone() == (8,)
        with pytest.raises(StoreError, match="no level of 9"):
            clusters.choose(con, 1, 9)


def test_people_name_colour_and_merge_clusters(levelled):
    with writing(levelled) as con:
        clusters.choose(con, 1, 3)
        clusters.label(con, 1, 3, 2, " Boats ", "#112233")
        clusters.label(con, 1, 3, 3, "Ships")
        clusters.merge(con, 1, 3, [3, 2])
        found = clusters.clusters(con, 1)
        assert found.of.tolist() == [1, 2, 0, 2] and found.merged == {3: 2}
        assert (found.names, found.colours, found.centres) == ({2: "Boats"}, {2: "#112233"}, {1: 1, 2: 3})
        rows = con.execute("SELECT image_id, cluster, name FROM clusters ORDER BY image_id").fetchall()
        assert rows == [(1, 1, None), (3, 2, "Boats"), (4, None, None), (6, 2, "Boats")]
        assert con.execute("SELECT cluster FROM cluster_centres ORDER BY 1").fetchall() == [(1,), (2,)]
        assert clusters.numbers(con, 1, 3, IDS).tolist() == [1, 2, 0, 3]  # as they were found
        clusters.merge(con, 1, 3, [1, 2])
        assert clusters.clusters(con, 1).of.tolist() == [1, 1, 0, 1]
        assert clusters.clusters(con, 1, 2).names == {}  # each level has its own
        clusters.reset(con, 1, 3)
        assert clusters.clusters(con, 1).of.tolist() == [1, 2, 0, 3] and clusters.clusters(con, 1).names == {}


def test_two_windows_merge_and_name_without_knowing_of_each_other(levelled):
    with writing(levelled) as con:
        clusters.merge(con, 1, 3, [1, 2])
        clusters.merge(con, 1, 3, [2, 3])  # where 2 still stood
        found = clusters.clusters(con, 1, 3)
        assert found.of.tolist() == [1, 1, 0, 1] and found.merged == {2: 1, 3: 1}
        clusters.label(con, 1, 3, 2, "Boats")
        found = clusters.clusters(con, 1, 3)
        assert found.names == {1: "Boats"} and found.of.tolist() == [1, 1, 0, 1]


def test_a_removed_picture_is_in_no_cluster_and_not_outside_of_them(levelled):
    with writing(levelled) as con:
        removals.remove(con, [4, 6])
        found = clusters.clusters(con, 1, 3)
        assert (found.ids.tolist(), found.of.tolist()) == ([1, 3], [1, 2])


def test_clusters_of_an_older_database_are_its_only_level(tmp_path):
    import shutil

    import duckdb

    from store import migrate

    older = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, older, ignore=lambda _, names: [name for name in names if name[:4] > "0021"])
    con = duckdb.connect(str(tmp_path / "old.duckdb"))
    migrate.apply(con, tmp_path / "old.duckdb", older)
    con.execute("INSERT INTO clustering VALUES (1, 'HDBSCAN', '{}', now()), (2, 'HDBSCAN', '{}', now())")
    con.execute("INSERT INTO cluster_point VALUES (1, 5, 1), (1, 6, 2), (1, 7, NULL), (2, 5, NULL)")
    con.execute("INSERT INTO cluster_centre VALUES (1, 1, 5), (1, 2, 6)")
    migrate.apply(con, tmp_path / "old.duckdb")
    found = clusters.clusters(con, 1)
    assert (found.of.tolist(), found.level, found.levels, found.centres) == ([1, 2, 0], 2, (2,), {1: 5, 2: 6})
    assert clusters.clusters(con, 2).of.tolist() == [0] and clusters.without_levels(con) == {1, 2}
    assert con.execute("SELECT count(*) FROM clusters WHERE cluster IS NOT NULL").fetchone() == (2,)
    con.close()
