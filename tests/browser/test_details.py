"""The page Details by hand: a box is drawn, the pair is zoomed, a place is saved, and the link leads back to it."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ingest.vision.details import measuring
from tests.browser.conftest import address_of, idle
from tests.browser.test_similar import query
from tests.support import PAINTINGS, commands
from tests.support.databases import ask

pytestmark = pytest.mark.browser

BOX = (0.1, 0.3, 0.4, 0.7)  # of the wave, which another painting shows too, at PASTED
PASTED = (300, 60)


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """Three paintings; a part of the first lies on the second, as large as it is."""
    folder = tmp_path_factory.mktemp("copied")
    files = ("hokusai-great-wave-1829", "van-gogh-harvest-1888", "kandinsky-composition-viii-1923")
    wave, harvest, other = (Image.open(PAINTINGS / f"{name}.jpg").convert("RGB") for name in files)
    harvest.paste(wave.crop(tuple(int(edge * side) for edge, side in zip(BOX, wave.size * 2, strict=True))), PASTED)
    for name, picture in (("a-wave", wave), ("b-harvest", harvest), ("c-other", other)):
        picture.save(folder / f"{name}.png")
    db = folder / "copied.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "CROPS", 2)
        patch.setattr(measuring, "SIDES", (8,))
        words = ("--model", "tiny:dinov2", "--methods", "none", "--patches")
        assert commands.run("run", folder, *words, db=db).code == 0
    return db


@pytest.fixture
def page(copied, show, open_page) -> Page:
    """The page with the box drawn on the wave by the mouse."""
    page = open_page(f"{show(copied)}/details?image=1")
    edges = page.locator(".st-key-detail_box img").bounding_box()
    corners = [(edges["x"] + x * edges["width"], edges["y"] + y * edges["height"]) for x, y in (BOX[:2], BOX[2:])]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=4)
    page.mouse.up()
    expect(page.locator(".pair .stage").nth(1)).to_be_visible()
    idle(page)
    return page


def hits(page: Page):
    return page.locator(".st-key-detail_wall .piece")


def scales(page: Page) -> list[float]:
    """0 for a picture that has not come yet."""
    return [float(stage.get_attribute("data-scale") or 0) for stage in page.locator(".pair .stage").all()]


def settled(page: Page) -> None:
    """Wait until neither picture moves any more."""
    before: list = []
    for _ in range(100):
        page.wait_for_timeout(250)
        now = [*scales(page), *(place.bounding_box() for place in page.locator(".pair .found").all())]
        if now == before and all(now):
            return
        before = now
    raise AssertionError(f"the pictures still move: {before}")


def zoomed(page: Page, act) -> list[float]:
    """How many times larger both pictures are after something was done."""
    settled(page)
    before = scales(page)
    act()
    settled(page)
    return [after / own for after, own in zip(scales(page), before, strict=True)]


def test_a_box_is_drawn_found_compared_saved_and_linked(copied, page, open_page):
    assert tuple(map(float, query(page)["crop"].split(","))) == pytest.approx(BOX, abs=0.01)
    expect(hits(page)).to_have_count(2)
    expect(hits(page).first).to_contain_text("key points")
    # The box lies on the very place, whatever is in view, and lines lead there.
    viewer, places = page.locator(".pair"), page.locator(".pair .found")
    expect(viewer).to_have_attribute("data-lines", re.compile("^([5-9]|[0-9]{2,})$"))
    settled(page)
    width, height = (edge * side for edge, side in zip((0.3, 0.4), (665, 450), strict=True))
    for place, scale in zip(places.all(), scales(page), strict=True):
        box = place.bounding_box()
        assert (box["width"], box["height"]) == pytest.approx((width * scale, height * scale), rel=0.06)
    # A place is saved with a note.
    page.locator(".st-key-hit_region_note input").fill("the same claws")
    page.locator(".st-key-hit_region_keep button").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    idle(page)
    ((image_id, x0, y0, note),) = ask(copied, "SELECT image_id, x0, y0, note FROM regions")
    assert (image_id, note) == (2, "the same claws") and (x0, y0) == pytest.approx(PASTED, abs=8)
    # Another pair, and back to this one; the link shows it again.
    link = address_of(page)
    hits(page).nth(1).focus()
    page.keyboard.press("c")
    expect(page.locator(".pair .name").nth(1)).to_have_text("c-other")
    idle(page)
    assert query(page)["hit"] == "3"
    page.go_back()
    expect(page.locator(".pair .name").nth(1)).to_have_text("b-harvest")
    expect(page.locator(".st-key-detail_box .box")).to_be_visible()
    idle(page)
    again = open_page(link)
    expect(again.locator(".pair .name").nth(1)).to_have_text("b-harvest")
    expect(hits(again).first).to_contain_text("key points")


def test_the_pair_is_zoomed_by_wheel_and_keys_and_moves_together(page):
    viewer, stages = page.locator(".pair"), page.locator(".pair .stage")
    stages.first.hover()
    first, second = zoomed(page, lambda: page.mouse.wheel(0, -300))
    assert first > 1.15 and second == pytest.approx(1)
    stages.nth(1).focus()
    assert zoomed(page, lambda: page.keyboard.press("+")) == pytest.approx([1, 1.5], rel=0.05)
    page.keyboard.press("l")
    expect(viewer).to_have_attribute("data-lines", "0")
    page.keyboard.press("l")
    page.get_by_role("button", name="The whole pictures (0)").click()
    settled(page)
    assert all(scale < 1 for scale in scales(page))
    # The piece is as large in both pictures: so are they now, and the places lie at one place of their stages.
    stages.first.focus()
    page.keyboard.press("p")
    settled(page)
    page.keyboard.press("t")
    page.keyboard.press("ArrowRight")
    settled(page)
    first, second = scales(page)
    assert first == pytest.approx(second, rel=0.03)
    inside = []
    for stage, place in zip(stages.all(), page.locator(".pair .found").all(), strict=True):
        outer, box = stage.bounding_box(), place.bounding_box()
        inside.append((box["x"] - outer["x"], box["y"] - outer["y"]))
    assert inside[0] == pytest.approx(inside[1], abs=12)


def test_a_picture_is_selected_and_made_an_example_by_key(page):
    hits(page).first.focus()
    page.keyboard.press("s")
    expect(page.locator(".st-key-detail_wall .item.selected")).to_have_count(1)
    expect(page.get_by_text("1 of 3 pictures")).to_be_visible()
    idle(page)
    hits(page).nth(1).focus()
    page.keyboard.press("+")
    expect(page.get_by_text("1 example to search for whole pictures with.")).to_be_visible()
    idle(page)
    page.get_by_role("link", name="Search with them").click()
    expect(page.get_by_text("More like this")).to_be_visible()
    idle(page)
    assert query(page)["like"] == "3"
