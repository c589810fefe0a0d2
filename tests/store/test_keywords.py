"""Which columns are lists, and what can be asked of their parts."""

import duckdb
import pytest

from store import facets, keywords, migrate, read, write
from store.connection import reading, writing
from store.facets import Contains, OneOf
from tests.store.conftest import image

SUBJECTS = ["Architecture; Landscape", "Landscape", "Sea; Landscape;", "Portrait", None, "Sea;Sea"]
LISTS = {
    "subject": (SUBJECTS, ";"),
    "tags": (["Men|Portraits", "Men", "Women | Men", "Women"], "|"),
    "people": (["Rubens, Peter Paul; Brueghel, Jan", "Rubens, Peter Paul; Snyders, Frans", "Snyders, Frans"], ";"),
    "both": (["a; b|c", "c|a; b", "c"], "|"),
    "json": ([["sea", "sky"], "sea", ["a; b"], []], "json"),
    "once": (["sea", "sky", "sea; sky"], ";"),
}
WHOLE = {
    "title": ["Sea; Sky", "Sky", "Sea", "Sky; Sea"],
    "Werktitel": ["Day; Night", "The Fall of Icarus; after Bruegel", "Sun; Moon"],
    "remark": ["The sky is blue; the sea is calm.", "A tree stands here; a man is below.", "Nobody is there."],
    "medium": ["Oil; canvas"] * 5 + ["Paper"],
    "long": [f"{'a rather long sentence about what is to be seen here, and more, '}; {i}; b; c" for i in range(4)],
    "rare": ["sea; sky", "sky; sea"] + [f"{i}" for i in range(60)],
    "year": [1503, 1504],
    "dicts": [[{"a": 1}], [{"a": 2}]],
    "empty": ["", None, " ; "],
}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("keywords") / "b.duckdb"
    columns = {name: values for name, (values, _) in LISTS.items()} | WHOLE
    rows = max(map(len, columns.values()))
    pictures = [
        image(f"{row}.jpg", {name: values[row] for name, values in columns.items() if row < len(values)})
        for row in range(rows)
    ]
    with writing(path) as con:
        write.add_images(con, write.add_collection(con, "c", None), pictures)
    return path


def test_columns_that_are_divided_throughout_are_lists(database):
    with reading(database) as con:
        assert read.list_columns(con) == {name: separator for name, (_, separator) in LISTS.items()}


def test_the_view_has_each_part_once_and_the_catalogue_keeps_the_text(database):
    with reading(database) as con:
        query = "SELECT image_id, value FROM keywords WHERE key = ?"
        assert con.execute(query, ["subject"]).fetchall() == [
            (1, "Architecture"), (1, "Landscape"), (2, "Landscape"), (3, "Sea"), (3, "Landscape"), (4, "Portrait"), (6, "Sea"),
        ]  # fmt: skip
        assert con.execute(query, ["json"]).fetchall() == [(1, "sea"), (1, "sky"), (2, "sea"), (3, "a; b")]
        texts = con.execute("SELECT subject FROM catalogue WHERE image_id < 7 ORDER BY image_id").fetchall()
        assert [text for (text,) in texts] == SUBJECTS
        rows = con.execute("SELECT image_id, subject, json FROM catalogue WHERE image_id < 5").fetchall()
        for column, place, separator in (("subject", 1, ";"), ("json", 2, "json")):
            for row in rows:
                parts = con.execute(f"{query} AND image_id = ?", [column, row[0]]).fetchall()
                assert keywords.parts_of(row[place], separator) == tuple(value for _, value in parts)


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (OneOf("subject", ("Landscape",)), [1, 2, 3]),
        (OneOf("subject", ("Sea", "Portrait")), [3, 4, 6]),
        (OneOf("subject", ("Architecture; Landscape",)), [1]),  # a whole cell, as links of before have it
        (OneOf("subject", ("Land",)), []),
        (OneOf("json", ("sky",)), [1]),
        (OneOf("json", ('["sea","sky"]',)), [1]),
        (Contains("subject", "scape"), [1, 2, 3]),
    ],
)
def test_filters_go_by_the_parts(database, condition, ids):
    with reading(database) as con:
        assert facets.matching(con, "c", [condition]).tolist() == ids
        assert [image_id for (image_id,) in con.execute(facets.statement(con, "c", [condition])).fetchall()] == ids


def test_the_missing_ones_are_those_without_a_part(database):
    with reading(database) as con:
        found = facets.matching(con, "c", [OneOf("subject", ("Portrait",), missing=True)]).tolist()
        assert found[:3] == [4, 5, 7] and 6 not in found


def test_facets_and_labels_count_each_part(database):
    with reading(database) as con:
        found = facets.categories(con, "c", "subject")
        assert found.values == (("Landscape", 3), ("Sea", 2), ("Architecture", 1), ("Portrait", 1))
        assert found.distinct == 4
        assert facets.categories(con, "c", "subject", search="land").values == (("Landscape", 3),)
        assert "subject" in facets.grouping(con, "c")
        assert read.labels(con, "subject", [1, 4, 5]) == [{"Architecture", "Landscape"}, {"Portrait"}, frozenset()]


def test_a_column_becomes_a_list_as_pictures_are_added(empty, make):
    with writing(empty) as con:
        collection = write.add_collection(con, "c", None)
        for number, text in enumerate(SUBJECTS[:3]):
            write.add_images(con, collection, [make.image(f"{number}.jpg", {"subject": text})])
            assert bool(read.list_columns(con)) is (number > 1)
        write.set_metadata(con, collection, {f"{number}.jpg": {"subject": "x"} for number in range(3)})
        assert read.list_columns(con) == {} and con.execute("FROM keywords").fetchall() == []


def test_a_database_of_before_gets_its_lists_and_types(tmp_path):
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE migration (number INTEGER, name VARCHAR, applied_at TIMESTAMP)")
        for number, file in migrate.steps():
            if number < 11:
                con.execute(file.read_text(encoding="utf-8"))
                con.execute("INSERT INTO migration VALUES (?, ?, now())", [number, file.stem])
        con.execute("INSERT INTO collection VALUES (1, 'c', NULL, now())")
        for number, (subject, accession) in enumerate(
            [("Sea; Sky", "1978.1"), ("Sky", "1978.10"), ("Sea; Sky; x", "")]
        ):
            metadata = f'{{"subject": "{subject}", "accession": "{accession}"}}'
            columns = "image_id, collection_id, path, sha256, width, height, metadata, added_at"
            con.execute(
                f"INSERT INTO image ({columns}) VALUES (?, 1, ?, '', 1, 1, ?, now())", [number, f"{number}", metadata]
            )
        con.execute("INSERT INTO catalogue_column VALUES (0, 'subject', 'subject', 'VARCHAR')")
        con.execute("INSERT INTO catalogue_column VALUES (1, 'accession', 'accession', 'DOUBLE')")
    with writing(path) as con:
        assert read.list_columns(con) == {"subject": ";"}
        assert read.catalogue(con)["accession"].to_pylist() == ["1978.1", "1978.10", None]
