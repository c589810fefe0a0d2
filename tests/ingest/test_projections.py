import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from dashboard.drawing.text import projections as projection_text
from ingest import layouts, report, worker
from ingest.layouts import check_changes, settings_of
from ingest.projections import project
from ingest.vision import neighbours
from ingest.vision.projections import SEED, projections, tsne, umap
from store import read, search
from store.connection import reading
from tests.support.databases import database


def clusters(count, dim=16):
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(2, dim)) * 4
    vectors = centres[np.arange(count) % 2] + generator.normal(size=(count, dim)) * 0.3
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
@pytest.mark.parametrize("method", projections())
def test_any_number_of_images_is_laid_out(method, count, tmp_path):
    run = database(tmp_path / "p.duckdb", clusters(count))
    assert project(tmp_path / "p.duckdb", run, [method]).made == [method]
    with reading(tmp_path / "p.duckdb") as con:
        (row,) = read.projections(con, run).to_pylist()
        points = read.points(con, row["projection_id"])
    assert points.num_rows == count
    assert np.isfinite(np.array([points["x"], points["y"]], dtype=float)).all()


@pytest.mark.parametrize("method", projections())
def test_what_is_alike_lies_together_and_the_layout_can_be_made_again(method, tmp_path):
    vectors = clusters(40)
    run = database(tmp_path / "p.duckdb", vectors)
    project(tmp_path / "p.duckdb", run, [method])
    with reading(tmp_path / "p.duckdb") as con:
        (row,) = read.projections(con, run).to_pylist()
        table = read.points(con, row["projection_id"])
        _, stored = search.features(con, run)
    points = np.stack([table["x"], table["y"]], axis=1).astype(float)
    first, second = points[0::2], points[1::2]
    apart = np.linalg.norm(first.mean(0) - second.mean(0))
    assert apart > 2 * max(first.std(), second.std(), key=float) / 2 and apart > first.std(0).max()
    again = worker.call(projections()[method].lay_out, stored, settings_of(method, 40)).points
    np.testing.assert_allclose(again, points, rtol=1e-4, atol=1e-4)
    assert json.loads(row["settings"]).get("random_state", SEED) == SEED


def test_a_setting_that_is_changed_makes_a_layout_beside_the_usual_one(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, clusters(20))
    changes = {"perplexity": 3, "random_state": 7}
    assert project(path, run, ["tsne"]).made == ["tsne"]
    assert project(path, run, ["tsne"], changes=changes).made == ["tsne"]
    assert project(path, run, ["tsne"]).made == project(path, run, ["tsne"], changes=changes).made == []
    with reading(path) as con:
        rows = [json.loads(row["settings"]) for row in read.projections(con, run).to_pylist()]
    assert [(row["perplexity"], row["random_state"]) for row in rows] == [(6.33, SEED), (3.0, 7)]


def test_a_setting_out_of_its_range_is_said_before_anything_is_made(tmp_path):
    run = database(tmp_path / "p.duckdb", clusters(20))
    with pytest.raises(ValueError, match="n_neighbors of UMAP is a whole number from 2 to 19, not 50"):
        project(tmp_path / "p.duckdb", run, ["pca", "umap"], changes={"n_neighbors": 50})
    with pytest.raises(ValueError, match="whole number"):
        settings_of("umap", 20, {"n_neighbors": 5.5})
    with pytest.raises(ValueError, match="there is no setting 'perplexity' of umap, pca; there are min_dist"):
        check_changes(["umap", "pca"], {"perplexity": 5})
    with reading(tmp_path / "p.duckdb") as con:
        assert not read.projections(con, run).num_rows


def test_nothing_is_done_twice_and_a_layout_that_lacks_images_is_replaced(tmp_path):
    path, vectors = tmp_path / "p.duckdb", clusters(20)
    run = database(path, vectors[:15])
    assert project(path, run, ["pca"]).made == ["pca"]
    assert project(path, run, ["pca"]).made == []
    assert database(path, vectors) == run
    assert project(path, run, ["pca"]).made == ["pca"]
    with reading(path) as con:
        (row,) = read.projections(con, run).to_pylist()
    assert row["points"] == 20


@pytest.mark.parametrize(("few", "forces"), [(100, tsne.BARNES_HUT), (50, tsne.INTERPOLATED)])
def test_many_images_are_laid_out_by_opentsne(few, forces, tmp_path, monkeypatch):
    monkeypatch.setattr(tsne, "MANY", 30)
    monkeypatch.setattr(tsne, "FEW", few)
    monkeypatch.setattr(worker, "call", lambda function, *arguments: function(*arguments))
    run = database(tmp_path / "p.duckdb", clusters(60))
    project(tmp_path / "p.duckdb", run, ["tsne"])
    with reading(tmp_path / "p.duckdb") as con:
        (row,) = read.projections(con, run).to_pylist()
    settings = json.loads(row["settings"])
    assert settings["engine"] == "openTSNE" and row["points"] == 60 and settings.items() >= forces.items()
    assert settings["neighbours_by"] == "faiss" and settings["versions"].keys() >= {"openTSNE", "faiss-cpu"}
    with reading(tmp_path / "p.duckdb") as con:
        table = read.points(con, row["projection_id"])
        _, stored = search.features(con, run)
    points = np.stack([table["x"], table["y"]], axis=1).astype(float)
    assert trustworthiness(stored, points, n_neighbors=5, metric="cosine") > 0.6
    assert np.linalg.norm(points[0::2].mean(0) - points[1::2].mean(0)) > points[0::2].std(0).max()


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_a_layout_of_many_images_says_how_far_it_is(method, tmp_path, monkeypatch):
    monkeypatch.setattr(tsne, "MANY", 50)
    monkeypatch.setattr(report, "SELDOM", 0.0)
    run, lines = database(tmp_path / "p.duckdb", clusters(60)), []
    project(tmp_path / "p.duckdb", run, [method], lines.append)
    shares = [int(found[1]) for line in lines if (found := re.fullmatch(rf"{method}: (\d+)%", line))]
    assert len(shares) > 1 and shares == sorted(shares) and shares[-1] == 100


def test_pca_stores_how_much_it_explains(tmp_path):
    run = database(tmp_path / "p.duckdb", clusters(30))
    project(tmp_path / "p.duckdb", run, ["pca"])
    with reading(tmp_path / "p.duckdb") as con:
        (row,) = read.projections(con, run).to_pylist()
        _, stored = search.features(con, run)
    variances = np.linalg.eigvalsh(np.cov(stored.T.astype(float)))[::-1]
    expected = variances[:2] / variances.sum()
    np.testing.assert_allclose(json.loads(row["settings"])["explained_variance"], expected, atol=1e-3)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_of_very_many_images_a_sample_is_laid_out_and_the_others_are_placed_into_it(method, tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "MOST", 60)
    monkeypatch.setattr(worker, "call", lambda function, *arguments: function(*arguments))
    path, seen = tmp_path / "p.duckdb", []
    run, own = database(path, clusters(150)), projections()[method]
    counting = replace(
        own, lay_out=lambda vectors, how: (seen.append((len(vectors), how)), own.lay_out(vectors, how))[1]
    )
    monkeypatch.setattr(layouts, "projections", lambda: {**projections(), method: counting})
    assert project(path, run, [method]).made == [method]
    [(count, how)] = seen
    assert count == 60 and "sample" not in how
    with reading(path) as con:
        (row,) = read.projections(con, run).to_pylist()
        table = read.points(con, row["projection_id"])
    settings = json.loads(row["settings"])
    assert settings["sample"] == 60 and settings["others_placed_by"] == layouts.AMONG and settings["distinct"] == 150
    assert "60 of the pictures, drawn by lot" in " ".join(projection_text.notes(row))
    points = np.stack([table["x"], table["y"]], axis=1).astype(float)
    first, second = points[0::2], points[1::2]
    apart = np.linalg.norm(np.median(first, axis=0) - np.median(second, axis=0))
    assert apart > 2 * max(np.linalg.norm(part - np.median(part, axis=0), axis=1).max() for part in (first, second)) / 2
    assert project(path, run, [method]).made == []
    monkeypatch.setattr(layouts, "MOST", 200)  # nor is a layout of all made anew when it may be smaller
    assert "sample" not in settings_of(method, 150) and project(path, run, [method]).made == []


def test_what_has_no_neighbours_is_laid_out_whole(monkeypatch):
    monkeypatch.setattr(layouts, "MOST", 60)
    assert "sample" not in settings_of("pca", 150) and settings_of("umap", 61)["sample"] == 60
    assert "sample" not in settings_of("umap", 60)


@pytest.mark.parametrize(("exact", "missed"), [(4000, 0.0), (100, 0.02)])
def test_the_nearest_are_those_of_all_pairs(exact, missed, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT", exact)
    vectors = clusters(3000, 24) * np.random.default_rng(1).uniform(0.1, 9, (3000, 1))  # of any length
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit[:200] @ unit.T
    best = np.argsort(-cosines, axis=1)[:, :10]
    places, found = neighbours.nearest(vectors, vectors[:200], 10)
    assert np.mean([len(set(a) - set(b)) / 10 for a, b in zip(best, places, strict=True)]) <= missed
    np.testing.assert_allclose(found, np.take_along_axis(cosines, places, 1), atol=1e-5)


def test_each_is_its_own_first_neighbour_even_beside_its_equals():
    vectors = np.repeat(np.eye(6, dtype=np.float32), 4, axis=0)
    places, distances = neighbours.among_themselves(vectors, 3)
    assert places[:, 0].tolist() == list(range(24)) and places.dtype == np.int32
    assert (places // 4 == np.arange(24)[:, None] // 4).all() and all(len(set(row)) == 3 for row in places.tolist())
    assert (distances >= 0).all() and (distances < 1e-6).all()


def test_umap_of_many_is_as_true_to_neighbours_as_with_those_of_its_library(monkeypatch):
    vectors = clusters(300, 24).astype(np.float32)
    settings, scores = settings_of("umap", 300), []
    for many in (100, 1000):
        monkeypatch.setattr(umap, "MANY", many)
        laid = umap.lay_out(vectors, settings | ({"force_approximation_algorithm": True} if many == 100 else {}))
        scores.append(trustworthiness(vectors, laid.points, n_neighbors=10, metric="cosine"))
        assert laid.notes == ({"neighbours_by": "faiss"} if many == 100 else {})
    assert scores[0] > scores[1] - 0.01
