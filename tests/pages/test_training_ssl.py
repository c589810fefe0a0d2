"""The page Training of self-supervised trainings: curves beside each other, settings, probes, views."""

import json

import numpy as np
import pytest

from dashboard.views.training import comparison, views
from ingest.training.reading import checked
from ingest.training.ssl.config import SSLConfig
from store import read, training, write
from store.connection import reading, writing
from tests.pages import database
from tests.support.pages import choose, html_of, walls

FOLDER = "/x/trainings/mine"


def config(**more) -> dict:
    return checked({"data": {"source": "x", "label": "kind"}, **more}, SSLConfig, "x").model_dump(mode="json")


def fill(db) -> dict[int, int]:
    """Two trainings, the newer of which has collapsed, and two probed epochs of the older; {epoch: run_id}."""
    probed = {}
    with writing(db) as con:
        images = read.collections(con).to_pylist()[0]["collection_id"]
        ids = np.array([each.image_id for each in read.known(con, images).values()])[:2]
        sizes = [(90, 60), (60, 90)]
        for epoch in (0, 4):
            settings = {**database.run_record().settings, "weights": f"{FOLDER}/epochs/epoch-{epoch:04d}.safetensors"}
            record = database.run_record(backbone=f"trained:mine@{epoch}", settings=settings, weights_sha256=f"{epoch}")
            probed[epoch] = write.add_run(con, images, record)
            write.add_results(con, probed[epoch], database.results(ids, sizes, seed=epoch))
        for name, kind, spread in (("mine", "nce", 0.5), ("fallen", "dino", 0.001)):
            own = config(loss={"kind": kind})
            record = training.TrainingRecord("ssl", name, f"/x/trainings/{name}", 0, 4, own, {})
            number = training.begin(con, record)
            rows = [(epoch, "train", "", "loss", 5 - epoch + number / 10) for epoch in (1, 2, 3, 4)]
            rows += [(epoch, "train", "", "feature_std", spread) for epoch in (1, 2, 3, 4)]
            rows += [(epoch, "test", "kind", "knn_accuracy", 0.1 * epoch) for epoch in range(5)]
            training.set_metrics(con, number, rows)
    return probed


@pytest.fixture
def trained(db):
    return fill(db)


def test_probes_are_shown_epoch_by_epoch_head_by_head(trained, open_page, db):
    page = open_page("training", training=1)
    assert not page.exception
    assert (
        page.select_slider(key="probe_epoch").options == ["0", "4"] and page.select_slider(key="probe_epoch").value == 4
    )
    panes = walls(page)["probe_heads"]["panes"]
    assert [pane["title"] for pane in panes] == ["Layer 2 · head 0", "Layer 2 · head 1"]
    with reading(db) as con:
        image_id = page.selectbox(key="probed").value
        stored = read.maps(con, trained[4], image_id, "cls", layers=[2]).weights
    shown = np.array([float(text.split()[0].strip("×")) for text in panes[0]["values"]])
    assert np.argmax(shown) == np.argmax(stored[0])
    assert "layer 2, after epoch 4" in html_of(page)
    page.select_slider(key="probe_epoch").set_value(0).run()
    assert walls(page)["probe_heads"]["panes"][0]["values"] != panes[0]["values"]
    assert "layer 2, before training" in html_of(page)
    # A probe is no run that a page opens with.
    assert page.selectbox(key="run").value not in trained.values()


def test_trainings_beside_each_other(trained, open_page):
    page = open_page("training", training=2)
    assert any("all pictures are nearly the same (spread 0.001" in each.value for each in page.warning)
    assert any("--probe-every" in each.value for each in page.info)
    choose(page, "beside", 1)
    assert not page.exception
    lines = json.loads(next(e for e in page.get("plotly_chart") if e.proto.id.endswith("training_chart")).proto.spec)
    assert [(line["name"], line["y"]) for line in lines["data"]] == [
        ("2 · fallen", [4.2, 3.2, 2.2, 1.2]),
        ("1 · mine", [4.1, 3.1, 2.1, 1.1]),
    ]
    table = next(each.value for each in page.dataframe if "loss.kind" in each.value.index)
    assert (
        table.loc["loss.kind"].tolist()[:2] == ["dino", "nce"]
        and "Both are fine" in table.loc["loss.kind", "The study"]
    )
    assert table.loc["last k-NN accuracy"].tolist()[:2] == ["0.400", "0.400"]
    assert table.loc["last spread of features"].tolist()[:2] == ["0.001", "0.500"]


def test_every_finding_is_of_a_setting_that_exists():
    names = set(comparison.flattened(config())) | {"model.arguments.patch_size"}
    assert set(comparison.FINDINGS) <= names


def test_views_follow_from_the_seed(trained, open_page):
    page = open_page("training", training=1)
    assert page.header[-1].value == "Views of a picture" and not page.exception
    from PIL import Image

    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    own = views.view_settings({"size": 32}, "prints")
    first, again, other = (views.views_of(picture, own, seed, 3) for seed in (1, 1, 2))
    assert [each.size for each in first] == [(32, 32)] * 3 and len({each.tobytes() for each in first}) == 3
    assert [each.tobytes() for each in first] == [each.tobytes() for each in again]
    assert first[0].tobytes() != other[0].tobytes()
    assert views.view_settings({"size": 32, "local_views": 2}, views.AS_TRAINED)["local_views"] == 2
