"""Similar, searched by words: what is found, what the scores say, and what is said where no words are read."""

import base64

import numpy as np
import pytest

from dashboard.data import cache
from dashboard.views.similar import words
from ingest.vision.words.tower import NoTextTower
from store import connection, read, texts, write
from store.records import Results
from store.texts import StoredText
from tests.pages import database
from tests.pages.walls import Wall, html, stand_in
from tests.support.pages import walls

BOAT, CAFE = np.eye(database.DIM, dtype=np.float32)[[0, 1]]
IDS = range(1, len(database.NAMES) + 1)


@pytest.fixture
def wall(monkeypatch) -> Wall:
    return stand_in(monkeypatch)


def plant(db, model: str = "tiny:siglip", bias: float | None = -4.0) -> int:
    """A run whose pictures are known mixtures of a boat and a café, with both texts."""
    settings = database.run_record().settings | {"model": model, "title": "Reader of words", "feature_space": "joint"}
    share = np.linspace(1, 0, len(IDS), dtype=np.float32)[:, None]
    vectors = share * BOAT + (1 - share) * CAFE
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with connection.writing(db) as con:
        run = write.add_run(con, 1, database.run_record(settings=settings))
        write.add_results(con, run, Results(np.array(IDS), vectors))
        stored = [StoredText(text, vector, model, 20.0, bias) for text, vector in (("a boat", BOAT), ("a café", CAFE))]
        texts.add_texts(con, run, stored)
    return run


def captions(wall) -> list[str]:
    """What stands first under each picture."""
    return [item["caption"].split(" · ")[0] for item in wall.items]


def test_words_find_the_pictures_by_the_networks_own_probability(db, open_page, wall):
    run = plant(db)
    at = open_page("similar", run=run, image=3, words="a boat", k=4)
    assert wall.ids == [1, 2, 3, 4]
    cosines = [1, *(share / np.hypot(share, 1 - share) for share in (0.8, 0.6, 0.4))]
    expected = [f"probability {100 / (1 + np.exp(4 - 20 * cosine)):.3g} %" for cosine in cosines]
    assert captions(wall) == expected
    assert "Searched with “a boat”" in html(at) and "own probability" in html(at)
    assert "crop_box" not in walls(at)  # the picture in view is not asked


@pytest.mark.parametrize(
    ("words", "expected"),
    [("a café", [6, 5, 4]), ("a boat -a café", [1, 2, 3]), ("−a boat", [6, 5, 4]), ("  a   boat ", [1, 2, 3])],
)
def test_words_with_a_minus(db, open_page, wall, words, expected):
    open_page("similar", run=plant(db), image=3, words=words, k=3)
    assert wall.ids == expected


def test_a_network_without_probabilities_says_how_many_are_less_like_it(db, open_page, wall):
    at = open_page("similar", run=plant(db, "tiny:clip", None), image=3, words="a boat", k=2)
    assert captions(wall) == ["nearer than 91.7 %", "nearer than 75 %"]
    assert "how many percent of all pictures are less like that" in html(at)


def test_words_go_together_with_the_picture_in_view(db, open_page, wall):
    at = open_page("similar", run=plant(db), image=6, words="a boat", words_picture="true", k=3)
    # Half boat, half café: the mixture in the middle is nearest, and the picture in view is no answer.
    assert set(wall.ids[:2]) == {3, 4} and 6 not in wall.ids
    assert "“a boat” and 1 picture" in html(at)


def test_a_picture_that_is_clicked_takes_the_place_of_the_words(db, open_page, wall):
    at = open_page("similar", run=plant(db), image=3, words="a boat", k=3)
    wall.click = 2
    at.run()
    assert at.session_state["image"] == 2 and at.session_state["words"] == ""
    assert wall.ids[0] in (1, 3)


def test_a_new_text_is_read_once_and_stored(db, open_page, wall, monkeypatch):
    run = plant(db, "tiny:clip", None)
    tower = cache.text_tower

    class Eight:
        def described(self, wanted):
            return [{**row, "vector": BOAT} for row in tower(cache.run(run)).described(wanted)]

    monkeypatch.setattr("dashboard.data.cache.words.text_tower", lambda run: Eight())
    open_page("similar", run=run, image=3, words="ships", k=3)
    assert wall.ids == [1, 2, 3]
    with connection.reading(db) as con:
        assert "ships" in texts.texts(con, run)
    monkeypatch.setattr("dashboard.data.cache.words.text_tower", None)
    open_page("similar", run=run, image=3, words="ships", k=3)  # needs no network any more
    assert wall.ids == [1, 2, 3]


def test_where_the_text_tower_cannot_be_had_what_to_type_is_said(db, open_page, wall, monkeypatch):
    def none(run):
        raise NoTextTower("the text tower could not be loaded; type: python -m ingest run FOLDER --model siglip2-base")

    monkeypatch.setattr("dashboard.data.cache.words.text_tower", none)
    at = open_page("similar", run=plant(db), image=3, words="never asked")
    assert at.error[0].value == "the text tower could not be loaded; type"
    assert at.code[0].value == "python -m ingest run FOLDER --model siglip2-base" and not at.exception


def test_a_run_that_reads_no_words_says_what_to_type(db, open_page, wall):
    at = open_page("similar", image=3, words="a boat")
    (field,) = (field for field in at.text_input if field.label == "Search by words")
    assert field.disabled and "siglip2-base" in field.help and not at.exception
    assert wall.ids


# ---- on the map ------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted_map(db) -> int:
    """The planted run with a projection, in which the pictures lie in another order than their ids."""
    run = plant(db)
    with connection.writing(db) as con:
        order = np.array([4, 2, 6, 1, 3, 5])
        write.add_projection(con, run, "umap", {}, order, np.arange(12.0).reshape(6, 2))
    return run


def test_frames_are_coloured_by_how_near_words_are(db, open_page, planted_map):
    at = open_page("map", run=planted_map, map_colour="words …", words="a boat")
    (given,) = (each for key, each in walls(at).items() if key == "map")
    assert given["legend"]["title"] == "percent of the pictures that are less like “a boat”"
    layout = cache.layout(int(cache.projections(planted_map)["projection_id"].iloc[0]))
    tints = np.frombuffer(base64.b64decode(given["tints"]), np.uint8).reshape(-1, 3).astype(int)
    brightness = dict(zip(layout.ids.tolist(), tints.sum(axis=1), strict=True))
    assert sorted(brightness, key=lambda image: -brightness[image]) == [1, 2, 3, 4, 5, 6]


def test_without_words_there_is_a_field_and_no_colour(db, open_page, planted_map):
    at = open_page("map", run=planted_map, map_colour="words …")
    assert walls(at)["map"]["tints"] is None and any(field.key == "words" for field in at.text_input)
    assert "words …" not in open_page("map", run=1).selectbox(key="map_colour").options


def test_the_nearest_to_words_are_a_filter_of_all_pages(db, open_page, planted_map):
    at = open_page("map", run=planted_map, map_colour="words …", words="a boat")
    at.number_input(key="_map_nearest").set_value(50.0).run()
    at.button(key="_map_filter_words").click().run()
    assert at.query_params["where"] == texts.nearest_condition(planted_map, "a boat", 3)
    assert "the 3 nearest to “a boat”" in at.button(key="filter_off_where").label.replace("\\", "")
    other = open_page("similar", run=planted_map, image=1, where=at.query_params["where"])
    assert "3 images with the 3 nearest to “a boat”" in html(other)


@pytest.mark.parametrize("text", ["a boat", "it's", "'; DROP TABLE image; --", "in\nlines", "“quoted”", "%_\\"])
def test_a_condition_on_words_is_read_again_and_finds_its_text(db, text):
    run = plant(db)
    condition = texts.nearest_condition(run, text, 2)
    assert texts.text_of_condition(condition) == (text, 2)
    with connection.writing(db) as con:
        texts.add_texts(con, run, [StoredText(text, CAFE, "tiny:siglip", 20.0)])
    assert cache.satisfying(condition).tolist() == [5, 6]


def test_the_sentence_quotes_the_beginning_of_a_long_text(db):
    with connection.reading(db) as con:
        run = read.runs(con)[0]
    long = StoredText("sea " * 500, BOAT, "tower", 1.0)
    said = words.sentence(run, words.Words((long,), (long,)), 0, "all")
    assert "unlike “sea sea" in said and "…”" in said and len(said) < 500
