"""A vocabulary is a column: of the filter, of the map's colours and groups, and of Aggregate."""

import numpy as np
import pytest

from dashboard.data import cache, layouts
from dashboard.data.layouts import LayoutOptions
from dashboard.state import filters
from store import connection, thresholds, vocabularies
from store.conditions import OneOf
from store.vocabularies import Term, Vocabulary
from tests.pages import database
from tests.pages.test_filtering import chips, count
from tests.support.pages import HARMFUL, html_of, walls

IDS = np.arange(1, len(database.NAMES) + 1)


def plant(db, name: str = "motifs", terms=("sea", "café"), parent: str = "place") -> None:
    """Pictures 1 to 3 are of the first term, the others of the second; of the second score 3 is next."""
    rows = (Term(terms[0], parent=parent), Term(terms[1]))
    first = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.0], np.float32)
    second = 0.5 + np.array([0, 0, 0.1, 0.2, 0.3, 0.4], np.float32) * np.where(IDS > 2, 1, 0) - 0.45 * (IDS < 4)
    scores = np.concatenate([first, second.astype(np.float32)])
    ranks = np.concatenate([np.where(first > second, 1, 2), np.where(first > second, 2, 1)])
    positions = np.repeat([0, 1], len(IDS))
    vectors = np.eye(database.DIM, dtype=np.float32)[:2]
    with connection.writing(db) as con:
        vocabulary = Vocabulary(name, 1, rows, ("a picture of {}",), {"logit_scale": 20.0, "logit_bias": -4.0})
        vocabularies.add_vocabulary(con, vocabulary, vectors, np.tile(IDS, 2), positions, scores, ranks)


def set_threshold(db, term: str, threshold: float, name: str = "motifs") -> None:
    with connection.writing(db) as con:
        thresholds.set_threshold(con, 1, name, term, threshold)


def test_the_filter_takes_the_terms_as_values(db, open_page):
    plant(db)
    at = open_page("similar", run=1, image=1, f="motifs:place")
    assert chips(at) == ["motifs place"] and count(at).startswith("**3** of 6")
    assert cache.matching("paintings", at.session_state["f"], 1).tolist() == [1, 2, 3]
    set_threshold(db, "sea", 0.75)
    assert count(at.run()).startswith("**2** of 6")
    at.session_state["filter"] = True
    at.session_state["filter_column"] = "motifs"
    at.run()
    values = next(each for each in at.multiselect if each.key == "filter_values")
    assert values.options == ["place (2)", "café (3)", "sea (2)", "no value (1)"]
    assert "FROM labelled" in "".join(code.value for code in at.code) and not at.exception


def test_a_run_without_the_vocabulary_says_so(db, open_page):
    at = open_page("similar", run=1, image=1, f="motifs:sea")
    assert any("nothing to filter by" in each.value for each in at.warning) and not at.exception


def test_it_colours_the_map_and_makes_its_groups(db, open_page):
    plant(db)
    at = open_page("map", run=1, map_colour="motifs", layout="groups", layout_by="motifs")
    data = walls(at)["map"]
    assert "motifs" in str(data["legend"]) and {"sea", "place", "café"} <= set(
        str(data["legend"]).replace("'", " ").split()
    )
    assert not at.exception and "first value of motifs" in "".join(each.value for each in at.caption)
    before = data["points"]
    set_threshold(db, "sea", 0.75)
    assert walls(at.run())["map"]["points"] != before  # another address, or the browser would keep the old blocks
    notes = layouts.points(db, 1, LayoutOptions("groups", "motifs"))
    assert "café".encode() in notes and b"sea" in notes and b"no motifs" in notes
    assert layouts.points(db, 1, LayoutOptions("groups", "nothing")) is None
    assert layouts.points(db, 1, LayoutOptions("time", "motifs")) is None


def test_it_tells_the_groups_of_aggregate(db, open_page):
    plant(db)
    set_threshold(db, "sea", 0.75)
    at = open_page("aggregate", run=1, aggregate_a="motifs", aggregate_a_is_motifs="place")
    found = [each.value for each in at.markdown if "pictures**" in each.value]
    assert found == ["**2 pictures**", "**4 pictures**"] and not at.exception  # no label is known not to be this one


@pytest.mark.parametrize("name", ["artist", "tag", "Map cluster"])
def test_a_name_that_is_taken_gets_a_word_more(db, name):
    plant(db, name)
    assert cache.vocabulary_columns(cache.run(1)) == {f"{name} (vocabulary)": name}
    found = cache.matching("paintings", [OneOf(f"{name} (vocabulary)", ("sea",))], 1)
    assert found.tolist() == [1, 2, 3]


def test_hostile_terms_are_text(db, open_page):
    plant(db, HARMFUL, (HARMFUL, "'; DROP TABLE image; --"), HARMFUL + "p")
    for page, query in (
        ("map", {"map_colour": HARMFUL, "layout": "groups", "layout_by": HARMFUL}),
        ("aggregate", {"aggregate_a": HARMFUL, f"aggregate_a_is_{HARMFUL}": HARMFUL}),
    ):
        at = open_page(page, run=1, f=filters.to_address([OneOf(HARMFUL, ("'; DROP TABLE image; --",))])[0], **query)
        assert not at.exception and not any("<img" in each.value for each in at.markdown)


def test_it_is_among_what_is_typical_of_a_selection(db, open_page):
    plant(db)
    at = open_page("map", run=1, f="motifs:sea", selection_part="typical", panel="open")
    shown = html_of(at)
    assert not at.exception and "motifs</span> sea" in shown and "motifs</span> café" not in shown
    assert any("no second witness" in each.value for each in at.caption)
    set_threshold(db, "café", -1.0)  # now all are labelled with it
    assert "motifs</span> café" not in html_of(at.run())


def test_the_wall_of_overview_is_ordered_by_a_term_s_score(db, open_page):
    plant(db, terms=("sea", "title"))
    at = open_page("overview", run=1, wall_order="motifs: title")
    assert [item["id"] for item in walls(at)["wall"]["items"]] == [6, 5, 4, 3, 1, 2]
    at = open_page("picture", run=1, image=6, wall_order="motifs: title")
    assert walls(at)["picture_viewer"]["next"][0] == 5
    at = open_page("overview", run=1, wall_order="motifs: gone")
    assert not at.exception and at.selectbox(key="wall_order").value == "file name"
