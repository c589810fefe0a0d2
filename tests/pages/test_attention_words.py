"""Where in a picture words are: maps of the similarity to a text on the page Attention."""

import numpy as np
import pytest
import torch

from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.views.attention import lookup
from ingest.vision.attention import methods
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked, explain_pictures, suits
from ingest.vision.geometry import fit_image
from ingest.vision.targets import make_target
from ingest.vision.words.tower import NoTextTower
from store import connection, texts, write
from store.records import Results
from tests.pages.test_attention import add_network, computed_now, panes, pictures
from tests.support.maps import stored_maps
from tests.support.pages import choose, html_of

MODEL, BOAT = "tiny:siglip", "words:a boat"
ROWS = COLS = 4


@pytest.fixture
def run(db) -> int:
    """A run whose network reads words, without maps."""
    return add_network(db, MODEL)


def add_maps(db, run: int, target: str, weights: np.ndarray) -> None:
    """Stored maps of DAAM of picture 1, weights (blocks, rows * cols)."""
    blocks = np.arange(len(weights))
    block = stored_maps("daam", target, ROWS, COLS, np.ones(len(blocks), int), blocks, None, weights)
    with connection.writing(db) as con:
        write.add_results(con, run, Results(np.array([1]), maps=[block]))


def test_the_map_of_a_text_is_what_the_network_gives(run, db, open_page):
    at = open_page("attention", image=1, run=run, method="daam", target=BOAT, frames="alone")
    assert not at.exception and computed_now(at)
    assert f"Explained: {BOAT}." in html_of(at) and f"--target &#x27;{BOAT}&#x27;" in html_of(at)
    backbone, picture = load(MODEL), cache.picture(1)[0]
    pixels, _ = fit_image(picture, backbone.rule, "crop", 56)
    batch = torch.from_numpy(pixels[None].copy())
    weights = explain_pictures(backbone, batch, [Asked("daam")], make_target(BOAT, backbone)).maps[0].weights[0]
    for pane, expected in zip(panes(at), weights.numpy(), strict=True):
        assert pane["values"] == [f"×{panels.times(many)}" for many in expected.ravel() / expected.mean()]
    with connection.reading(db) as con:
        vector = texts.texts(con, run)["a boat"].vector
    ids, vectors = cache.features(run)
    assert f"similarity to the text: {float(vectors[ids == 1][0] @ vector):.3f} (cosine)" in html_of(at)


def test_every_method_that_takes_a_target_explains_a_text(run, open_page):
    backbone = load(MODEL)
    for key, method in methods().items():
        if method.needs_target and suits(method, backbone):
            at = open_page("attention", image=1, run=run, method=key, target=BOAT)
            assert not at.exception and computed_now(at), key


def test_a_text_is_typed_and_stands_in_the_address(run, open_page):
    at = open_page("attention", image=1, run=run, method="daam", target="neighbours:2")
    before = pictures(at)
    choose(at, "target_kind", "words")
    assert "Type what is looked for" in at.main.info[0].value and "target" not in at.query_params
    at.text_input(key="target_words").set_value("  a   tree ").run()
    assert at.query_params["target"] in ("words:a tree", ["words:a tree"]) and not at.exception
    assert not np.array_equal(before[1], pictures(at)[1])


def test_stored_maps_of_texts_are_offered_and_need_no_network(run, db, open_page, monkeypatch):
    for text in ("a boat", "a tree"):
        add_maps(db, run, f"words:{text}", np.random.default_rng(len(text)).random((2, ROWS * COLS)))
    monkeypatch.setattr(lookup, "compute", lambda *asked: pytest.fail("the network was run"))
    monkeypatch.setattr("dashboard.data.cache.words.text_tower", None)
    at = open_page("attention", image=1, run=run, method="daam")
    assert at.text_input(key="target_words").value == "a boat" and not at.exception
    at.button(key="stored_text_a tree").click().run()
    assert at.query_params["target"] in ("words:a tree", ["words:a tree"]) and not at.exception
    assert "Explained: words:a tree." in html_of(at)


def test_where_the_text_tower_cannot_be_had_what_to_type_is_said(run, open_page, monkeypatch):
    def none(run):
        raise NoTextTower("the text tower could not be loaded; type: python -m ingest run FOLDER --model siglip2-base")

    monkeypatch.setattr("dashboard.data.cache.words.text_tower", none)
    at = open_page("attention", image=1, run=run, method="daam", target="words:never asked")
    assert at.main.info[0].value == "The text tower could not be loaded; type"
    assert at.code[0].value == "python -m ingest run FOLDER --model siglip2-base" and not at.exception


def test_a_network_that_reads_no_words_is_asked_for_none(db, open_page):
    at = open_page("attention", image=1, run=add_network(db, "tiny:vit"), method="daam", target=BOAT)
    assert not any("text" in option for option in at.selectbox(key="target_kind").options)
    assert computed_now(at) and not at.exception
