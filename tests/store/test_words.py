"""Texts and vocabularies in the database: what goes in comes out, and old databases get the tables."""

import numpy as np
import pytest

from store import facets, texts, thresholds, vocabularies, write
from store import labelled as store_labelled
from store.connection import reading, writing
from store.errors import StoreError
from store.texts import StoredText
from store.vocabularies import Term, Vocabulary
from tests.support.databases import ask, database


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def planted(tmp_path):
    """Four pictures in three dimensions: picture i leans towards axis 0 the less, the larger i is."""
    path = tmp_path / "words.duckdb"
    run = database(path, unit([[4, 0, 0], [3, 1, 0], [2, 2, 1], [0, 1, 3]]))
    return path, run


def text(words: str, vector, **more) -> StoredText:
    return StoredText(words, unit(vector), "tiny:clip", 100.0, **more)


def test_texts_come_back_as_they_were_stored(planted):
    path, run = planted
    with writing(path) as con:
        first = [text("a boat", [1, 0, 0]), text("ein Boot 🚢", [0, 1, 0], logit_bias=-3.5, cut=True)]
        assert texts.add_texts(con, run, first) == 2
        assert texts.add_texts(con, run, [text("a boat", [0, 0, 1])]) == 0  # the newer vector counts
    with reading(path) as con:
        found = texts.texts(con, run)
        assert texts.texts(con, run, ["none"]) == {} and list(texts.texts(con, run, ["a boat"])) == ["a boat"]
    assert found["a boat"].vector.tolist() == [0, 0, 1] and found["a boat"].logit_bias is None
    assert (found["ein Boot 🚢"].logit_bias, found["ein Boot 🚢"].cut) == (-3.5, True)


def test_nearest_text_is_the_order_of_the_cosines(planted):
    path, run = planted
    with writing(path) as con:
        texts.add_texts(con, run, [text("a boat", [1, 0, 0])])
    found = ask(path, "SELECT * FROM nearest_text(?, 'a boat', 3)", run)
    assert [image for image, _ in found] == [1, 2, 3]
    assert [score for _, score in found] == pytest.approx([1, 3 / 10**0.5, 2 / 3], abs=1e-6)
    assert ask(path, "SELECT * FROM nearest_text(?, 'a ship', 3)", run) == []
    assert ask(path, "SELECT * FROM nearest_text(9, 'a boat', 3)") == []


@pytest.mark.parametrize("run, words", [(1, "has 2: it is of another network"), (7, "There is no run 7")])
def test_texts_of_another_network_are_refused(planted, run, words):
    with pytest.raises(StoreError, match=words), writing(planted[0]) as con:
        texts.add_texts(con, run, [text("a boat", [1, 0])])


def add(con, run, name="motifs", scores=((1, 0, 0.9, 1), (1, 1, 0.1, 2), (2, 1, 0.8, 1), (2, 0, 0.5, 2))):
    terms = (Term("boat", None, "vehicle"), Term("tree", "a tree in a field"))
    vocabulary = Vocabulary(name, run, terms, ("a picture of {}",), {"kept": "all scores"})
    columns = [np.array(column) for column in zip(*scores, strict=True)]
    return vocabularies.add_vocabulary(con, vocabulary, unit([[1, 0, 0], [0, 1, 0]]), *columns)


def test_a_vocabulary_and_its_labels_come_back(planted):
    path, run = planted
    with writing(path) as con:
        add(con, run)
        add(con, run, "other", ((3, 0, 0.2, 1),))
        add(con, run)  # again: in place of the first
    with reading(path) as con:
        found = vocabularies.vocabularies(con, run)
        terms, vectors = vocabularies.term_vectors(con, run, "motifs")
        of_one = vocabularies.labels_of(con, run, 1).to_pylist()
        best = vocabularies.labels_of(con, run, 2, "motifs", most=1).to_pylist()
        boats = vocabularies.images_of(con, run, "motifs", "boat", 5).to_pylist()
        some = vocabularies.images_of(con, run, "motifs", "boat", 5, among=[2]).to_pylist()
        counts = vocabularies.term_counts(con, run, "motifs").to_pylist()
        none = vocabularies.term_counts(con, run, "motifs", [3]).to_pylist()
    assert [(each.name, each.prompts, len(each.terms)) for each in found] == [
        ("motifs", ("a picture of {}",), 2),
        ("other", ("a picture of {}",), 2),
    ]
    assert found[0].terms == (Term("boat", None, "vehicle"), Term("tree", "a tree in a field"))
    assert terms == ["boat", "tree"] and vectors.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert [(row["term"], row["rank"], row["parent"]) for row in of_one] == [("boat", 1, "vehicle"), ("tree", 2, None)]
    assert [row["term"] for row in best] == ["tree"]
    assert [row["image_id"] for row in boats] == [1, 2] and [row["image_id"] for row in some] == [2]
    assert [(row["first"], row["kept"]) for row in counts] == [(1, 2), (1, 2)]
    assert [(row["first"], row["kept"], row["mean"]) for row in none] == [(0, 0, None), (0, 0, None)]
    view = ask(path, "SELECT image_id, term, rank FROM labels WHERE vocabulary = 'motifs' ORDER BY ALL")
    assert view == [(1, "boat", 1), (1, "tree", 2), (2, "boat", 2), (2, "tree", 1)]
    assert ask(path, "SELECT count(*) FROM terms") == [(4,)]


def test_labels_go_with_their_picture(planted):
    path, run = planted
    with writing(path) as con:
        add(con, run)
        write.delete_images(con, [1])
    assert ask(path, "SELECT DISTINCT image_id FROM labels") == [(2,)]
    with writing(path) as con:
        vocabularies.delete_vocabulary(con, run, "motifs")
    assert ask(path, "SELECT (SELECT count(*) FROM labels), (SELECT count(*) FROM terms)") == [(0, 0)]


def labelled(path, run=1, name="motifs", columns="image_id, term, inherited"):
    query = f"SELECT {columns} FROM labelled WHERE run_id = ? AND vocabulary = ? ORDER BY ALL"
    return ask(path, query, run, name)


def test_a_term_labels_the_pictures_that_reach_its_threshold(planted):
    path, run = planted
    with writing(path) as con:
        add(con, run)
    assert labelled(path) == [(1, "boat", False), (1, "vehicle", True), (2, "tree", False)]  # the best terms
    with writing(path) as con:
        thresholds.set_threshold(con, run, "motifs", "boat", 0.5)
    assert labelled(path) == [
        *((1, "boat", False), (1, "vehicle", True), (2, "boat", False), (2, "tree", False), (2, "vehicle", True)),
    ]
    assert ask(path, "SELECT image_id, labelled FROM labels WHERE term = 'boat' ORDER BY 1") == [(1, True), (2, True)]
    with writing(path) as con:
        thresholds.set_threshold(con, run, "motifs", "boat", 0.95)
    assert labelled(path) == [(2, "tree", False)]
    with writing(path) as con:
        assert thresholds.thresholds(con, run, "motifs") == {"boat": pytest.approx(0.95)}
        thresholds.set_threshold(con, run, "motifs", "boat", None)
    assert labelled(path)[0] == (1, "boat", False)


def test_broader_terms_may_be_terms_and_even_each_others_parents(planted):
    path, run = planted
    terms = (Term("a", parent="b"), Term("b", parent="c"), Term("c", parent="a"), Term("d", parent="d"))
    scores = [np.array(column) for column in ([1, 2], [0, 3], [0.9, 0.9], [1, 1])]
    with writing(path) as con:
        vocabulary = Vocabulary("circle", run, terms, ("{}",))
        vocabularies.add_vocabulary(con, vocabulary, unit(np.ones((4, 3))), *scores)
        values = store_labelled.terms(con, run, "circle")
    assert labelled(path, name="circle") == [(1, "a", False), (1, "b", True), (1, "c", True), (2, "d", False)]
    assert values == {1: ("a", "b", "c"), 2: ("d",)}


def test_thresholds_and_marks_survive_when_the_vocabulary_is_scored_anew(planted):
    path, run = planted
    with writing(path) as con:
        add(con, run)
        thresholds.set_threshold(con, run, "motifs", "boat", 0.5)
        thresholds.set_threshold(con, run, "motifs", "tree", 0.6)
        thresholds.add_marks(con, run, "motifs", "boat", {1: True, 2: True, 4: True})
        thresholds.add_marks(con, run, "motifs", "boat", {2: False})
        add(con, run)
        assert thresholds.thresholds(con, run, "motifs") == {"boat": 0.5, "tree": pytest.approx(0.6)}
        marks = thresholds.marks(con, run, "motifs", "boat").to_pylist()
        assert [tuple(row.values()) for row in marks] == [(1, True, True), (2, False, True)]
        # With other prompts the scores are others: what was a threshold is none, what is right stays right.
        terms = (Term("boat", None, "vehicle"), Term("tree", "a tree in a field"))
        columns = [np.array(column) for column in ([1, 2], [0, 0], [0.3, 0.2], [1, 1])]
        vocabulary = Vocabulary("motifs", run, terms, ("a photo of {}",))
        vocabularies.add_vocabulary(con, vocabulary, unit([[0, 0, 1], [0, 1, 0]]), *columns)
        assert list(thresholds.thresholds(con, run, "motifs")) == ["tree"]
        marks = thresholds.marks(con, run, "motifs", "boat").to_pylist()
        assert [tuple(row.values()) for row in marks] == [(1, True, False), (2, False, False)]
        assert thresholds.scores(con, run, "motifs", "boat")["image_id"].to_pylist() == [1, 2]
    assert ask(path, "SELECT term, len(marks) FROM term_thresholds") == [("tree", 0)]
    with writing(path) as con:
        vocabularies.delete_vocabulary(con, run, "motifs")
    assert ask(path, "SELECT count(*) FROM term_marks") == [(0,)]


def test_vocabularies_are_columns_to_choose_by(planted):
    path, run = planted
    with writing(path) as con:
        add(con, run)
        add(con, run, "Tag")
        assert store_labelled.columns(con, run) == {"Tag (vocabulary)": "Tag", "motifs": "motifs"}
        assert facets.columns(con, "c") == {}
        assert facets.columns(con, "c", run) == {"Tag (vocabulary)": "text", "motifs": "text"}
        found = facets.categories(con, "c", "motifs", run_id=run)
        assert found == facets.Categories((("boat", 1), ("tree", 1), ("vehicle", 1)), 3, 2)

        def ids(*conditions):
            return facets.matching(con, "c", conditions, run).tolist()

        assert ids(facets.OneOf("motifs", ("vehicle",))) == [1] and ids(facets.Contains("motifs", "TRE")) == [2]
        assert ids(facets.OneOf("motifs", missing=True)) == [3, 4] and ids(facets.OneOf("motifs", ("[x",))) == []
        sql = facets.statement(con, "c", [facets.OneOf("motifs", ("boat",))], "", run)
        assert con.execute(sql).fetchall() == [(1,)]
        with pytest.raises(StoreError, match="no column 'motifs'"):
            facets.matching(con, "c", [facets.OneOf("motifs", ("boat",))])


HOSTILE = '\'; DROP TABLE image; --<b>"x" {} $run'


def test_hostile_names_are_text(planted):
    path, run = planted
    columns = [np.array(column) for column in ([1], [0], [0.5], [1])]
    with writing(path) as con:
        vocabulary = Vocabulary(HOSTILE, run, (Term(HOSTILE, parent=HOSTILE + "p"),), ("{}",))
        vocabularies.add_vocabulary(con, vocabulary, unit([[1, 0, 0]]), *columns)
        thresholds.set_threshold(con, run, HOSTILE, HOSTILE, 0.1)
        thresholds.add_marks(con, run, HOSTILE, HOSTILE, {1: False})
        for value in (HOSTILE, HOSTILE + "p"):
            condition = facets.OneOf(HOSTILE, (value,))
            assert facets.matching(con, "c", [condition], run).tolist() == [1]
            assert con.execute(facets.statement(con, "c", [condition], "", run)).fetchall() == [(1,)]
        assert thresholds.marks(con, run, HOSTILE, HOSTILE).num_rows == 1
