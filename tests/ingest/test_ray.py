"""The engine on a cluster: two machines, each with its worker, made of processes on this one."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from ingest import pipeline
from ingest.engines.shards import Shards
from ingest.pipeline import Plan
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked
from tests.support.commands import start
from tests.support.databases import contents
from tests.support.pictures import save_picture

TINY = ("--model", "tiny:dinov2", "--fit", "aspect", "--project", "none")
IMAGES = 40


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Forty pictures in two folders, one that is none, and a table."""
    folder = tmp_path_factory.mktemp("scans") / "scans"
    (folder / "inner").mkdir(parents=True)
    rows = ["file,title"]
    for number in range(IMAGES):
        name = f"inner/p{number}.png" if number % 2 else f"p{number}.jpg"
        save_picture(folder / name, number, (90 + number, 70))
        rows.append(f"{name},Picture {number}")
    (folder / "broken.jpg").write_text("I am no picture")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def undisturbed(scans, tmp_path_factory):
    """The database that this process makes of them."""
    db = tmp_path_factory.mktemp("local") / "local.duckdb"
    process = start("run", scans, "--db", db, *TINY)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return db


@pytest.fixture(scope="module")
def cluster():
    """Two machines with two CPUs each: two workers."""
    pytest.importorskip("ray.data", reason="Ray is not installed: make test-ray")
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "HF_HUB_OFFLINE": "1"}
    node = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(**{name: value for name, value in node.items() if name != "include_dashboard"})
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def engine(cluster):
    """The engine on it, with parts of few pictures; the session is shared, since it takes seconds to begin one."""
    from ingest.engines.ray import open_cluster

    with open_cluster(cluster.address, batch_size=4) as engine:
        assert (engine.workers, engine.on_gpus) == (2, False)
        yield replace(engine, part_images=4, load_images=4)


def same(found, expected):
    """The contents of two databases, vectors and maps within what floats and the rounding of stored weights allow."""
    assert found[0] == expected[0]
    for kind, tolerance in ((1, 1e-5), (2, 2e-3), (3, 1e-5)):
        assert [row[:-1] for row in found[kind]] == [row[:-1] for row in expected[kind]]
        values = [np.concatenate([np.atleast_1d(row[-1]) for row in rows[kind]]) for rows in (found, expected)]
        np.testing.assert_allclose(*values, atol=tolerance)


def plan_of(db, scans):
    """The plan and the tasks of a run, as `observe_collection` makes them."""
    from ingest.report import Report
    from ingest.runs import add_run
    from ingest.sources.registry import list_source
    from ingest.sources.request import Request

    listing = list_source(db, Request(str(scans)), Report())
    backbone = load("tiny:dinov2")
    run_id = add_run(db, listing.collection_id, backbone, "aspect", backbone.rule.size)
    asked = (Asked("cls"), Asked("rollout"))
    plan = Plan(db, listing.collection_id, "run", backbone, run_id, fit="aspect", asked=asked, statistics=True)
    return plan, listing.tasks


def workers_of_this_test() -> list[int]:
    """The processes that hold a network: descendants of this one, by the name that Ray gives them."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue

    def mine(pid: int) -> bool:
        while pid in parents:
            if pid == os.getpid():
                return True
            pid = parents[pid]
        return False

    return [pid for pid, name in names.items() if name.startswith(b"ray::") and b"Processor" in name and mine(pid)]


def test_two_workers_make_what_one_process_makes(engine, scans, undisturbed, tmp_path):
    db = tmp_path / "ray.duckdb"
    plan, tasks = plan_of(db, scans)
    told = []
    counts = engine.process(plan, tasks, told.append)
    assert (counts.done, counts.failed, sum(told)) == (IMAGES, 1, IMAGES + 1)
    assert counts.reasons[0][0] == "broken.jpg" and "picture" in counts.reasons[0][1]
    same(contents(db), contents(undisturbed))
    assert not Path(f"{db}.parts").exists()


def test_a_worker_that_is_killed_is_replaced(engine, scans, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 4)
    db = tmp_path / "killed.duckdb"
    plan, tasks = plan_of(db, scans)
    committed, killed = [], []

    def kill_one(count):
        committed.append(count)
        if not killed and (alive := workers_of_this_test()):
            os.kill(alive[0], signal.SIGKILL)
            killed.append((alive[0], sum(committed)))

    counts = engine.process(plan, tasks, kill_one)
    assert killed and 0 < killed[0][1] < IMAGES
    assert (counts.done, counts.failed) == (IMAGES, 1)
    same(contents(db), contents(undisturbed))


def test_what_a_stopped_run_has_left_is_not_computed_again(engine, scans, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 4)
    db = tmp_path / "stopped.duckdb"
    plan, tasks = plan_of(db, scans)
    real, commits = pipeline.Writer._commit, []

    def stops(self, *arguments):
        commits.append(1)
        if len(commits) > 2:
            raise OSError("the power failed")
        real(self, *arguments)

    monkeypatch.setattr(pipeline.Writer, "_commit", stops)
    with pytest.raises(OSError, match="the power failed"):
        engine.process(plan, tasks)
    monkeypatch.setattr(pipeline.Writer, "_commit", real)
    (folder,) = Path(f"{db}.parts").iterdir()
    left = sorted(folder.glob("*.parquet"))
    assert left
    left[0].write_bytes(left[0].read_bytes()[:-9])  # cut short in writing
    times = {part.name: part.stat().st_mtime_ns for part in left[1:]}
    written, write = [], Shards.remove
    monkeypatch.setattr(Shards, "remove", lambda self, name: (written.append((name, (folder / name).stat().st_mtime_ns)), write(self, name)))  # fmt: skip
    counts = engine.process(plan, tasks)
    assert counts.failed <= 1 and counts.done <= IMAGES
    assert dict(written).items() >= times.items(), "a part that was there has been written again"
    same(contents(db), contents(undisturbed))
    assert not Path(f"{db}.parts").exists()


def test_the_command_reads_an_address(cluster, engine, scans, undisturbed, command, tmp_path):
    """Listed here, read by the workers, its parts kept where --parts says; again there is nothing to do."""
    words = ("run", f"file://{scans}", *TINY, "--engine", "ray", "--address", cluster.address, "--parts", f"file://{tmp_path}/parts")  # fmt: skip
    result = command(*words, "--metadata", scans / "metadata.csv", "--json")
    assert (result.code, result.counts["new"], result.counts["failed"]) == (0, IMAGES, 1)
    assert "ray, 2 workers, without GPUs" in result.err
    same(contents(command.db), contents(undisturbed))
    assert not (tmp_path / "parts").exists()
    assert command(*words, "--json").counts["new"] == 0
    assert command("explain", "--methods", "received", "--json").counts["new"] == IMAGES


def test_a_collection_that_is_there_gets_another_network_and_other_maps(cluster, engine, scans, command, tmp_path):
    """`embed` and `explain` of two databases that begin alike, the one here and the other on the cluster."""
    made = {}
    for name, engine_words in {"here": (), "there": ("--engine", "ray", "--address", cluster.address)}.items():
        db = tmp_path / f"{name}.duckdb"
        assert command("run", scans, *TINY, "--methods", "none", db=db).code == 0
        embedded = command("embed", "--model", "tiny:vit", *engine_words, "--json", db=db)
        explained = command("explain", "--run", 1, "--methods", "received", *engine_words, "--json", db=db)
        assert [each.counts["new"] for each in (embedded, explained)] == [IMAGES, IMAGES]
        with duckdb.connect(str(db), read_only=True) as con:
            made[name] = [
                con.execute(f"SELECT {', '.join(keys)}, {value} FROM {view} ORDER BY {', '.join(keys)}").fetchall()
                for view, value, *keys in (
                    ("features", "vector", "run_id", "image_id"),
                    ("attention", "weights", "run_id", "image_id", "method", "layer", "head"),
                )
            ]
    features, attention = made["here"]
    assert {row[0] for row in features} == {1, 2} and {row[2] for row in attention} == {"received"}
    for found, expected, tolerance in zip(made["there"], made["here"], (1e-5, 2e-3), strict=True):
        assert [row[:-1] for row in found] == [row[:-1] for row in expected]
        np.testing.assert_allclose(*(np.concatenate([row[-1] for row in rows]) for rows in (found, expected)), atol=tolerance)  # fmt: skip


def test_what_a_cluster_cannot_do_is_refused_before_it_is_asked(command, scans):
    assert command("run", scans, *TINY).code == 0
    result = command("explain", "--target", "neighbours:3", "--engine", "ray")
    assert result.code == 2 and "without a target" in result.err
    result = command("explain", "--methods", "received", "--address", "127.0.0.1:1")
    assert result.code == 2 and "add --engine ray" in result.err


def test_a_network_that_fails_ends_the_run_with_one_sentence(engine, scans, tmp_path):
    from ingest.engines.ray import ClusterError

    plan, tasks = plan_of(tmp_path / "wrong.duckdb", scans)
    strange = replace(plan, backbone=replace(plan.backbone, weights_sha256="0" * 64))
    with pytest.raises(ClusterError, match=r"^the cluster could not go on: the weights of tiny:dinov2 are others"):
        engine.process(strange, tasks)


def test_a_cluster_that_is_not_there(command, scans):
    pytest.importorskip("ray.data", reason="Ray is not installed: make test-ray")
    result = command("run", scans, *TINY, "--engine", "ray", "--address", "127.0.0.1:1")
    assert result.code == 1 and "there is no Ray cluster at 127.0.0.1:1" in result.err
    assert not command.db.exists()


# ---- training ---------------------------------------------------------------------------------------------------------


def training_job(folder, name, scans, **more):
    from ingest.training.ssl.config import with_preset
    from ingest.training.ssl.training import SSLTraining

    batches = {"epochs": 2, "batch_size": 8, "warmup_epochs": 1, **more}
    content = {"data": {"source": str(scans)}, "head": {"batch_norm": False}, "training": batches}
    return SSLTraining(folder / f"{name}.duckdb", with_preset(content, "digits", name), name, folder / name, "cpu")


def test_a_training_on_two_machines_is_that_of_one_process(engine, scans, tmp_path):
    from ingest.report import Report
    from ingest.training.ssl.cluster import train_on_cluster
    from ingest.training.ssl.training import train_ssl

    one = train_ssl(training_job(tmp_path, "one", scans), Report())
    two = train_on_cluster(engine, training_job(tmp_path, "two", scans), Report())
    assert two["metrics"]["train loss"] == pytest.approx(one["metrics"]["train loss"], rel=1e-4)
    again = train_on_cluster(engine, training_job(tmp_path, "two", scans), Report())
    assert (two["already"], again["already"]) == (0, 2)


def test_a_mistake_in_a_training_comes_back_as_a_sentence(engine, scans, tmp_path):
    from ingest.errors import SourceError
    from ingest.report import Report
    from ingest.training.ssl.cluster import train_on_cluster

    with pytest.raises(SourceError, match="A step takes 80 pictures"):
        train_on_cluster(engine, training_job(tmp_path, "large", scans, batch_size=80), Report())
    with pytest.raises(SourceError, match="cannot be shared evenly among 2 processes"):
        train_on_cluster(engine, training_job(tmp_path, "odd", scans, batch_size=7), Report())
