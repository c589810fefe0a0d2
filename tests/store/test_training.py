import json

import pytest

from store import training
from store.connection import reading, writing

RECORD = training.TrainingRecord("ips", "one", "/a", 0, 2, {"x": 1, "y": [1, 2]}, {"torch": "2"}, "e", {"ratio": 4})
ROWS = [(1, "train", "", "loss", 2.0), (1, "test", "t", "accuracy", 0.2), (2, "test", "t", "accuracy", 0.6)]


def test_a_training_is_known_by_its_folder_and_configuration(empty):
    with writing(empty) as con:
        first = training.begin(con, RECORD)
        again = training.begin(con, training.TrainingRecord(**{**vars(RECORD), "config": {"y": [1, 2], "x": 1}}))
        other = training.begin(con, training.TrainingRecord(**{**vars(RECORD), "config": {"x": 2}}))
        elsewhere = training.begin(con, training.TrainingRecord(**{**vars(RECORD), "folder": "/b"}))
    assert first == again and len({first, other, elsewhere}) == 3


def test_metrics_of_an_epoch_take_the_place_of_those_before(empty):
    with writing(empty) as con:
        number = training.begin(con, RECORD)
        training.set_metrics(con, number, ROWS)
        training.set_metrics(con, number, [(2, "test", "t", "accuracy", 0.7)], 2)
        training.set_metrics(con, number, [], 3)
    with reading(empty) as con:
        rows = training.metrics(con, [number]).to_pylist()
        (run,) = training.trainings(con)
    assert [(row["epoch"], row["value"]) for row in rows] == [(1, 0.2), (1, 2.0), (2, 0.7)]
    assert run["done"] == 2 and run["finished_at"] is None


def test_examples_and_the_end(empty):
    example = training.TrainingExample("a", 9, 8, b"jpeg", {"t": "1"}, {"t": "2"}, [(1, 2, 3, 4)], [(0, 0, 4, 4, 0.5)])
    bare = training.TrainingExample("b", 9, 8, b"jpeg", {}, {}, [], [])
    with writing(empty) as con:
        number = training.begin(con, RECORD)
        for _ in range(2):  # the second time nothing is there twice
            training.finish(con, number, [example, bare])
    with reading(empty) as con:
        one, two = training.examples(con, number)
        done = training.finished(con, "ips", "/a")
    assert one["jpeg"] == b"jpeg" and json.loads(one["boxes"]) == [[1, 2, 3, 4]]
    assert one["patches"] == [{"x0": 0, "y0": 0, "x1": 4, "y1": 4, "score": 0.5}] and two["patches"] == []
    assert json.loads(done[0]["config"]) == RECORD.config


def test_results_are_means_over_seeds_with_their_spread(empty):
    with writing(empty) as con:
        for seed, value in enumerate((0.2, 0.4, 0.9)):
            record = {**vars(RECORD), "seed": seed, "folder": f"/a/{seed}", "config": {"seed": seed}}
            number = training.begin(con, training.TrainingRecord(**record))
            training.set_metrics(con, number, [(2, "test", "t", "accuracy", value), (2, "test", "t", "loss", 9.0)])
            if seed < 2:
                training.finish(con, number, [])
    with reading(empty) as con:
        (found,) = training.results(con, "e", "/a")
        assert training.results(con, "e", "/b") == []
    assert found["seeds"] == 2 and json.loads(found["parameters"]) == {"ratio": 4}
    (metric,) = found["metrics"]
    assert metric["mean"] == pytest.approx(0.3) and metric["spread"] == pytest.approx(0.1414, abs=1e-4)
