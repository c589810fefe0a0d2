"""The experiment on cluttered digits: its conditions, its measures against a plain count, and its last lines."""

import json

import numpy as np
import pytest
import yaml

from ingest.training.ssl import experiment
from ingest.training.ssl.experiment import CluttersSettings, describe_clutter, draw_test, read_clutter_experiment
from ingest.vision.geometry import Frame
from tests.support.commands import run

SMALL = {
    "pictures": {"train": 16, "test": 10, "canvas": [24, 16], "digit": 8, "distractors": 2, "distractor": 4},
    "base": {
        "preset": "digits",
        "views": {"size": 16},
        "training": {"epochs": 1, "warmup_epochs": 0, "batch_size": 8},
    },
    "conditions": {"untrained": "random weights", "other": "clutter and place"},
    "seeds": [0, 1],
}


def write(folder, **other):
    path = folder / "small.yml"
    path.write_text(yaml.safe_dump({**SMALL, **other}))
    return path


def test_conditions_and_seeds_become_trainings(tmp_path):
    _, configs = read_clutter_experiment(write(tmp_path), tmp_path / "out")
    assert set(configs) == {(condition, seed) for condition in ("untrained", "other") for seed in (0, 1)}
    config = configs["other", 1]
    assert (config.data.redraw, config.training.seed, config.training.batch_size) == ("clutter and place", 1, 8)
    assert config.data.source.endswith("pictures-seed1") and config.head.batch_norm


def test_an_experiment_is_trained_measured_and_gone_on_with(tmp_path):
    words = ("experiment", write(tmp_path, seeds=[0]), "--out", tmp_path / "out", "--device", "cpu", "--json")
    first = run(*words, db=tmp_path / "a.duckdb")
    assert first.code == 0 and first.counts["done"] == 2, first.err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(results) == {"untrained", "other"} and set(results["other"]) == {"0"}
    for by_seed in results.values():
        for found in by_seed.values():
            assert set(found) == {*experiment.MEASURES, "chance"} and all(np.isfinite(list(found.values())))
            assert 0 < found["digit_share"] < 1 and 0 <= found["pointing_game"] <= 1
    # Few steps change the weights.
    assert results["other"]["0"] != results["untrained"]["0"]
    assert "other (1 seed): attention on the digit 0." in first.err
    assert run(*words, db=tmp_path / "a.duckdb").counts["results"] == first.counts["results"]


def test_what_is_measured_of_a_picture_is_a_count_over_its_pixels():
    """Of a map that is the same within each patch: its weight on the digit's pixels, and on bright ones beside it."""
    test = draw_test(CluttersSettings(canvas=(24, 16), digit=8, distractors=3, distractor=4, test=4), 3)
    frame, rng = Frame(0, 0, 24, 16, 4, 6), np.random.default_rng(0)
    for pixels, mask in zip(test.pixels, test.masks, strict=True):
        weights = rng.random((1, 4, 6)).astype(np.float32)
        each = weights[0].astype(float).repeat(4, axis=0).repeat(4, axis=1)
        each /= each.sum()
        clutter = (pixels >= 127.5) & ~mask
        share, area, on_clutter, clutter_area, _ = experiment._of_picture(weights, pixels, mask, frame)
        expected = each[mask].sum(), mask.mean(), each[clutter].sum(), clutter.mean()
        assert (share, area, on_clutter, clutter_area) == pytest.approx(expected)


def test_the_test_has_digits_of_its_own():
    test = draw_test(CluttersSettings(test=20), 0)
    assert test.pixels.shape == test.masks.shape == (20, 28, 28) and len(test.labels) == 20
    assert test.masks.any(axis=(1, 2)).all()


def test_a_line_for_each_condition():
    seeds = {
        s: {"digit_share": 0.2 + s / 10, "chance": 0.1, "preference": 2, "pointing_game": 1, "knn_accuracy": 0.5}
        for s in (0, 1)
    }
    (line,) = describe_clutter({"other": seeds, "failed": {}})
    assert line.startswith(
        "other (2 seeds): attention on the digit 0.250 ± 0.071 (chance 0.100), digit : clutter, per area 2.000 ± 0.000"
    )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"conditions": {"x": "everything"}}, "conditions.x is 'everything'"),
        ({"conditions": {}, "seed": 1}, "there is no setting seed; perhaps seeds is meant"),
        (
            {"base": {"preset": "digit"}},
            "there is no preset 'digit'; there are digits, fine-tune, study; perhaps digits is meant",
        ),
        ({"pictures": {"digit": 40}}, "A digit of 40 pixels does not fit on a canvas of 28 × 28"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, more, sentence):
    result = run("experiment", write(tmp_path, **more), "--out", tmp_path / "out", db=tmp_path / "a.duckdb")
    assert result.code == 2 and sentence in result.err, result.err
    assert not (tmp_path / "out").exists()
