"""What it takes to add a kind of filter: one class in the table of all. It is then in the panel, in the address, in the
words, in the database's answer and in the SQL that the page shows."""

from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import cache
from dashboard.state import filters
from store import conditions, facets
from store.connection import reading
from tests.pages.conftest import TIMEOUT
from tests.pages.test_filtering import alone, chips, count, in_address, left, panel
from tests.support import ROOT


@pytest.fixture
def starts_with():
    """The kind that the documents show, in the table for as long as a test takes."""
    names = {"Templated": conditions.Templated}
    exec((ROOT / "docs" / "adding.md").read_text().split("```python")[-1].split("```")[0], names)
    conditions.CONDITIONS.append(names["StartsWith"])
    yield names["StartsWith"]
    conditions.CONDITIONS.remove(names["StartsWith"])


def test_it_is_asked_in_the_panel_and_found_in_the_address(starts_with, db, open_page):
    at = panel(open_page("heads"))
    panel(at, lambda: at.selectbox(key="filter_column").set_value("title"))
    assert [each.label for each in at.text_input if each.key.startswith("filter_")] == [
        "Text contains",
        "Text starts with",
    ]
    panel(at, lambda: at.text_input(key="filter_startswith").set_value("The "))
    titles = cache.images("paintings")["title"]
    wanted = titles.index[titles.str.startswith("The")].tolist()
    assert 0 < len(wanted) < len(titles)
    assert left(at) == wanted and count(at).startswith(f"**{len(wanted)}** of {len(titles)}")
    assert in_address(at, "f") == ["title^The"] and chips(at) == ["title starting with “The”"]
    assert "starts_with(\"title\", 'The')" in next(each.value for each in at.code if "SELECT" in each.value)
    link = parse_qs(at.sidebar.get("page_link")[0].proto.query_string)
    assert link["f"] == ["title^The"]


def test_a_link_asks_for_it_beside_other_kinds(starts_with, db):
    at = AppTest.from_function(alone, default_timeout=TIMEOUT)
    at.query_params["f"] = ["title^The", "title~great", "artist:Katsushika Hokusai"]
    assert not at.run().exception
    assert chips(at) == ["title starting with “The”", "title containing “great”", "artist Katsushika Hokusai"]
    at.button(key="filter_off_0").click().run()
    assert in_address(at, "f") == ["title~great", "artist:Katsushika Hokusai"]


def test_the_sql_that_the_page_shows_finds_the_same(starts_with, db):
    for text in ("The ", "Th", "'; --", "{value} ?"):
        asked = [starts_with("title", text)]
        with reading(db) as con:
            found = facets.matching(con, "paintings", asked).tolist()
            shown = con.execute(facets.statement(con, "paintings", asked)).fetchall()
        assert sorted(shown) == [(image_id,) for image_id in found]


@pytest.mark.parametrize(
    ("entry", "column", "rest"),
    [
        ("a^b:x", "a^b", None),
        ("a^b^x", "a^b", "x"),
        ("a^x:y", "a", "x:y"),
        (r"a\^b^x", "a^b", "x"),
        ("a:x^y", "a", None),
    ],
)
def test_a_new_sign_takes_no_link_of_before_away(starts_with, entry, column, rest):
    """Columns may have its letter in their names, and links of before have it there as it is."""
    (found,), bad = filters.from_address([entry], {"a": "text", "a^b": "text"})
    assert not bad and found.column == column
    assert found == (
        conditions.OneOf(column, (entry.partition(":")[2],)) if rest is None else starts_with(column, rest)
    )


def test_without_it_a_link_that_asks_for_it_is_passed_over_with_a_notice(db, open_page):
    at = open_page("heads", f="title^The")
    assert not at.exception and not chips(at)
    assert "nothing to filter by" in at.main.warning[0].value
