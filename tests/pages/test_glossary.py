"""The glossary: one file of documentation, whose words explain themselves on the pages."""

import ast
import re
from pathlib import Path

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


# ---- at controls --------------------------------------------------------------------------------------------------

ASKING = {"selectbox", "slider", "segmented_control", "select_slider", "multiselect", "toggle", "number_input"}
ASKING |= {"text_input", "text_area", "checkbox", "radio", "pills", "file_uploader", "date_input"}
PLAINLY = {"and like the picture in view", "View"}  # an everyday word here; and a label that nobody sees


def unexplained(source: str) -> list[str]:
    """The labels in a module that hold a word of the glossary and have no help. The controls that have their value in
    the address explain a label that is such a word by themselves."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ASKING):
            continue
        label = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if not isinstance(label, str) or label in PLAINLY or any(each.arg == "help" for each in call.keywords):
            continue
        by_itself = ast.unparse(call.func.value) == "controls" and glossary.sense_of(label)
        if glossary._pattern().search(label) and not by_itself:
            found.append(label)
    return found


def test_every_control_named_by_a_word_of_the_glossary_explains_it():
    rooms = Path(navigation.__file__).parents[2]
    found = {str(file): labels for file in rooms.rglob("*.py") if (labels := unexplained(file.read_text()))}
    assert not found, found


def test_a_control_that_is_not_explained_is_found():
    assert unexplained('st.selectbox("The head", heads)\ncontrols.selectbox("Head", heads)') == ["The head"]


def test_a_label_that_is_a_word_of_the_glossary_explains_itself(db, open_page):
    page = open_page("heads", run=1)
    helps = {each.key: each.help for each in page.selectbox}
    assert helps["head_layer"] == glossary.meaning("layer") and helps["head_number"] == glossary.meaning("head")
    assert not helps["statistic"]  # no word of the glossary
