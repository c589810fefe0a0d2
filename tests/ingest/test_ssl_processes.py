"""Self-supervised training in processes of its own: killed and gone on with, and two processes as one."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from safetensors.torch import load_file

from store import training
from store.connection import reading
from tests.ingest.test_ssl import folder, settings  # noqa: F401
from tests.support import ROOT
from tests.support.commands import start

pytestmark = pytest.mark.slow
TRAINED = ("loss", "teacher_entropy")


def numbers_of(db) -> dict:
    with reading(db) as con:
        rows = training.metrics(con, [1]).to_pylist()
    return {(r["epoch"], r["metric"]): r["value"] for r in rows if r["metric"] in (*TRAINED, "knn_accuracy")}


def test_killed_and_resumed_is_undisturbed(folder, tmp_path):  # noqa: F811
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(settings(folder, probes={"every": 0}, training={"epochs": 12})))

    def words(name):
        return "train", "ssl", "--config", path, "--out", tmp_path / name, "--db", tmp_path / f"{name}.duckdb"

    whole = start(*words("whole"))
    assert whole.wait(300) == 0, whole.stderr.read()
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    for _ in range(2):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        killed = start(*words("killed"))
        deadline = time.monotonic() + 200
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert killed.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(60) == -signal.SIGKILL
    last = start(*words("killed"))
    assert last.wait(300) == 0, last.stderr.read()
    assert numbers_of(tmp_path / "killed.duckdb") == numbers_of(tmp_path / "whole.duckdb")


@pytest.mark.parametrize("kind", ["nce", "dino"])
def test_two_processes_are_as_one_with_the_joined_batch(folder, tmp_path, kind):  # noqa: F811
    """Without stochastic depth, which each process draws for itself, and batch norm, which CPUs do not share."""
    path = tmp_path / "mine.yml"
    own = settings(folder, loss={"kind": kind}, head={"batch_norm": False}, probes={"every": 0}, model={"drop_path": 0})
    path.write_text(yaml.safe_dump(own))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    several = ["-m", "torch.distributed.run", "--nproc_per_node", "2"]
    for name, launcher in (("one", []), ("two", several)):
        words = ["train", "ssl", "--config", path, "--out", tmp_path / name, "--db", tmp_path / f"{name}.duckdb"]
        words = [sys.executable, *launcher, "-m", "ingest", *map(str, words), "--device", "cpu"]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one, two = (numbers_of(tmp_path / f"{name}.duckdb") for name in ("one", "two"))
    assert one.keys() == two.keys() and len(one) > 8
    for key in one:
        assert two[key] == pytest.approx(one[key], rel=1e-4), key
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 1e-3
