"""Experiments: every combination of a grid, each seed on pictures and weights of its own."""

import json

import pytest
import yaml

from ingest.errors import SourceError
from ingest.training import experiment
from ingest.training.experiment import read_experiment
from store.connection import reading

SMALL = {
    "base": {
        "encoder": {"kind": "small", "channels": 1},
        "patches": {"size": [16, 16], "memory": 3, "iteration": 6},
        "pooling": {"heads": 2, "dim": 16},
        "training": {"epochs": 1, "warmup_epochs": 0, "batch_size": 4},
        "tasks": [{"name": "max"}],
    },
    "synth": {"canvas": 48, "noise": 1, "train": 6, "test": 3},
    "grid": {"synth.digit": [8, 12], "data.train_size": [6]},
    "seeds": [0, 1],
}


def write(tmp_path, **more):
    path = tmp_path / "trial.yml"
    path.write_text(yaml.safe_dump({**SMALL, **more}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A small experiment, of which one training was interrupted and one failed at first."""
    place = tmp_path_factory.mktemp("experiment")
    path, db, real, calls = write(place), place / "test.duckdb", experiment.train_ips, []

    def unlucky(job, report):
        calls.append(job.folder.name)
        if len(calls) == 2:
            raise ValueError("the loss is no number any more")
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(job, report)

    from tests.support.commands import run

    words = ("experiment", path, "--out", place / "out", "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "train_ips", unlucky)
        stopped = run(*words, db=db)
    return stopped, run(*words, "--json", db=db), run(*words, db=db), db, place


def test_one_that_fails_stops_none_and_the_same_command_goes_on(ran):
    stopped, second, third, db, _ = ran
    assert stopped.code == 1 and "failed: digit=8,train_size=6,seed=1: the loss is no number" in stopped.err
    assert (second.counts["new"], second.counts["already"], second.counts["failed"]) == (2, 2, 0)
    assert "trial: 0 trained, 4 already there, 0 failed" in third.out
    assert third.err.count("(2 seeds): max accuracy") == 2
    with reading(db) as con:
        rows = con.execute("SELECT parameters, seed FROM training_runs ORDER BY training_id").fetchall()
    parameters = [json.loads(row[0]) for row in rows]
    assert sorted({each["digit"] for each in parameters}) == [8, 12] and sorted(row[1] for row in rows) == [0, 0, 1, 1]
    assert {each["object_ratio"] for each in parameters} == {2.778, 6.25}


def test_seeds_make_other_pictures_and_other_weights(ran):
    place = ran[4]
    tables = {file.parent.name: file.read_text() for file in (place / "out" / "pictures").rglob("metadata.csv")}
    assert len(tables) == 4 == len(set(tables.values()))
    with reading(ran[3]) as con:
        losses = con.execute(
            "SELECT value FROM training_metrics WHERE metric = 'loss' AND split = 'train' AND task = ''"
        ).fetchall()
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"grid": {"training.epoch": [1, 2]}}, "there is no setting training.epoch; perhaps training.epochs is meant"),
        ({"grid": {"synth.digits_size": [1]}}, "there is no setting digits_size"),
        ({"grid": {"synth.digit": [8, 40]}}, "5 digits of 40 pixels do not fit"),
        ({"seeds": [1, 1]}, "each seed stands there once"),
        ({"grids": {}}, "there is no setting grids; perhaps grid is meant"),
        ({"synth": {**SMALL["synth"], "digit": 8, "ratio": 2}, "grid": {}}, "say the same in two ways"),
        (
            {"synth": None, "grid": {"synth.digit": [8]}, "base": {**SMALL["base"], "data": {"folder": "x"}}},
            "no section synth",
        ),
        ({"grid": {"pooling.heads": []}}, "grid.pooling.heads is []"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(tmp_path, more, sentence):
    with pytest.raises(SourceError) as error:
        read_experiment(write(tmp_path, **more))
    assert sentence in str(error.value)


def test_the_examples_that_come_along_are_right():
    from pathlib import Path

    from ingest.training.config import IPSConfig
    from ingest.training.reading import read_config
    from ingest.training.ssl.config import read_ssl_config
    from ingest.training.ssl.experiment import read_clutter_experiment

    folder = Path(__file__).parents[2] / "examples" / "configs"
    found = sorted(folder.glob("*.yml"))
    assert len(found) >= 4
    for path in found:
        if path.name.startswith("experiment"):
            assert len(read_experiment(path)) > 1
        elif path.name == "clutter.yml":
            assert len(read_clutter_experiment(path)[1]) == 12
        elif path.name.startswith("ssl"):
            read_ssl_config(path, {})
        else:
            read_config(path, IPSConfig)
