"""Terms of a vocabulary: tables as people save them, and the texts and vectors that stand for them."""

import numpy as np
import pytest

from ingest.vision.words.scores import TextError, unit
from ingest.vision.words.terms import TermRow, read_csv, texts_of, vectors_of


@pytest.mark.parametrize(
    ("data", "terms", "twice"),
    [
        (b"term,parent\nboat,vehicle\nboat,x\n,\n tree ,\n", [TermRow("boat", None, "vehicle"), TermRow("tree")], 1),
        ('Prompt;TERM\r\n"a boat; a ship";Boot\r\n'.encode("utf-16"), [TermRow("Boot", "a boat; a ship")], 0),
        ("term\nBär\n".encode("cp1252"), [TermRow("Bär")], 0),
        (b"\xef\xbb\xbfboat\ntree\nboat\n", [TermRow("boat"), TermRow("tree")], 1),
    ],
)
def test_tables_as_people_save_them(data, terms, twice):
    assert read_csv(data) == (terms, twice)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "holds no term"),
        (b"term,parent\n,\n", "holds no term"),
        (b"name,parent\na,b\n", "column called term"),
        (b"PK\x03\x04\0\0\0", "not a text file"),
    ],
)
def test_files_without_terms_say_what_is_expected(data, says):
    with pytest.raises(TextError, match=says):
        read_csv(data)


def test_a_term_is_the_mean_of_its_texts():
    known = {"a boat": [1, 0, 0], "the boat": [0, 1, 0], "Baum {}": [0, 0, 1]}
    texts = [texts_of("boat", None, ("a {}", "the {}")), texts_of("tree", "Baum {}", ("a {}", "the {}"))]
    found = vectors_of(texts, lambda flat: np.array([known[text] for text in flat], np.float32))
    assert found == pytest.approx(unit([[1, 1, 0], [0, 0, 1]])) and found.dtype == np.float32
