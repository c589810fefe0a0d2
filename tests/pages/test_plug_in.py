"""What CONTRIBUTING.md promises of an addition: one file or one line, and it is there everywhere."""

import textwrap

import pytest
from click.testing import CliRunner

from dashboard.state import navigation
from dashboard.state.navigation import Page
from ingest.cli import main
from ingest.vision import attention
from store import connection
from tests.support.pdfs import pdf

METHOD = '''
"""A method that marks the last patch of each picture."""

import torch

from ingest.vision.attention.method import Maps, Method


class Last:
    wants_tiles = False

    def __init__(self, capture):
        self.capture = capture

    def leave(self, layer):
        pass

    def maps(self):
        shape = (self.capture.batch, 1, self.capture.tokens - self.capture.prefix_tokens)
        weights = torch.zeros(shape)
        weights[..., -1] = 1.0
        return Maps("last", (0,), None, weights)


METHOD = Method(
    key="last",
    title="The last patch",
    kind="attention",
    explanation="Marks the last patch, whatever the picture.",
    formula="1 for the last patch, else 0",
    source="an example",
    read=Last,
    per_head=False,
    one_layer=True,
)
'''


@pytest.fixture
def method(tmp_path, monkeypatch):
    """A method in a file of its own, in a folder of its own."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "last.py").write_text(textwrap.dedent(METHOD).lstrip())
    monkeypatch.setattr(attention, "__path__", [*attention.__path__, str(folder)])
    attention.methods.cache_clear()
    yield attention.methods()["last"]
    monkeypatch.undo()
    attention.methods.cache_clear()


def test_a_method_is_one_file(method, tmp_path, monkeypatch, open_page):
    folder, db = tmp_path / "papers", tmp_path / "papers.duckdb"
    folder.mkdir()
    (folder / "box.pdf").write_bytes(pdf([(1, 0, 0)], size=(400, 300)))
    words = ["run", folder, "--db", db, "--model", "tiny:vit", "--project", "none", "--methods", "cls,last"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    with connection.reading(db) as con:
        found = con.execute("SELECT method, count(*) FROM attention WHERE method = 'last' GROUP BY method").fetchall()
    assert found == [("last", 1)]
    monkeypatch.setenv("BILDERATLAS_DB", str(db))
    page = open_page("attention", image=1, method="last")
    assert not page.exception and page.selectbox(key="method").value == "last"
    assert "The last patch" in page.selectbox(key="method").options
    assert any(method.formula in html.value for html in page.main.html)


def test_a_page_is_a_folder_and_a_line(db, tmp_path, monkeypatch, open_page):
    script = tmp_path / "own.py"
    script.write_text('import streamlit as st\n\nst.title("A page of its own")\n')
    entry = Page("Own", ":material/star:", "run", ("mine",), str(script))
    monkeypatch.setitem(navigation.PAGES, "own", entry)
    page = open_page()
    links = {each.proto.label: each.proto.page for each in page.sidebar.get("page_link")}
    assert links["Own"] == "own" and len(links) == len(navigation.PAGES)
    assert [each.value for each in page.sidebar.caption[:4]] == list(navigation.GROUPS)
    page.switch_page(str(script)).run()
    assert not page.exception and page.title[0].value == "A page of its own"
    assert navigation.meant_page("mine") == "own" == navigation.meant_page("Own.html")
