"""Training of patch selection, from a configuration file to the database: on bags of features with one that tells, and on
generated pictures."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image

from ingest.errors import SourceError
from ingest.report import Report
from ingest.synth.megapixel import Megapixel, write_megapixel
from ingest.training import ips
from ingest.training.bags import BagReader
from ingest.training.config import IPSConfig
from ingest.training.labels import read_labelled
from ingest.training.reading import checked, read_config
from ingest.vision.backbones import BackboneError
from ingest.vision.training.ips import IPSNet, from_file
from store import training
from store.connection import reading

WIDTH = 6


def save_bags(folder, count=40, seed=0):
    """Bags of 8 to 14 vectors, one of which says by its first two numbers what is in the bag."""
    rng, lines = np.random.default_rng(seed), ["file,split,kind,found,place"]
    folder.mkdir()
    for i in range(count):
        bag, place, kind = rng.normal(0, 0.3, (rng.integers(8, 15), WIDTH)), 0, i % 3
        place = int(rng.integers(len(bag)))
        bag[:, 5] += 4
        bag[place, 5] = 0
        bag[place, kind] += 4
        np.save(folder / f"bag{i:02d}.npy", bag.astype(np.float32))
        lines.append(
            f"bag{i:02d}.npy,{'test' if i % 4 == 0 else 'train'},{'abc'[kind]},{'no' if kind else 'yes'},{place}"
        )
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def bags(tmp_path_factory):
    return save_bags(tmp_path_factory.mktemp("training") / "bags")


def settings(folder, **more) -> dict:
    own = {
        "data": {"folder": str(folder)},
        "encoder": {"kind": "features", "features": WIDTH},
        "patches": {"memory": 3, "iteration": 4, "positions": False, "shuffle": "instance"},
        "pooling": {"heads": 2, "dim": 16, "key_dim": 8, "value_dim": 8, "inner_dim": 16},
        "tasks": [{"name": "kind"}, {"name": "found", "activation": "sigmoid", "metric": "auc", "id": 0}],
        "training": {"epochs": 8, "batch_size": 8, "learning_rate": 0.02, "warmup_epochs": 1},
        "losses": {"semantic": 0.2, "diversity": 0.1},
    }
    for name, value in more.items():
        own[name] = {**own[name], **value} if isinstance(value, dict) else value
    return own


def config(folder, **more) -> IPSConfig:
    return checked(settings(folder, **more), IPSConfig, "test.yml")


def job(tmp_path, config, name="one") -> ips.Training:
    return ips.Training(tmp_path / "test.duckdb", config, name, tmp_path / name, "cpu")


def numbers_of(db, training_id) -> dict:
    """All that was measured but what it cost."""
    with reading(db) as con:
        rows = training.metrics(con, [training_id]).to_pylist()
    cost = ("seconds", "pictures_per_second", "peak_memory_mb")
    return {(r["epoch"], r["split"], r["task"], r["metric"]): r["value"] for r in rows if r["metric"] not in cost}


@pytest.fixture(scope="module")
def undisturbed(bags, tmp_path_factory):
    """A training that nobody stopped: its folder, its counts, its numbers."""
    place = tmp_path_factory.mktemp("undisturbed")
    found = ips.train_ips(job(place, config(bags)), Report())
    return place, found, numbers_of(place / "test.duckdb", found["training_id"])


def test_it_learns_which_of_the_vectors_tells(bags, undisturbed):
    place, found, numbers = undisturbed
    assert numbers[8, "test", "kind", "accuracy"] == 1 and numbers[8, "test", "found", "auc"] == 1
    assert numbers[8, "train", "", "loss"] < 0.6 * numbers[1, "train", "", "loss"]
    network = from_file(place / "one" / "model.safetensors")
    test = read_labelled(config(bags).data, network.settings.tasks, True, 0).test
    reader = BagReader(network.settings)
    places = {row.split(",")[0]: int(row.split(",")[4]) for row in (bags / "metadata.csv").read_text().splitlines()[1:]}
    chosen = [network.select(reader.read(file).patches[None]).indices[0].tolist() for file in test.files]
    found = [places[name] in each for name, each in zip(test.names, chosen, strict=True)]
    assert np.mean(found) > 0.5  # by chance 3 of 8 to 14; one of three kinds can be told by what is missing


def test_killed_and_resumed_is_undisturbed_loss_for_loss(bags, tmp_path, undisturbed, monkeypatch):
    """Killed after an epoch was saved but before the database heard of it, and in the middle of an epoch."""
    real, calls = training.set_metrics, []

    def dies(con, training_id, rows, from_epoch=0):
        calls.append(from_epoch)
        if from_epoch == 4:
            raise KeyboardInterrupt
        real(con, training_id, rows, from_epoch)

    monkeypatch.setattr(training, "set_metrics", dies)
    with pytest.raises(KeyboardInterrupt):
        ips.train_ips(job(tmp_path, config(bags)), Report())
    monkeypatch.setattr(training, "set_metrics", real)

    step, steps = ips.Trainer._pass, []

    def dies_later(self, batch, generator):
        steps.append(1)
        if len(steps) == 15:
            raise KeyboardInterrupt
        return step(self, batch, generator)

    monkeypatch.setattr(ips.Trainer, "_pass", dies_later)
    with pytest.raises(KeyboardInterrupt):
        ips.train_ips(job(tmp_path, config(bags)), Report())
    monkeypatch.setattr(ips.Trainer, "_pass", step)

    found = ips.train_ips(job(tmp_path, config(bags)), Report())
    assert 4 < found["already"] < 8
    assert numbers_of(tmp_path / "test.duckdb", found["training_id"]) == undisturbed[2]
    again = ips.train_ips(job(tmp_path, config(bags)), Report())
    assert again["already"] == 8 and again["training_id"] == found["training_id"]
    assert numbers_of(tmp_path / "test.duckdb", found["training_id"]) == undisturbed[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_process_killed_at_any_time_goes_on_undisturbed(bags, tmp_path, undisturbed, seed):
    """The real command, killed with SIGKILL at three moments drawn by chance after its second epoch."""
    chance, path = random.Random(seed), tmp_path / "one.yml"
    path.write_text(yaml.safe_dump(settings(bags)))
    command = [sys.executable, "-m", "ingest", "train", "ips", "--config", str(path)]
    command += ["--db", str(tmp_path / "test.duckdb"), "--out", str(tmp_path / "one")]
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in process.stderr:
            if "epoch" in line:
                time.sleep(chance.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
                break
        process.communicate(timeout=100)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert numbers_of(tmp_path / "test.duckdb", 1) == undisturbed[2]


def test_other_seeds_differ(bags, tmp_path, undisturbed):
    other = ips.train_ips(job(tmp_path, config(bags, training={"seed": 1, "epochs": 2})), Report())
    numbers = numbers_of(tmp_path / "test.duckdb", other["training_id"])
    assert numbers[1, "train", "", "loss"] != undisturbed[2][1, "train", "", "loss"]


def test_a_folder_of_another_training_is_refused(bags, undisturbed):
    place = undisturbed[0]
    with pytest.raises(SourceError, match=r"training.learning_rate 0.02, not 0.01. Name another folder with --out"):
        ips.train_ips(job(place, config(bags, training={"learning_rate": 0.01})), Report())
    with pytest.raises(BackboneError, match=r"another network: .*\(16, 6\) there, \(32, 6\) here"):
        ips.train_ips(job(place, config(bags, pooling={"dim": 32})), Report())
    (place / "broken").mkdir()
    (place / "broken" / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(SourceError, match="is no checkpoint of a training"):
        ips.train_ips(job(place, config(bags), "broken"), Report())


def test_the_command_and_what_it_says_of_missing_labels(command, tmp_path, capsys):
    folder = save_bags(tmp_path / "bags", 16)
    table = (folder / "metadata.csv").read_text().splitlines()
    table[3] = table[3].replace(",c,", ",,")  # a label is missing
    table[4] = table[4].replace(",a,", ",,").replace("yes", "")  # both are
    table[9] = table[9].replace(",c,", ",d,")  # in the test: no class of the training
    (folder / "metadata.csv").write_text("\n".join(table))
    (folder / "bag01.npy").write_bytes(b"no array")
    np.save(folder / "bag02.npy", np.zeros((3, WIDTH + 1), np.float32))
    path = tmp_path / "my.yml"
    path.write_text(yaml.safe_dump(settings(folder, training={"epochs": 2})))
    result = command("train", "ips", "--config", path, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "2 of 12 training pictures have no label in the column kind: they do not count for kind" in result.err
    assert "1 test picture with a label of kind that is no class of it (d)" in result.err
    assert "left out bag01.npy: It could not be read as features" in result.err
    assert "left out bag02.npy: It holds numbers of the shape (3, 7)" in result.err
    assert "9 pictures to train, 4 to test" in result.err
    assert "my: training 1 · 2 new, 0 already there" in result.out and "test kind accuracy" in result.out
    assert "2 already there" in command("train", "ips", "--config", path, "--out", tmp_path / "out").out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("training: {epoch: 3}", "there is no setting training.epoch; perhaps training.epochs is meant"),
        ("learning_rate: 3", "there is no setting learning_rate; perhaps training.learning_rate is meant"),
        (
            "tasks: [{name: a, activaton: softmax}]",
            "there is no setting tasks.0.activaton; perhaps tasks.activation is",
        ),
        ("data: {folder: x, train: [a], test: [b, a]}", "what is trained with is not tested with: a stands in both"),
        ("encoder: {zzz: 1}", "there is no setting encoder.zzz; there are blocks, channels"),
        ("training: {epochs: many}", "training.epochs is 'many': input should be a valid integer"),
        ("training: {epochs: 5}", "warmup_epochs is less than epochs, which is 5, not 10"),
        ("losses: {diversity: 1}\npooling: {heads: 1}", "compares heads: pooling.heads is 2 or more"),
        ("patches: {memory: 0}", "patches.memory is 0: input should be greater than 0"),
        ("data: {table: x}", "data.folder is missing"),
        ("a: [", "is no YAML"),
        ("just words", "holds no settings"),
    ],
)
def test_a_configuration_that_is_wrong_is_said_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "wrong.yml"
    whole = {"data": {"folder": "x"}, "tasks": [{"name": "a"}]}
    try:
        given = yaml.safe_load(content)
        content = yaml.safe_dump({**whole, **given}) if isinstance(given, dict) else content
    except yaml.YAMLError:
        pass
    path.write_text(content)
    with pytest.raises(SourceError) as error:
        read_config(path, IPSConfig)
    assert sentence in str(error.value)
    assert str(error.value).startswith("wrong.yml")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data": {"split": "part"}}, r"no column part; it has .*; without a column of splits write  split: null"),
        ({"data": {"train": ["teach"]}}, "No picture is for training: no cell of 'split' is teach"),
        ({"data": {"train_size": 31}}, "data.train_size is 31, and there are 30 pictures"),
        ({"tasks": [{"name": "colour"}]}, "has no column colour; it has split, kind, found, place"),
        ({"tasks": [{"name": "kind", "activation": "sigmoid", "metric": "auc"}]}, "needs two classes .*has 3 "),
    ],
)
def test_data_that_do_not_fit_are_said(bags, change, sentence):
    own = config(bags, **change)
    with pytest.raises(SourceError, match=sentence):
        read_labelled(own.data, own.tasks, True, 0)


def test_training_sizes_are_drawn_by_the_seed_and_grow(bags):
    own = config(bags)
    tasks = own.tasks

    def names(size, seed):
        return set(read_labelled(own.data.model_copy(update={"train_size": size}), tasks, True, seed).train.names)

    assert len(names(5, 0)) == 5 and names(5, 0) < names(12, 0) and names(12, 0) != names(12, 1)
    without = own.data.model_copy(update={"split": None, "test_share": 0.25})
    drawn = read_labelled(without, tasks, True, 3)
    assert len(drawn.test) == 10 and not set(drawn.test.names) & set(drawn.train.names)


def test_pictures_of_several_sizes_with_boxes(tmp_path, capsys):
    folder = tmp_path / "pictures"
    write_megapixel(folder, Megapixel((64, 48), 12, 1), {"train": 8, "test": 4})
    smaller = Image.open(folder / "test" / "00002.png").crop((0, 0, 40, 48))
    smaller.save(folder / "test" / "00002.png")
    Image.new("L", (8, 60)).save(folder / "train" / "00003.png")
    table = (folder / "metadata.csv").read_text().splitlines()
    table[2] = table[2].replace("[[", "[[no, ")
    (folder / "metadata.csv").write_text("\n".join(table))
    (folder / "train" / "00005.png").write_bytes(b"no picture")
    own = config(
        folder,
        data={"folder": str(folder), "boxes": "boxes"},
        encoder={"kind": "small", "features": None, "channels": 1},
        patches={
            "size": [16, 16],
            "memory": 4,
            "iteration": 3,
            "positions": True,
            "mask_top": 2,
            "mask_probability": 0.5,
        },
        tasks=[{"name": "max"}, {"name": "multi", "activation": "sigmoid", "metric": "multilabel_accuracy"}],
        training={"epochs": 2, "batch_size": 4, "precision": "bfloat16"},
    )
    found = ips.train_ips(job(tmp_path, own), Report())
    said = capsys.readouterr().err
    assert "1 training picture whose boxes are not written [[x, y, width, height], …] (train/00001.png)" in said
    assert "left out train/00003.png: The picture has 8 × 60 pixels, less than one patch of 16 × 16." in said
    assert found["train"] == 6 and found["test"] == 4
    numbers = numbers_of(tmp_path / "test.duckdb", found["training_id"])
    assert 0 < numbers[2, "test", "", "patches_on_objects_random"] < 1
    with reading(tmp_path / "test.duckdb") as con:
        examples = training.examples(con, found["training_id"])
        (run,) = training.trainings(con)
    assert [each["width"] for each in examples] == [64, 64, 40, 64]
    for each in examples:
        assert 1 <= len(each["patches"]) <= 4 and len(json.loads(each["boxes"])) == 5
        assert all(p["x1"] - p["x0"] == 16 and p["x1"] <= each["width"] for p in each["patches"])
        assert each["jpeg"][:2] == b"\xff\xd8" and set(json.loads(each["labels"])) == {"max", "multi"}
    assert run["done"] == run["epochs"] == 2 and run["finished_at"] is not None
    assert isinstance(from_file(tmp_path / "one" / "model.safetensors"), IPSNet)
