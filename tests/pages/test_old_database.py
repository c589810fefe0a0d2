"""A database of an older version under an open dashboard, while a command brings it up to date."""

import shutil
import zipfile

import pytest

from store import connection
from tests.store.test_old_database import ARCHIVE


@pytest.fixture
def old(tmp_path, monkeypatch):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extract("old.duckdb", tmp_path)
    monkeypatch.setenv("BILDERATLAS_DB", str(tmp_path / "old.duckdb"))
    return tmp_path / "old.duckdb"


def test_it_says_what_to_type_waits_and_goes_on(old, open_page, monkeypatch):
    before = old.read_bytes()
    at = open_page("vocabulary")
    assert at.title[0].value == "This database has to be brought up to date" and old.read_bytes() == before
    assert at.code[0].value in at.error[0].value and "--db" in at.code[0].value
    real = connection.reading
    monkeypatch.setattr(connection, "reading", lambda path, wait=10.0: real(path, min(wait, 0.1)))
    with connection.writing(old):  # the command, in the middle
        at.button(key="again").click().run()
        assert not at.exception and at.title[0].value == "The database is busy"
    monkeypatch.setattr(connection, "reading", real)
    at.button(key="again").click().run()
    assert not at.exception and at.title[0].value == "Vocabulary"


def test_one_put_in_the_place_of_a_newer_one_is_noticed(old, db, open_page):
    at = open_page("picture")
    assert not at.exception and at.title[0].value == "Picture"
    shutil.copy(old, db)
    at.run()
    assert not at.exception and at.title[0].value == "This database has to be brought up to date"
