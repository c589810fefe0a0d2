"""The page Vocabulary: thresholds, twenty pictures to check, prompts, tables that become vocabularies."""

import numpy as np
import pytest

from dashboard.data import cache
from dashboard.views.vocabulary import checking, hierarchy
from ingest.vision.words.scores import unit
from ingest.vision.words.tower import NoTextTower
from store import connection, write
from store.records import Results
from tests.pages import database
from tests.pages.test_vocabularies import IDS, plant
from tests.support.pages import HARMFUL, choose, html_of, walls


@pytest.fixture
def marked(monkeypatch):
    """What somebody marks in the wall of twenty, {image_id: right}; `shown` are its pictures."""

    class Marks(dict):
        def __init__(self):
            self.shown: list[int] = []

    marks = Marks()

    def marking(items, known, key, size):
        marks.shown = [item["image_id"] for item in items]
        return {image_id: right for image_id, right in marks.items() if image_id in marks.shown}

    monkeypatch.setattr("dashboard.views.vocabulary.checking.marking", marking)
    return marks


def joint(db, key: str = "tiny:siglip") -> int:
    """A run whose network reads words."""
    settings = database.run_record().settings | {"model": key, "title": "Reader of words", "feature_space": "joint"}
    random = np.random.default_rng(0).normal(size=(len(IDS), 32)).astype(np.float32)
    with connection.writing(db) as con:
        run = write.add_run(con, 1, database.run_record(settings=settings, dim=32))
        write.add_results(con, run, Results(IDS, random / np.linalg.norm(random, axis=1, keepdims=True)))
    return run


class Tower:
    """A text tower of random vectors, one for each text."""

    key, logit_scale, logit_bias, most = "tiny:siglip", 20.0, -4.0, 32

    def cut(self, texts):
        return []

    def encode(self, texts):
        rows = [np.random.default_rng(list(text.encode())).normal(size=32) for text in texts]
        return unit(np.array(rows))


def click(at, key: str):
    return next(each for each in at.button if each.key == key).click().run()


def slider(at):
    return next(each for each in at.select_slider if each.key == "labelled")


def slide(at, labelled: int):
    return slider(at).set_value(labelled).run()


def said(at) -> str:
    return " ".join(each.value for kind in (at.markdown, at.caption, at.info, at.error, at.success) for each in kind)


def test_the_strip_goes_from_sure_to_unsure_and_the_slider_says_how_many(db, open_page):
    plant(db)
    at = open_page("vocabulary", run=1, term="sea")
    assert not at.exception
    above, below = (walls(at)[f"vocabulary_{name}"]["items"] for name in ("labelled", "not_labelled"))
    assert [item["id"] for item in above] == [1, 2, 3] and [item["id"] for item in below] == [4, 5, 6]
    assert above[0]["caption"] == "92 % · p 1" and below[0]["caption"] == "42 % · p 0.5"
    assert "It has no threshold: it labels the 3 pictures of which it is the best term" in said(at)
    term = next(each for each in at.selectbox if each.key == "term")
    assert term.options == ["café (3)", "place › sea (3)"]
    at = click(slide(at, 2), "threshold_use")
    assert cache.thresholds(1, "motifs") == {"sea": pytest.approx(0.8)}
    assert "Its threshold labels 2 pictures" in said(at) and not at.exception
    at = open_page("vocabulary", run=1, term="sea")
    assert slider(at).value == 2
    at = choose(at, "term", "café")
    assert slider(at).value == 3  # another term, another slider
    click(choose(at, "term", "sea"), "threshold_remove")
    assert cache.thresholds(1, "motifs") == {}


def test_the_tree_counts_narrower_terms_too(db, open_page):
    plant(db)
    at = open_page("vocabulary", run=1)
    tree = html_of(at)
    assert tree.index("place") < tree.index("sea") and tree.count(">3</span>") == 3
    parents = {"a": "b", "b": "a", "c": None, "d": "c", "e": "x", "f": "f"}
    found = hierarchy.paths(parents)
    assert found == {"c": (), "d": ("c",), "f": (), "x": (), "e": ("x",), "a": (), "b": ("a",)}
    assert list(found) == ["c", "d", "f", "x", "e", "a", "b"]


def test_twenty_are_checked_and_the_precision_is_said(db, open_page, marked):
    plant(db)
    at = open_page("vocabulary", run=1, term="sea")
    assert "how many of them are right is not known" in said(at) and not marked.shown
    at = click(at, "check_twenty")  # there are six
    assert sorted(marked.shown) == [1, 2, 3, 4, 5, 6] and "6 pictures to go" in said(at)
    marked |= {1: True, 2: True}
    at.run()
    assert len(cache.marks(1, "motifs", "sea")) == 2 and "4 pictures to go" in said(at)
    marked |= {3: False, 4: False, 5: False, 6: False}
    at.run()
    assert "labels 3 pictures, all of which are marked: **67%** are right" in said(at)
    assert at.get("plotly_chart") and "All of them are marked" in said(at)
    marks = cache.marks(1, "motifs", "sea")
    assert dict(zip(marks["image_id"], marks["correct"], strict=True)) == dict(marked)
    at = open_page("vocabulary", run=1, term="sea")  # another session has them too
    assert "**67%** are right" in said(at)
    assert next(each for each in at.button if each.key == "check_twenty").disabled
    assert "is not known" in said(choose(at, "term", "café"))


def test_the_sentence_has_the_interval():
    class Term:
        term = "sea"

    found = checking.precision.precision(40, {rank: rank < 30 for rank in (1, 2, *range(0, 80, 3))}, 80)
    text = checking.sentence(Term, 40, found)
    assert f"about **{found.share:.0%}**" in text and f"interval {found.low:.0%} to {found.high:.0%}" in text
    assert checking.chart(checking.precision.curve({0: True}, 1), 1).data


def test_without_a_vocabulary_one_sentence_says_how_to_make_one(db, open_page):
    at = open_page("vocabulary", run=1)
    assert "reads no words" in said(at) and "python -m ingest run" in at.code[0].value and not at.exception
    at = open_page("vocabulary", run=joint(db))
    assert "has no vocabulary yet: upload a table of terms here, or type `python -m ingest vocabulary" in said(at)
    assert at.get("file_uploader")


def test_a_table_becomes_a_vocabulary_and_its_prompts_can_be_changed(db, open_page, monkeypatch):
    run = joint(db)
    monkeypatch.setattr("dashboard.data.cache.words.vocabularies.text_tower", lambda run: Tower())
    at = open_page("vocabulary", run=run)
    at.get("file_uploader")[0].upload("motifs.csv", b"term,parent\nboat,vehicle\ntree,\nboat,\n", "text/csv").run()
    assert "2 terms; 1 that were there before are left out" in said(at)
    at = click(at, "vocabulary_make")
    assert not at.exception and "2 terms scored over the pictures" in said(at)
    (vocabulary,) = cache.vocabularies(run)
    assert [(each.term, each.parent) for each in vocabulary.terms] == [("boat", "vehicle"), ("tree", None)]
    before = cache.term_scores(run, "motifs", "boat")
    cache.set_threshold(run, "motifs", "boat", 0.0)
    area = next(each for each in at.text_area if each.label == "Prompts" and each.key.startswith("vocabulary_prompts"))
    click(area.set_value("a {} at night\nno place").run(), "vocabulary_again")
    assert "needs one" in said(at)
    at = click(area.set_value("a {} at night\n{}").run(), "vocabulary_again")
    assert cache.vocabularies(run)[0].prompts == ("a {} at night", "{}") and "scored over" in said(at)
    assert not before.equals(cache.term_scores(run, "motifs", "boat")) and cache.thresholds(run, "motifs") == {}

    def none(run):
        raise NoTextTower("the text tower could not be loaded; python -m ingest run FOLDER --model siglip2-base")

    monkeypatch.setattr("dashboard.data.cache.words.vocabularies.text_tower", none)
    at = open_page("vocabulary", run=run)
    area = next(each for each in at.text_area if each.key.startswith("vocabulary_prompts"))
    at = click(area.set_value("{}").run(), "vocabulary_again")
    assert "could not be loaded" in said(at) and "siglip2-base" in at.code[-1].value and not at.exception


def test_a_table_that_is_none_says_what_is_expected(db, open_page):
    at = open_page("vocabulary", run=joint(db))
    at.get("file_uploader")[0].upload("motifs.csv", b"name,parent\na,b\n", "text/csv").run()
    assert "column called term" in said(at) and not at.exception


def test_hostile_terms_are_text(db, open_page):
    plant(db, HARMFUL, (HARMFUL, "'; DROP TABLE image; --"), HARMFUL + "p")
    at = open_page("vocabulary", run=1, term=HARMFUL)
    assert not at.exception and "<img" not in html_of(at) and "**bold**" not in said(at)
    click(at, "threshold_use")
    assert list(cache.thresholds(1, HARMFUL)) == [HARMFUL]
