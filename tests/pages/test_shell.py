"""The router, the address, the thumbnails: what all pages share."""

import shutil

import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard.compute import words
from dashboard.data import cache
from dashboard.data.cache import file
from dashboard.data.jobs import JobError
from dashboard.data.thumbnails import Thumbnails
from dashboard.state import pickers
from dashboard.state.busy import jobs
from store import connection, write
from tests.pages import database
from tests.pages.conftest import TIMEOUT


def texts(at: AppTest) -> str:
    """All words of a page."""
    kinds = (at.title, at.markdown, at.caption, at.info, at.error, at.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("page", ["overview", "map"])
def test_pages_open_without_an_exception(db, open_page, page):
    at = open_page(page)
    assert not at.exception
    assert at.title[0].value == page.capitalize()


def test_the_address_says_what_is_in_view(db, open_page):
    at = open_page()
    assert at.query_params == {"run": "1", "image": "1"}
    at.selectbox(key="image").set_value(3).run()
    assert at.query_params["image"] == "3"


@pytest.mark.parametrize("page", ["overview", "map"])
def test_a_link_opens_the_picture_it_names(db, open_page, page):
    at = open_page(page, run=1, image=4)
    assert (at.session_state["run"], at.session_state["image"]) == (1, 4)
    assert at.query_params == {"run": "1", "image": "4"}


@pytest.mark.parametrize("wrong", ["999", "-1", "x", "", "1; DROP TABLE image", "9" * 30])
def test_a_link_to_nothing_opens_the_first_picture(db, open_page, wrong):
    at = open_page(run=wrong, image=wrong)
    assert not at.exception
    assert at.query_params == {"run": "1", "image": "1"}


def test_what_is_picked_survives_a_change_of_page(db, open_page):
    at = open_page()
    at.selectbox(key="image").set_value(5).run()
    at.switch_page("views/map/map.py").run()
    assert at.selectbox(key="image").value == 5
    assert at.query_params["image"] == "5"


def test_a_pick_comes_before_an_address_that_lags_behind(db, open_page):
    at = open_page()
    at.selectbox(key="image").set_value(2).run()
    at.query_params["image"] = "1"  # as a browser may still send it
    at.selectbox(key="image").set_value(3).run()
    assert at.session_state["image"] == 3


@pytest.mark.parametrize("where", ["body", "callback"])
def test_a_picture_is_put_in_view_from_anywhere(db, where):
    def script(where):
        import streamlit as st

        from dashboard import components
        from dashboard.state import navigation, pickers, url

        with url.bound("alone"):
            navigation.read_from_url()
            pickers.run_and_image()
            navigation.write_to_url()
            if where == "callback":
                st.button("go", on_click=components.open_image, args=(4,))
            elif st.button("go"):
                components.open_image(4)

    at = AppTest.from_function(script, kwargs={"where": where}, default_timeout=TIMEOUT).run()
    assert at.session_state["image"] == 1
    next(each for each in at.button if each.label == "go").click().run()
    assert not at.exception
    assert at.selectbox(key="image").value == 4
    assert at.query_params["image"] == "4"


def test_two_databases_of_a_folder_can_be_chosen_and_linked(db, made, open_page):
    shutil.copy(made, db.with_name("other.duckdb"))
    at = open_page()
    assert at.selectbox(key="db").options == ["atlas.duckdb", "other.duckdb"]
    at = open_page(db="other.duckdb")
    assert at.selectbox(key="db").value == "other.duckdb"
    assert at.query_params["db"] == "other.duckdb"


def test_one_database_needs_no_picker(db, open_page):
    at = open_page(db="../elsewhere.duckdb")
    assert "db" not in [box.key for box in at.selectbox]
    assert "db" not in at.query_params


def test_equal_titles_are_told_apart(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {name: {"title": "Untitled"} for name in database.NAMES[:2]})
    labels = open_page().selectbox(key="image").options
    assert len(set(labels)) == len(labels) == len(database.NAMES)
    assert f"Untitled · {database.NAMES[0]}" in labels


def test_many_images_are_searched_not_listed(db, open_page, monkeypatch):
    monkeypatch.setattr(pickers, "MANY", 3)
    monkeypatch.setattr(pickers, "MATCHES", 2)
    at = open_page(image=4)
    assert at.selectbox(key="image").options[0] == "Summertime"  # the one in view is always there
    assert len(at.selectbox(key="image").options) == 3
    at.text_input(key="image_search").set_value("hokusai EJIRI").run()
    assert at.selectbox(key="image").options == ["Summertime", "Ejiri in Suruga Province"]
    assert at.selectbox(key="image").value == 4
    at.text_input(key="image_search").set_value("(no such").run()
    assert not at.exception
    assert at.selectbox(key="image").value == 4


def test_a_running_ingest_shows_up_at_the_next_rerun(db, open_page):
    at = open_page()
    assert at.metric[0].value == str(len(database.NAMES))
    with connection.writing(db) as con:
        write.add_images(con, 1, [database.record("duerer-lion-1494.jpg", {"title": "Lion"})])
    assert at.run().metric[0].value == str(len(database.NAMES) + 1)
    assert "Lion" in at.selectbox(key="image").options


def test_no_database_says_what_to_type(tmp_path, monkeypatch, open_page):
    path = tmp_path / "no such.duckdb"
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page()
    assert not at.exception
    assert at.title[0].value == "There is no database yet"
    assert at.code[0].value == "python -m ingest run examples/paintings"
    assert str(path) in texts(at)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []

    def refuse(db, title, arguments):
        asked.append((title, tuple(arguments)))
        raise JobError("noted")

    monkeypatch.setattr("dashboard.data.jobs.start", refuse)
    submit = next(each for each in at.button if each.label == "Read these pictures")
    at.text_input(key="first_read_folder").set_value("/nowhere/scans")
    submit.click().run()
    assert not asked and "There is no /nowhere/scans on this computer" in at.warning[0].value.replace("\\", "")
    at.text_input(key="first_read_folder").set_value(str(tmp_path))
    next(each for each in at.button if each.label == "Read these pictures").click().run()
    assert asked == [(f"Reading {tmp_path}", ("run", str(tmp_path)))]


def test_another_database_than_the_usual_one_is_named_in_the_command(db, open_page):
    empty = db.with_name("empty one.duckdb")
    with connection.writing(empty):
        pass
    at = open_page(db="empty one.duckdb")
    assert at.code[0].value == f"python -m ingest run examples/paintings --db '{empty}'"


@pytest.mark.parametrize("page", ["overview", "map", "attention", "similar", "sql"])
def test_an_empty_database_says_what_to_type(empty_db, open_page, page):
    at = open_page(page)
    assert not at.exception
    assert at.title[0].value == "Nothing to show yet"
    assert at.code[0].value == "python -m ingest run examples/paintings"


def test_a_visitor_from_elsewhere_sees_what_to_type(empty_db, open_page, monkeypatch):
    monkeypatch.setattr(jobs, "_visitor", lambda: "192.168.1.20")
    at = open_page()
    assert [each.value for each in at.code] == [
        "python -m ingest run FOLDER",
        "python -m ingest run examples/paintings",
    ]
    assert not [each for each in at.button if each.key.startswith("first_")]


def test_a_file_that_is_no_database_is_explained(tmp_path, monkeypatch, open_page):
    path = tmp_path / "holiday.duckdb"
    path.write_text("not a database " * 1000)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page()
    assert not at.exception
    assert at.title[0].value == "This is not a Bilderatlas database"


def test_a_busy_database_is_explained(db, open_page, monkeypatch):
    real = connection.reading
    monkeypatch.setattr(connection, "reading", lambda path, wait=10.0: real(path, 0.1))
    with connection.writing(db):
        at = open_page()
    assert not at.exception
    assert at.title[0].value == "The database is busy"
    assert at.run().title[0].value == "Overview"


def test_pictures_without_a_run_are_shown_and_the_other_pages_say_what_is_missing(tmp_path, monkeypatch, open_page):
    path = tmp_path / "no-run.duckdb"
    database.make(path, database.NAMES[:2], run=False)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page()
    assert at.title[0].value == "Overview"
    at.switch_page("views/map/map.py").run()
    assert not at.exception
    assert "No model has been run" in texts(at)


def test_the_newest_run_comes_first_and_another_can_be_linked(db, open_page):
    with connection.writing(db) as con:
        number = write.add_run(con, 1, database.run_record(fit="pad"))
    assert open_page().session_state["run"] == number
    assert open_page(run=1).session_state["run"] == 1


# ---- thumbnails ---------------------------------------------------------------------------------------------------


@pytest.fixture
def client(db):
    from starlette.applications import Starlette

    from dashboard import app

    return TestClient(Starlette(routes=app.routes()))


def test_a_thumbnail_is_sent_for_ever(client):
    answer = client.get("/thumb/1?v=abc")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content[:2] == b"\xff\xd8"
    again = client.get("/thumb/1?v=abc", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_without_a_version_a_browser_has_to_ask_again(client):
    assert client.get("/thumb/1").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/thumb/999", f"/thumb/{2**70}", "/thumb/1?db=other.duckdb", "/thumb/1?db=../x"])
def test_an_unknown_thumbnail_is_a_grey_square(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("image/svg")
    assert "no-store" in answer.headers["cache-control"]


def test_thumbnails_of_another_database_of_the_folder(client, db, made):
    shutil.copy(made, db.with_name("second.duckdb"))
    file.neighbours.clear()
    assert client.get("/thumb/2?db=second.duckdb").status_code == 200


def test_no_database_is_no_crash(client, db):
    db.unlink()
    answer = client.get("/thumb/1")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("image/svg")


def test_another_picture_under_the_same_id_has_another_address(db):
    before = cache.images().at[1, "version"]
    with connection.writing(db) as con:
        path = database.NAMES[0]
        other = database.record("duerer-lion-1494.jpg", {})
        write.add_images(con, 1, [type(other)(**(vars(other) | {"path": path}))])
    after = cache.images().at[1, "version"]
    assert before != after


def test_thumbnails_keep_a_bounded_number_and_answer_while_a_writer_works(db):
    small = Thumbnails(blocks=1, size=2)
    first = small.get(db, 1)
    assert first == small.get(db, 1)
    small.get(db, 5)
    assert len(small.cached) == 1
    picture = small.get(db, 5)
    with connection.writing(db) as con:
        write.add_collection(con, "other", "")
        assert small.get(db, 5) == picture


# ---- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "caption"),
    [
        ({"title": "Wave", "Artist": "Hokusai", "year": 1829}, "Hokusai, 1829"),
        ({"title": "Wave", "date": "about 1829"}, "about 1829"),
        ({"title": "Wave", "place": "Edo", "shelf": "A 3", "note": "torn"}, "Edo, A 3"),
        ({"title": "Wave", "place": "", "shelf": None}, ""),
        ({}, ""),
    ],
)
def test_captions(metadata, caption):
    assert words.caption(metadata, "Wave") == caption


def test_words_of_a_spreadsheet_do_nothing_in_markdown():
    assert words.plain("**a** [b](c) $x$ &lt;\n# d") == r"\*\*a\*\* \[b\]\(c\) \$x\$ \&lt; \# d"
    for word, alone in (
        (":material/home:", r"\:"),
        ("->", r"\-"),
        ("--", r"\-"),
        ("www.a.org", "www"),
        ("a@b.org", "a@"),
    ):
        assert words.plain(word).startswith(alone + "\u2060"), word  # a character of no width parts them


def test_a_picture_comes_from_its_file_and_else_from_its_thumbnail(db, made):
    original, is_original = cache.picture(1)
    assert is_original and original.size == (665, 450)
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere'")
    small, is_original = cache.picture(1)
    assert not is_original and max(small.size) == 256
    assert cache.picture(999) is None


def test_tables_can_be_changed_without_changing_what_others_see(db):
    mine = cache.images()
    mine["title"] = "spoilt"
    assert cache.images().at[1, "title"] == "The Great Wave off Kanagawa"
    vectors = cache.features(1)[1]
    with pytest.raises(ValueError, match="read-only"):
        vectors[0] = 0


def test_whole_numbers_stay_whole_where_some_are_missing(db):
    years = cache.catalogue()["year"]
    assert years.isna().sum() == 1
    assert str(years[0]) == "1829"
