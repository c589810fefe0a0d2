"""A figure for print by clicks: three pictures, one more column, one scale, and its files."""

import io
import re

import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.test_dashboard import pieces
from tests.pages import database


@pytest.fixture
def db(tmp_path):
    database.make(tmp_path / "figure.duckdb")
    return tmp_path / "figure.duckdb"


def download(page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    return waiting.value.path().read_bytes()


def test_three_pictures_on_one_scale_become_png_and_pdf(open_page, db, show):
    page = open_page(show(db))
    pieces(page).nth(0).click()
    for place in (2, 4):
        pieces(page).nth(place).click(modifiers=["Control"])
    expect(page.locator(".dock .count")).to_have_text("3")
    idle(page)
    page.locator(".dock").get_by_role("button", name="Make a figure (3 pictures)").click()
    expect(page.get_by_role("heading", name="Figure", exact=True)).to_be_visible()
    caption = page.get_by_role("textbox", name="Caption")
    expect(caption).to_have_value(re.compile("Attention maps of 3 pictures"))
    page.get_by_role("button", name="Add", exact=False).first.click()
    page.get_by_role("button", name="One more column").click()
    idle(page)
    page.get_by_role("combobox", name="Layer").click()
    page.get_by_role("option", name="0", exact=True).click()
    expect(caption).to_have_value(re.compile("layer 0"))
    idle(page)
    assert page.url.count("&col=") == 3 and page.url.count("pictures=") == 3
    png = Image.open(io.BytesIO(download(page, "PNG, 300 dpi")))
    assert png.width == round(175 / 25.4 * 300)
    (sheet,) = pypdfium2.PdfDocument(download(page, "PDF"))
    text = " ".join(sheet.get_textpage().get_text_range().split())
    assert "Attention maps of 3 pictures" in text and "One scale for all maps" in text
    page.reload()
    idle(page)
    expect(caption).to_have_value(re.compile("layer 0"))
