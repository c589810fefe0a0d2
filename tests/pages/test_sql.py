"""The SQL page: what runs, what is refused, what comes back, and in which files."""

import csv
import io
import json

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from streamlit.delta_generator import DeltaGenerator

from dashboard.drawing import tables
from dashboard.selection import actions
from dashboard.views.sql import queries
from store import connection, errors, sandbox, write
from tests.pages import database

HARMFUL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def shown(monkeypatch):
    """The items of each gallery that a page showed; the gallery itself is for the browser's tests."""
    walls = []
    monkeypatch.setattr(actions, "gallery", lambda items, *args, **more: walls.append(list(items)))
    return walls


@pytest.fixture
def page(db, open_page, shown):
    at = open_page("sql", image=1)
    assert not at.exception
    return at


def ask(at, sql: str):
    at.text_area(key="sql_query").set_value(sql)
    return at.button(key="sql_run").click().run()


def test_opens_with_an_answer(page):
    table = page.dataframe[0].value
    assert set(table["artist"]) >= {"Katsushika Hokusai", "Mary Cassatt"}
    assert table["pictures"].sum() == 6


def test_answers_what_is_asked(page):
    ask(page, "SELECT 6 * 7 AS answer, 'Bär' AS animal")
    assert page.dataframe[0].value.to_dict("records") == [{"answer": 42, "animal": "Bär"}]
    assert any(caption.value.startswith("1 row · ") for caption in page.main.caption)


def test_a_query_waits_for_run(page):
    assert page.text_area(key="sql_query").form_id == page.button(key="sql_run").form_id != ""


def test_a_link_runs_its_query(db, open_page):
    at = open_page("sql", sql_query="SELECT 41 + 1 AS answer")
    assert at.text_area(key="sql_query").value == "SELECT 41 + 1 AS answer"
    assert at.dataframe[0].value["answer"].tolist() == [42]


@pytest.mark.parametrize("number", range(9))
def test_each_example_runs_from_its_button(page, number):
    buttons = [button for button in page.main.button if button.key and button.key.startswith("sql_0")]
    assert len(buttons) == 9
    buttons[number].click().run()
    assert not page.exception and not page.main.error
    assert len(page.dataframe[0].value)
    assert "$" not in page.text_area(key="sql_query").value


def test_nearest_is_about_the_image_in_view(page, shown):
    page.button(key="sql_02_nearest").click().run()
    assert "nearest(1, 1, 12)" in page.text_area(key="sql_query").value
    found = page.dataframe[0].value
    assert 1 not in set(found["image_id"]) and len(found) == 5
    assert [item["image_id"] for item in shown[-1]] == found["image_id"].tolist()
    assert shown[-1][0]["caption"].startswith(f"similarity {found['similarity'][0]:.4g}")


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE image", "COPY image TO '/tmp/x.csv'", "SELECT * FROM read_csv('/etc/passwd')", "SELECT 1; SELECT 2"],
)
def test_what_is_not_reading_is_refused_in_a_sentence(page, db, sql):
    ask(page, sql)
    assert not page.exception
    assert len(page.dataframe) == 0
    assert page.main.error[0].value.rstrip().endswith(".")
    with connection.reading(db) as con:
        assert con.execute("SELECT count(*) FROM images").fetchone() == (6,)


def test_a_mistake_is_shown_with_its_place(page):
    ask(page, "SELECT title\nFORM catalogue x")
    assert "cannot run" in page.main.error[0].value
    assert "LINE 2: FORM catalogue" in page.code[0].value and "^" in page.code[0].value
    ask(page, "SELECT titel FROM catalogue")
    assert '"titel"' in page.code[0].value


def test_an_empty_query_is_a_hint(page):
    ask(page, "   ")
    assert "choose an example" in page.main.info[0].value


def test_limits_are_told_and_kept(page, monkeypatch):
    told = " ".join(caption.value for caption in page.main.caption)
    assert "10 seconds" in told and "1,000 rows" in told
    asked = []
    real = sandbox.query
    monkeypatch.setattr(sandbox, "query", lambda *a, **k: asked.append((a[2:], k)) or real(*a, **k))
    ask(page, "SELECT * FROM range(5000)")
    assert asked == [((), {"seconds": 10.0, "rows": 1000})]
    assert len(page.dataframe[0].value) == 1000
    assert any("there are more" in caption.value for caption in page.main.caption)


def test_a_query_that_takes_too_long_says_so(page, monkeypatch):
    def late(path, sql, seconds, rows):
        raise errors.SqlTimeout(f"The query took longer than {seconds:g} seconds and was stopped.")

    monkeypatch.setattr(sandbox, "query", late)
    ask(page, "SELECT 1 AS slow")
    assert "longer than 10 seconds" in page.main.error[0].value


def test_an_answer_is_asked_for_once(page, monkeypatch):
    asked = []
    real = sandbox.query
    monkeypatch.setattr(sandbox, "query", lambda *a, **k: asked.append(a) or real(*a, **k))
    ask(page, "SELECT 5 AS five")
    page.run()
    page.selectbox(key="image").set_value(3).run()
    assert len(asked) == 1


def test_the_schema_comes_from_the_database(page):
    assert not any("<dl" in html.value for html in page.main.html)  # closed, it costs nothing
    page.session_state["sql_schema"] = True
    page.run()
    text = next(html.value for html in page.main.html if "<dl" in html.value)
    for part in (
        "<dt>catalogue</dt>",
        "artist VARCHAR",
        "year BIGINT",
        "nearest(run_id, image_id, k)",
        "mass_registers FLOAT",
    ):
        assert part in text
    assert "stored_map" not in text and "<dt>image</dt>" not in text


def test_values_are_shown_as_duckdb_prints_them_and_stay_whole_in_files(page, monkeypatch):
    files = {}
    monkeypatch.setattr(
        DeltaGenerator, "download_button", lambda self, label, data, *a, **k: files.update({label: data})
    )
    ask(
        page,
        "SELECT DATE '-0044-03-15' AS ides, 340282366920938463463374607431768211455::UHUGEINT AS huge, "
        "(-170141183460469231731687303715884105728)::HUGEINT AS low, INTERVAL (-3) DAY AS span, '101'::BIT AS bits, "
        "(-123456789012345678901234567890123456789012)::BIGNUM AS big, 1.50::DECIMAL(9, 2) AS price, [1, 2] AS list, "
        "'-inf'::DOUBLE AS least, -2.5::DOUBLE AS x, '=1+1' AS text",
    )
    assert not page.exception and not page.main.error
    shown = page.dataframe[0].value.iloc[0]
    assert [str(value) for value in shown] == [
        "0045-03-15 (BC)",
        "340282366920938463463374607431768211455",
        "-170141183460469231731687303715884105728",
        "-3 days",
        "101",
        "-123456789012345678901234567890123456789012",
        "1.50",
        "[1, 2]",
        "-inf",
        "-2.5",
        "=1+1",
    ]
    rows = list(csv.DictReader(io.StringIO(files["CSV"]().decode("utf-8-sig"), newline="")))
    assert rows == [{**{name: str(value) for name, value in shown.items()}, "span": "'-3 days", "text": "'=1+1"}]
    back = parquet.read_table(io.BytesIO(files["Parquet"]())).to_pylist()[0]
    assert (back["list"], back["x"], back["huge"]) == ([1, 2], -2.5, "340282366920938463463374607431768211455")


def test_a_pivot_is_answered_and_a_plan_is_shown_as_text(page):
    ask(page, "PIVOT catalogue ON year USING count(*) GROUP BY collection")
    assert not page.main.error and "1829" in page.dataframe[0].value.columns
    ask(page, "EXPLAIN PIVOT catalogue ON year USING count(*) GROUP BY collection")
    assert not page.main.error and "╭" in page.code[0].value


def test_columns_of_one_name_foreign_types_and_nothing_at_all_can_be_shown(page):
    kinds = (
        "1 AS a, 2 AS a, metadata, NULL AS none, sum(image_id) OVER () AS big, [1, 2] AS list, INTERVAL 1 DAY AS day"
    )
    more = "uuid() AS id, {'x': 1} AS struct, MAP {'k': 1} AS map, 'b'::BLOB AS blob, 1.5::DECIMAL(9, 2) AS price"
    ask(page, f"SELECT {kinds}, {more}, now() AS now, 'a'::ENUM ('a', 'b') AS enum, true AS yes FROM images")
    assert not page.exception and not page.main.error
    assert len(page.dataframe[0].value.columns) == len(set(page.dataframe[0].value.columns)) == 15
    assert json.loads(page.dataframe[0].value["metadata"][0])["artist"] == "Katsushika Hokusai"
    ask(page, "SELECT * FROM images WHERE false")
    assert not page.exception and len(page.dataframe[0].value) == 0


def test_image_ids_that_are_none_or_unknown_are_passed_over(page, shown):
    ask(page, "SELECT unnest([3, NULL, 999, 3, 2]) AS image_id, 'why' AS reason")
    assert [item["image_id"] for item in shown[-1]] == [3, 2]
    assert shown[-1][0]["caption"] == "reason why"
    shown.clear()
    ask(page, "SELECT 'three' AS image_id")
    assert not page.exception and not shown


def test_hostile_metadata_is_text(db, open_page, shown):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": HARMFUL, "ar`t$x$": HARMFUL}})
    at = open_page("sql")
    assert not at.exception
    assert HARMFUL not in "".join(html.value for html in at.main.html)
    ask(at, "SELECT nothing_of_this_kind_<b>")
    assert not at.exception


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("sql")
    assert not at.exception
    assert at.title[0].value == "Nothing to show yet"


def test_a_database_without_runs_still_answers(tmp_path, monkeypatch, open_page, shown):
    path = tmp_path / "plain.duckdb"
    database.make(path, run=False)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page("sql")
    assert not at.exception
    assert at.dataframe[0].value["pictures"].sum() == 6


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\tx", " =1", "＝1"])
def test_csv_lets_no_spreadsheet_run_text(text):
    back = pd.read_csv(io.BytesIO(tables.to_csv(pa.table({text: [text]}))), dtype=str)
    assert back.columns[0] == "'" + text and back.iloc[0, 0] == "'" + text


def test_csv_keeps_numbers_and_umlauts_and_lists():
    table = pa.table({"n": [-2, None], "Größe": ["Bär", 'a,"b"'], "list": [[1, 2], None]})
    data = tables.to_csv(table)
    assert data.startswith(b"\xef\xbb\xbf")
    back = pd.read_csv(io.BytesIO(data))
    assert back["n"][0] == -2 and back["n"].isna()[1]
    assert back["Größe"].tolist() == ["Bär", 'a,"b"'] and back["list"][0] == "[1, 2]"


def test_columns_of_one_name_are_told_apart():
    table = tables.tidy(pa.table([[1], [2], [3], [4]], names=["a", "a", "a_2", ""]))
    assert table.column_names == ["a", "a_2", "a_2_2", "column"]


def test_parquet_keeps_types():
    table = pa.table({"n": pa.array([1, 2], pa.int16()), "v": pa.array([[0.5], [1.5]], pa.list_(pa.float32()))})
    assert parquet.read_table(io.BytesIO(tables.to_parquet(table))).schema == table.schema


def test_examples_quote_the_names_of_columns():
    first = queries.examples(1, 1, 0, 0, "cls", 'Ma"ler')[0]
    assert first.title == 'Pictures per Ma"ler'
    assert '"Ma""ler"' in first.sql
    assert queries.quoted("artist") == "artist" and queries.quoted("order by") == '"order by"'


def test_the_first_example_goes_by_a_column_whose_values_several_pictures_share(db, open_page):
    assert "GROUP BY artist" in open_page("sql", run=1).text_area(key="sql_query").value
    with connection.reading(db) as con:
        paths = [path for (path,) in con.execute("SELECT path FROM images ORDER BY image_id").fetchall()]
    for facts, first in (({}, "nearest("), ({"format": "a print"}, "GROUP BY format")):
        with connection.writing(db) as con:
            write.set_metadata(con, 1, {path: {"title": path, **facts} for path in paths})
        at = open_page("sql", run=1)
        assert not at.exception and first in at.text_area(key="sql_query").value
