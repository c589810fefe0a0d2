"""New images in an old layout."""

import json

import numpy as np
import pytest

from ingest import extending, layouts
from ingest.extending import extend, place_distinct
from ingest.layouts import placing
from ingest.projections import project
from ingest.vision.projections import Layout, projections, tsne
from store import read, write
from store.connection import reading, writing
from tests.support.databases import database

CLUSTERS, DIM = 3, 16


def planted(count: int) -> np.ndarray:
    """Vectors of three clusters in turn, so that image i belongs to cluster i % 3; the first n are always the same."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(CLUSTERS, DIM)) * 4
    vectors = centres[np.arange(count) % CLUSTERS] + random.normal(size=(200, DIM))[:count] * 0.4
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def layout_of(path, run, method="umap"):
    with reading(path) as con:
        (row,) = [row for row in read.projections(con, run).to_pylist() if row["method"] == method]
        table = read.points(con, row["projection_id"])
    points = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    return row["projection_id"], json.loads(row["settings"]), table["image_id"].to_numpy(), points


def grown(path, method: str, before: int, after: int):
    """A run laid out with its first images, which then gets more of them."""
    run = database(path, planted(before))
    project(path, run, [method])
    old = layout_of(path, run, method)
    assert database(path, planted(after)) == run
    return run, old


@pytest.mark.parametrize(("method", "many"), [("umap", 5000), ("tsne", 5000), ("tsne", 30), ("pca", 5000)])
def test_a_new_member_lands_in_its_cluster_and_nobody_moves(method, many, tmp_path, monkeypatch):
    monkeypatch.setattr(tsne, "MANY", many)  # t-SNE has an engine for few images and one for many
    path = tmp_path / "p.duckdb"
    run, (number, settings, ids, points) = grown(path, method, 90, 99)
    (made,) = extend(path, run, [method]).made
    assert (made.projection_id, made.method, made.placed) == (number, method, 9)
    again, noted, all_ids, all_points = layout_of(path, run, method)
    assert again == number and len(all_ids) == 99
    np.testing.assert_array_equal(all_points[:90], points)
    assert all_points[:90].tobytes() == points.tobytes() and (all_ids[:90] == ids).all()
    centres = np.stack([points[cluster::CLUSTERS].mean(0) for cluster in range(CLUSTERS)])
    for place_, point in enumerate(all_points[90:], start=90):
        assert np.linalg.norm(centres - point, axis=1).argmin() == place_ % CLUSTERS
    assert noted == settings | {"fitted": 90, "placed_later": 9, "placed_by": made.rule}


@pytest.mark.parametrize("method", projections())
@pytest.mark.parametrize("before", [3, 11, 12])  # too few to be laid out, too few to be placed by, just enough
def test_small_layouts_can_be_extended_too(method, before, tmp_path):
    path = tmp_path / "p.duckdb"
    run, (_, _, _, points) = grown(path, method, before, before + 2)
    (made,) = extend(path, run, [method]).made
    _, _, ids, after = layout_of(path, run, method)
    assert len(ids) == before + 2 and np.isfinite(after).all()
    assert after[:before].tobytes() == points.tobytes()
    few = before < projections()[method].least_to_place
    assert few == made.rule.startswith("mean of the 5 nearest")


def test_an_extended_layout_can_be_extended_again_and_counts_as_complete(tmp_path):
    path = tmp_path / "p.duckdb"
    run, _ = grown(path, "tsne", 60, 63)
    extend(path, run, ["tsne"])
    _, _, _, once = layout_of(path, run, "tsne")
    assert extend(path, run, ["tsne"]).made == []
    assert project(path, run, ["tsne"]).made == []  # it holds all images: it is not made anew
    assert database(path, planted(66)) == run
    extend(path, run, ["tsne"])
    _, settings, _, twice = layout_of(path, run, "tsne")
    assert (settings["fitted"], settings["placed_later"]) == (60, 6)
    assert twice[:63].tobytes() == once.tobytes()
    assert project(path, run, ["tsne"]).made == []


def test_pca_places_by_its_own_axes(tmp_path):
    from sklearn.decomposition import PCA

    path = tmp_path / "p.duckdb"
    run, _ = grown(path, "pca", 60, 70)
    extend(path, run, ["pca"])
    vectors = planted(70)
    expected = PCA(2, svd_solver="full").fit(vectors[:60]).transform(vectors[60:])
    np.testing.assert_allclose(layout_of(path, run, "pca")[3][60:], expected, atol=1e-4)


def test_the_mean_of_the_nearest_is_weighted_by_similarity():
    vectors = np.eye(8, dtype=np.float32)[:7]
    points = np.arange(14.0).reshape(7, 2)
    query = np.array([[4, 3, 0, 0, 0, 0, 0, 0], [0] * 7 + [1]], dtype=np.float32)
    layout = Layout("umap", vectors, points, {})
    rule, place = placing(layout)
    found = place(layout, query)
    assert rule == "mean of the 5 nearest by similarity"
    np.testing.assert_allclose(found[0], (4 * points[0] + 3 * points[1]) / 7, atol=1e-6)
    assert found[1].tolist() in points.tolist()  # like none of them: at one of them


@pytest.mark.parametrize("method", projections())
def test_the_same_again_gives_the_same_places(method):
    vectors, points = planted(40), np.random.default_rng(0).normal(size=(34, 2))
    layout = Layout(method, vectors[:34], points, layouts.settings_of(method, 34))
    once, again = (place_distinct(layout, vectors[34:]) for _ in range(2))
    np.testing.assert_array_equal(once.points, again.points)


def test_images_that_are_gone_are_no_hindrance(tmp_path):
    path = tmp_path / "p.duckdb"
    run, (number, _, _, points) = grown(path, "umap", 40, 45)
    with writing(path) as con:
        con.execute("DELETE FROM feature WHERE image_id = 7")
        con.execute("DELETE FROM point WHERE image_id = 9")
    (made,) = extend(path, run, ["umap"]).made
    assert made.placed == 6
    _, _, ids, after = layout_of(path, run)
    assert sorted(ids) == list(range(1, 46))
    assert after[np.searchsorted(ids, 7)].tobytes() == points[6].tobytes()


def test_what_another_has_placed_meanwhile_is_not_placed_twice(tmp_path, monkeypatch):
    path = tmp_path / "p.duckdb"
    run, (number, _, _, _) = grown(path, "pca", 30, 36)

    def after_another(layout, vectors):
        with monkeypatch.context() as only_here:
            only_here.setattr(extending, "place_distinct", place_distinct)
            assert [each.placed for each in extend(path, run, ["pca"]).made] == [6]
        return place_distinct(layout, vectors)

    monkeypatch.setattr(extending, "place_distinct", after_another)
    assert extend(path, run, ["pca"]).made == []
    _, settings, ids, _ = layout_of(path, run, "pca")
    assert ids.tolist() == list(range(1, 37)) and settings["placed_later"] == 6


@pytest.mark.parametrize("how", ["project", "extend"])
def test_images_that_are_deleted_meanwhile_get_no_point(how, tmp_path):
    path, deleted = tmp_path / "p.duckdb", []
    run, _ = grown(path, "pca", 30, 36)

    def delete(line):
        if line.startswith(("laying out", "placing")) and not deleted:
            deleted.append(line)
            with writing(path) as con:
                write.delete_images(con, [2, 33])

    if how == "project":
        project(path, run, ["umap"], delete)
    else:
        extend(path, run, ["pca"], delete)
    _, _, ids, _ = layout_of(path, run, "umap" if how == "project" else "pca")
    assert deleted and ids.tolist() == [number for number in range(1, 37) if number not in (2, 33)]


def test_points_that_make_no_sense_are_refused(tmp_path):
    path = tmp_path / "p.duckdb"
    _, (number, settings, _, _) = grown(path, "pca", 10, 11)
    for bad in (np.zeros((1, 3)), np.zeros((2, 2)), np.full((1, 2), np.nan)):
        with pytest.raises(write.StoreError), writing(path) as con:
            write.extend_projection(con, number, settings, np.array([11]), bad)


# ---- the command --------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_placed_by_which_rule(command):
    run, _ = grown(command.db, "umap", 30, 32)
    result = command("project", "--extend")
    assert result.code == 0
    texts = f"run {run}: 2 placed into umap by umap-learn's transform; no other image has moved"
    assert result.out.strip().splitlines()[-1] == texts
    result = command("project", "--extend", "--json")
    assert result.code == 0 and result.counts == {"run_id": run, "extended": [], "projections_failed": {}}
    assert command("project", "--extend").out.strip().endswith("every image has its place already")


def test_layouts_that_are_not_there_are_one_sentence(command):
    run = database(command.db, planted(12))
    result = command("project", "--extend", "--methods", "tsne")
    assert result.code == 2 and result.err.count("Error") == 1
    assert f"run {run} has no layout by tsne to extend; make one with: python -m ingest project" in result.err
    result = command("project", "--extend", "--methods", "mds")
    assert result.code == 2 and "there is no layout 'mds'; there are umap, tsne, pca" in result.err


def test_a_layout_without_images_is_one_sentence(command):
    run = database(command.db, planted(12))
    project(command.db, run, ["pca"])
    with writing(command.db) as con:
        con.execute("DELETE FROM point")
    result = command("project", "--extend")
    assert result.code == 2 and "has no images left to go by" in result.err


def test_without_a_run_the_newest_of_each_collection_is_extended(command):
    first, _ = grown(command.db, "pca", 12, 14)
    second = database(command.db, planted(12), "other")
    project(command.db, second, ["pca"])
    result = command("project", "--extend", "--methods", "pca")
    assert result.code == 0
    line = result.out.strip().splitlines()[-1]
    assert line.startswith(f"run {second}: every image has its place already · run {first}: 2 placed into pca by ")
    assert line.endswith("; no other image has moved")
    assert len(layout_of(command.db, first, "pca")[2]) == 14
    counts = command("project", "--extend", "--methods", "pca", "--json").counts
    nothing = {"extended": [], "projections_failed": {}}
    runs = [{"run_id": run, **nothing} for run in (second, first)]
    assert counts == {"run_id": second, **nothing, "runs": runs}


def test_with_a_run_that_alone_is_extended(command):
    first, _ = grown(command.db, "pca", 12, 14)
    second = database(command.db, planted(12), "other")
    project(command.db, second, ["pca"])
    result = command("project", "--extend", "--methods", "pca", "--run", second, "--json")
    assert result.counts == {"run_id": second, "extended": [], "projections_failed": {}}
    assert len(layout_of(command.db, first, "pca")[2]) == 12


def test_collections_that_cannot_be_extended_are_no_hindrance(command):
    first, _ = grown(command.db, "pca", 12, 14)
    bare, emptied = database(command.db, planted(12), "bare"), database(command.db, planted(12), "emptied")
    result = command("project", "--extend", "--methods", "pca", "--json")
    assert result.code == 0 and result.counts["run_id"] == first and "runs" not in result.counts
    assert f"run {bare} (bare) has no layout by pca: it is left out" in result.err
    (number,) = project_of(command.db, emptied)
    with writing(command.db) as con:
        con.execute("DELETE FROM point WHERE projection_id = ?", [number])
    database(command.db, planted(15))
    result = command("project", "--extend", "--methods", "pca", "--json")
    assert result.code == 1 and "has no images left to go by" in result.err
    assert [len(each["extended"]) for each in result.counts["runs"]] == [0, 1]


def project_of(path, run) -> list[int]:
    """The numbers of a run's layouts by PCA, made now."""
    project(path, run, ["pca"])
    with reading(path) as con:
        return [row["projection_id"] for row in read.projections(con, run).to_pylist()]
