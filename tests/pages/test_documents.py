"""Pages of PDF and TIFF files in the dashboard: the page itself is shown and looked at, not its thumbnail."""

import pytest
from click.testing import CliRunner

from dashboard.data import cache
from ingest.cli import main
from tests.support.pages import html_of
from tests.support.pdfs import pdf


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """A folder with a PDF of two pages, read by a tiny network into the database in view."""
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "box.pdf").write_bytes(pdf([(1, 0, 0), (0, 1, 0)], size=(400, 300)))
    db = tmp_path / "papers.duckdb"
    words = ["run", folder, "--db", db, "--model", "tiny:vit", "--project", "none"]
    assert CliRunner().invoke(main, list(map(str, words))).exit_code == 0
    monkeypatch.setenv("BILDERATLAS_DB", str(db))
    return folder


def test_the_page_is_shown_and_not_its_thumbnail(papers):
    picture, original = cache.picture(2)
    assert original and picture.size == (2000, 1500) and picture.getpixel((10, 10)) == (0, 255, 0)


def test_where_the_file_is_gone_its_thumbnail_is_shown(papers):
    (papers / "box.pdf").unlink()
    picture, original = cache.picture(2)
    assert not original and max(picture.size) == 256


def test_the_attention_of_a_page_lies_on_the_page(papers, open_page):
    page = open_page("attention", image=2)
    assert not page.exception and "The network saw" in html_of(page)
    assert "this is its thumbnail" not in html_of(page)


def test_without_the_file_its_thumbnail_stands_in(papers, open_page):
    (papers / "box.pdf").unlink()
    page = open_page("attention", image=2)
    assert not page.exception and "this is its thumbnail" in html_of(page)
