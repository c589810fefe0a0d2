"""Corrected cells: shown wherever metadata is read, kept apart from the source, and no cell gets what it cannot have."""

import pytest

from store import corrections, edits, facets, read, write
from store.conditions import Between
from store.connection import reading, writing
from store.edits import Author
from store.errors import StoreError
from store.records import ImageRecord

ROWS = [
    {"title": "Wave", "year": "1831", "height": "25.50", "bought": "1901-02-03", "subject": "sea; boat"},
    {"title": "Mill", "year": "1642", "height": "30.00", "bought": "1911-12-13", "subject": "mill; sea"},
    {"title": "Lion", "year": "1494", "height": "12.25", "bought": "", "subject": "lion"},
]


def record(path: str, metadata: dict) -> ImageRecord:
    return ImageRecord(path, path * 3, 40, 30, 100, 1.0, metadata, b"jpeg", 40, 30)


def read_table(path, rows=ROWS):
    """As an ingest reads its table, the first time and again."""
    with writing(path) as con:
        number = write.add_collection(con, "prints", None)
        write.add_images(con, number, [record(f"{place}.jpg", row) for place, row in enumerate(rows)])
        write.set_metadata(con, number, {f"{place}.jpg": row for place, row in enumerate(rows)})


@pytest.fixture
def db(tmp_path):
    read_table(tmp_path / "atlas.duckdb")
    return tmp_path / "atlas.duckdb"


def correct(path, image_id, column, text, who="Ann"):
    with writing(path) as con:
        return corrections.correct(con, image_id, column, text, who)


def column(path, name):
    with reading(path) as con:
        return read.catalogue(con)[name].to_pylist()


def test_a_corrected_year_is_in_catalogue_filter_images_and_view_and_the_source_stays(db):
    assert correct(db, 1, "year", "1830") and not correct(db, 1, "year", " 1830 ")
    assert column(db, "year") == [1830, 1642, 1494]
    with reading(db) as con:
        assert facets.matching(con, "prints", [Between("year", 1830, 1830)]).tolist() == [1]
        assert con.sql("SELECT metadata ->> 'year' FROM images WHERE image_id = 1").fetchall() == [("1830",)]
        assert read.known(con, 1)["0.jpg"].metadata["year"] == "1831"
        (row,) = corrections.among(con, "prints").to_pylist()
        assert (row["column"], row["before"], row["after"], row["source_says"], row["who"]) == (
            "year", "1831", "1830", "1831", "Ann",
        )  # fmt: skip


def test_a_corrected_title_is_the_title_and_a_corrected_list_has_its_parts(db):
    correct(db, 1, "title", "The Great Wave")
    correct(db, 3, "subject", "lion; sea")
    with reading(db) as con:
        assert read.images(con)["title"].to_pylist() == ["The Great Wave", "Mill", "Lion"]
        assert con.sql("SELECT image_id FROM keywords WHERE value = 'sea' ORDER BY 1").fetchall() == [(1,), (2,), (3,)]


def test_it_survives_the_old_table_and_says_when_that_says_something_new(db):
    correct(db, 1, "year", "1830")
    read_table(db)
    assert column(db, "year")[0] == 1830
    read_table(db, [{**ROWS[0], "year": "1829"}, *ROWS[1:]])
    assert column(db, "year")[0] == 1830
    with reading(db) as con:
        (row,) = corrections.of(con, 1).to_pylist()
        assert (row["before"], row["source_says"]) == ("1831", "1829")
    with writing(db) as con:
        corrections.take_back(con, 1, "year")
    assert column(db, "year")[0] == 1829


def test_back_to_what_the_source_says_there_is_no_correction(db):
    correct(db, 1, "year", "1830")
    correct(db, 1, "year", "1831")
    with reading(db) as con:
        assert corrections.among(con).num_rows == 0


def test_nothing_is_a_correction_too_and_an_empty_cell_can_be_filled(db):
    correct(db, 1, "year", "")
    correct(db, 3, "bought", "1920-01-31")
    assert column(db, "year") == [None, 1642, 1494] and str(column(db, "bought")[2]) == "1920-01-31"
    with reading(db) as con:
        assert corrections.of(con, 1).to_pylist()[0]["after"] is None
        assert corrections.of(con, 3).to_pylist()[0]["before"] == ""


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("year", "about 1830", "holds numbers, and “about 1830” is none: type a year such as 1831"),
        ("year", "1830.5", "holds whole numbers"),
        ("year", "18310", "“18310” is no year: type one from -9999 to 9999"),
        ("year", "NaN", "holds numbers"),
        ("height", "25.555", "holds numbers with 2 decimals: type one such as 1.00"),
        ("bought", "3 February 1901", "holds dates, and “3 February 1901” is none: type one as 1831-05-17"),
        ("bought", "1901-02-30", "holds dates"),
        ("maker", "Hokusai", "no column 'maker'"),
    ],
)
def test_an_impossible_value_gets_a_sentence_and_changes_nothing(db, name, text, sentence):
    with pytest.raises(StoreError, match=sentence):
        correct(db, 1, name, text)
    with reading(db) as con:
        assert corrections.among(con).num_rows == 0


@pytest.mark.parametrize(("name", "text", "value"), [("year", "−50", -50), ("height", "26", 26.0)])
def test_a_value_is_written_as_its_column_has_it(db, name, text, value):
    correct(db, 1, name, text)
    assert column(db, name)[0] == value and column(db, "height")[1] == 30.0


def test_the_last_word_among_numbers_makes_the_column_one_of_numbers(tmp_path):
    read_table(tmp_path / "a.duckdb", [{"age": "12"}, {"age": "13"}, {"age": "?"}])
    assert column(tmp_path / "a.duckdb", "age") == ["12", "13", "?"]
    correct(tmp_path / "a.duckdb", 3, "age", "14")
    assert column(tmp_path / "a.duckdb", "age") == [12, 13, 14]


def test_years_beside_a_date_go_with_it(tmp_path):
    path = tmp_path / "a.duckdb"
    read_table(
        path,
        [{"date": "c. 1830", "date_from": 1825, "date_to": 1835}, {"date": "1642", "date_from": 1642, "date_to": 1642}],
    )
    correct(path, 1, "date", "1829–1831")
    assert (column(path, "date_from")[0], column(path, "date_to")[0]) == (1829, 1831)
    with reading(path) as con:
        assert con.sql("SELECT json_type(metadata -> 'date_from') FROM images WHERE image_id = 1").fetchall() == [
            ("UBIGINT",)
        ]
    correct(path, 1, "date", "after the great fire")
    assert (column(path, "date_from")[0], column(path, "date_to")[0]) == (1829, 1831)
    with writing(path) as con:
        corrections.take_back(con, 1, "date")
    assert (column(path, "date")[0], column(path, "date_from")[0], column(path, "date_to")[0]) == (
        "c. 1830",
        1825,
        1835,
    )


@pytest.mark.parametrize(
    ("text", "years"), [("1831-40", (1831, 1840)), ("1831-05", (1831, 1831)), ("1831-15", (1825, 1835))]
)
def test_two_digits_behind_a_year_are_its_end_or_a_month_as_in_a_table(tmp_path, text, years):
    path = tmp_path / "a.duckdb"
    read_table(path, [{"date": "c. 1830", "date_from": 1825, "date_to": 1835}])
    correct(path, 1, "date", text)
    assert (column(path, "date_from")[0], column(path, "date_to")[0]) == years


def test_a_range_that_runs_backwards_is_refused(tmp_path):
    path = tmp_path / "a.duckdb"
    read_table(path, [{"date": "c. 1830", "date_from": 1825, "date_to": 1835}])
    with pytest.raises(StoreError, match="runs backwards: type the earlier year first, as 1840–1850"):
        correct(path, 1, "date", "1850-1840")
    assert column(path, "date") == ["c. 1830"] and column(path, "date_from") == [1825]


def test_a_correction_does_not_write_over_one_that_its_author_has_not_seen(db):
    correct(db, 1, "year", "1830", "Ben")
    with writing(db) as con:
        with pytest.raises(StoreError, match="in another window since: it holds “1830” now"):
            corrections.correct(con, 1, "year", "1829", "Ann", instead_of="1831")
        assert not corrections.correct(con, 1, "year", "1831", "Ann", instead_of="1831")  # she changed nothing
        assert corrections.correct(con, 1, "year", "1829", "Ann", instead_of="1830")
    assert column(db, "year")[0] == 1829


def test_undo_takes_a_correction_back_and_redo_makes_it_again(db):
    ann = Author("a")
    with writing(db) as con, edits.recorded(con, ann, "year", ["correction"]):
        corrections.correct(con, 1, "year", "1830")
    with writing(db) as con, edits.recorded(con, ann, "year again", ["correction"]):
        corrections.correct(con, 1, "year", "1829")
    for how, year in ((edits.undo, 1830), (edits.undo, 1831), (edits.redo, 1830), (edits.redo, 1829)):
        with writing(db) as con:
            how(con, "a")
        assert column(db, "year")[0] == year


def test_another_correction_meanwhile_is_not_undone(db):
    with writing(db) as con, edits.recorded(con, Author("a"), "year", ["correction"]):
        corrections.correct(con, 1, "year", "1830")
    with writing(db) as con, edits.recorded(con, Author("b"), "year", ["correction"]):
        corrections.correct(con, 1, "year", "1829")
    with pytest.raises(edits.EditRefused), writing(db) as con:
        edits.undo(con, "a")
    assert column(db, "year")[0] == 1829
