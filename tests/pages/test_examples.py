"""The example below the sentence of a page: a link to what there is in the collection in view, and to nothing else."""

from urllib.parse import parse_qs

import pytest

from dashboard.state import navigation, url
from tests.support.pages import choose

SHOWN = ("", "map", "similar", "picture", "attention", "figure", "heads", "aggregate", "sql")
OF_OTHERS = ("details", "objects", "vocabulary", "large_images", "training", "trust")  # nobody has made these yet


def example(at) -> tuple[str, dict[str, list[str]]]:
    """The words and the address of the example on a page."""
    (link,) = [each.proto for each in at.get("page_link") if "For example" in each.proto.label]
    return link.label, parse_qs(link.query_string)


def follow(at):
    """What the browser does with a click on it."""
    _, query = example(at)
    at.query_params.clear()
    at.query_params.update(query)
    return at.run()


@pytest.mark.parametrize("word", SHOWN)
def test_an_example_leads_to_what_is_there(db, open_page, word):
    page = open_page(word or "overview", run=1, image=1)
    words, _ = example(page)
    page = follow(page)
    assert not page.exception and not page.error
    assert url.FOLLOWED not in page.query_params
    assert not any("For example" in each.proto.label and each.proto.label == words for each in page.get("page_link"))


@pytest.mark.parametrize("word", OF_OTHERS)
def test_where_there_is_nothing_is_no_example(db, open_page, word):
    page = open_page(word, run=1, image=1)
    assert not page.exception
    assert not any("For example" in each.proto.label for each in page.get("page_link"))


def test_every_page_has_an_example():
    assert {*SHOWN, *OF_OTHERS, "parts", "probe"} == set(navigation.PAGES)


def test_an_example_is_followed_to_where_one_has_been_before(db, open_page):
    """A word that a key has had already is no news of itself: the link says that it is one."""
    page = open_page("similar", run=1, image=1)
    first = example(page)[1]["image"]
    page = follow(page)
    page = follow(page)
    page = choose(page, "image", int(first[0]))
    page = follow(page)
    assert page.query_params["image"] != first and str(page.session_state["image"]) == page.query_params["image"][0]


def test_an_address_that_is_copied_from_an_example_opens(db, open_page):
    page = open_page("similar", run=1, image=2, example=7)
    assert not page.exception and page.session_state["image"] == 2 and url.FOLLOWED not in page.query_params
    _, query = example(page)
    assert query[url.FOLLOWED] == ["8"]
