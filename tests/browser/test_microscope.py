"""A person at the microscope: one cursor over all maps, a click that asks a patch, a film, maps beside each other."""

import io
import shutil
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import av
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, address_of, idle, ingest

pytestmark = pytest.mark.browser
MAIN = "[data-testid=stMain]"
SLOW = 120_000  # milliseconds: the first question loads the network


def query(page) -> dict[str, list[str]]:
    return parse_qs(urlparse(address_of(page)).query)


def stages(page):
    """The pictures with a cursor: the original, the maps, and the large one of the detail view."""
    return page.locator(f"{MAIN} .stage")


def cursors(page) -> list[dict | None]:
    """Where each picture shows the cursor, in hundredths of its sides, and None where it does not."""
    return page.locator(f"{MAIN} .stage .cursor").evaluate_all(
        """marks => marks.map(mark => mark.hidden ? null : Object.fromEntries(
        ['left', 'top', 'width', 'height'].map(side => [side, parseFloat(mark.style[side])])))"""
    )


def hover(page, number: int, x: float, y: float) -> None:
    """Moves the mouse over the picture with this number, x and y as fractions of its sides."""
    stage = stages(page).nth(number)
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


def until(page, condition, timeout: float = 20_000) -> None:
    """Waits until a condition, asked from here, holds."""
    for _ in range(int(timeout / 100)):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page never came to show it")


def download(page, name: str) -> bytes:
    with page.expect_download(timeout=SLOW) as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    return waiting.value.path().read_bytes()


def notes(page) -> list[str]:
    return page.locator(f"{MAIN} .note .here").all_inner_texts()


def test_one_cursor_moves_over_all_maps(open_page, address):
    page = open_page(f"{address}/attention?image=1")
    expect(stages(page)).to_have_count(1 + 16 + 1)
    assert cursors(page) == [None] * 18
    hover(page, 3, 0.5, 0.5)
    until(page, lambda: None not in cursors(page))
    first, *others = cursors(page)
    assert all(other == pytest.approx(first, abs=0.01) for other in others)
    assert first["left"] <= 50 <= first["left"] + first["width"]
    told = [note for note in notes(page) if "×" in note]
    assert len(told) == 17 and all(note.startswith("r") and "%" in note for note in told)
    heights = page.locator(f"{MAIN} figcaption").evaluate_all("all => all.map(each => each.offsetHeight)")
    page.mouse.move(2, 2)
    until(page, lambda: cursors(page) == [None] * 18)
    assert page.locator(f"{MAIN} figcaption").evaluate_all("all => all.map(each => each.offsetHeight)") == heights


def test_nothing_is_marked_outside_of_what_the_network_saw(open_page, address):
    page = open_page(f"{address}/attention?image=1")  # taller than wide: cut above and below
    hover(page, 3, 0.5, 0.02)
    page.wait_for_timeout(300)
    assert cursors(page) == [None] * 18


def test_a_click_asks_where_a_patch_looks(open_page, address):
    page = open_page(f"{address}/attention?image=1&layer=11&layer=5&head=0&head=3")
    expect(stages(page)).to_have_count(1 + 4 + 1)
    before = stages(page).nth(2).locator("img").get_attribute("src")
    box = stages(page).nth(2).bounding_box()
    stages(page).nth(2).click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.4})
    page.wait_for_function("() => location.search.includes('query')", timeout=SLOW)
    idle(page)
    token = query(page)["method"][0]
    assert token.startswith("query(token=r")
    until(page, lambda: stages(page).nth(2).locator("img").get_attribute("src") != before, SLOW)
    expect(stages(page)).to_have_count(1 + 4 + 1)  # the layers and heads that were chosen
    marked = page.locator(f"{MAIN} .stage .chosen").evaluate_all("marks => marks.map(mark => mark.hidden)")
    assert marked[:5] == [False] * 5
    expect(page.locator(MAIN)).to_contain_text("Computed now in")
    page.get_by_role("button", name="Back to the whole picture").click()
    page.wait_for_function("() => !location.search.includes('query')")
    idle(page)
    until(page, lambda: stages(page).nth(2).locator("img").get_attribute("src") == before)


def test_the_keyboard_does_what_the_mouse_does(open_page, address):
    page = open_page(f"{address}/attention?image=1&layer=11&head=0")
    stages(page).nth(1).focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: cursors(page)[1] is not None)
    start = cursors(page)[1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    until(page, lambda: cursors(page)[1]["left"] > start["left"] and cursors(page)[1]["top"] > start["top"])
    here = cursors(page)[1]
    assert here["left"] == pytest.approx(start["left"] + start["width"], abs=0.01)
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    assert cursors(page)[1]["top"] > 5  # the edge of what the network saw, not of the picture
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('query')", timeout=SLOW)
    idle(page)
    assert query(page)["method"][0].startswith("query(token=r0c")


def test_a_map_of_blocks_is_played_and_taken_away(open_page, address):
    page = open_page(f"{address}/attention?image=1&method=daam&target=neighbours:5")
    player = page.locator(f"{MAIN} .player")
    player.wait_for(timeout=SLOW)
    idle(page)
    slider, caption = player.get_by_role("slider"), player.locator("figcaption")
    expect(caption).to_have_text("Accumulated to block 11")
    last = player.locator("img").get_attribute("src")
    slider.focus()
    page.keyboard.press("Home")
    expect(caption).to_have_text("Accumulated to block 0")
    assert player.locator("img").get_attribute("src") != last
    page.keyboard.press("ArrowRight")
    expect(caption).to_have_text("Accumulated to block 1")
    player.get_by_role("combobox").select_option("4")
    player.get_by_role("button", name="Play").click()
    player.get_by_role("button", name="Pause").wait_for()
    expect(caption).not_to_have_text("Accumulated to block 1")
    page.keyboard.press("Space")
    player.get_by_role("button", name="Play").wait_for()
    stopped = caption.inner_text()
    page.wait_for_timeout(500)
    expect(caption).to_have_text(stopped)
    with Image.open(io.BytesIO(download(page, "GIF"))) as film:
        assert film.format == "GIF" and film.n_frames == 12
    with av.open(io.BytesIO(download(page, "MP4"))) as film:
        assert len(list(film.decode(video=0))) == 12
    with zipfile.ZipFile(io.BytesIO(download(page, "PNGs"))) as archive:
        assert [name[:2] for name in archive.namelist()] == [*(f"{n:02d}" for n in range(12)), "ab"]


@pytest.fixture(scope="module")
def two_networks(paintings, tmp_path_factory) -> Path:
    """A database with a second run, of a tiny network that saw the whole pictures in 4 × 4 patches."""
    db = tmp_path_factory.mktemp("two") / "two.duckdb"
    shutil.copy(paintings, db)
    ingest(ROOT / "examples" / "paintings", db, "--model", "tiny:vit", "--fit", "stretch", "--limit", "3")
    return db


@pytest.fixture
def two_runs(two_networks, show) -> str:
    return show(two_networks)


def test_maps_of_two_networks_share_a_cursor_by_the_pictures_own_places(open_page, two_runs):
    page = open_page(f"{two_runs}/attention?image=1&view=compare&column=1;cls;11;mean&column=2;cls;2;1")
    expect(stages(page)).to_have_count(2)
    hover(page, 0, 0.5, 0.3)
    until(page, lambda: None not in cursors(page))
    fine, coarse = cursors(page)
    assert (coarse["width"], coarse["height"]) == pytest.approx((25, 25)) and fine["width"] < 7
    # The patch of the coarse grid that holds the middle of the fine one's.
    assert coarse["left"] <= fine["left"] + fine["width"] / 2 <= coarse["left"] + 25
    assert coarse["top"] <= fine["top"] + fine["height"] / 2 <= coarse["top"] + 25
    hover(page, 1, 0.5, 0.02)  # which only the second network saw
    until(page, lambda: cursors(page)[0] is None and cursors(page)[1] is not None)


def test_what_is_compared_can_be_shared_as_a_link(open_page, two_runs):
    page = open_page(f"{two_runs}/attention?image=2")
    page.get_by_role("radio", name="compare", exact=True).click()
    idle(page)
    expect(stages(page)).to_have_count(2)
    page.get_by_role("radio", name="4", exact=True).click()
    idle(page)
    expect(stages(page)).to_have_count(4)
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('column').length === 4")
    other = open_page(address_of(page))
    expect(stages(other)).to_have_count(4)

    def shown(each) -> list[str]:
        return stages(each).locator("img").evaluate_all("all => all.map(image => image.src)")

    until(page, lambda: shown(page) == shown(other) and len(set(shown(page))) == 4)


def test_the_probe_looks_at_a_picture_of_ones_own(open_page, address):
    page = open_page(f"{address}/probe")
    picture = ROOT / "examples" / "paintings" / "hokusai-great-wave-1829.jpg"
    page.set_input_files("input[type=file]", str(picture))
    stages(page).nth(16).wait_for(timeout=SLOW)
    idle(page)
    expect(page.locator(MAIN)).to_contain_text("nothing of it is stored")
    hover(page, 2, 0.5, 0.5)
    until(page, lambda: cursors(page)[0] is not None)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["attention?image=1&view=compare", "probe", "attention?method=rollout"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_small_window(open_page, address, path, scheme):
    page = open_page(f"{address}/{path}", width=800, color_scheme=scheme)
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 800
