"""Dates as people write them become ranges of years; what is not fully understood does not."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.tables.cells import is_dated, read_cells
from ingest.tables.dates import is_undated, span
from ingest.tables.tabular import Sheet

READ = {
    # a year, and how sure one is of it
    "1520": (1520, 1520), "850": (850, 850), "[1520]": (1520, 1520), "(1889)": (1889, 1889), "1889年": (1889, 1889),
    "c. 1520": (1515, 1525), "ca. 1520": (1515, 1525), "c.1520": (1515, 1525), "circa 1520": (1515, 1525),
    "um 1520": (1515, 1525), "vers 1520": (1515, 1525), "1520?": (1515, 1525), "[1520?]": (1515, 1525),
    "probably 1889": (1884, 1894), "c. 850": (845, 855),
    # ranges
    "1520–25": (1520, 1525), "1520-1525": (1520, 1525), "1520/25": (1520, 1525), "1520 – 1525": (1520, 1525),
    "1520 to 1525": (1520, 1525), "1520 bis 1525": (1520, 1525), "between 1520 and 1525": (1520, 1525),
    "zwischen 1520 und 1525": (1520, 1525), "entre 1520 et 1525": (1520, 1525), "c. 1520–25": (1520, 1525),
    "c. 1520-c. 1530": (1520, 1530), "1520 or 1522": (1520, 1522), "1520-25?": (1520, 1525),
    "1911-12": (1911, 1912), "1903-05": (1903, 1905), "12 March 1889 - 3 April 1890": (1889, 1890),
    # decades and centuries
    "1520s": (1520, 1529), "the 1520s": (1520, 1529), "1520er Jahre": (1520, 1529), "1500s": (1500, 1599),
    "années 1920": (1920, 1929), "152?": (1520, 1529), "152-": (1520, 1529), "15--": (1500, 1599), "15??": (1500, 1599),
    "ca. 1890er Jahre": (1890, 1899), "16th century": (1501, 1600), "16. Jh.": (1501, 1600),
    "16. Jahrhundert": (1501, 1600), "XVIe siècle": (1501, 1600), "sec. XVI": (1501, 1600), "s. XVI": (1501, 1600),
    "early 16th century": (1501, 1533), "mid-16th century": (1534, 1566), "late 16th century": (1567, 1600),
    "2nd half of the 16th century": (1551, 1600), "2. Hälfte 16. Jh.": (1551, 1600), "16. Jh., 2. Hälfte": (1551, 1600),
    "Ende 16. Jh.": (1567, 1600), "1. Viertel 16. Jh.": (1501, 1525), "fin du XVIe siècle": (1567, 1600),
    "15th-16th century": (1401, 1600), "15./16. Jh.": (1401, 1600), "early 19th c.": (1801, 1833),
    # one end open
    "before 1520": (None, 1520), "vor 1520": (None, 1520), "avant 1520": (None, 1520), "not after 1520": (None, 1520),
    "after 1520": (1520, None), "nach 1520": (1520, None), "ab 1520": (1520, None), "1520-": (1520, None),
    # before and after Christ
    "500 BC": (-500, -500), "500 v. Chr.": (-500, -500), "c. 500 BC": (-505, -495), "500–480 BC": (-500, -480),
    "5th century BC": (-500, -401), "5. Jh. v. Chr.": (-500, -401), "early 5th century BC": (-500, -468),
    "AD 79": (79, 79), "79 AD": (79, 79), "79 n. Chr.": (79, 79), "1st century AD": (1, 100),
    "500 B.C.": (-500, -500), "ca. 2050–2000 B.C.": (-2050, -2000), "5th–4th century B.C.": (-500, -301),
    "3rd century BC – 1st century AD": (-300, 100), "27 B.C.–A.D. 14": (-27, 14), "AD 14–68": (14, 68),
    "100–150 CE": (100, 150), "about 100 BCE": (-105, -95), "480/479 BC": (-480, -479), "500 a.C.": (-500, -500),
    "500 av. J.-C.": (-500, -500), "IIe siècle av. J.-C.": (-200, -101), "-500": (-500, -500), "12,000 BC": (-12000, -12000),
    "2nd quarter of the 5th century BC": (-475, -451), "3rd millennium BC": (-3000, -2001),
    # what was done in that year, and doubt behind it
    "published 1893": (1893, 1893), "1893 (printed)": (1893, 1893), "im Jahre 1650": (1650, 1650), "gedruckt um 1650": (1645, 1655),
    "dated 1520": (1520, 1520), "probably printed 1893": (1888, 1898), "1650 circa": (1645, 1655), "1650 ca.": (1645, 1655),
    "[ca. 1650]": (1645, 1655), "between 1650 and 1660 circa": (1650, 1660), "um 1650/60": (1650, 1660), "c. 1650-60": (1650, 1660),
    # one end open, in other words
    "1650+": (1650, None), ">1650": (1650, None), "≥ 1650": (1650, None), "<=1650": (None, 1650), "≈1650": (1645, 1655),
    "1660 - present": (1660, None), "1660–heute": (1660, None), "1650年": (1650, 1650), "1650 г.": (1650, 1650),
    "in or before 1660": (None, 1660), "1650 or later": (1650, None), "before 1750": (None, 1750), "1650 oder später": (1650, None),
    "1650 ou après": (1650, None), "by 1660": (None, 1660), "1889 or before": (None, 1889), "1650 onwards": (1650, None),
    "vóór 1660": (None, 1660), "before c. 1660": (None, 1665), "before the 16th century": (None, 1500),
    "after the 1520s": (1530, None), "1650s or later": (1650, None), "[not before 1650]": (1650, None),
    "shortly after 1650": (1650, 1655), "kurz vor 1520": (1515, 1520),
    # parts of decades and centuries, in other languages
    "early 1920s": (1920, 1922), "mid-1650s": (1653, 1655), "1920s–30s": (1920, 1939), "1860s-70s": (1860, 1879),
    "late 16th–early 17th century": (1567, 1633), "early to mid-17th century": (1601, 1666), "17th c.": (1601, 1700),
    "seventeenth century": (1601, 1700), "dix-septième siècle": (1601, 1700), "seconde moitié du 17e siècle": (1651, 1700),
    "prima metà del XVII secolo": (1601, 1650), "seconda metà del Seicento": (1651, 1700), "principios del siglo XVII": (1601, 1633),
    "XVI-XVII secolo": (1501, 1700), "eerste helft 17de eeuw": (1601, 1650), "Mitte 17. Jh.": (1634, 1666),
    "1. H. 17. Jh.": (1601, 1650), "letztes Viertel 18. Jh.": (1776, 1800),
    # days and months
    "12–15 March 1889": (1889, 1889), "March–April 1889": (1889, 1889), "12.III.1889": (1889, 1889), "12 maart 1889": (1889, 1889),
    "c. March 1889": (1889, 1889), "1834-09 to 1849-03-06": (1834, 1849), "11-17-2009": (2009, 2009), "1978.10.05": (1978, 1978),
    "12.3.1889": (1889, 1889), "1889-03-12": (1889, 1889), "1889-03": (1889, 1889), "12/3/1889": (1889, 1889),
    "3/25/1889": (1889, 1889), "3/1889": (1889, 1889), "March 1889": (1889, 1889), "12 March 1889": (1889, 1889),
    "March 12, 1889": (1889, 1889), "12. März 1889": (1889, 1889), "12 mars 1889": (1889, 1889), "Jan. 1889": (1889, 1889),
    "Summer 1889": (1889, 1889), "1889, March": (1889, 1889), "1889-03-12T10:00:00": (1889, 1889),
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_what_people_write(text):
    assert span(text) == READ[text]


@pytest.mark.parametrize(
    "text",
    ["", "n.d.", "unknown", "undatiert", "Inv. 1520", "13/25/1889", "1525-1520", "signed 1520, reworked 1533", "12", "15200", "1889-13", "n.d. [1889]", "1860-70er", "x", "vi", "99th century", "1978.10", "885.1996", "16.1940", "0000", "9999", "1920, printed later",
     "до 1650", "明治22年", "før 1650", "1650±5", "½ 1650", "0 BC", "after", "c.", "before before 1520", "1" * 5000, "1520 " * 5000],
)  # fmt: skip
def test_what_is_no_date(text):
    assert span(text) is None


EDTF = {
    "1520~": (1515, 1525), "1520?": (1515, 1525), "1520%": (1515, 1525), "156X": (1560, 1569), "15XX": (1500, 1599),
    "1XXX": (1000, 1999), "-1XXX": (-1999, -1000), "15uu": (1500, 1599), "1520/..": (1520, None), "../1520": (None, 1520),
    "/1520": (None, 1520), "1520/": (1520, None), "1520/open": (1520, None), "unknown/1520": (None, 1520), "1964~/2008?": (1964, 2008),
    "1984-06?/2004-08?": (1984, 2004), "156X/158X": (1560, 1589), "-0500": (-500, -500), "-0500/-0400": (-500, -400),
    "-0044-03-15": (-44, -44), "Y-17000": (-17000, -17000), "Y-17000/..": (-17000, None), "Y17E7": (170000000, 170000000),
    "1889-21": (1889, 1889), "1989-34": (1989, 1989), "1889-03~": (1889, 1889), "2004-XX": (2004, 2004), "1985-04-XX": (1985, 1985),
    "1889-03-12T10:00:00Z": (1889, 1889), "[1520..1525]": (1520, 1525), "{1520,1522,1530..}": (1520, None), "[..1520]": (None, 1520),
    "2004-06-~11": (2004, 2004), "1950S2": (1900, 1999),
}  # fmt: skip


@pytest.mark.parametrize("text", EDTF)
def test_the_extended_format(text):
    assert span(text) == EDTF[text]


@pytest.mark.parametrize("text", ["XXXX", "XXXX-12-25", "../..", "/", "1525/1520", "Y1E999999999", "1520/x", "[]"])
def test_what_is_not_in_the_extended_format(text):
    assert span(text) is None


@pytest.mark.parametrize(
    "text", ["n.d.", "[n. d.]", "undated", "o. J.", "s.d.", "[s.d.]", "z.j.", "sin fecha", "unknown", "?", "–"]
)
def test_undated_is_no_failure(text):
    assert is_undated(text) and span(text) is None


def test_what_is_not_understood_is_reported():
    header = ["date", "inventory", "period", "year"]
    rows = [
        ["c. 1520", "1978.10", "Baroque", "1520"],
        ["n.d.", "1978.1", "Edo", "1530"],
        ["Qing", "1978.2", "1603–1868", "1540"],
        ["", "", "Qing", "-12000"],
    ]
    cells, unread = read_cells(Sheet(header, rows))
    assert list(cells[0]) == [*header, "date_from", "date_to"]
    assert [(one.column, one.count, one.of, one.examples, one.dated) for one in unread] == [
        ("date", 1, 2, ("Qing",), True),
        ("period", 3, 4, ("Baroque", "Edo", "Qing"), False),
    ]
    assert unread[0].line() == "1 of 2 dates in the column date is not understood (“Qing”)"
    assert unread[1].line().endswith("so it gets no years beside it")


YEARS = st.integers(100, 2099)
ONE = ["{0}", "c. {0}", "{0} circa", "[{0}?]", "published {0}", "vor {0}", "after {0}", "{0} or later", "{0:04}~", "{0:04}/..", "../{0:04}", "1 May {0}", "{0} BC", "A.D. {0}", "um {0}", "-{0:04}"]  # fmt: skip
TWO = ["{0}–{1}", "{0} to {1}", "between {0} and {1}", "c. {0}-c. {1}", "{0:04}/{1:04}", "[{0:04}..{1:04}]", "{1}–{0} B.C.", "entre {0} et {1}", "{0} or {1}"]  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(ONE), YEARS)
def test_a_range_holds_the_year_that_is_written(form, year):
    first, last = span(form.format(year))
    signed = -year if "BC" in form or form[0] == "-" else year
    assert (first is None or first <= signed) and (last is None or signed <= last)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(TWO), YEARS, st.integers(1, 300))
def test_a_range_holds_both_years(form, year, more):
    later = min(year + more, 2100)
    assert span(form.format(year, later)) == ((-later, -year) if "B.C." in form else (year, later))


PIECES = ["c.", "15", "20", "1520", "th", "century", "XVI", "–", "/", "..", "~", "?", "X", "[", "]", "B.C.", "AD", "Jh.", " ", ".", "before", "late", "s", "mai", "00", "e", "Y", "E", "S"]  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=90), st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join), st.lists(st.sampled_from(PIECES), max_size=9).map("".join)))  # fmt: skip
@example("\x00")
@example("²²²² – ٣٣٣٣")
def test_any_text_is_a_range_or_none(text):
    found = span(text)
    assert found is None or (found != (None, None) and (None in found or found[0] <= found[1]))


@pytest.mark.parametrize(
    ("name", "dated"),
    [("date", True), ("Datierung", True), ("Année", True), ("year_made", True), ("DateCreated", True), ("fecha", True), ("title", False), ("update", False), ("candidate", False), ("material", False)],
)  # fmt: skip
def test_columns_of_dates_are_known_by_their_names(name, dated):
    assert is_dated(name) is dated
