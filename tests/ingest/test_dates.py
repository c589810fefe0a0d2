"""Dates as people write them become ranges of years; what is not fully understood does not."""

import pytest

from ingest.sources.cells import is_dated
from ingest.sources.dates import span

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
    # days and months
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
    ["", "n.d.", "unknown", "undatiert", "Inv. 1520", "13/25/1889", "1525-1520", "signed 1520, reworked 1533", "12", "15200", "1889-13", "n.d. [1889]", "1860-70er", "x", "vi", "99th century", "1" * 5000, "1520 " * 5000],
)  # fmt: skip
def test_what_is_no_date(text):
    assert span(text) is None


@pytest.mark.parametrize(
    ("name", "dated"),
    [("date", True), ("Datierung", True), ("Année", True), ("year_made", True), ("DateCreated", True), ("fecha", True), ("title", False), ("update", False), ("candidate", False), ("material", False)],
)  # fmt: skip
def test_columns_of_dates_are_known_by_their_names(name, dated):
    assert is_dated(name) is dated
