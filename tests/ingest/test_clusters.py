"""Clusters of a layout: planted ones are found, many points are bounded, new points follow their surroundings."""

from itertools import pairwise

import numpy as np
import pytest

from ingest import clustering, clusters
from ingest.clustering import find_levels, settings_of, surroundings
from ingest.clusters import central
from ingest.condensed import condensed_tree, nested_cuts
from ingest.extending import extend
from ingest.projections import project
from store import clusters as stored
from store import read, write
from store.connection import reading, writing
from tests.ingest.test_extending import planted
from tests.support.databases import database

SIZES = (60, 40, 25)


def points(times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three round clusters of different sizes and ten lonely points, with the truth."""
    random = np.random.default_rng(1)
    middles = np.array([[0, 0], [20, 0], [0, 20]])
    parts = [m + random.normal(size=(times * size, 2)) for m, size in zip(middles, SIZES, strict=True)]
    alone = np.column_stack([np.linspace(-90, 90, 10), np.full(10, 60)])
    of = np.repeat([1, 2, 3, 0], [*(times * size for size in SIZES), 10])
    return np.vstack([*parts, alone]), of


def find(xy: np.ndarray, settings: dict) -> np.ndarray:
    """The clusters at the default level."""
    levels, default = find_levels(xy, settings)
    return levels[default]


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    return adjusted_rand_score(one, other)


def test_planted_clusters_are_found_and_numbered_from_the_largest():
    xy, truth = points()
    found = find(xy, settings_of(len(xy)))
    assert np.mean(found == truth) > 0.9
    assert (found[truth == 0] == 0).mean() > 0.9
    counts = np.bincount(found)[1:]
    assert (np.diff(counts) <= 0).all() and len(counts) == 3
    assert (find(xy, settings_of(len(xy))) == found).all()


def test_many_points_are_clustered_by_some_of_them_as_they_would_be_by_all(monkeypatch):
    xy, truth = points(40)
    whole = find(xy, settings_of(len(xy)))
    monkeypatch.setattr(clustering, "MOST", 1000)
    settings = settings_of(len(xy))
    assert settings["seen"] == 1000
    part = find(xy, settings)
    assert agreement(part, truth) > 0.9 and agreement(part, whole) > 0.9


@pytest.mark.parametrize("xy", [np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((50, 2)), np.eye(4)[:, :2]])
def test_there_are_no_clusters_where_there_is_no_plane(xy):
    assert find(xy, settings_of(len(xy))).tolist() == [0] * len(xy)


@pytest.fixture(scope="module")
def lumpy() -> np.ndarray:
    """A large cluster that falls into nine when looked at closely, and eight points far away."""
    random = np.random.default_rng(0)
    middles = 2 * random.normal(size=(9, 2))
    near = middles[random.integers(9, size=208)] + 0.6 * random.normal(size=(208, 2))
    return np.vstack([near, 12 + 0.2 * random.normal(size=(8, 2))])


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two divisions are the same but for the numbers, those in none included."""
    return agreement(one, other) == 1.0 and bool(((one == 0) == (other == 0)).all())


@pytest.mark.parametrize("made", ["lumpy", "planted"])
def test_the_tree_and_its_cuts_are_those_of_scikit_learn(made, lumpy):
    from sklearn.cluster import HDBSCAN

    xy = lumpy if made == "lumpy" else points(4)[0]
    settings = settings_of(len(xy))
    how = {"min_cluster_size": settings["min_cluster_size"], "min_samples": settings["min_samples"], "copy": True}
    stable = HDBSCAN(**how).fit(xy)
    leaves = HDBSCAN(**how, cluster_selection_method="leaf").fit_predict(xy) + 1
    tree = condensed_tree(stable._single_linkage_tree_, settings["min_cluster_size"])
    assert same(tree.cut(tree.stable()), stable.labels_ + 1)
    assert same(tree.cut(tree.leaves), leaves)
    levels, default = nested_cuts(tree, xy, np.ones(len(xy)), 1.0)
    assert same(levels[default], stable.labels_ + 1)
    assert levels[-1].max() == leaves.max()
    assert (levels[-1][leaves > 0] > 0).all() and agreement(levels[-1][leaves > 0], leaves[leaves > 0]) == 1.0


def test_finer_levels_divide_the_coarser_ones_and_lose_nobody(lumpy):
    levels, default = clustering.find_levels(lumpy, settings_of(len(lumpy)))
    counts = [of.max() for of in levels]
    assert counts == sorted(set(counts)) and len(levels) > 3
    for coarse, fine in pairwise(levels):
        inside = fine > 0
        assert all(len(np.unique(coarse[fine == number])) == 1 for number in np.unique(fine[inside]))
        assert (coarse[inside] > 0).all()
    for coarse, fine in pairwise(levels[default:]):
        assert ((coarse > 0) == (fine > 0)).all()


def test_no_cluster_of_the_default_has_more_than_half_of_all(lumpy):
    """scikit-learn alone says: 208 and 8."""
    settings = settings_of(len(lumpy))
    levels, default = clustering.find_levels(lumpy, settings)
    assert np.bincount(levels[0])[1:].tolist() == [208, 8]
    assert np.bincount(levels[default])[1:].max() <= len(lumpy) / 2 < np.bincount(levels[default - 1])[1:].max()
    assert (find(lumpy, settings) == levels[default]).all()


def test_new_points_belong_where_their_surroundings_do():
    xy, truth = points()
    new = np.array([[0.2, 0.1], [20.3, -0.4], [0, 19.5], [10, 10], [70, 61], [500, 500]])
    assert surroundings(xy, truth, new).tolist() == [1, 2, 3, 0, 0, 0]
    assert surroundings(xy, truth, new[:0]).tolist() == []
    assert surroundings(xy[:1], truth[:1], xy[:1]).tolist() == [1]


def test_the_central_picture_is_the_nearest_to_the_mean_feature():
    vectors = np.array([[0, 0], [1, 0], [2, 0], [9, 9], [3, 0]], float)
    members, of = np.array([5, 6, 7, 8, 9]), np.array([1, 1, 1, 2, 1])
    ids = np.array([5, 6, 7, 8, 9])
    assert central(members, of, ids, vectors) == {1: 6, 2: 8}  # the mean of 0, 1, 2, 3 is 1.5
    assert central(members, of, ids[1:3], vectors[1:3]) == {1: 6}


def of_run(path, run) -> dict[str, stored.Clusters]:
    with reading(path) as con:
        rows = read.projections(con, run).to_pylist()
        return {row["method"]: stored.clusters(con, row["projection_id"]) for row in rows}


def test_a_layout_gets_its_clusters_once_and_older_ones_when_project_runs_again(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, planted(90))
    project(path, run, ["tsne", "pca"])
    found = of_run(path, run)
    assert {method: len(one.ids) for method, one in found.items()} == {"tsne": 90, "pca": 90}
    assert agreement(found["tsne"].of, np.arange(90) % 3) > 0.8
    assert set(found["tsne"].centres) == set(range(1, found["tsne"].of.max() + 1))
    told = []
    project(path, run, ["tsne", "pca"], told.append)
    assert told == []
    with writing(path) as con:  # as a database from before there were clusters
        for table in stored.TABLES:
            con.execute(f"DELETE FROM {table}")
    assert project(path, run, ["tsne", "pca"], told.append).made == []
    assert told == ["looking for clusters in tsne", "looking for clusters in pca"]
    again = of_run(path, run)
    assert all((again[method].of == found[method].of).all() for method in found)
    assert all(each.level in each.levels and each.levels == tuple(sorted(each.levels)) for each in again.values())


def test_clusters_from_before_there_were_levels_get_some_unless_somebody_named_them(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, planted(90))
    project(path, run, ["tsne", "pca"])
    with writing(path) as con:
        con.execute("UPDATE clustering SET settings = '{}'")
        stored.label(con, 1, stored.clusters(con, 1).level, 1, "boats")
    told = []
    project(path, run, ["tsne", "pca"], told.append)
    assert told == ["looking for clusters in pca"]


def test_placed_images_take_the_clusters_around_them(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, planted(90))
    project(path, run, ["pca"])
    before = of_run(path, run)["pca"]
    database(path, planted(99))
    extend(path, run, ["pca"])
    after = of_run(path, run)["pca"]
    assert len(after.ids) == 99 and (after.of[:90] == before.of).all()
    for place in range(90, 99):
        alike = before.of[place % 3 :: 3]
        assert after.of[place] in (0, np.bincount(alike).argmax())
    assert (after.of[90:] > 0).sum() >= 6


def test_an_extended_layout_without_clusters_gets_none(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, planted(30))
    with writing(path) as con:
        number = write.add_projection(
            con, run, "pca", {}, np.arange(1, 31), np.random.default_rng(0).normal(size=(30, 2))
        )
        clusters.extend(con, number, np.array([31]), np.zeros((1, 2)))
    assert of_run(path, run)["pca"] is None
