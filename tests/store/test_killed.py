"""A process that is killed while it stores a vocabulary, texts or a note: nothing of it is there, all else is."""

import subprocess
import sys

import numpy as np
import pytest

from store import connection, notes, texts, vocabularies
from store.texts import StoredText
from store.vocabularies import Term, Vocabulary
from tests.support import ROOT
from tests.support.databases import ask

COUNTS = """
    SELECT (SELECT string_agg(term, ',' ORDER BY term) FROM terms), (SELECT count(*) FROM labels),
        (SELECT count(*) FROM texts), (SELECT string_agg(note, ',' ORDER BY note_id) FROM notes)
"""
VECTORS = np.eye(4, 8, dtype=np.float32)
CHILD = """
import sys, time
from store import connection
from tests.store import test_killed
path, what, ids = sys.argv[1], sys.argv[2], [int(each) for each in sys.argv[3].split(",")]
with connection.writing(path) as con:
    getattr(test_killed, what)(con, ids, "new")
    print("stored", flush=True)
    time.sleep(60)
"""


def vocabulary(con, ids, word):
    terms = tuple(Term(f"{word} {place}") for place in range(4))
    columns = np.repeat(ids, 4), np.tile(range(4), len(ids)), np.zeros(4 * len(ids)), np.tile(range(1, 5), len(ids))
    vocabularies.add_vocabulary(con, Vocabulary("v", 1, terms, ("{}",)), VECTORS, *columns)


def words(con, ids, word):
    texts.add_texts(con, 1, [StoredText(f"{word} {place}", VECTORS[place], "m", 1.0, 0.0, False) for place in range(4)])


def note(con, ids, word):
    notes.add(con, ids[0], word * 1000)


@pytest.mark.parametrize("what", ["vocabulary", "words", "note"])
def test_nothing_half_is_there(filled, ids, what):
    path, numbers = filled.path, [int(each) for each in ids]
    for store in (vocabulary, words, note):
        with connection.writing(path) as con:
            store(con, numbers, "old")
    before = ask(path, COUNTS)
    words_of_child = [sys.executable, "-c", CHILD, str(path), what, ",".join(map(str, numbers))]
    child = subprocess.Popen(words_of_child, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "stored\n"
    child.kill()
    child.wait()
    assert ask(path, COUNTS) == before
    with connection.writing(path) as con:
        globals()[what](con, numbers, "new")
    assert ask(path, COUNTS) != before
