"""A vocabulary from a spreadsheet to marks: uploaded and scored on the page, its threshold moved, twenty marked by keys."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import idle, ingest
from tests.ingest.workbooks import workbook
from tests.support.databases import ask

pytestmark = pytest.mark.browser

COUNT = 24


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Path:
    """A database of as many small pictures and a tiny network that reads words."""
    folder = tmp_path_factory.mktemp("vocabulary")
    for number in range(COUNT):
        Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1 + number / COUNT), 20 + number).save(folder / f"{number}.png")
    ingest(folder, folder / "v.duckdb", "--model", "tiny:siglip", "--project", "none")
    return folder / "v.duckdb"


def test_a_table_is_scored_its_threshold_moved_and_twenty_are_marked(open_page, reader, show):
    page = open_page(f"{show(reader)}/vocabulary")
    file = {"name": "motifs.xlsx", "mimeType": "application/vnd.ms-excel"}
    table = workbook({"motifs": [["term", "parent"], ["boat", "vehicle"], ["tree", "plant"]]})
    page.locator("input[type=file]").set_input_files({**file, "buffer": table})
    page.get_by_role("button", name="Score over the pictures").click()
    expect(page.get_by_text("motifs: 2 terms scored over the pictures of run 1.")).to_be_visible()
    idle(page)

    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    before = slider.get_attribute("aria-valuenow")
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuenow", before)
    idle(page)
    page.get_by_role("button", name="Use this threshold").click()
    expect(page.get_by_text("Its threshold labels")).to_be_visible()
    idle(page)
    ((labelled,),) = ask(reader, "SELECT count(*) FROM labels WHERE term = 'boat' AND labelled")
    expect(page.get_by_text(f"Its threshold labels {labelled} picture")).to_be_visible()

    page.get_by_role("button", name="Check twenty").click()
    items = page.get_by_role("group", name="Pictures to mark as right or wrong").locator(".item")
    expect(items).to_have_count(20)
    items.first.locator(".piece").focus()
    for number in range(20):
        page.keyboard.press("r" if number % 2 else "w")
    expect(page.get_by_text("All of them are marked")).to_be_visible()
    idle(page)
    marks = "SELECT count(*), count(*) FILTER (correct) FROM term_marks WHERE term = 'boat'"
    assert ask(reader, marks) == [(20, 10)]
    items.first.locator(".piece").click()  # selects, as everywhere, and marks nothing
    expect(page.locator(".dock .count")).to_have_text("1")
    items.first.get_by_role("button", name=re.compile("^Right")).click()
    expect(items.first.locator("[data-act=right]")).to_have_attribute("aria-pressed", "true")
    idle(page)
    assert ask(reader, marks) == [(20, 11)]
    expect(page.get_by_text("% interval").first).to_be_visible()
