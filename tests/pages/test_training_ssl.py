"""The page Training of self-supervised trainings: curves beside each other, settings, probes, views."""

import json
from pathlib import Path

import numpy as np
import pytest

from dashboard.data import jobs
from dashboard.views.training import comparison, views
from ingest.training.reading import checked
from ingest.training.ssl.config import SSLConfig, read_ssl_config
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


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The commands that the page asks for, without starting them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = []

    def refuse(db, title, arguments):
        found.append((title, tuple(arguments)))
        raise jobs.JobError("noted")

    monkeypatch.setattr(jobs, "start", refuse)
    return found


def test_a_training_of_the_collection_begins_with_a_button(db, open_page, asked):
    page = open_page("training")
    page.number_input(key="train_epochs").set_value(3)
    page.selectbox(key="train_augment").set_value("prints")
    page.text_input(key="train_name").set_value("my/prints").run()
    page.button(key="train_start").click().run()
    assert not page.exception and [each.value for each in page.warning] == ["noted"]
    ((title, arguments),) = asked
    assert title == "Training of my-prints" and arguments[:3] == ("train", "ssl", str(database.PAINTINGS))
    assert dict(zip(arguments[3::2], arguments[4::2], strict=True)) == {
        "--collection": "paintings", "--name": "my-prints", "--augment": "prints", "--epochs": "3", "--probe-every": "2",
    }  # fmt: skip
    assert f"python -m ingest train ssl {database.PAINTINGS}" in page.code[0].value


def test_a_training_that_was_stopped_goes_on_with_its_own_settings(trained, open_page, asked):
    page = open_page("training", training=1)
    page.button(key="train_on").click().run()
    ((title, arguments),) = asked
    assert title == "Training of mine" and arguments[:3] == ("train", "ssl", "--config")
    assert arguments[4:] == ("--name", "mine", "--out", FOLDER)
    assert read_ssl_config(Path(arguments[3]), {}).model_dump(mode="json") == config(loss={"kind": "nce"})


def test_a_finished_training_is_run_with_a_button(trained, db, open_page, asked):
    with writing(db) as con:
        training.finish(con, 1, [])
    page = open_page("training", training=1)
    page.button(key="train_run").click().run()
    assert asked == [("Run of mine", ("run", "x", "--model", FOLDER))]


def test_who_comes_from_elsewhere_sees_what_to_type(trained, open_page, monkeypatch):
    monkeypatch.setenv("BILDERATLAS_JOBS", "off")
    page = open_page("training", training=1)
    assert not [each for each in page.button if each.key in ("train_on", "train_start")]
    assert any(each.value.startswith("python -m ingest train ssl --config") for each in page.code)
