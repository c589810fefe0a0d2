"""Whatever stands in a table: no exception but a sentence, no picture with the values of another row, order kept."""

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import SourceError
from ingest.tables.delimited import split
from ingest.tables.names import NameIndex, cleaned
from ingest.tables.table import read_metadata

few = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = [f"p{n}.jpg" for n in range(6)]
# What trips readers of tables, beside any other character.
text = st.text(
    st.one_of(st.sampled_from('"",;|\t \n\r\'=#%?&é清а\u2028\x0b'), st.characters(codec="utf-8")), max_size=8
)
plain = text.map(lambda value: value.translate({ord(sign): " " for sign in "\t\n\r\0"}))


def marked(cells):
    """Each row's cells with the number of the row in them, so that they tell whose they are."""
    return [f"<{n}>{cell}" for n, cell in enumerate(cells)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.csv"


def read(path, data):
    path.write_bytes(data)
    return read_metadata(path, NAMES)


def own_rows(found):
    for name, row in found.rows.items():
        for value in row.values():
            assert value is None or f"<{NAMES.index(name)}>" in value, (name, row)


@few
@given(titles=st.lists(text, min_size=2, max_size=6), sign=st.sampled_from(",;|"), everything=st.booleans())
def test_csv_of_the_library_comes_back_in_order(path, titles, sign, everything):
    buffer = io.StringIO()
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    titles = marked(cell.replace("\0", "") for cell in titles)
    rows = [[name, title, "x"] for name, title in zip(NAMES, titles, strict=False)]
    csv.writer(buffer, delimiter=sign, quoting=quoting).writerows([["file", "note", "z"], *rows])
    found = read(path, buffer.getvalue().encode())
    expected = [title.replace("\r\n", "\n").replace("\r", "\n").strip() for title in titles]
    assert [row["note"] for row in found.rows.values()] == expected and list(found.rows) == NAMES[: len(rows)]


@few
@given(titles=st.lists(plain, min_size=2, max_size=6))
def test_tsv_comes_back_as_it_is(path, titles):
    titles = marked(titles)
    lines = ["file\tnote", *(f"{name}\t{title}" for name, title in zip(NAMES, titles, strict=False))]
    found = read(path, "\n".join(lines).encode())
    assert [row["note"] for row in found.rows.values()] == [title.strip() for title in titles]


@few
@given(cells=st.lists(st.tuples(plain, plain), min_size=2, max_size=6), sign=st.sampled_from(",;\t|"))
def test_rows_that_nobody_quoted_stay_apart(path, cells, sign):
    """As people join cells by hand: whatever quotation marks there are, no row swallows another."""
    lines = [
        sign.join([name, *(f"{mark}<{n}>{mark}{cell}" for cell in pair)])
        for n, (name, pair) in enumerate(zip(NAMES, cells, strict=False))
        for mark in ['"' if n % 2 else ""]
    ]
    found = read(path, "\n".join([sign.join(["file", "a", "b"]), *lines]).encode())
    own_rows(found)
    assert {*found.rows, *found.unread_files, *found.unmatched_files} == set(NAMES)


@few
@given(data=st.binary(max_size=200), name=st.sampled_from(["t.csv", "t.tsv", "t.json", "t.jsonl", "t.xlsx", "t.ods"]))
@pytest.mark.parametrize("head", [b"", b"file,t\np1.jpg,", b"PK\x03\x04", b"\xff\xfe", b'[{"file": "p1.jpg", "t": '])
def test_any_bytes_are_a_table_or_a_sentence(tmp_path, head, data, name):
    try:
        read(tmp_path / name, head + data)
    except SourceError as error:
        assert str(error).strip() and "Traceback" not in str(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@few
@given(records=st.lists(st.dictionaries(text, values, max_size=3), min_size=1, max_size=6))
def test_json_of_any_shape(tmp_path, records):
    records = [
        {"file": name, **record, "own": f"<{n}>"} for n, (name, record) in enumerate(zip(NAMES, records, strict=False))
    ]
    try:
        found = read(tmp_path / "t.json", json.dumps(records).encode())
    except SourceError:
        return
    for name, row in found.rows.items():
        assert row["own"] == f"<{NAMES.index(name)}>"
        assert not any(cell and "{'" in cell and "{'" not in json.dumps(records) for cell in row.values())


@few
@given(cells=st.text(max_size=40), sign=st.sampled_from(",;\t|"))
def test_every_line_is_in_a_row(cells, sign):
    rows = split(cells, sign).rows
    assert [number for number, _ in rows] == sorted({number for number, _ in rows}) and rows[0][0] == 1


@few
@given(
    names=st.lists(
        st.text(st.sampled_from("ab/. %20é?#ü"), min_size=1, max_size=8).filter(lambda name: name[-1] != "/"),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    value=st.text(st.sampled_from("ab/. %20é?#üAB&=:"), max_size=12),
)
def test_names_mean_one_picture_or_none(names, value):
    index = NameIndex(names)
    for each in (value, *names):
        found = index.look_up(each)
        assert found is None or found[0] in names
        assert not (found and index.is_ambiguous(each))
        if found and index.promises([each]) is False:
            raise AssertionError("a column that holds it would be passed over")
    exact = [name for name in names if names.count(name) == 1 and cleaned(name) == name]
    for name in exact:
        if [cleaned(each) for each in names].count(name) == 1 and "#" not in name:
            assert index.look_up(name) == (name, 0)
