"""The page Training: curves, an experiment's figure, and patches drawn where they were selected."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dashboard.views.training import figures, patches
from store import training
from store.connection import writing
from tests.support.pages import choose


def jpeg(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 200, 200)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


EXAMPLE = training.TrainingExample(
    "test/00000.png",
    200,
    100,
    jpeg(100, 50),
    {"majority": "3", "multi": ["1", "3"]},
    {"majority": "3", "multi": ["3"]},
    [(20, 40, 28, 28)],
    [(0, 0, 40, 40, 0.5), (160, 60, 200, 100, 0.2)],
)


def fill(db) -> None:
    """Two ratios × two sizes × two seeds, the accuracy of which is known, and one training that is not through."""
    with writing(db) as con:
        for ratio in (1, 4):
            for size in (50, 100):
                for seed in (0, 1):
                    name = f"{ratio}-{size}-{seed}"
                    record = training.TrainingRecord(
                        "ips", "mine", f"/x/{name}", seed, 2, {"seed": seed, "name": name}, {}, "mine",
                        {"object_ratio": ratio, "train_size": size},
                    )  # fmt: skip
                    number = training.begin(con, record)
                    value = ratio / 10 + size / 1000 + seed / 10
                    rows = [(epoch, "test", "majority", "accuracy", value * epoch / 2) for epoch in (1, 2)]
                    rows += [(epoch, "train", "", "loss", 3 - epoch) for epoch in (1, 2)]
                    training.set_metrics(con, number, rows)
                    training.finish(con, number, [EXAMPLE] if name == "4-100-1" else [])
        running = training.TrainingRecord("ips", "alone", "/x/alone", 0, 9, {}, {})
        training.begin(con, running)


@pytest.fixture
def trained(empty_db):
    fill(empty_db)
    return empty_db


def chart(page, key: str) -> dict:
    found = [each for each in page.get("plotly_chart") if each.proto.id.endswith(key)]
    return json.loads(found[0].proto.spec)


def test_a_database_of_trainings_alone_shows_them(trained, open_page):
    page = open_page("training")
    assert not page.exception
    assert [each.value for each in page.header] == ["Results of an experiment", "One training"]
    assert page.selectbox(key="training").value == 9  # the newest
    assert any("0 of 9 epochs" in each.value and "not finished" in each.value for each in page.caption)
    assert any("No epoch is done yet" in each.value for each in page.info)


def test_the_figure_has_a_line_for_each_size_with_its_spread(trained, open_page):
    page = open_page("training")
    assert page.selectbox(key="over").value == "object_ratio" and page.selectbox(key="lines").value == "train_size"
    lines = chart(page, "experiment_chart")["data"]
    assert [line["name"] for line in lines] == ["pictures to train with 50", "pictures to train with 100"]
    for line, size in zip(lines, (50, 100), strict=True):
        assert line["x"] == [1, 4]
        np.testing.assert_allclose(line["y"], [ratio / 10 + size / 1000 + 0.05 for ratio in (1, 4)])
        np.testing.assert_allclose(line["error_y"]["array"], np.std([0, 0.1], ddof=1))
    choose(page, "over", "train_size")
    assert [line["x"] for line in chart(page, "experiment_chart")["data"]] == [[50, 100], [50, 100]]


def test_curves_and_selected_patches(trained, open_page):
    page = open_page("training", training=8)
    assert not page.exception
    assert page.header[-1].value == "Selected patches"
    assert chart(page, "training_chart")["data"][0]["y"] == [2, 1]
    table = page.dataframe[0].value
    assert table.to_dict("list") == {
        "task": ["majority", "multi"],
        "label": ["3", "1, 3"],
        "prediction": ["3", "3"],
        "right": ["yes", "no"],
    }


def test_without_any_it_says_what_to_type(empty_db, open_page):
    page = open_page("training")
    assert not page.exception and "train ips" in page.code[0].value


def test_patches_are_drawn_where_they_are():
    """What lies inside a patch keeps its light, what lies outside is dimmed; the scale is that of the small copy."""
    example = {
        **vars(EXAMPLE),
        "patches": [dict(zip(("x0", "y0", "x1", "y1", "score"), p, strict=True)) for p in EXAMPLE.patches],
    }
    pixels = np.asarray(patches.drawn(example, 1, False).convert("L")).astype(int)
    light = pixels > 190
    assert light[3:17, 3:17].all() and not light[25:, 25:].any() and not light[:, 23:].any()
    both = np.asarray(patches.drawn(example, 2, False).convert("L")) > 190
    assert both[33:47, 83:97].all()
    objects = np.asarray(patches.drawn(example, 1, True))
    assert (objects[20, 10:24] == 255).all() and (objects[33, 10:24] == 255).all()
    first, second = patches.colours(example)
    assert first == (253, 231, 37) or sum(first) > sum(second)


def test_parameters_that_are_lists_or_words_are_groups():
    runs = [
        {"training_id": i, "seed": 0, "epochs": 1, "parameters": {"size": size, "kind": "small"}}
        for i, size in enumerate(([8, 8], [16, 16], [8, 8]))
    ]
    assert figures.varying(runs) == ["size"]
    import pandas as pd

    rows = [(i, 1, "test", "a", "accuracy", float(i)) for i in range(3)]
    metrics = pd.DataFrame(rows, columns=["training_id", "epoch", "split", "task", "metric", "value"])
    table = figures.results(runs, metrics, "a", "accuracy")
    found = figures.summary(table, "size", None)
    assert dict(zip(found["size"], found["mean"], strict=True)) == {"[8, 8]": 1.0, "[16, 16]": 1.0}
    assert found["trainings"].tolist() == [1, 2] and found["spread"].tolist()[0] == 0
