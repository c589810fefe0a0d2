"""Self-supervised training of a collection: from the command to the database, and back as a model."""

import hashlib
import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from ingest.errors import SourceError
from ingest.models import choose_model
from ingest.report import Report
from ingest.runs import newest_run
from ingest.synth.cluttered import ClutteredSet, write_cluttered
from ingest.task import Task
from ingest.training.reading import checked
from ingest.training.ssl.clutter import ClutteredPictures
from ingest.training.ssl.config import PRESETS, SSLConfig, read_ssl_config
from ingest.training.ssl.training import SSLTraining, train_ssl
from ingest.vision.cluttered import Clutter
from ingest.vision.training.ssl import trainer as steps
from store import training
from store.connection import reading

COUNT, SIDE = 24, 20
COST = ("seconds", "pictures_per_second", "peak_memory_mb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stripes that lie or stand, of other widths and colours, some of them not square, with a table that says which."""
    place = tmp_path_factory.mktemp("stripes")
    lines, rng = ["file,stripes"], np.random.default_rng(0)
    for i in range(COUNT):
        across, width = np.arange(SIDE + 6 * (i % 3)), 2 + i % 4
        pixels = np.broadcast_to(((across // width) % 2)[:, None], (len(across), SIDE))
        pixels = pixels if i % 2 else pixels.T
        Image.fromarray((pixels[..., None] * rng.integers(90, 256, 3)).astype(np.uint8)).save(place / f"p{i:02d}.png")
        lines.append(f"p{i:02d}.png,{'' if i == 5 else 'lying' if i % 2 else 'standing'}")
    (place / "metadata.csv").write_text("\n".join(lines))
    return place


def settings(folder, **more) -> dict:
    own = {
        "data": {"source": str(folder), "label": "stripes"},
        "model": {
            "name": "timm:vit_tiny_patch16_224",
            "arguments": {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 7},
            "drop_path": 0.1,
        },
        "head": {"hidden": 16, "bottleneck": 8, "outputs": 12, "batch_norm": True},
        "views": {"size": 14, "views": 2, "local_views": 1, "local_size": 7, "augmentation": {"preset": "prints"}},
        "training": {"epochs": 4, "batch_size": 6, "learning_rate": 0.003, "warmup_epochs": 1, "momentum": 0.5},
        "probes": {"every": 2, "count": 3},
    }
    for name, value in more.items():
        own[name] = {**own.get(name, {}), **value}
    return own


def config(folder, **more) -> SSLConfig:
    return checked(settings(folder, **more), SSLConfig, "test.yml")


def job(tmp_path, config, name="one", **more) -> SSLTraining:
    return SSLTraining(tmp_path / "test.duckdb", config, name, tmp_path / name, "cpu", **more)


def numbers_of(db, training_id) -> dict:
    """All that was measured but what it cost."""
    with reading(db) as con:
        rows = training.metrics(con, [training_id]).to_pylist()
    return {(r["epoch"], r["split"], r["task"], r["metric"]): r["value"] for r in rows if r["metric"] not in COST}


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """A training that nobody stopped: its folder, its counts, its numbers."""
    place = tmp_path_factory.mktemp("undisturbed")
    found = train_ssl(job(place, config(folder)), Report())
    return place, found, numbers_of(place / "test.duckdb", found["training_id"])


def test_what_is_measured_of_each_epoch(undisturbed):
    place, found, numbers = undisturbed
    assert found["pictures"] == COUNT and found["already"] == 0
    for epoch in range(5):
        assert 0 <= numbers[epoch, "test", "stripes", "knn_accuracy"] <= 1
        assert numbers[epoch, "test", "stripes", "largest_class"] == pytest.approx(12 / 23)
    names = {metric for epoch, split, _, metric in numbers if (epoch, split) == (4, "train")}
    assert names == {"loss", "feature_std", "teacher_entropy", "learning_rate", "weight_decay", "momentum"}
    assert 0 < numbers[4, "train", "", "teacher_entropy"] < np.log(12)
    with reading(place / "test.duckdb") as con:
        (run,) = training.trainings(con)
    assert run["kind"] == "ssl" and run["done"] == run["epochs"] == 4 and run["finished_at"] is not None
    assert json.loads(run["config"])["views"]["size"] == 14


def test_probes_have_maps_under_the_run_of_their_epoch(undisturbed):
    place = undisturbed[0]
    with reading(place / "test.duckdb") as con:
        runs = con.sql("SELECT run_id, backbone, settings->>'weights' AS weights FROM runs ORDER BY run_id").fetchall()
        maps = con.sql(
            "SELECT run_id, i.path, layer, head, rows, cols, weights FROM attention JOIN images i USING (image_id) "
            "WHERE method = 'cls' ORDER BY ALL"
        ).fetchall()
    assert [run[1] for run in runs] == ["trained:one@0", "trained:one@2", "trained:one@4"]
    assert [run[2].rpartition("/")[2] for run in runs] == [f"epoch-{n:04d}.safetensors" for n in (0, 2, 4)]
    assert len(maps) == 3 * 3 * 2 * 2 and {row[1] for row in maps} == {"p00.png", "p08.png", "p16.png"}
    assert {row[4:6] for row in maps} == {(2, 2)}
    first, last = (np.array([row[6] for row in maps if row[0] == runs[n][0]]) for n in (0, 2))
    assert np.abs(first - last).max() > 1e-3


def dies_at(monkeypatch, count):
    """From now on a training ends as if interrupted, at so many batches."""
    real, calls = steps.Trainer._learn, []

    def dying(self, views):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt
        return real(self, views)

    monkeypatch.setattr(steps.Trainer, "_learn", dying)


def test_stopped_and_resumed_is_undisturbed_loss_for_loss(folder, tmp_path, undisturbed, monkeypatch):
    """Stopped within the third epoch, and again by a full disk when its checkpoint is written; without probes, which
    change nothing."""
    own = config(folder, probes={"every": 0})
    with monkeypatch.context() as patched:
        dies_at(patched, 4 + 4 + 2)
        with pytest.raises(KeyboardInterrupt):
            train_ssl(job(tmp_path, own), Report())
    checkpoint = tmp_path / "one" / "checkpoint.pt"
    before = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    (tmp_path / "one" / ".checkpoint.pt.part").symlink_to("/dev/full")
    with pytest.raises(
        OSError, match=r"checkpoint.pt could not be written \(No space left.*the one that is there is as"
    ):
        train_ssl(job(tmp_path, own), Report())
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest() == before
    found = train_ssl(job(tmp_path, own), Report())
    assert found["already"] == 2
    assert numbers_of(tmp_path / "test.duckdb", found["training_id"]) == undisturbed[2]
    mine, theirs = (place / "one" / "model.safetensors" for place in (tmp_path, undisturbed[0]))
    mine, theirs = load_file(mine), load_file(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items()) and len(mine) == len(theirs)
    again = train_ssl(job(tmp_path, own), Report())
    assert again["already"] == 4 and again["training_id"] == found["training_id"]


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(folder, tmp_path, monkeypatch):
    own = config(folder, probes={"every": 0})
    real, calls = steps.dino_loss, []

    def broken(*values):
        calls.append(1)
        return real(*values) * (float("nan") if len(calls) > 6 else 1)

    monkeypatch.setattr(steps, "dino_loss", broken)
    with pytest.raises(
        ValueError, match=r"no number any more at step 7; .*; the checkpoint of epoch 1 is kept in .*one"
    ):
        train_ssl(job(tmp_path, own), Report())
    monkeypatch.undo()
    assert train_ssl(job(tmp_path, own), Report())["already"] == 1


def test_another_configuration_is_refused_in_the_same_folder(folder, undisturbed):
    place, other = undisturbed[0], config(folder, loss={"kind": "nce"})
    with pytest.raises(SourceError, match=r"of a training with loss.kind \"dino\", not \"nce\". Name another folder"):
        train_ssl(job(place, other), Report())


def test_the_network_is_a_model_like_any_other(command, folder, undisturbed, monkeypatch):
    place = undisturbed[0]
    monkeypatch.chdir(place)
    result = command("run", folder, "--model", "one", "--project", "none", "--limit", 4, "--collection", "few")
    assert result.code == 0, result.err
    with reading(command.db) as con:
        (row,) = con.sql("SELECT run_id, backbone, dim, size, settings->>'title' FROM runs").fetchall()
        counts = con.sql("SELECT method, count(*) FROM attention GROUP BY ALL ORDER BY 1").fetchall()
    assert row[1:4] == ("trained:one", 32, 14) and "4 epochs of training" in row[4]
    assert counts == [("cls", 4 * 2 * 2), ("rollout", 4 * 2)]
    (place / "trainings").mkdir()
    (place / "trainings" / "mine").symlink_to(place / "one")
    listed = command("models", "--json", db=None).counts["models"][-1]
    assert (listed["key"], listed["layers"], listed["patch"]) == ("trainings/mine", 2, 7)
    described = command("models", "--describe", "trainings/mine", db=None)
    assert "2 layers × 2 heads, patches of 7 pixels; usual input 14 × 14 pixels" in described.out


def test_nothing_goes_on_with_a_probe_unasked(command, folder):
    """A run of another network is older than the probes, and stays the one that is gone on with."""
    words = ("--project", "none", "--limit", 2, "--methods", "none")
    assert command("run", folder, "--model", "tiny:timm-vit", *words).code == 0
    own = config(
        folder, data={"limit": 6}, training={"epochs": 1, "warmup_epochs": 0}, probes={"every": 1, "names": ["p03.png"]}
    )
    train_ssl(SSLTraining(command.db, own, "one", command.db.parent / "one", "cpu"), Report())
    with reading(command.db) as con:
        seen = con.sql(
            "SELECT DISTINCT run_id, path FROM attention JOIN images USING (image_id) ORDER BY ALL"
        ).fetchall()
    assert seen == [(2, "p03.png"), (3, "p03.png")]
    assert newest_run(command.db).run_id == 1 and choose_model(command.db, print)["key"] == "tiny:timm-vit"
    assert newest_run(command.db, 3).is_probe and not newest_run(command.db, 1).is_probe


def test_the_command_says_how_it_goes(command, folder, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(settings(folder, training={"epochs": 2})))
    (tmp_path / "more").mkdir()
    for file in folder.iterdir():
        (tmp_path / "more" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "more" / "p03.png").write_bytes(b"no picture")
    words = ("train", "ssl", tmp_path / "more", "--config", path, "--out", tmp_path / "out", "--probe-every", 0)
    result = command(*words, "--batch-size", 4, "--json")
    assert result.code == 0, result.err
    assert "failed: p03.png: " in result.err and "23 pictures: so few" in result.err
    assert "epoch 2 of 2: loss " in result.err and "k-NN accuracy" in result.err
    assert result.counts["metrics"]["train loss"] > 0 and result.counts["pictures"] == 23
    assert "2 already there" in command(*words, "--batch-size", 4).out
    with reading(command.db) as con:
        assert con.sql("SELECT path, stage FROM failures").fetchall() == [("p03.png", "train")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--limit", 3), "A step takes 6 pictures, and 3 can be used: take --batch-size 3 or fewer, or more pictures."),
        (("--batch-size", 32), "A step takes 32 pictures, and 24 can be used: take --batch-size 24 or fewer"),
        (("--limit", 1, "--batch-size", 2), "One picture can be used, and two are the least"),
        (("--label", "colour"), "no table describes the pictures by a column 'colour'; there are stripes"),
        (("--probe", "p99.png"), "there is no picture 'p99.png' to probe among the 24"),
        (
            ("--name", "a@2"),
            "a training's name has letters, at most 100, and no @ and no slash in it, unlike 'a@2'; --out names a folder",
        ),
        (("--size", 15), "views.size 15 is not a multiple of this network's patch of 7 pixels; 14 would be"),
        (("--model", "timm:vit_smal"), "timm has no model called 'vit_smal'"),
        (
            ("--preset", "digit"),
            "there is no preset 'digit'; there are digits, fine-tune, study; perhaps digits is meant",
        ),
    ],
)
def test_wrong_input_is_one_sentence(command, folder, tmp_path, words, sentence):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(settings(folder)))
    result = command("train", "ssl", "--config", path, "--out", tmp_path / "out", *words)
    assert result.code == 2 and sentence in result.err, result.err


def test_pictures_smaller_than_a_view_are_said(command, folder, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(settings(folder, training={"epochs": 1, "warmup_epochs": 0}, probes={"every": 0})))
    result = command("train", "ssl", "--config", path, "--out", tmp_path / "out", "--size", 28)
    assert result.code == 0, result.err
    assert (
        "24 of 24 pictures are smaller than the views of 28 pixels (the smallest has 20): they are enlarged"
        in result.err
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("views: {sise: 3}", "there is no setting views.sise; perhaps views.size is meant"),
        ("momentum: 3", "there is no setting momentum; perhaps training.momentum is meant"),
        ("training: {batch_size: 1}", "training.batch_size is 1: input should be greater than or equal to 2"),
        ("loss: {kind: byol}", "loss.kind is 'byol': input should be 'dino' or 'nce'"),
    ],
)
def test_a_configuration_that_is_wrong_is_said(tmp_path, content, sentence):
    path = tmp_path / "wrong.yml"
    path.write_text(f"data: {{source: x}}\n{content}")
    with pytest.raises(SourceError) as error:
        read_ssl_config(path, {})
    assert sentence in str(error.value)


def test_presets_and_options_go_over_each_other(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("preset: digits\ndata: {source: x}\nviews: {augmentation: {rotation: 2}}")
    own = read_ssl_config(path, {"training.epochs": 7, "data.label": None})
    assert own.training.epochs == 7 and own.head.batch_norm and own.views.augmentation.rotation == 2
    assert own.views.augmentation.scale == (0.7, 1.0) and own.loss.kind == "nce"
    other = read_ssl_config(path, {"model.name": "timm:vit_small_patch16_224"})
    assert other.model.arguments == {} and other.head.batch_norm
    with pytest.raises(SourceError, match="Which pictures"):
        read_ssl_config(None, {})
    for name in PRESETS:
        assert read_ssl_config(None, {"preset": name, "data.source": "x"}).data.source == "x"


def test_tensorboard_where_it_is_there_and_where_not(folder, tmp_path, monkeypatch):
    import sys
    from types import SimpleNamespace

    own = config(folder, training={"epochs": 1, "warmup_epochs": 0}, probes={"every": 0})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SourceError, match="--tensorboard needs the package tensorboard, which is not installed"):
        train_ssl(job(tmp_path, own, tensorboard=True), Report())
    written = []
    writer = SimpleNamespace(add_scalar=lambda *values: written.append(values), flush=lambda: None, close=lambda: None)
    there = SimpleNamespace(SummaryWriter=lambda folder, purge_step: writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", there)
    found = train_ssl(job(tmp_path, own, tensorboard=True), Report())
    assert ("train/loss", found["metrics"]["train loss"], 1) in written
    assert {name for name, _, epoch in written if epoch == 0} > {"test/stripes/knn_accuracy"}


@pytest.mark.parametrize("place", [False, True])
def test_clutter_is_drawn_anew_for_each_view(tmp_path, place):
    """Where the digit lies nothing but light is added to it; everywhere else two views differ."""
    write_cluttered(tmp_path, ClutteredSet(Clutter((40, 30), 12, 0.9, 4, 5)), {"train": 2, "test": 1})
    tasks = [Task(tmp_path / name, name, 1, 0.0) for name in ("train/00001.png", "test/00000.png")]
    made = ClutteredPictures(tmp_path, tasks, 100, place)
    for index, task in enumerate(tasks):
        mask = np.asarray(Image.open(tmp_path / ".masks" / task.name)) > 0
        views = [made.draw(index, np.random.default_rng(seed)).numpy() for seed in range(6)]
        assert all(view.shape == (3, 30, 40) for view in views) and (made.stored(index).numpy()[0][mask] > 100).all()
        assert (np.std(views, axis=0) > 0).any()
        there = [(view[0][mask] > 100).all() for view in views]
        assert not all(there) if place else all(there)
    with pytest.raises(SourceError, match="data.redraw is for folders of `synth cluttered`"):
        ClutteredPictures(tmp_path / "train", tasks, 100, place)


def test_mixed_precision_trains(folder, tmp_path):
    own = config(folder, training={"epochs": 1, "warmup_epochs": 0, "precision": "bfloat16"}, probes={"every": 0})
    found = train_ssl(job(tmp_path, own), Report())
    assert torch.isfinite(torch.tensor(found["metrics"]["train loss"]))
