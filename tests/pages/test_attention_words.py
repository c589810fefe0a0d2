"""Where in a picture words are: maps of the similarity to a text on the page Attention."""

import inspect

import numpy as np
import pytest
import torch

from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.selection.maps import lookup
from ingest.vision.attention import methods
from ingest.vision.backbones import load
from ingest.vision.colour_maps import colour_table
from ingest.vision.explaining import Asked, explain_pictures, suits
from ingest.vision.geometry import fit_image
from ingest.vision.targets import make_target
from ingest.vision.words.tower import NoTextTower
from store import connection, texts, write
from store.records import Results
from tests.pages.test_attention import add_network, computed_now, decoded, panes, pictures
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
    monkeypatch.setattr(inspect.getmodule(cache.text_vectors), "text_tower", None)
    at = open_page("attention", image=1, run=run, method="daam")
    assert at.text_input(key="target_words").value == "a boat" and not at.exception
    at.button(key="stored_text_a tree").click().run()
    assert at.query_params["target"] in ("words:a tree", ["words:a tree"]) and not at.exception
    assert "Explained: words:a tree." in html_of(at)


def test_where_the_text_tower_cannot_be_had_what_to_type_is_said(run, open_page, monkeypatch):
    def none(run):
        raise NoTextTower("the text tower could not be loaded; type: python -m ingest run FOLDER --model siglip2-base")

    monkeypatch.setattr(inspect.getmodule(cache.text_vectors), "text_tower", none)
    at = open_page("attention", image=1, run=run, method="daam", target="words:never asked")
    assert at.main.info[0].value == "The text tower could not be loaded; type"
    assert at.code[0].value == "python -m ingest run FOLDER --model siglip2-base" and not at.exception


def test_a_network_that_reads_no_words_is_asked_for_none(db, open_page):
    at = open_page("attention", image=1, run=add_network(db, "tiny:vit"), method="daam", target=BOAT)
    assert not any("text" in option for option in at.selectbox(key="target_kind").options)
    assert computed_now(at) and not at.exception


def peak(at, key: str) -> np.ndarray:
    """The colour (3,) in the middle of the first patch of a column's map."""
    (pane,) = panes(at, key)
    picture, (x0, y0, x1, y1) = decoded(pane["src"]), pane["frame"]
    height, width, _ = picture.shape
    return picture[round(height * (y0 + (y1 - y0) / 2 / ROWS)), round(width * (x0 + (x1 - x0) / 2 / COLS))].astype(int)


def test_two_texts_on_one_picture_share_a_scale_on_which_twice_as_much_is_drawn_so(run, db, open_page):
    """All of the first text's evidence lies in one patch, twice as much of the second's in the same."""
    once = np.zeros((2, ROWS * COLS), np.float32)
    once[:, 0] = 0.01
    add_maps(db, run, BOAT, once)
    add_maps(db, run, "words:a tree; or two", 2 * once)
    columns = [f"{run};daam;1;", f"{run};daam;1;;words:a tree; or two"]
    at = open_page("attention", image=1, run=run, view="compare", target=BOAT, opacity=100)
    at.query_params["column"] = columns
    at.run()
    assert not at.exception and at.query_params["column"] == columns
    assert [panes(at, f"compare_{n}")[0]["title"].partition("“")[2] for n in (0, 1)] == ["a boat”", "a tree; or two”"]
    assert "in units of the target&#x27;s score" in html_of(at)
    table = colour_table("inferno").astype(int)
    np.testing.assert_allclose(peak(at, "compare_0"), table[len(table) // 2], atol=8)
    np.testing.assert_allclose(peak(at, "compare_1"), table[-1], atol=8)
    choose(at, "cosines", False)  # each in multiples of its own mean: the same shape
    assert "as multiples of each map" in html_of(at)
    np.testing.assert_allclose(peak(at, "compare_0"), peak(at, "compare_1"), atol=2)


def test_a_column_is_given_another_text(run, open_page):
    at = open_page("attention", image=1, run=run, view="compare", target=BOAT)
    at.query_params["column"] = [f"{run};daam;1;", f"{run};daam;1;"]
    at.run()
    same = [panes(at, f"compare_{n}")[0]["src"] for n in (0, 1)]
    at.text_input(key="c1_words").set_value("a tree").run()
    assert not at.exception and at.query_params["column"] == [f"{run};daam;1;", f"{run};daam;1;;words:a tree"]
    other = [panes(at, f"compare_{n}")[0]["src"] for n in (0, 1)]
    assert same[0] == same[1] and other[0] != other[1]
