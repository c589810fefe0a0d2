"""Addresses that name what is not there: a sentence, and what is; and addresses of all kinds that break nothing."""

import shutil

import pytest

from dashboard.data.cache import file
from dashboard.state import navigation, not_found
from store import connection, write
from tests.pages import database


def warned(at) -> str:
    return " ".join(str(each.value).replace("\\", "") for each in at.main.warning)


@pytest.mark.parametrize("wrong", ["999", "", "9" * 30, "１", "<b>*x*</b>" * 500])
def test_a_run_and_a_picture_that_are_not_there_are_named(db, open_page, wrong):
    at = open_page(run=wrong, image=wrong)
    assert not at.exception
    assert "There is no run" in warned(at) and "There is no picture" in warned(at)
    assert "shown is run 1" in warned(at) and "shown is picture 1, The Great Wave off Kanagawa." in warned(at)
    assert len(warned(at)) < 600 and "<b>*x*</b>" * 20 not in warned(at)
    assert at.query_params == {"run": "1", "image": "1"}


def test_the_sentence_stays_until_another_picture_is_chosen_or_it_is_closed(db, open_page):
    at = open_page("map", image=999)
    assert "There is no picture “999”" in warned(at)
    at.selectbox(key="image").set_value(3).run()
    assert not warned(at)
    at = open_page(image=999)
    at.button(key="not_found_close").click().run()
    assert not warned(at)


def test_what_is_there_is_shown_without_a_word(db, open_page):
    assert not warned(open_page(run=1, image=4))
    assert not warned(open_page(image="004"))


@pytest.fixture
def two(db):
    """A second collection of one picture, 7, with a run of its own, 2."""
    with connection.writing(db) as con:
        other = write.add_collection(con, "prints", "")
        write.add_images(con, other, [database.record("duerer-lion-1494.jpg", {"title": "Lion"})])
        write.add_run(con, other, database.run_record())
    return db


def test_a_picture_of_another_collection_opens_in_a_run_over_it_or_is_said_to_be_elsewhere(two, open_page):
    at = open_page(image=7)
    assert (at.session_state["run"], at.session_state["image"]) == (2, 7) and not warned(at)
    at = open_page(image=1)
    assert (at.session_state["run"], at.session_state["image"]) == (1, 1) and not warned(at)
    at = open_page(run=1, image=7)
    assert at.session_state["image"] == 1
    assert "Picture 7 is in the collection prints" in warned(at) and "choose run 2 to see it" in warned(at)


def test_a_database_that_is_not_there_is_named(db, made, open_page):
    at = open_page(db="other.duckdb", image=3)
    assert "no database “other.duckdb” in this folder; shown is atlas.duckdb" in warned(at)
    assert "numbers of runs and pictures mean others" in warned(at)
    shutil.copy(made, db.with_name("other.duckdb"))
    file.neighbours.clear()
    assert not warned(open_page(db="other.duckdb"))
    assert "no database “third.duckdb”" in warned(open_page(db="third.duckdb"))


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("heads", {"head_layer": ("99", "layer", "2"), "statistic": ("beauty", "statistic", "distance")}),
        ("map", {"projection": ("nosuch", "projection", ""), "layout": ("spiral", "layout", "projection")}),
        ("aggregate", {"aggregate_method": ("magic", "method", "cls")}),
        ("attention", {"method": ("magic(1)", "method", "cls"), "layer": ("99", "layer", "0")}),
        ("similar", {"like": ("3,999", "example", "3"), "k": ("-5", "k", "5")}),
    ],
)
def test_what_a_page_does_not_have_is_named(db, open_page, page, query):
    at = open_page(page, **{key: texts for key, (texts, _, _) in query.items()})
    assert not at.exception
    for texts, noun, instead in query.values():
        wrong = texts.rpartition(",")[2]
        assert f"The address asks for the {noun} “{wrong}”, which is not to be had here" in warned(at)
        assert not instead or f"not to be had here; shown is {instead}" in warned(at)


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("heads", {"head_layer": "0", "head_number": "1", "statistic": "entropy", "heads_spread": "true"}),
        ("attention", {"method": "rollout(fusion=mean)", "edges": "sharp", "opacity": "60"}),
        ("similar", {"like": "3", "k": "2", "crop": "0.1,0.1,0.5,0.52"}),
    ],
)
def test_links_to_what_is_there_open_it_without_a_word(db, open_page, page, query):
    at = open_page(page, **query)
    assert not at.exception and "The address asks for" not in warned(at)


HOSTILE = {
    "layer": "NaN",
    "k": "1e999",
    "opacity": "-inf",
    "crop": "nan,0,1,1",
    "like": "٣,,-1," + "9" * 40,
    "head_layer": "\ud83d",
    "method": "cls(((",
    "target": "image:" + "9" * 5000,
    "projection": "\x00",
    "aggregate_seed": "-1",
    "f": "year:between:x",
    "marked": "!!",
    "nonsense": "x" * 5000,
}


@pytest.mark.parametrize("page", ["similar", "attention", "heads"])
def test_hostile_values_break_no_page(db, open_page, page):
    values = {key: value.encode(errors="replace").decode() for key, value in HOSTILE.items()}
    assert not open_page(page, **values).exception


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("overview", ""),
        ("Overview", ""),
        ("home", ""),
        ("Map", "map"),
        ("maps", "map"),
        ("map.html", "map"),
        ("neighbours", "similar"),
        ("SQL", "sql"),
        ("nonsense", None),
        ("Übersicht", None),
        ("s", None),
    ],
)
def test_other_words_for_the_pages(word, page):
    assert navigation.meant_page(word) == page


def test_words_of_an_address_that_mean_the_same():
    for one, other in (("1", "1.0"), ("true", "True"), ("rollout(fusion=mean)", "rollout"), ("0.1", "0.100")):
        assert not_found._same(one, other)
    assert not not_found._same("1", "10") and not not_found._same("nan", "nan2")
