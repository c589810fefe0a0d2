"""`patches` with a network of `train ips`: the same patches as the network selects in memory."""

import numpy as np
import pytest
import torch
from PIL import Image

from ingest import models
from ingest.training.bags import BagReader
from ingest.vision.training.ips import (
    EncoderSettings,
    IPSNet,
    NetworkSettings,
    PatchSettings,
    PoolingSettings,
    TaskSettings,
    to_bytes,
)
from store.connection import reading


def network(size=(16, 16), kind="small", **more) -> IPSNet:
    torch.manual_seed(0)
    encoder = EncoderSettings(kind=kind, **({"channels": 1} if kind == "small" else {}), **more)
    settings = NetworkSettings(
        encoder=encoder,
        patches=PatchSettings(size=size, memory=3, iteration=4),
        pooling=PoolingSettings(heads=2, dim=8),
        tasks=(TaskSettings(name="a", classes=("x", "y")),),
    )
    return IPSNet(settings).eval()


@pytest.fixture
def scans(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "scans").mkdir()
    for name, shape in (("a.png", (70, 90, 3)), ("b.tif", (48, 64, 3))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / "scans" / name)
    return tmp_path / "scans"


def test_the_same_patches_as_in_training(command, scans, tmp_path, monkeypatch):
    own = network()
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(to_bytes(own))
    words = ("patches", scans, "--scorer", "trained", "--weights", weights)
    result = command(*words, "--device", "cpu")
    assert result.code == 0, result.err
    assert (
        "patches of 16 pixels, the best 3 of a picture" in result.err
        and f"{tmp_path.name}/model.safetensors" in result.err
    )
    with reading(command.db) as con:
        found = con.execute(
            "SELECT path, x0, y0, x1, y1, score FROM patches JOIN images USING (image_id) ORDER BY path, rank"
        ).fetchall()
        vectors = con.execute("SELECT vector FROM patch_vectors").fetchnumpy()["vector"]
    for name in ("a.png", "b.tif"):
        bag = BagReader(own.settings).read(scans / name)
        chosen = own.select(bag.patches[None])
        mine = [row[1:] for row in found if row[0] == name]
        assert [row[:4] for row in mine] == [bag.grid.box(index) for index in chosen.indices[0].tolist()]
        np.testing.assert_allclose([row[4] for row in mine], chosen.scores[0].numpy(), rtol=1e-4)
    assert len(vectors) == 6 and len(vectors[0]) == 8
    assert "as in the network's training: --top 3, --iteration 4, --how rounds, --patch-size 16" in result.err
    assert "nothing to do" in command(*words, "--device", "cpu").out
    assert "nothing to do" in command("patches", scans, "--run", 1, "--device", "cpu").out
    # What is said counts more than what was learnt, and no backbone is taken from this run.
    other = command(*words, "--top", 2, "--how", "exact", "--stride", 8, "--device", "cpu")
    assert other.code == 0 and "training: --iteration 4, --patch-size 16" in other.err
    with reading(command.db) as con:
        assert con.execute("SELECT count(*), max(rank) FROM patches WHERE run_id = 2").fetchone() == (4, 2)
    monkeypatch.setattr(models, "is_here", lambda model: True)
    assert models.choose_model(command.db, print)["key"] == "dinov2-small"
    assert command("patches", scans, "--model", "tiny:vit", "--patch-size", 32, "--top", 1).code == 0
    assert models.choose_model(command.db, print)["key"] == "tiny:vit"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "needs the network: --weights FILE"),
        (("--weights", "nowhere.safetensors"), "there is no file"),
        (("--weights", "wide.safetensors"), "was trained on patches of 24 × 16 pixels"),
        (("--weights", "bags.safetensors"), "bags of features, not from pictures"),
        (("--weights", "square.safetensors", "--model", "packaged"), "leave --model out"),
    ],
)
def test_what_cannot_be_is_said(command, scans, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.safetensors").write_bytes(to_bytes(network((16, 24))))
    (tmp_path / "square.safetensors").write_bytes(to_bytes(network()))
    (tmp_path / "bags.safetensors").write_bytes(to_bytes(network(kind="features", features=5)))
    result = command("patches", scans, "--scorer", "trained", *words, "--device", "cpu")
    assert result.code == 2 and sentence in result.err
