"""The glossary: one file of documentation, whose words explain themselves on the pages."""

import re

import pytest

from dashboard.drawing.text import glossary
from dashboard.state import navigation
from tests.support.pages import html_of

PLAIN = ("map",)  # fills its window, and has no sentence


def test_each_word_stands_in_the_glossary_once():
    text = glossary._FILE.read_text(encoding="utf-8")
    words = [word.casefold() for entry in glossary._ENTRY.finditer(text) for word in entry["words"].split(", ")]
    assert len(words) == len(set(words)) == len(glossary.entries()) > 60
    assert len(re.findall(r"^\*\*", text, re.MULTILINE)) == len(set(glossary.entries().values()))


def test_a_word_explains_itself_once_and_text_stays_text():
    html = glossary.explained("Heads & <b>layers</b>: each head, t-SNE, subheads.")
    assert html.startswith('<span class="ba-term" tabindex="0">Heads<span role="tooltip">')
    assert html.count("ba-term") == 3 and "&amp; &lt;b&gt;" in html
    assert re.sub(r'<span role="tooltip">.*?</span>|<[^>]+>', "", html) == (
        "Heads &amp; &lt;b&gt;layers&lt;/b&gt;: each head, t-SNE, subheads."
    )


def test_without_the_file_sentences_are_plain(monkeypatch, tmp_path):
    monkeypatch.setattr(glossary, "_FILE", tmp_path / "none.md")
    glossary.entries.cache_clear()
    try:
        assert glossary.explained("a head & more") == "a head &amp; more"
    finally:
        glossary.entries.cache_clear()


@pytest.mark.parametrize("word", [word for word in navigation.PAGES if word not in PLAIN])
def test_each_page_has_a_sentence(word):
    assert navigation.PAGES[word].sentence.endswith((".", "?"))


def test_a_page_begins_with_its_sentence(db, open_page):
    page = open_page("heads", run=1)
    assert not page.exception and page.title[0].value == "Heads"
    assert 'What each <span class="ba-term" tabindex="0">head<' in html_of(page)
