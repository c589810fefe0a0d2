"""The probe: a picture of one's own before any network, with a database, an empty one, or none."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard.views.probe import networks
from ingest.vision.backbones import load
from store.connection import writing
from tests.pages import database
from tests.support.pages import html_of, walls

PICTURE = database.PAINTINGS / database.NAMES[0]


@pytest.fixture
def tiny(monkeypatch):
    """Networks that take no time to load, in place of those on this machine."""

    def offer(*names: str) -> None:
        found = [networks.Choice(name, name, {"model": f"tiny:{name}"}) for name in names]
        monkeypatch.setattr(networks, "choices", lambda: found)

    offer("vit-classifier", "siglip")
    return offer


def bring(at, data: bytes | None = None, name: str = "wave.jpg"):
    return at.get("file_uploader")[0].set_value((name, data or PICTURE.read_bytes(), "image/jpeg")).run()


def test_a_picture_is_looked_at_without_any_database(tmp_path, monkeypatch, open_page, tiny):
    monkeypatch.setenv("BILDERATLAS_DB", str(tmp_path / "none.duckdb"))
    at = bring(open_page("probe"))
    assert not at.exception
    assert [pane["title"] for pane in walls(at)["maps"]["panes"]][:2] == ["Layer 0 · head 0", "Layer 0 · head 1"]
    assert "nothing of it is stored" in html_of(at)
    assert not list(tmp_path.iterdir())  # looking writes nothing


def test_an_empty_database_is_no_hindrance(empty_db, open_page, tiny):
    at = bring(open_page("probe"))
    assert not at.exception and len(walls(at)["maps"]["panes"]) == 6


def test_other_pages_still_say_that_there_is_no_database(tmp_path, monkeypatch, open_page):
    monkeypatch.setenv("BILDERATLAS_DB", str(tmp_path / "none.duckdb"))
    at = open_page("map")
    assert at.title[0].value == "There is no database yet"
    assert any(link.proto.label == "Probe" for link in at.sidebar.get("page_link"))


def test_before_a_picture_is_there_the_page_says_what_to_do(db, open_page, tiny):
    at = open_page("probe")
    assert not at.exception and "Choose a picture of your own" in at.main.info[0].value
    assert "maps" not in walls(at)


def test_a_picture_of_the_collection_gives_way_to_one_that_is_brought(db, open_page, tiny):
    at = open_page("probe", picture=2)
    assert not at.exception and "maps" in walls(at) and at.query_params["picture"] == "2"
    named = walls(at)["maps"]["panes"][0]["alt"]
    at = bring(at)
    assert "picture" not in at.query_params and walls(at)["maps"]["panes"][0]["alt"] != named
    gone = open_page("probe", picture=999)
    assert not gone.exception and "There is no picture 999" in gone.main.warning[0].value


def test_a_run_that_does_not_say_of_which_network_it_is_hinders_no_other(db, open_page):
    with writing(db) as con:
        con.execute("UPDATE run SET settings = '{}'")
    at = open_page("probe")
    assert not at.exception and not any("run 1" in each for each in at.selectbox(key="network").options)


def test_a_file_that_is_no_picture_is_a_sentence(db, open_page, tiny):
    at = bring(open_page("probe"), b"not a picture", "a.jpg")
    assert not at.exception and at.main.error and "maps" not in walls(at)


def test_a_class_is_explained_and_the_prediction_named(db, open_page, tiny):
    at = bring(open_page("probe", method="daam", target="class:3"))
    assert not at.exception and "Explained: class:3 (" in html_of(at)
    assert "The network takes this for: " in html_of(at)
    backbone = load("tiny:vit-classifier")
    assert at.selectbox(key="target_kind").options == ["the class that the network predicts", "a class"]
    assert len(at.selectbox(key="target_class").options) == len(backbone.network.classes)


def test_the_network_of_a_run_that_reads_words_explains_a_text(db, open_page, monkeypatch):
    settings = {"model": "tiny:siglip", "feature_space": "joint"}
    monkeypatch.setattr(networks, "choices", lambda: [networks.Choice("run7", "siglip", settings)])
    at = bring(open_page("probe", method="daam", target="words:a boat"))
    assert not at.exception and "Explained: words:a boat." in html_of(at)
    assert at.selectbox(key="target_kind").options == ["similarity to a text"]


def test_only_what_the_network_can_show_is_offered(db, open_page, tiny):
    tiny("siglip")
    at = bring(open_page("probe"))
    offered = at.selectbox(key="method").options
    assert "Attention received by head" in offered and "Attention of the pooling head" in offered
    assert "CLS attention by head" not in offered
    kinds = next(group for group in at.get("button_group") if group.key == "kind")
    assert [option.content for option in kinds.proto.options] == ["Attention"]


def test_the_network_is_kept_in_the_address(db, open_page, tiny):
    at = open_page("probe", network="siglip")
    assert at.selectbox(key="network").value == "siglip"
    at.selectbox(key="network").set_value("vit-classifier").run()
    assert "network" not in at.query_params
    at = open_page("probe", network="no such network")
    assert not at.exception and at.selectbox(key="network").value == "vit-classifier"


def test_a_network_that_cannot_be_loaded_is_a_sentence(db, open_page, monkeypatch):
    gone = [networks.Choice("gone", "Gone", {"model": "hf:/nowhere/at/all"})]
    monkeypatch.setattr(networks, "choices", lambda: gone)
    at = bring(open_page("probe"))
    assert not at.exception and "Gone cannot be used here" in at.main.error[0].value


def test_the_fit_changes_what_is_seen(db, open_page, tiny):
    at = bring(open_page("probe", fit="stretch"))
    assert walls(at)["maps"]["panes"][0]["frame"] == [0, 0, 1, 1]
    at = bring(open_page("probe", fit="pad"))
    assert walls(at)["maps"]["panes"][0]["frame"][1] < 0


def fit_of(at) -> str:
    return next(group for group in at.get("button_group") if group.key == "fit").value


def test_the_fit_is_at_first_that_of_a_run_of_the_network(db, open_page, monkeypatch):
    found = [networks.Choice("a", "A", {"model": "tiny:dinov2"}, "aspect")]
    found.append(networks.Choice("b", "B", {"model": "tiny:vit"}))
    monkeypatch.setattr(networks, "choices", lambda: found)
    at = bring(open_page("probe"))
    assert not at.exception and fit_of(at) == "aspect" and "fit" not in at.query_params
    assert walls(at)["maps"]["panes"][0]["frame"] == [0, 0, 1, 1]
    at.selectbox(key="network").set_value("b").run()
    assert fit_of(at) == "crop" and "fit" not in at.query_params
    next(group for group in at.get("button_group") if group.key == "fit").set_value("pad").run()
    assert at.query_params["fit"] == "pad"
    at.selectbox(key="network").set_value("a").run()
    assert fit_of(at) == "pad"  # what somebody has chosen stays


def test_a_link_with_a_fit_wins_over_the_usual_one(db, open_page, monkeypatch):
    found = [networks.Choice("a", "A", {"model": "tiny:dinov2"}, "aspect")]
    monkeypatch.setattr(networks, "choices", lambda: found)
    at = bring(open_page("probe", fit="crop"))
    assert fit_of(at) == "crop" and at.query_params["fit"] in ("crop", ["crop"])
    at = open_page("probe", fit="no such fit")
    assert not at.exception and fit_of(at) == "aspect"


def test_networks_bring_the_fit_of_their_runs_and_the_run_in_view_comes_first(db, open_page, monkeypatch):
    monkeypatch.setattr(networks, "_published", lambda: [])
    runs = [
        database.stored_run(1, fit="pad", settings={"model": "m"}),
        database.stored_run(2, fit="aspect", settings={"model": "m"}),
    ]
    monkeypatch.setattr(networks.cache, "runs", lambda: runs)
    monkeypatch.setattr(networks.cache, "current_run", lambda: None)
    assert [(each.key, each.fit) for each in networks.choices()] == [("run2", "aspect"), ("packaged", "aspect")]
    monkeypatch.setattr(networks.cache, "current_run", lambda: runs[0])
    assert [(each.key, each.fit) for each in networks.choices()] == [("run1", "pad"), ("packaged", "aspect")]


def test_the_networks_are_those_of_runs_and_of_this_machine(db, open_page, monkeypatch):
    monkeypatch.setattr(networks, "_published", lambda: [networks.Choice("tiny", "again", {"model": "tiny"})])
    monkeypatch.setattr(networks, "_packaged", lambda: [networks.Choice("packaged", "p", {"model": "packaged"})])
    open_page("probe")
    assert [each.key for each in networks.choices()] == ["run1", "packaged"]  # a run's and a published one are the same


def test_a_picture_pasted_at_another_size_is_seen_upright(db, open_page, tiny):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif)
    at = bring(open_page("probe"), file.getvalue())
    assert not at.exception
    original = walls(at)["maps_original"]["panes"][0]
    assert original["alt"] == "wave.jpg" and original["frame"][1] > 0  # taller than wide: cut above and below
