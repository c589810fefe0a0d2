"""Copies among the pictures of a run: what counts as one, and that they lie at one place and disturb nobody."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ingest import clustering, worker
from ingest.copies import NEAR, distinct, originals
from ingest.extending import ON_COPIES, extend
from ingest.projections import project
from ingest.vision.projections import projections
from store import clusters, read, write
from store.connection import reading, writing
from tests.ingest import crashes
from tests.support.databases import database

DIM = 24


def structured(count: int = 60, dim: int = DIM) -> np.ndarray:
    """Vectors with a structure: five groups of unequal width, each with a direction along which its members differ."""
    random = np.random.default_rng(4)
    centres, along = random.normal(size=(5, dim)), random.normal(size=(5, dim))
    group = np.arange(count) % 5
    vectors = (
        centres[group] * 2 + along[group] * random.uniform(-1, 1, (count, 1)) + random.normal(size=(count, dim)) * 0.3
    )
    return unit(vectors)


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def turned(vectors: np.ndarray, angle: float, seed: int = 0) -> np.ndarray:
    """Vectors so far from these, each in a direction of its own."""
    other = np.random.default_rng(seed).normal(size=vectors.shape)
    other -= np.einsum("ij,ij->i", other, vectors)[:, None] * vectors
    return unit(vectors + angle * other / np.linalg.norm(other, axis=1, keepdims=True))


def laid_out(path, run) -> dict[str, tuple[dict, np.ndarray, np.ndarray]]:
    """{method: settings, points (n, 2) in the order of the images, clusters (n,)} of a run's layouts."""
    found = {}
    with reading(path) as con:
        for row in read.projections(con, run).to_pylist():
            table = read.points(con, row["projection_id"])
            xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
            of = clusters.clusters(con, row["projection_id"]).among(table["image_id"].to_numpy())
            found[row["method"]] = json.loads(row["settings"]), xy, of
    return found


# ---- what counts as a copy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 8, 9, 384])
@pytest.mark.parametrize("noise", [0, 1e-8, 1e-7])
def test_near_copies_belong_to_the_first_of_them(dim, noise):
    vectors = structured(50, dim) if dim > 2 else unit([[np.cos(a), np.sin(a)] for a in np.linspace(0, 6, 50)])
    random = np.random.default_rng(2)
    copied = np.repeat(np.arange(0, 50, 10), 7)
    copies = (vectors[copied] + noise * random.normal(size=(35, dim))).astype(np.float32)
    order = np.r_[0, 1 + random.permutation(84)]  # a copy may come before what it is a copy of
    every = np.concatenate([vectors, copies])[order]
    truth = np.r_[np.arange(50), copied][order]
    found = distinct(every)
    assert len(found.firsts) == 50 and found.copies == 35
    for number in range(50):
        alike = np.flatnonzero(truth == number)
        assert originals(every)[alike].tolist() == [alike[0]] * len(alike)
        assert found.firsts[found.of[alike]].tolist() == [alike[0]] * len(alike)


def test_a_chain_of_near_copies_has_no_edge_where_it_is_split_by_rounding():
    start, along = np.eye(DIM)[0], np.eye(DIM)[1]
    for step in (1e-8, 1e-7, 1e-6):
        chain = unit(start + np.arange(100)[:, None] * step * along)
        assert distinct(chain).firsts.tolist() == [0]


def test_what_is_distinct_is_apart_and_what_is_a_copy_is_near():
    random = np.random.default_rng(0)
    cloud = unit(np.eye(DIM)[0] + random.normal(size=(2000, DIM)) * NEAR / 6)  # many at the very edge of being copies
    found = distinct(cloud)
    kept = cloud[found.firsts].astype(float)
    apart = np.linalg.norm(kept[:, None] - kept[None], axis=2)[np.triu_indices(len(kept), 1)]
    assert 2 < len(kept) < 2000 and apart.min() > NEAR
    assert np.linalg.norm(cloud - kept[found.of], axis=1).max() <= NEAR * (1 + 1e-6)
    assert (found.firsts[found.of] <= np.arange(2000)).all()


@pytest.mark.parametrize("angle", [2e-3, 1e-2])
def test_pictures_that_are_merely_alike_are_no_copies(angle):
    vectors = structured(40)
    assert distinct(np.concatenate([vectors, turned(vectors, angle)])).copies == 0


@pytest.mark.parametrize(
    ("vectors", "kept"),
    [
        (np.zeros((0, 3)), 0),
        (np.zeros((1, 3)), 1),
        (np.zeros((7, 3)), 1),
        (np.zeros((3, 0)), 1),
        ([[0, 0], [-0.0, 0], [1, 0], [-1, 0], [1, 0]], 3),
        ([[1e-20, 0], [2e-20, 0], [1e-20, 0]], 2),
        ([[3, 4], [6, 8]], 2),
    ],
)
def test_zeros_and_lengths(vectors, kept):
    assert len(distinct(np.asarray(vectors, dtype=np.float32)).firsts) == kept


# ---- layouts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "kind"), [(1, "same"), (2, "zero"), (4, "near"), (10, "same")])
def test_pictures_that_are_all_the_same_lie_at_one_place(count, kind, tmp_path):
    vectors = np.repeat(np.zeros((1, DIM)) if kind == "zero" else structured(1), count, axis=0)
    vectors = turned(vectors, 1e-7) if kind == "near" else vectors
    run = database(tmp_path / "p.duckdb", vectors)
    told = []
    done = project(tmp_path / "p.duckdb", run, ["umap", "tsne", "pca"], told.append)
    assert (done.made, done.failed) == (["umap", "tsne", "pca"], {})
    assert any("lie exactly on others" in line for line in told) == (count > 1)
    for method, (settings, xy, of) in laid_out(tmp_path / "p.duckdb", run).items():
        assert xy.tolist() == [[0.0, 0.0]] * count and len(set(of.tolist())) == 1
        assert (settings["distinct"], settings["copies"]) == (1, count - 1)
        assert settings.get("made_by") == (None if method == "pca" else "pca")


@pytest.mark.parametrize("different", [2, 3, 5])
def test_few_distinct_pictures_say_what_they_were_laid_out_by(different, tmp_path):
    vectors = unit(np.r_[np.eye(DIM)[:1], -np.eye(DIM)[:1], structured(3)])[:different]  # two are opposites
    of = np.arange(5 * different) % different
    run = database(tmp_path / "p.duckdb", vectors[of])
    assert project(tmp_path / "p.duckdb", run, ["umap", "tsne", "pca"]).failed == {}
    for method, (settings, xy, clustered) in laid_out(tmp_path / "p.duckdb", run).items():
        assert np.isfinite(xy).all() and len(np.unique(xy, axis=0)) == different
        for number in range(different):
            assert (xy[of == number] == xy[number]).all() and (clustered[of == number] == clustered[number]).all()
        few = different < projections()[method].least
        assert ("made_by" in settings, "needs at least 4" in settings.get("reason", "")) == (few, few)
        assert (settings["distinct"], settings["copies"]) == (different, 4 * different)
        if method == "umap" and not few:
            assert settings["n_neighbors"] == different - 1 and settings["versions"]["umap-learn"]
        if method == "tsne" and not few:
            assert settings["perplexity"] == round((different - 1) / 3, 2) and settings["init"] == "pca"
            assert settings["kl_divergence"] >= 0


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Layouts of 60 structured vectors, without copies and with 40 of one, scattered among them; and the vectors."""
    vectors, made = structured(), []
    for copies in (0, 40):
        path = tmp_path_factory.mktemp("crowded") / "p.duckdb"
        run = database(path, np.concatenate([vectors, np.repeat(vectors[7:8], copies, axis=0)]))
        assert project(path, run, list(projections())).failed == {}
        made.append(laid_out(path, run))
    return vectors, *made


@pytest.mark.parametrize("method", projections())
def test_forty_copies_lie_at_one_place_and_the_others_as_well_as_without_them(method, crowded):
    from sklearn.manifold import trustworthiness

    vectors, alone, among = crowded
    (plain, before, _), (settings, after, of) = alone[method], among[method]
    assert (after[60:] == after[7]).all() and len(np.unique(after, axis=0)) == 60
    trust = [trustworthiness(vectors, xy[:60], n_neighbors=5, metric="cosine") for xy in (before, after)]
    assert trust[1] > trust[0] - 0.02
    assert (settings["copies"], plain["copies"], settings["distinct"]) == (40, 0, 60)
    assert settings.get("kl_divergence", 0) >= 0 and plain.get("kl_divergence", 0) >= 0
    own = of[7]  # 41 pictures are more than all others that lie near them
    assert own > 0 and set(np.flatnonzero(of == own)) == {7, *range(60, 100)}


@pytest.mark.parametrize("method", projections())
def test_a_new_copy_lands_on_the_place_of_the_old_one(method, tmp_path):
    path, vectors = tmp_path / "p.duckdb", structured(30)
    run = database(path, vectors)
    project(path, run, [method])
    database(path, np.concatenate([vectors, turned(vectors[3:4], 1e-7), vectors[8:9]]))
    (made,) = extend(path, run, [method]).made
    assert (made.placed, made.rule) == (2, ON_COPIES)
    new = structured(31)[30:]
    database(path, np.concatenate([vectors, turned(vectors[3:4], 1e-7), vectors[8:9], new, new, vectors[3:4]]))
    (made,) = extend(path, run, [method]).made
    assert made.placed == 3 and made.rule != ON_COPIES
    settings, xy, of = laid_out(path, run)[method]
    assert (xy[[30, 34]] == xy[3]).all() and (xy[31] == xy[8]).all() and (xy[33] == xy[32]).all()
    assert len(np.unique(xy, axis=0)) == 31 and of[30] == of[34] == of[3] and of[31] == of[8]
    assert (settings["copies"], settings["copies_placed"], settings["placed_later"]) == (0, 4, 5)
    assert project(path, run, [method]).made == []


def test_a_layout_from_before_is_left_as_it_is(tmp_path):
    path = tmp_path / "p.duckdb"
    run = database(path, np.repeat(structured(10), 2, axis=0))
    old = {
        "umap": {"n_neighbors": 15, "min_dist": 0.1, "metric": "cosine", "init": "spectral", "random_state": 20},
        "tsne": {"perplexity": 6.33, "metric": "cosine", "random_state": 20, "engine": "scikit-learn"},
        "pca": {"centred": True, "components": 2, "explained_variance": [0.5, 0.2]},
    }
    with writing(path) as con:
        for method, settings in old.items():
            write.add_projection(con, run, method, settings, np.arange(1, 21), structured(20)[:, :2])
    assert project(path, run, list(old)).made == []


# ---- one that crashes -----------------------------------------------------------------------------------------------


def failures(path) -> list[tuple[str, str]]:
    with reading(path) as con:
        return [(row["path"], row["error"]) for row in read.failures(con).to_pylist() if row["stage"] == "project"]


@pytest.fixture(scope="module")
def mortal():
    made = worker.Worker()
    yield made
    made.close()


@pytest.fixture
def another_worker(mortal, monkeypatch):
    """The shared one is spared: what it has loaded took it seconds."""
    monkeypatch.setattr(worker, "_shared", lambda: mortal)


@pytest.mark.parametrize("crash", [crashes.segfault, crashes.fail])
def test_a_layout_that_crashes_is_a_sentence_and_the_others_are_made(crash, command, another_worker, monkeypatch):
    run = database(command.db, structured(12))
    monkeypatch.setitem(projections(), "tsne", replace(projections()["tsne"], lay_out=crash))
    result = command("project", "--methods", "tsne,pca", "--json")
    assert result.code == 1 and result.counts["projections"] == ["pca"]
    texts = result.counts["projections_failed"]["tsne"]
    assert texts.startswith("t-SNE was not made: ") and "\n" not in texts and "Traceback" not in result.err
    assert texts.endswith(f"to try again: python -m ingest project --run {run} --methods tsne") and texts in result.err
    assert failures(command.db) == [(f"tsne of run {run}", texts)]
    monkeypatch.undo()
    result = command("project", "--methods", "tsne,pca")
    assert result.code == 0 and result.out.strip() == f"run {run}: made tsne" and failures(command.db) == []


def test_clusters_that_crash_leave_the_layout(command, another_worker, monkeypatch):
    run = database(command.db, structured(12))
    monkeypatch.setattr(clustering, "find_levels", crashes.segfault)
    result = command("project", "--methods", "pca", "--json")
    assert (result.code, result.counts["projections"]) == (1, ["pca"])
    assert "SIGSEGV" in result.counts["projections_failed"]["clusters in pca"]
    assert [path for path, _ in failures(command.db)] == [f"clusters in pca of run {run}"]
    monkeypatch.undo()
    assert command("project", "--methods", "pca").code == 0 and failures(command.db) == []


def test_an_extension_that_crashes_places_nothing_and_the_others_are_made(command, another_worker, monkeypatch):
    vectors = structured(16)
    run = database(command.db, vectors[:14])
    project(command.db, run, ["tsne", "pca"])
    database(command.db, vectors)
    monkeypatch.setitem(projections(), "tsne", replace(projections()["tsne"], place=crashes.segfault, least_to_place=0))
    result = command("project", "--extend", "--methods", "tsne,pca", "--json")
    assert result.code == 1 and [each["method"] for each in result.counts["extended"]] == ["pca"]
    assert result.counts["projections_failed"]["tsne"].startswith("nothing was placed into t-SNE: its process ended")
    assert {method: len(xy) for method, (_, xy, _) in laid_out(command.db, run).items()} == {"tsne": 14, "pca": 16}


def test_run_goes_on_after_a_crash_and_says_so_at_its_end(command, another_worker, folder, monkeypatch):
    monkeypatch.setitem(projections(), "tsne", replace(projections()["tsne"], lay_out=crashes.segfault))
    result = command("run", folder, "--model", "tiny:vit", "--methods", "none", "--project", "tsne,pca")
    assert result.code == 1 and "9 new" in result.out and "· pca · failed: tsne ·" in result.out
    again = command("run", folder, "--model", "tiny:vit", "--methods", "none", "--project", "tsne,pca", "--json")
    assert again.code == 1 and list(again.counts["projections_failed"]) == ["tsne"] and again.counts["already"] == 9
