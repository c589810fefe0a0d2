"""Tables as museums have them: each picture gets the values of its own row, and what was assumed is reported."""

import csv
import datetime
import io
import json
import unicodedata

import pytest

from ingest.errors import SourceError
from ingest.tables.encodings import decoded
from ingest.tables.names import NameIndex
from ingest.tables.number_formats import day_text, is_code, shown
from ingest.tables.table import read_metadata
from ingest.tables.tabular import TableOptions
from tests.ingest.workbooks import Shown, ods, workbook

P = [f"p{n}.jpg" for n in range(1, 9)]


@pytest.fixture
def table(tmp_path):
    def read(content, name="t.csv", names=P, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        column = options.pop("file_column", None)
        return read_metadata(path, names, column, TableOptions(**options))

    return read


def column(found, name):
    return [row[name] for row in found.rows.values()]


def odd(found):
    return [number for number, _ in found.reading.odd]


# Quotation marks


def test_a_tsv_has_no_quotation_marks(table):
    titles = ['"Untitled" by X', '"The Kiss', "Normal", 'A "quoted" word', 'End"', "Last"]
    found = table("file\ttitle\tyear\n" + "".join(f"p{n}.jpg\t{t}\t{1900 + n}\n" for n, t in enumerate(titles, 1)))
    assert column(found, "title") == titles
    assert column(found, "year") == ["1901", "1902", "1903", "1904", "1905", "1906"]


@pytest.mark.parametrize(
    ("lines", "titles"),
    [
        (['p1.jpg,"The Kiss,1901', "p2.jpg,B,1902"], ['"The Kiss', "B"]),  # never ends
        (['p1.jpg,"The Kiss,1901', 'p2.jpg,A "b" c,1902'], ['"The Kiss', 'A "b" c']),  # ends before a text
        (['p1.jpg,"The Kiss,1901', "p2.jpg,B,1902", 'p3.jpg,End",1903'], ['"The Kiss', "B", 'End"']),  # ends in time
        (['p1.jpg,"The "Kiss" of X",1901', "p2.jpg,B,1902"], ['"The "Kiss" of X"', "B"]),
        (['p1.jpg,"a ""b"" c",1901', "p2.jpg,B,1902"], ['a "b" c', "B"]),
        (['p1.jpg, "a, b" ,1901', "p2.jpg,B,1902"], ["a, b", "B"]),
        (['p1.jpg,"one', 'two, three",1901', "p2.jpg,B,1902"], ["one\ntwo, three", "B"]),  # an honest one of two lines
        (['p1.jpg,"",1901', 'p2.jpg,"""",1902'], [None, '"']),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quotation_marks_that_do_not_close_are_text(table, lines, titles, end):
    found = table(end.join(["file,title,year", *lines]) + end)
    assert column(found, "title") == titles
    assert column(found, "year") == [str(1901 + n) for n in range(len(titles))]


def test_an_odd_quotation_mark_is_reported_with_its_line(table):
    found = table('file,title\np1.jpg,fine\np2.jpg,"open\np3.jpg,x\n')
    assert found.reading.odd_lines() == [
        "line 3: a quotation mark that is not closed at the end of its cell is read as text"
    ]


@pytest.mark.parametrize("first", [True, False])
def test_a_quoted_cell_that_closes_on_a_longer_row_takes_nothing_from_it(table, first):
    rows = [["p1.jpg", '"open', "x"], ["p2.jpg", "a", 'b""";', "c"], ["p3.jpg", "d", "e"]]
    rows = [["file", "t", "u"], *rows] if first else [["t", "u", "file"], *([*r[1:], r[0]] for r in rows)]
    found = table("\n".join(";".join(row) for row in rows))
    assert {name: row["t"] for name, row in found.rows.items()} == {"p1.jpg": '"open', "p3.jpg": "d"}
    assert found.unread_files == ["p2.jpg"]


def test_a_long_cell_is_read(table):
    long = "x, " * 60_000
    found = table(f'file,text,year\np1.jpg,"{long}y",1900\np2.jpg,z,1901\n')
    assert column(found, "text") == [long + "y", "z"] and column(found, "year") == ["1900", "1901"]


# Rows that are longer or shorter, lines above the names of the columns


def test_a_row_with_a_cell_too_many_is_reported_and_not_shifted(table):
    found = table("file,title,artist,year\np1.jpg,The Kiss, second version,Klimt,1908\np2.jpg,Judith,Klimt,1901\n")
    assert list(found.rows) == ["p2.jpg"] and found.rows["p2.jpg"]["artist"] == "Klimt"
    assert found.unread_files == ["p1.jpg"] and "p1.jpg" not in found.unmatched_files
    (line,) = found.reading.odd_lines()
    assert "line 2: has 5 cells instead of 4" in line and "quotation marks" in line


def test_a_row_that_is_too_long_takes_no_other_picture(table):
    """Its third cell names p1.jpg, but stands where the file should."""
    found = table("title,file,related\nA,p1.jpg,\nB, second,p1.jpg,p2.jpg\nC,p3.jpg,\n")
    assert column(found, "title") == ["A", "C"] and found.unread_files == ["p2.jpg"]


def test_delimiters_at_the_end_of_each_row_are_no_cells(table):
    found = table("file,title\np1.jpg,A,\np2.jpg,B,,\n")
    assert column(found, "title") == ["A", "B"] and found.reading.odd == []


def test_a_short_row_leaves_its_last_cells_empty(table):
    found = table("file,title,year\np1.jpg,A,1\np2.jpg,B\n")
    assert found.rows["p2.jpg"] == {"title": "B", "year": None, **_years(found, "p2.jpg")} and odd(found) == [3]


def _years(found, name):
    return {key: value for key, value in found.rows[name].items() if key.startswith("year_")}


@pytest.mark.parametrize("sign", ";,|\t")
@pytest.mark.parametrize("above", ["Liste der Gemälde", "Liste; der, Gemälde|x", "Inventory, as of 2024\nby hand"])
def test_a_title_above_the_names_of_the_columns(table, sign, above):
    rows = [["Datei", "Titel", "Jahr", "Ort"], ["p1.jpg", "Der Kuss", "1908", "Wien"], ["p2.jpg", "Judith", "1", "x"]]
    found = table(above + "\n" + "\n".join(sign.join(row) for row in rows))
    assert column(found, "Titel") == ["Der Kuss", "Judith"]
    assert found.reading.headline == above.count("\n") + 2 and "names of the columns in line" in found.reading.line()


def test_decimal_commas_between_semicolons_are_reported(table):
    found = table("file;width;height\np1.jpg;12,5;3,5\np2.jpg;1,25;7,5\n")
    assert column(found, "width") == ["12.5", "1.25"]
    assert found.reading.delimiter == "semicolon" and found.reading.decimal_comma == ["width", "height"]
    assert "decimal commas in width, height" in found.reading.line()


def test_the_delimiter_can_be_named(table):
    assert column(table("file^title\np1.jpg^A, B\n", delimiter="^"), "title") == ["A, B"]
    assert column(table("file,t;u\np1.jpg,A;B\n", delimiter="comma"), "t;u") == ["A;B"]
    with pytest.raises(SourceError, match="--delimiter is one character"):
        table("file,t\np1.jpg,x\n", delimiter="--")


# Encodings


SAMPLES = {
    "cp1252": ["Dürer, Frühstück im Grünen", "René Magritte, œuvre", "Sommeraften på Skagen Sønderstrand"],
    "cp1250": ["Příliš žluťoučký kůň", "Święta Łucja, źródło"],
    "cp1251": ["Бурлаки на Волге", "Иван Грозный", "Репин"],
    "koi8_r": ["Бурлаки на Волге, Репин"],
    "cp1253": ["Ο Άγιος Γεώργιος και η Παναγία"],
    "cp932": ["葛飾北斎 富嶽三十六景", "歌川広重", "浮世絵"],
    "euc_jp": ["ひまわりと少女の像"],
    "gb18030": ["清明上河图 张择端", "千里江山图"],
    "big5": ["清明上河圖與人物"],
    "cp949": ["김홍도 씨름", "신윤복 미인도"],
    "mac_roman": ["René Français été", "Der Kuß, Gemälde"],
}


@pytest.mark.parametrize(("encoding", "words"), [(name, each) for name, list_ in SAMPLES.items() for each in list_])
def test_encodings_are_detected_and_reported(table, encoding, words):
    found = table(f"file;title\np1.jpg;{words}\n".encode(encoding))
    assert column(found, "title") == [words]
    assert found.reading.detected and "--encoding" in found.reading.line()
    named = table(f"file;title\np1.jpg;{words}\n".encode(encoding), encoding=encoding)
    assert column(named, "title") == [words] and not named.reading.detected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("words", ["Käthe", "清明上河图 张择端", "Бурлаки"])
def test_unicode_needs_no_guess(table, encoding, words):
    found = table(f"file,title\r\np1.jpg,{words}\r\n".encode(encoding))
    assert column(found, "title") == [words] and not found.reading.detected and found.reading.odd == []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("stray", [[8], [2, 5], [1, 2, 3, 4]])
def test_good_lines_stay_utf8_and_the_others_are_named(table, mark, stray):
    lines = [f"p{n}.jpg,Renée {n},Königsberg\n".encode("cp1252" if n in stray else "utf-8") for n in range(1, 9)]
    found = table(mark + b"file,artist,place\n" + b"".join(lines))
    assert column(found, "artist") == [f"Renée {n}" for n in range(1, 9)]
    assert odd(found) == [n + 1 for n in stray] and "UTF-8" in found.reading.line()
    assert "read as Windows-1252" in found.reading.odd_lines()[0]


def test_an_encoding_that_does_not_fit_says_where(table):
    content = "file,title\np1.jpg,x\np2.jpg,Dürer\n".encode("cp1252")
    with pytest.raises(SourceError, match=r"Line 3 of t.csv is not in the encoding utf-8"):
        table(content, encoding="utf-8")
    with pytest.raises(SourceError, match="There is no encoding 'utf-9'"):
        table(content, encoding="utf-9")
    with pytest.raises(SourceError, match="There is no encoding 'base64'"):
        table(content, encoding="base64")
    for name, made in {"t.xlsx": workbook({"S": [["file"], ["p1.jpg"]]})}.items():
        with pytest.raises(SourceError, match="--encoding is for text"):
            table(made, name, encoding="utf-8")


def test_a_few_zeros_are_left_out_and_reported():
    text = decoded("t.csv", b"file,title\np1.jpg,A\0B\np2.jpg,C\n")
    assert text.text == "file,title\np1.jpg,AB\np2.jpg,C\n" and [line for line, _ in text.odd] == [2]


# Workbooks


ROWS = [["file", "title"], ["p1.jpg", "A"], ["p2.jpg", "B"]]
MORE = [["file", "secret"], *([f"p{n}.jpg", f"s{n}"] for n in range(1, 9))]


@pytest.mark.parametrize("make", [workbook, ods])
def test_visible_sheets_go_first_and_the_other_is_named(table, make):
    name = "t.xlsx" if make is workbook else "t.ods"
    data = make({"Objects": ROWS, "old": MORE}, hidden=("old",))
    found = table(data, name)
    assert column(found, "title") == ["A", "B"] and found.reading.sheet == "Objects"
    assert "sheet Objects, not read: old (names 8 pictures, hidden)" in found.reading.line()
    assert column(table(data, name, sheet="OLD"), "secret")[0] == "s1"
    with pytest.raises(SourceError, match="no sheet 'x'; its sheets are Objects, old"):
        table(data, name, sheet="x")


def test_a_hidden_sheet_alone_is_read_and_said_to_be_hidden(table):
    found = table(workbook({"Notes": [["a", "b"], ["c", "d"]], "old": ROWS}, hidden=("old",)), "t.xlsx")
    assert column(found, "title") == ["A", "B"] and "sheet old, which is hidden" in found.reading.line()


@pytest.mark.parametrize("make", [workbook, ods])
def test_cells_match_and_count_as_they_are_shown(table, make):
    if make is workbook:
        cells = [Shown(43, "0000"), Shown(0.25, "0%"), Shown(1250.5, "#,##0.00")]
    else:
        cells = [Shown(43, "0043"), Shown(0.25, "25%"), Shown(1250.5, "1,250.50")]
    rows = [["inv", "share", "price"], cells]
    found = table(make({"S": rows}), "t.xlsx" if make is workbook else "t.ods", names=["0043.jpg", "43.jpg"])
    assert found.rows == {"0043.jpg": {"inv": "0043", "share": "0.25", "price": "1250.5"}}
    rows[0] = ["share", "inv", "price"]
    rows[1] = [cells[1], cells[0], cells[2]]
    found = table(make({"S": rows}), "t.xlsx" if make is workbook else "t.ods", names=["25%.jpg"])
    assert list(found.rows) == ["25%.jpg"]


@pytest.mark.parametrize(
    ("value", "code", "text", "counts"),
    [
        (43, "0000", "0043", True),
        (43, '"Inv. "0000', "Inv. 0043", True),
        (123456, "000-000", "123-456", True),
        (-5, "0;(0)", "(5)", False),
        (0.125, "0.0%", "12.5%", False),
        (1234567.5, "#,##0.00", "1,234,567.50", False),
        (12345, "#\\ ##0", "12 345", False),
        (5, '0 "cm"', "5 cm", False),
        (1250, "[$€-407]#,##0", "€1,250", False),
        (7, "[Red]000", "007", True),
        (2.5, "0.00", "2.50", False),
        (1.5, "# ?/?", "", False),
        (1500, "0.00E+00", "", False),
        (1500, "0,", "", False),
        (7, "[>5]0;0.0", "", False),
        (0, ";;;", "", False),
    ],
)
def test_number_formats(value, code, text, counts):
    assert shown(value, code) == text and is_code(text) is counts


def test_days_go_as_far_as_they_are_shown(table):
    day = datetime.date(1889, 3, 12)
    codes = ["yyyy", "mm/yyyy", "dd.mm.yyyy", "d. mmmm"]
    assert [day_text(day, code) for code in codes] == ["1889", "1889-03", None, None]
    assert [shown(day, code) for code in codes] == ["1889", "03/1889", "12.03.1889", ""]
    number = (datetime.date(1989, 3, 12) - datetime.date(1899, 12, 30)).days
    rows = [["file", "made", "bought"], ["p1.jpg", Shown(number, "yyyy"), Shown(number, "dd.mm.yyyy")]]
    row = table(workbook({"S": rows}), "t.xlsx").rows["p1.jpg"]
    assert (row["made"], row["bought"]) == ("1989", "1989-03-12")


def test_merged_cells_are_said_of_each_row_and_names_take_two_rows(table):
    rows = [
        ["file", "artist", "", "room"],
        ["", "name", "born", ""],
        ["p1.jpg", "Monet", 1840, "A"],
        ["p2.jpg", "", "", "B"],
    ]
    found = table(workbook({"S": rows}, merged=("A1:A2", "B1:C1", "D1:D2", "B3:B4")), "t.xlsx")
    assert found.rows["p1.jpg"] == {"artist name": "Monet", "artist born": "1840", "room": "A"}
    assert found.rows["p2.jpg"] == {"artist name": "Monet", "artist born": None, "room": "B"}


# JSON


def test_lists_of_objects_become_readable_text(table):
    record = {
        "file": "p1.jpg",
        "titles": [{"title": "Sommer", "language": "da"}, {"title": "Summer", "language": "en"}],
        "makers": [{"role": "painter", "name": "Krøyer", "born": None}],
        "size": [{"type": "height", "value": 205, "unit": "cm"}],
        "places": [{"place": {"name": "Skagen", "country": "DK"}}],
        "number": 1978.10,
    }
    text = json.dumps({"total": 1, "items": [record]}).replace("1978.1}", "1978.10}")
    assert table(text, "t.json").rows["p1.jpg"] == {
        "titles": "Sommer (da); Summer (en)",
        "makers": "Krøyer (painter)",
        "size": "205 (height, cm)",
        "places": "Skagen (DK)",
        "number": "1978.10",
    }


# Names of files


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("My%20Picture%201.jpg", "My Picture 1.jpg"),
        ("https://example.org/x/My%20Picture%201.jpg", "My Picture 1.jpg"),
        ("0043.jpg?width=800", "0043.jpg"),
        ("https://example.org/a/0043.JPG?width=800&h=2#top", "0043.jpg"),
        ("https://example.org/view.php?id=7&file=0043.jpg", "0043.jpg"),
        ("sub/deep/x%201.png", "sub/deep/x 1.png"),
        ("O%27Keeffe%20%22Red%22.jpg", 'O\'Keeffe "Red".jpg'),
        ("D%C3%BCrer.jpg", "Dürer.jpg"),
        ("Du%CC%88rer.jpg", "Dürer.jpg"),
        ("D%FCrer.jpg", "Dürer.jpg"),
        ("D%25C3%25BCrer.jpg", "Dürer.jpg"),
        ("https://iiif.example.org/iiif/3/D%C3%BCrer.jpg/full/!800,800/0/default.jpg", "Dürer.jpg"),
        ("https://iiif.example.org/sub%2Fdeep%2Fx%201.png/full/max/0/default.jpg", "sub/deep/x 1.png"),
        ("Café front.jpg", "Caf%C3%A9 front.jpg"),
        ("box.pdf?download=1#page=2", "box.pdf#page=2"),
        ("50%.jpg", "50%.jpg"),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_addresses(value, name, form):
    names = {
        unicodedata.normalize(form, each): each
        for each in ("My Picture 1.jpg", "0043.jpg", "sub/deep/x 1.png", 'O\'Keeffe "Red".jpg', "Dürer.jpg", "50%.jpg")
    } | {"Caf%C3%A9 front.jpg": "Caf%C3%A9 front.jpg", "box.pdf#page=1": "", "box.pdf#page=2": "box.pdf#page=2"}
    index = NameIndex(list(names))
    assert index.promises([value])
    found = index.look_up(value)
    assert found and names[found[0]] == name


@pytest.mark.parametrize("value", ["box.pdf#page=9", "Picture #5.jpg", "Who?.jpg", "%zz.jpg", "?", "http://", "a?b=c"])
def test_what_names_nothing_in_an_address(value):
    assert NameIndex(["box.pdf#page=1", "Picture.jpg", "Who.jpg"]).look_up(value) is None


def test_both_files_of_a_row_get_it(table):
    found = table("front,back,title\np1.jpg,p2.jpg,Coin A\np3.jpg,,Coin B\np4.jpg,p5.jpg,Coin C\n")
    assert [(name, row["title"]) for name, row in found.rows.items()] == [
        ("p1.jpg", "Coin A"), ("p2.jpg", "Coin A"), ("p3.jpg", "Coin B"), ("p4.jpg", "Coin C"), ("p5.jpg", "Coin C"),
    ]  # fmt: skip
    assert found.reading.columns == ["front", "back"] and found.rows["p2.jpg"]["front"] == "p1.jpg"
    found = table('files,title\np1.jpg; p2.jpg,A\n"https://x.org/p3.jpg,https://x.org/p4.jpg",B\n')
    assert column(found, "title") == ["A", "A", "B", "B"]


def test_a_picture_that_is_mentioned_does_not_get_the_row(table):
    found = table("file,title,related\np1.jpg,A,p5.jpg\np2.jpg,B,\np3.jpg,C,\n")
    assert list(found.rows) == ["p1.jpg", "p2.jpg", "p3.jpg"]
    found = table("file,title,copy\np1.jpg,A,p5.jpg\np2.jpg,B,p5.jpg\n")
    assert list(found.rows) == ["p1.jpg", "p2.jpg"]


def test_rows_that_may_mean_several_pictures_are_reported(table):
    found = table("file,t\n1.jpg,x\nb/2.jpg,y\nb/2.jpg,z\n", names=["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    assert {name: row["t"] for name, row in found.rows.items()} == {"b/2.jpg": "y"}
    assert found.reading.odd_lines() == [
        "line 2: fits several pictures: give the path, not the name alone",
        "line 4: names b/2.jpg, which another row describes already",
    ]


def test_options_for_tables_of_another_kind_are_refused(table):
    with pytest.raises(SourceError, match="--sheet is for workbooks, and t.csv is none"):
        table("file\np1.jpg\n", sheet="x")
    with pytest.raises(SourceError, match="--delimiter is for CSV and TSV, and t.json is none"):
        table("[]", "t.json", delimiter=";")


def test_csv_as_the_library_writes_it_comes_back(table):
    rows = [["p1.jpg", 'a "b", c;\td\n\ne', " x"], ["p2.jpg", '"', ""], ["p3.jpg", '""', "\n"]]
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["file", "a", "b"], *rows])
    found = table(buffer.getvalue())
    assert [[row["a"], row["b"]] for row in found.rows.values()] == [
        ['a "b", c;\td\n\ne', "x"], ['"', None], ['""', None],
    ]  # fmt: skip
