"""Wrong usage and other weather: one sentence, an exit code, no traceback."""

import json
import pickle
import subprocess
import sys

import duckdb
import numpy as np
import pytest
import torch

from ingest import models
from ingest.vision.backbones import PUBLISHED, load
from ingest.vision.geometry import fit_image
from ingest.vision.loader import decode
from store import connection, write
from store.connection import writing
from tests.support import ROOT
from tests.support.commands import TINY, start
from tests.support.databases import database


@pytest.mark.parametrize(
    "words, code, says",
    [
        (("run", "/no/such/folder"), 2, "/no/such/folder"),
        (("run",), 2, "Missing argument"),
        (("run", "{folder}", "--model", "dinov2-smal"), 2, "perhaps dinov2-small"),
        (("run", "{folder}", "--model", "tiny:dinov2", "--layer", "9"), 2, "counted from 0 to 2"),
        (("run", "{folder}", *TINY, "--methods", "clss"), 2, "no attention method 'clss'"),
        (("run", "{folder}", "--model", "tiny:dinov2", "--project", "umpa"), 2, "no layout 'umpa'; there are umap, tsne, pca"),
        (("run", "{folder}", *TINY, "--device", "cuda:7"), 2, "this machine has"),
        (("run", "{folder}", *TINY, "--fit", "squash"), 2, "squash"),
        (("run", "{folder}", *TINY, "--metadata", "/no/such.csv"), 2, "/no/such.csv"),
        (("run", "{empty}", *TINY), 2, "empty"),
        (("project",), 1, "python -m ingest run"),
        (("status",), 1, "python -m ingest run"),
        (("embed",), 1, "python -m ingest run"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(words, code, says, folder, tmp_path, command):
    (tmp_path / "empty").mkdir()
    words = [word.format(folder=folder, empty=tmp_path / "empty") for word in words]
    result = command(*words)
    assert result.code == code
    assert says in result.err
    assert "Traceback" not in result.err and result.out == ""


def test_a_file_that_is_no_database(folder, tmp_path, command):
    (tmp_path / "test.duckdb").write_text("a shopping list")
    result = command("run", folder, *TINY)
    assert result.code == 1 and "test.duckdb" in result.err
    assert (tmp_path / "test.duckdb").read_text() == "a shopping list"


def test_a_newer_database_is_left_alone(folder, command):
    command("run", folder, *TINY)
    with duckdb.connect(str(command.db)) as con:
        (table,) = con.execute("SELECT table_name FROM duckdb_tables() WHERE table_name ILIKE '%migration%'").fetchone()
        con.execute(f"UPDATE {table} SET number = 999 WHERE number = (SELECT max(number) FROM {table})")
    result = command("run", folder, *TINY)
    assert result.code == 1 and "newer" in result.err


def test_a_locked_database_is_waited_for_then_named(folder, command, monkeypatch):
    from store import connection

    command("run", folder, *TINY)
    hold = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", hold, str(command.db)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        for name in ("reading", "writing"):
            function = getattr(connection, name).__wrapped__
            monkeypatch.setattr(function, "__defaults__", (0.2, *function.__defaults__[1:]))
        result = command("run", folder, *TINY)
    finally:
        other.kill()
    assert result.code == 1 and str(command.db) in result.err and "Traceback" not in result.err


def test_verbose_shows_the_traceback(folder):
    process = start("run", folder / "nowhere", "-v")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" in err


def test_models_lists_every_name(command):
    result = command("models", db=None)
    assert result.code == 0
    for key in (*PUBLISHED, "packaged"):
        assert f"\n{key} " in result.out


def test_models_describes_what_is_measured_of_one(command):
    result = command("models", "--describe", "tiny:timm-eva", db=None)
    assert result.code == 0
    for words in (
        "patches: tokens 1–16 of 17, in reading order",
        "special tokens: CLS\n",
        "summary read from the patches",
        "two passes agree",
        "takes any grid",
        "warning: The summary of this network is read from the patches, not from the CLS token",
    ):
        assert words in result.out
    found = json.loads(command("models", "--describe", "tiny:siglip", "--json", db=None).out)
    assert (found["has_cls"], found["measured"]["special"], found["measured"]["summary"]) == (False, 0, "patches")


def test_run_tells_and_stores_what_is_measured(folder, command):
    result = command("run", folder, "--model", "tiny:timm-eva", "--project", "none", "--json")
    assert "not from the CLS token: cls maps" in result.err
    assert [line.split(":")[1].split()[0] for line in json.loads(result.out)["warnings"]] == ["cls", "rollout"]
    with connection.reading(command.db) as con:
        settings = json.loads(con.execute("SELECT settings::VARCHAR FROM runs").fetchall()[0][0])
    assert settings["measured"]["summary"] == "patches" and settings["measured"]["sizes"] == "any"


def test_a_size_that_the_network_does_not_take_is_refused_before_any_picture(folder, command):
    result = command("run", folder, "--model", "tiny:timm-beit", "--size", "84")
    assert result.code == 2
    assert "does not take squares of 84 pixels" in result.err and "leave --size out" in result.err
    assert "Traceback" not in result.err and "RuntimeError" not in result.err


def test_status_tells_what_is_there(folder, command):
    (folder / "bad.jpg").write_text("no")
    command("run", folder, "--model", "tiny:dinov2", "--project", "pca")
    out = command("status").out
    assert "collection scans: 9 images, 1 failure," in out
    assert "run 1: tiny:dinov2 over scans, 9 images" in out and "cls (54 maps)" in out and "pca" in out
    assert "failed: bad.jpg" in out
    (run,) = command("status", "--json").counts["runs"]
    assert (run["run_id"], run["collection"], run["images"], len(run["weights_sha256"])) == (1, "scans", 9, 64)
    assert json.loads(run["settings"])["model"] == "tiny:dinov2" and "torch" in json.loads(run["versions"])


def test_status_tells_layouts_of_one_method_apart(command):
    run = database(command.db, np.random.default_rng(0).normal(size=(14, 4)))
    settings = {"min_dist": 0.1, "random_state": 20}
    changed = {"n_neighbors": 5, "min_dist": 0.3}
    own = [settings | {"n_neighbors": 13}, settings | changed, settings | {"made_by": "pca"}]
    with writing(command.db) as con:
        for method, each in [("umap", own[0]), ("pca", {}), ("umap", own[1]), ("tsne", {}), ("tsne", own[2])]:
            write.add_projection(con, run, method, each, np.array([1]), np.zeros((1, 2)))
    layouts = "umap (n_neighbors=13, min_dist=0.1), pca, umap (n_neighbors=5, min_dist=0.3), "
    assert layouts + "tsne (layout 4), tsne (layout 5)" in command("status").out


@pytest.mark.parametrize("ending", ["parquet", "csv", "npz", "pkl", "txt"])
def test_export_writes_features_for_other_programs(folder, command, tmp_path, ending):
    command("run", folder, *TINY)
    file = tmp_path / f"features.{ending}"
    result = command("export", file)
    if ending == "txt":
        assert result.code == 2 and ".parquet, .csv, .npz or .pkl" in result.err
        return
    assert "brought to length 1 (--raw: as the network gave them)" in result.out
    import pandas as pd

    if ending == "npz":
        data = np.load(file)
        paths, vectors = list(data["paths"]), data["vectors"]
    elif ending == "pkl":
        data = pickle.loads(file.read_bytes())
        paths, vectors = list(data), list(data.values())
    else:
        table = pd.read_parquet(file) if ending == "parquet" else pd.read_csv(file)
        paths = list(table["path"])
        vectors = np.stack(table["vector"]) if ending == "parquet" else table.filter(like="feature_").to_numpy()
        assert set(table["title"]) == {f"Picture {n}" for n in range(9)}
    with duckdb.connect(str(command.db), read_only=True) as con:
        rows = con.execute("SELECT path, vector FROM images JOIN features USING (image_id)").fetchall()
    stored = dict(rows)
    assert sorted(paths) == sorted(stored)
    for path, vector in zip(paths, vectors, strict=True):
        np.testing.assert_allclose(vector, stored[path], rtol=1e-6)


@pytest.mark.parametrize("model", ["tiny:dinov2", "tiny:siglip", "tiny:timm-classifier"])
@pytest.mark.parametrize("methods", ["none", "cls"])
def test_raw_vectors_are_what_the_network_gives(folder, command, tmp_path, model, methods):
    """Against a pass of the network over each picture; whether maps are made in the same pass or not."""
    command("run", folder, "--model", model, "--methods", methods, "--project", "none", "--fit", "crop")
    file, unit = tmp_path / "raw.pkl", tmp_path / "unit.pkl"
    result = command("export", file, "--raw", "--json")
    assert (result.code, result.counts["features"], result.counts["raw"]) == (0, 9, True)
    command("export", unit)
    backbone = load(model)
    for path, vector in pickle.loads(file.read_bytes()).items():
        pixels, _ = fit_image(decode(folder / path).image, backbone.rule, "crop")
        with torch.inference_mode():
            expected = backbone.process(backbone.pixels(torch.from_numpy(pixels[None]))).features[0].numpy()
        assert vector.dtype == np.float32 and np.linalg.norm(expected) != pytest.approx(1, abs=0.01)
        # A batch of another size may round the last digit of a sum otherwise: so much is allowed beside 1e-6.
        np.testing.assert_allclose(vector, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
        np.testing.assert_allclose(pickle.loads(unit.read_bytes())[path] * np.linalg.norm(vector), vector, rtol=1e-6)


def test_raw_vectors_of_an_older_run_are_refused_in_a_sentence(folder, command, tmp_path):
    command("run", folder, *TINY)
    with duckdb.connect(str(command.db)) as con:
        con.execute("UPDATE feature SET norm = NULL WHERE image_id < 3")
    result = command("export", tmp_path / "raw.npz", "--raw")
    assert result.code == 1 and "Of 2 of the 9 vectors of run 1" in result.err and "--db OTHER.duckdb" in result.err
    assert not (tmp_path / "raw.npz").exists() and command("export", tmp_path / "unit.npz").code == 0


def test_auto_takes_the_packaged_weights_when_nothing_else_is_there(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(models, "is_here", lambda model: False)
    monkeypatch.setattr(models, "hub_answers", lambda repo: False)
    assert models.choose_model(tmp_path / "none.duckdb", told.append)["key"] == "packaged"
    assert len(told) == 1 and "packaged weights" in told[0]
    monkeypatch.setattr(models, "hub_answers", lambda repo: True)
    assert models.choose_model(tmp_path / "none.duckdb", told.append)["key"] == "dinov2-small"
    monkeypatch.setattr(models, "hub_answers", lambda repo: pytest.fail("asked though the weights are here"))
    monkeypatch.setattr(models, "is_here", lambda model: True)
    assert models.choose_model(tmp_path / "none.duckdb", told.append)["key"] == "dinov2-small"


def test_a_hub_that_never_answers_is_given_up(monkeypatch):
    import time

    import huggingface_hub

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: time.sleep(30))
    began = time.monotonic()
    assert models.hub_answers("facebook/dinov2-small", seconds=0.2) is False
    assert time.monotonic() - began < 5


def test_the_packaged_weights_are_converted_once(tmp_path, monkeypatch):
    from ingest.vision.backbones import load

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = models.packaged_cache()
    assert file.parent == tmp_path / "bilderatlas" and file.suffix == ".safetensors"
    written = file.stat().st_mtime_ns
    assert models.packaged_cache() == file and file.stat().st_mtime_ns == written
    assert load("packaged", converted=file).weights_sha256 == load("packaged").weights_sha256
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert models.packaged_cache() is None


def test_the_rooms_import_click_only_in_the_command_line():
    code = "import ingest.vision.embedding, sys; print('click' in sys.modules, 'duckdb' in sys.modules, 'streamlit' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False"] * 3


def test_a_thread_that_still_holds_a_connection_says_nothing_after_the_last_line():
    code = """
import duckdb, runpy, sys, threading

held = threading.Event()
def hold():
    con = duckdb.connect()
    held.set()
    threading.Event().wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
sys.argv = ["ingest", "models"]
runpy.run_module("ingest", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout and "leaked" not in done.stderr
