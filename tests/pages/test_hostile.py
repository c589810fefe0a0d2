"""Metadata that means harm, or is only odd: shown as text everywhere, run nowhere, and no page stumbles."""

import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing import tables
from dashboard.state.navigation import copy_link, tour
from ingest import export
from store import connection, write
from tests.pages import hostile
from tests.pages.conftest import MAIN, TIMEOUT
from tests.pages.test_filtering import alone
from tests.store.conftest import image

ROOT = Path(__file__).parents[2]
# Pieces of the titles that Markdown or Streamlit would make something of, were they not escaped.
LIVE = re.compile(
    r"<script|<img|<b>|\*\*bold|`code|~~no|\$x|\$\$|\[link\]|\]\(java|:material/home|:smile:|:red\[|:blue-|->|<-|&lt;b|www\.ex|a@ex",
)
# What Streamlit reads as Markdown; options of lists, tables and code it does not.
MARKDOWN = {
    "markdown",
    "caption",
    "title",
    "header",
    "subheader",
    "info",
    "warning",
    "error",
    "success",
    "button_group",
}
OWN_SCRIPT = (ROOT / "dashboard" / "sidebar.js").read_text(encoding="utf-8")
OURS = {
    "style",
    "div",
    "span",
    "p",
    "figure",
    "figcaption",
    "img",
    "dl",
    "dt",
    "dd",
    "code",
    "br",
    "b",
    "strong",
    "small",
}
PAGES = ("overview", "picture", "map", "similar", "attention", "figure", "heads", "aggregate", "parts", "probe", "sql")


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "bad.duckdb"
    hostile.make(path)
    return path


@pytest.fixture
def db_of_the_bad(bad, tmp_path, monkeypatch) -> Path:
    path = Path(shutil.copy(bad, tmp_path / "bad 'db'.duckdb"))
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    return path


@pytest.fixture
def opened(db_of_the_bad):
    """`opened("map", f=...)`: a page on the bad database, as a link opens it."""

    def open_(name: str, **query) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
        at.query_params.update(query)
        return at.run() if name == "overview" else at.switch_page(f"views/{name}/{name}.py").run()

    return open_


def read_as_markdown(at: AppTest) -> list[str]:
    """Every text of a page that Streamlit reads as Markdown: bodies, labels, options that are buttons, and hints."""
    found = []
    for node in at._tree:
        proto = getattr(node, "proto", None)
        if proto is None:
            continue
        found += [getattr(proto, name) for name in ("label", "help") if isinstance(getattr(proto, name, None), str)]
        if node.type in MARKDOWN:
            found += [getattr(proto, name) for name in ("body",) if isinstance(getattr(proto, name, None), str)]
            found += [option.content for option in getattr(proto, "options", ()) if hasattr(option, "content")]
    return found


def live(text: str) -> str | None:
    """What in a text would come to life; None if nothing would."""
    quiet = re.sub(r"`[^`]*`", "", re.sub(r"\\[^a-zA-Z0-9\s]", "", text))  # what is escaped, and our own code
    match = LIVE.search(quiet)
    return match[0] if match else None


class Tags(HTMLParser):
    """The tags and attributes of an HTML text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}


OWN = (f"<script>{OWN_SCRIPT}</script>", tour.markup(False), tour.markup(True), copy_link.markup())


def check(at: AppTest) -> None:
    """Nothing on the page was thrown, and nothing from the metadata lives."""
    assert not at.exception, at.exception[0].stack_trace
    for text in read_as_markdown(at):
        assert live(text) is None, text
    for node in at.get("html"):
        if node.proto.body in OWN:
            continue
        found = Tags(node.proto.body)
        assert found.tags <= OURS, found.tags - OURS
        assert not [name for name in found.attributes if name.startswith("on")]
        assert "src" not in found.attributes or 'src="x"' not in node.proto.body


@pytest.mark.parametrize("title", [title for title in hostile.TITLES if title])
def test_plain_words_are_not_alive_and_lose_nothing(title):
    shown_texts = words.plain(title)
    assert live(shown_texts) is None
    shown = re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", shown_texts).replace("\u2060", "")
    assert shown == re.sub(r"[\n\r\t\u2028]+", " ", title).strip()


def test_the_check_sees_what_lives():
    assert all(live(title) for title in (*hostile.TITLES[:6], hostile.TITLES[7]))
    assert Tags("<p onclick='x'><script>").tags == {"p", "script"}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("image_id", [1, 11])
def test_every_page_shows_it_as_text(opened, page, image_id):
    check(opened(page, image=str(image_id)))


def test_each_image_can_be_in_view(opened):
    at = opened("similar")
    for number in range(2, len(hostile.TITLES) + 1):
        at.selectbox(key="image").set_value(number).run()
        check(at)
    assert len(set(at.selectbox(key="image").options)) == len(hostile.TITLES)
    assert max(map(len, at.selectbox(key="image").options)) < 120


def test_every_column_can_colour_the_map(opened):
    at = opened("map")
    columns = at.selectbox(key="map_colour").options[1:]
    assert {"select", "map_x", "path_2", hostile.QUOTES} <= set(columns)
    for column in ("select", "path_2", hostile.QUOTES, "year"):
        at.selectbox(key="map_colour").set_value(column).run()
        check(at)


def test_every_column_can_be_filtered_by(db_of_the_bad):
    at = AppTest.from_function(alone, default_timeout=TIMEOUT)
    at.session_state["filter"] = True
    at.run()
    columns = cache.metadata_columns(hostile.COLLECTION)
    assert {"select", "order", "group", "image_id_2", "path_2", "map_x", "column", hostile.QUOTES} <= set(columns)
    for column in columns:
        at.session_state["filter"], at.session_state["filter_column"] = True, column
        at.run()
        check(at)
        at.session_state["filter"] = True
        if column == "year":
            at.text_input(key="filter_from").set_value("1503").run()
            wanted = [image_id for image_id in range(1, 17) if image_id > 3 and image_id != 5]
        else:
            first, count = cache.categories(hostile.COLLECTION, column).values[0]
            at.multiselect(key="filter_values").set_value([first]).run()
            assert at.session_state["f"][-1].values == (first,)
            wanted = cache.matching(hostile.COLLECTION, at.session_state["f"]).tolist()
            assert len(wanted) == count
        check(at)
        with connection.reading(cache.db()) as con:
            assert sorted(image_id for (image_id,) in con.execute(at.code[-1].value).fetchall()) == wanted
        at.button(key="filter_clear").click().run()


@pytest.mark.parametrize("page", ["map", "similar", "attention", "heads"])
def test_a_filter_by_bad_values_is_text_in_its_chips_and_in_what_is_said(opened, page):
    values = [f"artist:{title}" for title in hostile.TITLES[:5]]
    at = opened(page, f=[*values, f"{hostile.QUOTES.replace(':', chr(92) + ':')}~code", "select~b"], where="year <> 5")
    check(at)
    assert len(at.session_state["f"]) == 3
    check(opened(page, f=["artist:nobody :material/home: $x^2$"], where="$x$ <b>x</b> :red[y]"))


def test_groups_of_bad_values_can_be_compared(opened):
    at = opened("aggregate", aggregate_a="artist", aggregate_a_is_artist=hostile.TITLES[1])
    check(at)
    at = opened("aggregate", aggregate_a=hostile.QUOTES)
    check(at)


def test_a_head_may_be_called_anything(opened):
    at = opened("heads")
    for name in hostile.TITLES[1], hostile.TITLES[4]:
        at.text_input(key="head_name").set_value(name[:60])
        at.text_area(key="head_note").set_value(name)
        at.button(key="head_save").click().run()
        check(at)
        spec = json.loads(at.get("plotly_chart")[0].proto.spec)
        texts = json.dumps(spec["data"], ensure_ascii=False)
        assert "<script" not in texts and "<img" not in texts


def test_sql_shows_all_of_it(opened):
    at = opened("sql", sql_query='SELECT *, \'=1+1\' AS "=formula", title AS ":red[x]" FROM catalogue')
    check(at)
    assert len(at.dataframe[0].value) == len(hostile.TITLES)


# ---- a category of 50,000 values, and a column of numbers with a word in it -------------------------------------------


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> Path:
    path, count = tmp_path_factory.mktemp("crowd") / "crowd.duckdb", 50_000
    small = {"thumbnail": b"", "width": 3, "height": 2}
    with connection.writing(path) as con:
        number = write.add_collection(con, "crowd", "/nowhere")
        records = [
            image(f"{place}.jpg", {"owner": f"Owner {place}", "number": place if place else "one"}, **small)
            for place in range(count)
        ]
        write.add_images(con, number, records)
    return path


def test_fifty_thousand_values_are_searched_and_not_sent(crowd, monkeypatch):
    monkeypatch.setenv("BILDERATLAS_DB", str(crowd))
    at = AppTest.from_function(bar, default_timeout=TIMEOUT)
    at.session_state["filter"] = True
    at.session_state["filter_column"] = "owner"
    at.query_params["f"] = "owner:Owner 49999"
    at.run()
    assert not at.exception
    assert len(at.multiselect(key="filter_values").options) <= 203
    at.session_state["filter"] = True
    at.text_input(key="filter_search").set_value("owner 4321").run()
    options = at.multiselect(key="filter_values").options
    assert options[0] == "Owner 49999 (1)" and len(options) == 1 + 11  # 4321 and 43210 to 43219
    at.session_state["filter"] = True
    at.selectbox(key="filter_column").set_value("number").run()
    assert not at.exception and at.text_input(key="filter_search").value == ""
    assert at.multiselect(key="filter_values")  # text, for the sake of one word


def bar():
    from types import SimpleNamespace

    import streamlit as st

    from dashboard.state import filter_bar, url

    with url.bound("alone"):
        st.write(filter_bar.bar(SimpleNamespace(collection="crowd", run_id=1)).count)


# ---- files ---------------------------------------------------------------------------------------------------------


FORMULAS = ["=1+1", "+49 30", "-x", "@SUM(A1)", "\tx", "\rx", "  =2", "＝3", "\n=4"]


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers():
    kept = ["a=b", "1-2", "'", "", "Ω", None]
    count = len(FORMULAS) + len(kept)
    frame = pd.DataFrame({"=name": FORMULAS + kept, "n": range(-count, 0), "f": [-0.5] * count})
    frame["mixed"] = pd.Series(
        [-1, "=x", -2.5, ["=x"], None, *[pd.Timestamp("1900-01-01")] * (count - 5)], dtype=object
    )
    frame["kind"] = pd.Categorical(["-a", "b", None] * (count // 3))
    data = tables.safe_csv(frame)
    assert data.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert head == ["'=name", "n", "f", "mixed", "kind"]
    assert [row[0] for row in rows] == [f"'{text}" for text in FORMULAS] + [text or "" for text in kept]
    assert [int(row[1]) for row in rows] == list(range(-count, 0)) and {row[2] for row in rows} == {"-0.5"}
    assert [row[3] for row in rows[:5]] == ["-1", "'=x", "-2.5", '["=x"]', ""]
    assert [row[4] for row in rows[:3]] == ["'-a", "b", ""]
    assert list(csv.reader(io.StringIO(tables.to_csv(pa.table({"=a": FORMULAS})).decode("utf-8-sig"), newline=""))) == [
        ["'=a"],
        *([f"'{text}"] for text in FORMULAS),
    ]


def test_a_frame_with_two_columns_of_one_name_and_one_without_rows_are_files_too():
    frame = pd.DataFrame([["=a", 1]], columns=["x", "x"], index=[7])
    assert tables.safe_csv(frame).decode("utf-8-sig").split() == ["x,x", "'=a,1"]
    assert tables.safe_csv(frame.iloc[:0]).decode("utf-8-sig").split() == ["x,x"]


def test_what_the_command_line_exports_is_harmless_too(bad, tmp_path):
    export.export_features(bad, 1, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[6]["title"] == f"'{hostile.TITLES[6]}" and rows[15]["title"] == "'@SUM(1+1)"
    assert float(rows[0]["feature_0"]) and int(rows[0]["image_id"]) == 1
