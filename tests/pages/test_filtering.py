"""The filter that the pages share: what it says, what it leaves, and the address that keeps it."""

from datetime import date
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import cache
from dashboard.state import filter_bar, filters, navigation
from store import connection, write
from store.facets import Between, Contains, OneOf, Years
from tests.pages import database
from tests.pages.conftest import MAIN, TIMEOUT

KINDS = {"dated": "text", "dated_from": "number", "dated_to": "number"}
KINDS |= {"artist": "text", "year": "number", "acquired": "date", "a:b~c\\": "text", '"order"\n': "text"}
PAGES = ("map", "similar", "attention", "heads", "aggregate", "parts")


@pytest.fixture
def opened(db):
    """`opened("map", f=[...], where="...")`: a page as a link opens it; without a name the filter alone, which is quick."""

    def open_(name: str = "", **query) -> AppTest:
        if not name:
            at = AppTest.from_function(alone, default_timeout=TIMEOUT)
            at.query_params.update(query)
            return at.run()
        at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
        at.query_params.update(query)
        return at.switch_page(f"views/{name}/{name}.py").run()

    return open_


def alone():
    import streamlit as st

    from dashboard.data import cache
    from dashboard.state import filter_bar, navigation, pickers, url

    with url.bound("alone"):
        navigation.read_from_url()
        with st.sidebar:
            pickers.run_and_image()
        navigation.write_to_url()
        st.code(filter_bar.bar(cache.current_run()).where)


def panel(at: AppTest, change=None) -> AppTest:
    """The page with the panel open, after this change in it."""
    at.session_state["filter"] = True
    if change is None:
        at.run()
    else:
        change().run()
    assert not at.exception
    return at


def chips(at: AppTest) -> list[str]:
    return [each.label.replace("\\", "") for each in at.button if (each.key or "").startswith("filter_off")]


def count(at: AppTest) -> str:
    return next((each.value for each in at.main.markdown if "** of " in each.value), "")


def in_address(at: AppTest, key: str) -> list[str]:
    """What the address says of a key; with one word AppTest gives it alone."""
    value = at.query_params.get(key, [])
    return value if isinstance(value, list) else [value]


def left(at: AppTest) -> list[int]:
    """The images that the filter leaves."""
    return cache.matching("paintings", at.session_state["f"]).tolist()


# ---- words and the address -----------------------------------------------------------------------------------------

ROUND_TRIPS = [
    (OneOf("artist", ("Hokusai",)),),
    (OneOf("artist", ("Hokusai", "a..b:~\\& ?#=+%\n\u202e", "é😀", "~"), missing=True), Contains("artist", "~:x")),
    (OneOf("artist", (), missing=True),),
    (Between("year", 1500, 1600), OneOf("artist", (" x ",))),
    (Between("year", -5, None, missing=True),),
    (Between("year", None, 1e-7),),
    (Between("year", 0.1, 0.30000000000000004),),
    (OneOf("year", ("1566", "1829")),),
    (Between("acquired", date(1850, 3, 1), date(1850, 3, 1)),),
    (Between("acquired", None, date(9999, 12, 31), missing=True),),
    (Years("dated", 1500, 1600), OneOf("dated", ("c. 1550",))),
    (Years("dated", None, -44, missing=True),),
    (Years("dated", missing=True),),
    (OneOf("a:b~c\\", ("1..2", ":")), Contains('"order"\n', "%")),
]


@pytest.mark.parametrize("conditions", ROUND_TRIPS, ids=str)
def test_conditions_survive_the_address(conditions):
    entries = filters.to_address(conditions)
    travelled = parse_qs(urlencode({"f": entries}, doseq=True), keep_blank_values=True)["f"]
    assert filters.from_address(travelled, KINDS) == (conditions, [])
    assert all(filters.fits(each, KINDS) for each in conditions)


def test_the_address_can_be_read():
    conditions = (OneOf("artist", ("Hokusai",), missing=True), Between("year", 1500, 1600), Contains("title", "ship"))
    assert filters.to_address(conditions) == ["artist:Hokusai", "artist:", "year:1500..1600", "title~ship"]
    assert [filters.sentence(each) for each in conditions] == [
        "artist Hokusai or no value",
        "year 1500–1600",
        "title containing “ship”",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        *("", "artist", "nobody:x", "artist~", "year:abc", "year:..", "year:1..x", "year:nan", "year:1e999", "year.."),
        *(":x", "year", "~", "path:a", "acquired:2020-13", "acquired:2020-02-30..", "acquired:x", "acquired:0000"),
    ],
)
def test_what_says_nothing_is_told_apart(entry):
    good = ["artist:x"]
    assert filters.from_address([entry, *good], KINDS) == ((OneOf("artist", ("x",)),), [entry])


@pytest.mark.parametrize(
    ("entry", "low", "high"),
    [
        ("acquired:1850", date(1850, 1, 1), date(1850, 12, 31)),
        ("acquired:1852-02", date(1852, 2, 1), date(1852, 2, 29)),
        ("acquired:1850..1851-6", date(1850, 1, 1), date(1851, 6, 30)),
        ("acquired:9999", date(9999, 1, 1), date(9999, 12, 31)),
        ("year:1600..1500", 1500, 1600),
        ("year:+7..", 7, None),
    ],
)
def test_ranges_are_read_as_people_write_them(entry, low, high):
    (found,), bad = filters.from_address([entry], KINDS)
    assert (found.low, found.high, bad) == (low, high, [])


def test_a_second_range_of_a_column_is_none():
    assert filters.from_address(["year:1..2", "year:3..4", "year:7", "artist~a", "artist~b"], KINDS)[1] == [
        "year:3..4",
        "year:7",
        "artist~b",
    ]


def test_many_values_are_counted_in_words():
    sentence = filters.sentence(OneOf("artist", tuple("abcdefg"), missing=True))
    assert sentence == "artist a or b or c or d or 3 others or no value"
    assert len(filters.sentence(Contains("x" * 500, "y" * 500))) < 120


# ---- the bar and its panel -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_link_filters_every_page_and_clear_leaves_a_button_and_nothing_else(opened, page):
    at = opened(page, f=["artist:Katsushika Hokusai", "year:1500..1829"], where="image_id < 3")
    assert not at.exception
    assert chips(at) == ["artist Katsushika Hokusai", "year 1500–1829", "the condition image_id < 3"]
    assert count(at).startswith(
        "**1** of 6 pictures" + ("" if page == "map" else ": ")
    )  # in its slim bar the number alone
    assert in_address(at, "f") == ["artist:Katsushika Hokusai", "year:1500..1829"]
    at.button(key="filter_clear").click().run()
    assert not at.exception and not chips(at) and not count(at) and at.get("popover")
    assert not in_address(at, "f") and not in_address(at, "where")
    assert "filter_clear" not in [each.key for each in at.button]


def test_one_filter_goes_from_page_to_page(opened):
    at = opened("map", f="artist:Katsushika Hokusai")
    for page in ("similar", "overview", "heads", "sql", "attention", "map"):
        at.switch_page(f"views/{page}/{page}.py").run()
        assert not at.exception
        if page in PAGES:
            assert count(at).startswith("**2** of 6") and in_address(at, "f") == ["artist:Katsushika Hokusai"]


def test_going_back_to_an_address_without_the_filter_takes_it_off(opened, history_navigation):
    at = opened(f="artist:Katsushika Hokusai", where="image_id < 3")
    assert count(at).startswith("**2** of 6")
    history_navigation()
    del at.query_params["where"]
    assert count(at.run()).startswith("**2** of 6") and not in_address(at, "where") and in_address(at, "f")
    del at.query_params["f"]
    assert not count(at.run()) and not in_address(at, "f") and not at.exception
    at.query_params["f"] = "artist:Vincent van Gogh"
    assert count(at.run()).startswith("**1** of 6")


def test_an_address_that_has_not_caught_up_is_not_taken_for_another(opened):
    at = panel(opened())
    at = panel(at, lambda: at.selectbox(key="filter_column").set_value("artist"))
    at = panel(at, lambda: at.multiselect(key="filter_values").set_value(["Katsushika Hokusai"]))
    assert in_address(at, "f") == ["artist:Katsushika Hokusai"]
    del at.query_params["f"]  # as the browser says it until it hears of the new one
    assert count(at.run()).startswith("**2** of 6") and in_address(at, "f") == ["artist:Katsushika Hokusai"]


@pytest.mark.parametrize("page", ["map", "overview"])
def test_a_link_to_another_page_carries_the_filter(opened, page):
    at = opened(page, f=["artist:Katsushika Hokusai", "title~&=#"], where="image_id < 3")
    links = [parse_qs(each.proto.query_string) for each in at.sidebar.get("page_link")]
    assert len(links) == len(navigation.PAGES)
    for link in links:
        assert (link["f"], link["where"]) == (["artist:Katsushika Hokusai", "title~&=#"], ["image_id < 3"])
    if page == "map":
        at.button(key="filter_clear").click().run()
        assert not any("f=" in each.proto.query_string for each in at.sidebar.get("page_link"))


def test_values_are_chosen_by_their_counts(opened):
    at = panel(opened())
    assert "filter_values" not in [each.key for each in at.multiselect]  # no column is open
    panel(at, lambda: at.selectbox(key="filter_column").set_value("artist"))
    assert at.multiselect(key="filter_values").options[0] == "Katsushika Hokusai (2)"
    panel(at, lambda: at.multiselect(key="filter_values").set_value(["Katsushika Hokusai", "Mary Cassatt"]))
    assert left(at) == [1, 2, 4] and chips(at) == ["artist Katsushika Hokusai or Mary Cassatt"]
    panel(at, lambda: at.multiselect(key="filter_values").set_value([]))
    assert not chips(at) and "f" not in at.query_params


def test_those_without_a_value_are_a_choice_too(opened, db):
    at = panel(opened())
    panel(at, lambda: at.selectbox(key="filter_column").set_value("year"))
    panel(at, lambda: at.checkbox(key="filter_missing").check())
    assert left(at) == [6] and chips(at) == ["year no value"] and in_address(at, "f") == ["year:"]
    panel(at, lambda: at.text_input(key="filter_to").set_value("1503"))
    assert left(at) == [5, 6] and chips(at) == ["year up to 1503 or no value"]
    panel(at, lambda: at.checkbox(key="filter_missing").uncheck())
    assert left(at) == [5] and in_address(at, "f") == ["year:..1503"]


def test_a_range_is_typed_and_what_is_none_is_said_and_kept(opened):
    at = panel(opened())
    panel(at, lambda: at.selectbox(key="filter_column").set_value("year"))
    panel(at, lambda: at.text_input(key="filter_from").set_value("1890"))
    panel(at, lambda: at.text_input(key="filter_to").set_value("1829"))  # the wrong way round
    assert left(at) == [1, 2, 3] and chips(at) == ["year 1829–1890"]
    assert (at.text_input(key="filter_from").value, at.text_input(key="filter_to").value) == ("1829", "1890")
    panel(at, lambda: at.text_input(key="filter_to").set_value("soon"))
    assert left(at) == [1, 2, 3] and at.text_input(key="filter_to").value == "soon"
    assert "Type a number" in at.main.error[0].value
    panel(at, lambda: at.text_input(key="filter_to").set_value("1829"))
    assert left(at) == [1] and not at.main.error


def test_text_is_searched_whatever_its_accents(opened):
    at = panel(opened())
    panel(at, lambda: at.selectbox(key="filter_column").set_value("title"))
    panel(at, lambda: at.text_input(key="filter_contains").set_value("CÁFE"))
    assert left(at) == [3] and in_address(at, "f") == ["title~CÁFE"]


def test_a_part_is_taken_off_by_its_chip(opened):
    at = opened(f=["artist:Katsushika Hokusai", "year:1830.."], where="image_id > 1")
    at.button(key="filter_off_0").click().run()
    assert chips(at) == ["year from 1830", "the condition image_id > 1"] and in_address(at, "f") == ["year:1830.."]
    at.button(key="filter_off_where").click().run()
    assert chips(at) == ["year from 1830"] and "where" not in at.query_params


def test_a_condition_in_sql_is_tried_before_it_counts(opened):
    at = panel(opened())
    panel(at, lambda: at.text_area(key="filter_sql").set_value("no_such_column = 1"))
    assert not chips(at) and "where" not in at.query_params
    assert at.text_area(key="filter_sql").value == "no_such_column = 1"  # to be corrected
    assert "no\\_such\\_column" in at.main.error[0].value and "LINE" not in at.main.error[0].value
    panel(at, lambda: at.text_area(key="filter_sql").set_value("year % 2 = 0 -- even"))
    assert count(at).startswith("**3** of 6") and in_address(at, "where") == ["year % 2 = 0 -- even"]
    assert any("year % 2 = 0 -- even\n)" in each.value for each in at.code)


@pytest.mark.parametrize(
    "sql",
    [
        "1; DELETE FROM image",
        "true) UNION SELECT path FROM images WHERE (true",
        "(SELECT content FROM read_text('/etc/passwd')) = ''",
        "true) AND (SELECT error('x')) = (''",
        "(",
        "x" * 30_000,
    ],
)
def test_a_bad_condition_in_a_link_is_passed_over_with_a_notice(opened, sql):
    at = opened(where=sql, f="artist:Katsushika Hokusai")
    assert not at.exception
    assert chips(at) == ["artist Katsushika Hokusai"] and count(at).startswith("**2** of 6")
    assert "cannot be used" in at.main.warning[0].value and "where" not in at.query_params


def test_a_condition_that_escapes_its_brackets_finds_no_other_images(opened):
    at = opened(where="false) UNION SELECT 99 UNION SELECT 2 WHERE (true")
    assert not at.exception and count(at).startswith("**1** of 6")


def test_nonsense_in_a_link_is_passed_over_with_a_notice(opened):
    at = opened(f=["year:abc", "artist:Katsushika Hokusai", "zz:1", ""])
    assert not at.exception
    assert "year\\:abc".replace(":", ":\u2060") in at.main.warning[0].value
    assert chips(at) == ["artist Katsushika Hokusai"] and in_address(at, "f") == ["artist:Katsushika Hokusai"]
    at.run()
    assert at.main.warning  # until something is done about the filter
    at.button(key="filter_off_0").click().run()
    assert not [each for each in at.main.warning if "filter" in each.value]


@pytest.mark.parametrize("page", PAGES)
def test_a_filter_that_leaves_nothing_says_so_and_offers_a_way_back(opened, page):
    at = opened(page, f="artist:Nobody")
    assert not at.exception
    assert any("No picture fits this filter" in each.value for each in at.main.info)
    at.button(key="filter_clear").click().run()
    assert not at.exception and not any("No picture fits" in each.value for each in at.main.info)


def test_another_collection_without_the_column_is_not_filtered_by_it(opened, db):
    with connection.writing(db) as con:
        number = write.add_collection(con, "second", str(database.PAINTINGS))
        names = sorted(file.name for file in database.PAINTINGS.glob("*.jpg"))[:3]
        records = [database.record(name, {"shelf": name[0]}) for name in names]
        ids = list(write.add_images(con, number, records).values())
        run = database.add_run(con, number, np.array(ids), [(each.width, each.height) for each in records])
    at = opened(f="artist:Katsushika Hokusai", run="1")
    at.selectbox(key="run").set_value(run).run()
    assert not at.exception and not chips(at) and "nothing to filter by" in at.main.warning[0].value


def test_a_collection_without_metadata_can_be_filtered_by_sql(opened, db):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {name: {} for name in database.NAMES})
    at = panel(opened())
    assert "filter_column" not in [each.key for each in at.selectbox]
    panel(at, lambda: at.text_area(key="filter_sql").set_value("path LIKE 'hokusai%'"))
    assert count(at).startswith("**2** of 6")


# ---- what it means on the pages ------------------------------------------------------------------------------------


def test_the_picker_of_attention_goes_through_what_is_left_and_keeps_what_is_in_view(opened):
    at = opened("attention", f="year:1829..1890", image="5")
    picker = at.sidebar.selectbox(key="image")
    assert (picker.value, len(picker.options)) == (5, 4)
    assert any("not one of them" in each.value for each in at.main.caption)
    assert at.button(key="image_next").disabled
    at.button(key="image_previous").click().run()
    assert at.session_state["image"] == 3 and in_address(at, "image") == ["3"]
    assert len(at.sidebar.selectbox(key="image").options) == 3
    at.button(key="image_previous").click().run()
    at.button(key="image_previous").click().run()
    assert at.session_state["image"] == 1 and at.button(key="image_previous").disabled
    at.switch_page("views/similar/similar.py").run()  # a picture may be compared with those that it is not one of
    assert len(at.sidebar.selectbox(key="image").options) == 6


def test_the_same_pictures_in_sql(opened, db):
    at = opened(f=["artist:Katsushika Hokusai", "year:..1829"])
    assert not at.exception
    with connection.reading(db) as con:
        assert con.execute(at.code[0].value).fetchall() == [(1,)]


def test_only_the_column_that_is_open_is_asked_about(opened, db, monkeypatch):
    asked = []
    real = cache.categories
    opened("map")  # what the example below the title says is found once
    monkeypatch.setattr(cache, "categories", lambda *args, **how: asked.append(args[1]) or real(*args, **how))
    at = opened("map", f="artist:Katsushika Hokusai")
    assert asked == []
    panel(at)  # it opens at the column that is filtered by
    assert set(asked) == {"artist"}


def test_labels_of_long_texts_stay_apart():
    texts = ["a" * 500, "a" * 501, "b\nc", "b c", "x"]
    labels = filter_bar.unique(texts)
    assert len(set(labels.values())) == len(texts)
    assert all(len(label) < 80 and "\n" not in label for label in labels.values())
